//! The public half of a key, as a DNSKEY record has it (RFC 4034 section 2).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

use super::algorithm::{Algorithm, DsDigest, UNCOMPRESSED};
use crate::wire::NameBuf;

/// Flags of a key that signs everything and that a parent's DS may name: zone key and secure entry
/// point (RFC 4034 section 2.1.1).
const FLAGS: u16 = 257;

/// The only protocol (RFC 4034 section 2.1.2).
const PROTOCOL: u8 = 3;

/// A public key in its DNSKEY record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsKey {
    algorithm: Algorithm,
    rdata: Box<[u8]>,
    tag: u16,
}

impl DnsKey {
    /// The record of a public key, given as the record's key field (RFC 6605 section 4, RFC 8080
    /// section 3); `None` if its length is not that of the algorithm.
    pub fn new(algorithm: Algorithm, public: &[u8]) -> Option<Self> {
        if public.len() != algorithm.public_length() {
            return None;
        }
        let [flags0, flags1] = FLAGS.to_be_bytes();
        let mut rdata = vec![flags0, flags1, PROTOCOL, algorithm.number()];
        rdata.extend_from_slice(public);
        Some(Self {
            algorithm,
            tag: key_tag(&rdata),
            rdata: rdata.into(),
        })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key field: the public key alone.
    pub fn public(&self) -> &[u8] {
        self.rdata.get(4..).unwrap_or_default()
    }

    /// The rdata of the DNSKEY record, and of the CDNSKEY record.
    pub fn rdata(&self) -> &[u8] {
        &self.rdata
    }

    /// The key tag (RFC 4034 appendix B).
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// Whether a signature of octets is by this key.
    pub fn verifies(&self, octets: &[u8], signature: &[u8]) -> bool {
        let public = self.public();
        let verified = match self.algorithm {
            Algorithm::EcdsaP256Sha256 => {
                let point = [&[UNCOMPRESSED], public].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(octets, signature)
            }
            Algorithm::Ed25519 => {
                UnparsedPublicKey::new(&ED25519, public).verify(octets, signature)
            }
        };
        verified.is_ok()
    }

    /// The rdata of the DS or CDS record of this key at `apex` (RFC 4034 section 5.1).
    pub fn ds(&self, apex: &NameBuf, digest: DsDigest) -> Vec<u8> {
        let [tag0, tag1] = self.tag.to_be_bytes();
        let mut rdata = vec![tag0, tag1, self.algorithm.number(), digest.number()];
        let named = [apex.as_wire(), &self.rdata].concat();
        rdata.extend_from_slice(digest.of(&named).as_ref());
        rdata
    }
}

/// The key tag of DNSKEY rdata (RFC 4034 appendix B).
fn key_tag(rdata: &[u8]) -> u16 {
    let sum: u32 = rdata
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => u32::from(u16::from_be_bytes([high, low])),
            [high] => u32::from(high) << 8,
            _ => 0,
        })
        .sum();
    let [_, _, high, low] = (sum + (sum >> 16)).to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6605 section 6.1: the key of `example.net`, its tag and its DS record.
    #[test]
    fn the_example_of_rfc_6605_has_its_tag_and_ds() {
        let public = [
            0x1a, 0x88, 0xc8, 0x86, 0x15, 0xd4, 0x37, 0xfb, 0xb8, 0xbf, 0x9e, 0x19, 0x42, 0xa1,
            0x92, 0x9f, 0x28, 0x56, 0x27, 0x06, 0xae, 0x6c, 0x2b, 0xd3, 0x99, 0xe7, 0xb1, 0xbf,
            0xb6, 0xd1, 0xe9, 0xe7, 0x5b, 0x92, 0xb4, 0xaa, 0x42, 0x91, 0x7a, 0xe1, 0xc6, 0x1b,
            0x70, 0x1e, 0xf0, 0x35, 0xc3, 0xfe, 0x7b, 0xe3, 0x00, 0x9c, 0xba, 0xfe, 0x5a, 0x2f,
            0x71, 0x31, 0x6c, 0x90, 0x2d, 0xcf, 0x0d, 0x00,
        ];
        let key = DnsKey::new(Algorithm::EcdsaP256Sha256, &public).unwrap();
        assert_eq!(key.tag(), 55648);
        let ds = key.ds(&"example.net".parse().unwrap(), DsDigest::Sha256);
        assert_eq!(&ds[..4], [0xd9, 0x60, 13, 2]);
        let digest = &ds[4..];
        let start = [0xb4, 0xc8, 0xc1, 0xfe, 0x2e, 0x74, 0x77, 0x12];
        let end = [0xe6, 0xd6, 0xe3, 0x7d, 0xf6, 0x1d, 0x17];
        assert_eq!(digest.len(), 32);
        assert!(digest.starts_with(&start) && digest.ends_with(&end));
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        assert_eq!(DnsKey::new(Algorithm::Ed25519, &[0; 64]), None);
    }
}
