//! Making signatures: of any RRset, and ahead those of the keys themselves.

use super::algorithm::Algorithm;
use super::signature_set::{SignatureBy, SignatureSet};
use super::signature_table::{FoundSignature, Lane, SignatureTable};
use super::signature_times::SignatureSlot;
use super::signing_key::{KeyError, SigningKey};
use super::zone_keys::ZoneKeys;

/// The types DNSKEY (RFC 4034), CDS and CDNSKEY (RFC 7344).
const OWN_TYPES: [u16; 3] = [48, 59, 60];

/// A key that does not do what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key {}/{tag} signs nothing: {error}", algorithm.number())]
pub struct FailingKey {
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its tag.
    pub tag: u16,
    /// Why.
    pub error: KeyError,
}

impl SignatureSet<'_> {
    /// Makes the signature by a key in a slot. `rdata` is in canonical form, in any order, each once or more.
    ///
    /// # Errors
    /// When the library fails.
    pub fn sign(
        &self,
        key: &SigningKey,
        slot: &SignatureSlot,
        rdata: Vec<Vec<u8>>,
    ) -> Result<FoundSignature, KeyError> {
        let octets = self.octets_by(key, slot, rdata);
        Ok(FoundSignature {
            expiration: slot.expiration,
            signature: key.sign(&octets)?,
        })
    }

    /// The octets that a key signs.
    fn octets_by(&self, key: &SigningKey, slot: &SignatureSlot, rdata: Vec<Vec<u8>>) -> Vec<u8> {
        let by = SignatureBy {
            algorithm: key.dnskey().algorithm(),
            tag: key.dnskey().tag(),
            inception: slot.inception,
            expiration: slot.expiration,
        };
        self.signed_octets(&by, rdata)
    }
}

impl ZoneKeys {
    /// Signs the DNSKEY, CDS and CDNSKEY RRsets at the Unix time `now`, and keeps the signatures: validators
    /// ask for these first. Each is verified, so that a key which does not sign shows before anybody asks.
    ///
    /// # Errors
    /// The first key that does not sign, or not so that it verifies; what others sign is kept.
    pub fn sign_own(&self, table: &SignatureTable, now: u64) -> Result<(), FailingKey> {
        let mut outcome = Ok(());
        let labels = u8::try_from(self.apex().labels().count()).unwrap_or(u8::MAX);
        for (rrtype, records) in OWN_TYPES
            .into_iter()
            .zip([self.dnskey(), self.cds(), self.cdnskey()])
            .filter(|(_, records)| !records.is_empty())
        {
            let set = SignatureSet {
                owner: self.apex().as_wire(),
                labels,
                apex: self.apex().as_wire(),
                rrtype,
                original_ttl: self.dnskey_ttl(),
            };
            let slot = self.times().slot(now, set.spread());
            let mut fingerprint = table.fingerprints().of(&set);
            for rdata in records {
                fingerprint.add(rdata);
            }
            let fingerprint = fingerprint.end();
            for key in self.dnskey_signers() {
                let (algorithm, tag) = (key.dnskey().algorithm(), key.dnskey().tag());
                let rdata: Vec<_> = records.iter().map(|rdata| rdata.to_vec()).collect();
                let octets = set.octets_by(key, &slot, rdata);
                let made = key.sign(&octets).and_then(|signature| {
                    let verified = key.dnskey().verifies(&octets, &signature);
                    verified.then_some(signature).ok_or(KeyError::Unverified)
                });
                match made {
                    Ok(signature) => {
                        let found = FoundSignature {
                            expiration: slot.expiration,
                            signature,
                        };
                        if let Some(fingerprint) = &fingerprint {
                            let fingerprint = fingerprint.by(algorithm, tag);
                            table.insert(Lane::Existing, fingerprint, &found);
                        }
                    }
                    Err(error) => {
                        let failing = FailingKey {
                            algorithm,
                            tag,
                            error,
                        };
                        outcome = outcome.and(Err(failing));
                    }
                }
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dnssec::{KeyRoles, ZoneKey};

    fn zone_keys(keys: &[Arc<SigningKey>]) -> ZoneKeys {
        let all = keys.iter().cloned();
        let keys: Vec<_> = all.map(|key| ZoneKey::new(key, KeyRoles::ALL)).collect();
        ZoneKeys::new("example.com".parse().unwrap(), 3600, &keys)
    }

    #[test]
    fn each_key_signs_the_rrsets_of_keys_ahead() {
        let table = SignatureTable::new(64, &[0; 16]);
        let keys = Algorithm::ALL.map(|algorithm| SigningKey::generate(algorithm).unwrap().into());
        zone_keys(&keys).sign_own(&table, 1_800_000_000).unwrap();
        assert_eq!(table.used(Lane::Existing), 6);
        assert_eq!(table.used(Lane::Absent), 0);
    }

    #[test]
    fn a_key_whose_signatures_do_not_verify_shows() {
        let table = SignatureTable::new(64, &[0; 16]);
        for algorithm in Algorithm::ALL {
            let [key, other] = [(), ()].map(|()| SigningKey::generate(algorithm).unwrap());
            let wrong = Arc::new(key.showing(other.dnskey().clone()));
            let failing = zone_keys(&[wrong]).sign_own(&table, 1_800_000_000);
            let failing = failing.unwrap_err();
            assert_eq!(failing.error, KeyError::Unverified);
            assert_eq!(
                failing.to_string(),
                format!(
                    "key {}/{} signs nothing: its signatures do not verify by its public key",
                    algorithm.number(),
                    other.dnskey().tag()
                )
            );
        }
        assert_eq!(table.used(Lane::Existing), 0);
    }
}
