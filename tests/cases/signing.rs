//! Signed apexes: key files made for a case, the signatures of all its answers, and who verifies them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use gazetteer::config::{Config, KeyFile, KeyTimes, parse_key};
use gazetteer::dnssec::{Algorithm, KeyRoles, SignatureTable, SigningKey, ZoneKey, ZoneKeys};
use gazetteer::model::UnixSeconds;
use gazetteer::wire::NameBuf;

use crate::validate::TrustedZone;

/// The signatures of all answers in process.
pub(crate) static SIGNATURES: LazyLock<SignatureTable> =
    LazyLock::new(|| SignatureTable::new(4096, &[1; 16]));

/// The key files of the apexes that are signed.
#[derive(Default)]
pub(crate) struct SignedApexes {
    /// The text of each; `None` for an apex that is to be signed and has no key.
    files: BTreeMap<NameBuf, Option<String>>,
    /// All apexes are signed, with this algorithm.
    all: Option<Algorithm>,
}

impl SignedApexes {
    /// Has all apexes signed, whatever the case says of algorithms.
    pub(crate) fn sign_all(&mut self, algorithm: Algorithm) {
        self.all = Some(algorithm);
    }

    /// Signs the apexes of federations and static zones that are not signed yet, if all are to be.
    pub(crate) fn take_apexes(&mut self, config: &Config) {
        let Some(algorithm) = self.all else { return };
        let federations = config.fleet.federations.iter().map(|one| &one.apex);
        for apex in federations.chain(config.fleet.statics.iter().map(|zone| &zone.apex)) {
            let key = || Some(key_file(apex, algorithm));
            self.files.entry(apex.clone()).or_insert_with(key);
        }
    }

    /// Applies `APEX [ALGORITHM]`: signed with a new key; `APEX none`: to be signed, without a key.
    pub(crate) fn apply(&mut self, words: &str) -> Result<(), String> {
        let (apex, with) = words.split_once(' ').unwrap_or((words, "ED25519"));
        let apex: NameBuf = apex.parse().map_err(|_| "no apex")?;
        let file = match with {
            "none" => None,
            with => {
                let algorithm: Algorithm = with.parse().map_err(|_| "no algorithm")?;
                Some(key_file(&apex, self.all.unwrap_or(algorithm)))
            }
        };
        self.files.insert(apex, file);
        Ok(())
    }

    /// The keys of all of them, read from their files, as every process has its own.
    pub(crate) fn keys(&self) -> BTreeMap<NameBuf, Arc<ZoneKeys>> {
        let keys = self.files.iter().map(|(apex, file)| {
            let key = file.iter().map(|text| {
                let read = parse_key(text, Path::new("a.key.toml")).expect("a key file");
                ZoneKey {
                    dnskey: read.dnskey,
                    private: read.private,
                    roles: KeyRoles::ALL,
                }
            });
            let key: Vec<_> = key.collect();
            (
                apex.clone(),
                Arc::new(ZoneKeys::new(apex.clone(), 3600, &key)),
            )
        });
        keys.collect()
    }

    /// The same as those trust them who verify; those without a key are trusted with none.
    pub(crate) fn trusted(&self) -> Vec<TrustedZone> {
        let keys = self.keys();
        let usable = keys.iter().filter(|(_, keys)| keys.is_usable());
        let trusted = usable.map(|(apex, keys)| {
            let rdata = keys.dnskey().iter().map(|rdata| &**rdata);
            TrustedZone::new(&apex.to_string(), rdata)
        });
        trusted.collect()
    }
}

/// The file of a new key.
fn key_file(apex: &NameBuf, algorithm: Algorithm) -> String {
    let key = SigningKey::generate(algorithm).expect("a key");
    let file = KeyFile {
        zone: apex.clone(),
        dnskey: key.dnskey().clone(),
        private: Some(Arc::new(key)),
        times: KeyTimes::first(UnixSeconds(1_700_000_000)),
    };
    file.text().expect("the text of a key").to_string()
}
