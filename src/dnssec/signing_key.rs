//! The private half of a key.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::pkcs8::Document;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, SIGNATURE, UNCOMPRESSED};
use super::dnskey::DnsKey;

/// Why octets are not a key, or a key does nothing. Never says what the octets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PKCS#8 of a private key of the algorithm.
    #[error("not a private key of {0} in PKCS#8")]
    NotPkcs8(Algorithm),
    /// A private key that the library refuses, or that its public key is not of.
    #[error("not a private key of {0} with its public key")]
    NotAPair(Algorithm),
    /// A signature that its own public key does not verify.
    #[error("its signatures do not verify by its public key")]
    Unverified,
    /// The library failed.
    #[error("the cryptographic library failed")]
    Library,
}

/// A key pair that signs. Its private octets are wiped when it is dropped, and `Debug` shows the public
/// key's tag alone.
pub struct SigningKey {
    pair: Pair,
    dnskey: DnsKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// When the library has no random octets.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EcdsaP256Sha256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ecdsa)
            }
            Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        Self::of(pair.map_err(|_| KeyError::Library)?)
    }

    /// The key in a PKCS#8 document (RFC 5958), version 1 or 2.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EcdsaP256Sha256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::Ecdsa)
            }
            Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8(pkcs8).map(Pair::Ed25519),
        };
        Self::of(pair.map_err(|_| KeyError::NotPkcs8(algorithm))?)
    }

    /// The key of a private number (RFC 6605: 32 octets, big-endian) or seed (RFC 8080: 32 octets), as
    /// BIND's key files have it, and the key field of its DNSKEY record.
    pub fn from_private(
        algorithm: Algorithm,
        private: &[u8],
        public: &[u8],
    ) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EcdsaP256Sha256 => {
                let point = [&[UNCOMPRESSED], public].concat();
                EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    private,
                    &point,
                )
                .map(Pair::Ecdsa)
            }
            Algorithm::Ed25519 => {
                Ed25519KeyPair::from_seed_and_public_key(private, public).map(Pair::Ed25519)
            }
        };
        Self::of(pair.map_err(|_| KeyError::NotAPair(algorithm))?)
    }

    fn of(pair: Pair) -> Result<Self, KeyError> {
        let (algorithm, public) = match &pair {
            Pair::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                let public = point.strip_prefix(&[UNCOMPRESSED]);
                (Algorithm::EcdsaP256Sha256, public.unwrap_or_default())
            }
            Pair::Ed25519(pair) => (Algorithm::Ed25519, pair.public_key().as_ref()),
        };
        let dnskey = DnsKey::new(algorithm, public).ok_or(KeyError::Library)?;
        Ok(Self { pair, dnskey })
    }

    /// The key as a PKCS#8 document of version 1, which is wiped when dropped.
    pub fn to_pkcs8(&self) -> Result<Document, KeyError> {
        let document = match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1(),
        };
        document.map_err(|_| KeyError::Library)
    }

    /// The private number or seed alone, as [`Self::from_private`] takes it.
    pub fn to_private(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let octets = match &self.pair {
            Pair::Ecdsa(pair) => {
                let number: Result<EcPrivateKeyBin<'_>, _> = pair.private_key().as_be_bytes();
                number.map(|number| Zeroizing::new(number.as_ref().to_vec()))
            }
            Pair::Ed25519(pair) => {
                let seed = pair.seed();
                let seed = seed.and_then(|seed| seed.as_be_bytes());
                seed.map(|seed| Zeroizing::new(seed.as_ref().to_vec()))
            }
        };
        octets.map_err(|_| KeyError::Library)
    }

    /// The public half.
    pub fn dnskey(&self) -> &DnsKey {
        &self.dnskey
    }

    /// Signs octets. That of Ed25519 is the same for the same octets; that of ECDSA never is.
    ///
    /// # Errors
    /// When the library has no random octets.
    pub fn sign(&self, octets: &[u8]) -> Result<[u8; SIGNATURE], KeyError> {
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&SystemRandom::new(), octets),
            Pair::Ed25519(pair) => pair.try_sign(octets),
        };
        let signature = signature.map_err(|_| KeyError::Library)?;
        signature.as_ref().try_into().map_err(|_| KeyError::Library)
    }
}

#[cfg(test)]
impl SigningKey {
    /// The same with another public key than its own, as no file gives one.
    pub(super) fn showing(self, dnskey: DnsKey) -> Self {
        Self { dnskey, ..self }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (algorithm, tag) = (self.dnskey.algorithm(), self.dnskey.tag());
        write!(f, "SigningKey({}/{tag})", algorithm.number())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_comes_back_from_pkcs8_and_from_its_private_octets() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let document = key.to_pkcs8().unwrap();
            let again = SigningKey::from_pkcs8(algorithm, document.as_ref()).unwrap();
            assert_eq!(again.dnskey(), key.dnskey());
            let private = key.to_private().unwrap();
            let public = key.dnskey().public();
            let again = SigningKey::from_private(algorithm, &private, public).unwrap();
            assert_eq!(again.dnskey(), key.dnskey());
        }
    }

    #[test]
    fn another_public_key_and_another_algorithm_are_refused() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let other = SigningKey::generate(algorithm).unwrap();
            let private = key.to_private().unwrap();
            let error = SigningKey::from_private(algorithm, &private, other.dnskey().public());
            assert_eq!(error.unwrap_err(), KeyError::NotAPair(algorithm));
        }
        let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let document = key.to_pkcs8().unwrap();
        let error = SigningKey::from_pkcs8(Algorithm::EcdsaP256Sha256, document.as_ref());
        let expected = KeyError::NotPkcs8(Algorithm::EcdsaP256Sha256);
        assert_eq!(error.unwrap_err(), expected);
    }

    #[test]
    fn signatures_verify_and_debug_shows_no_secret() {
        let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, key.dnskey().public().to_vec());
        assert!(
            public
                .verify(b"octets", &key.sign(b"octets").unwrap())
                .is_ok()
        );
        let key = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
        let point = [&[UNCOMPRESSED], key.dnskey().public()].concat();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        assert!(
            public
                .verify(b"octets", &key.sign(b"octets").unwrap())
                .is_ok()
        );
        let tag = key.dnskey().tag();
        assert_eq!(format!("{key:?}"), format!("SigningKey(13/{tag})"));
    }
}
