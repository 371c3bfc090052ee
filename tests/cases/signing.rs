//! Signed apexes: keys made for a case, the signatures of all its answers, and who verifies them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gazetteer::dnssec::{Algorithm, KeyRoles, SignatureTable, SigningKey, ZoneKey, ZoneKeys};
use gazetteer::wire::NameBuf;

use crate::validate::TrustedZone;

/// The signatures of all answers in process.
pub(crate) static SIGNATURES: LazyLock<SignatureTable> =
    LazyLock::new(|| SignatureTable::new(4096, &[1; 16]));

/// The keys of the apexes that are signed.
#[derive(Default)]
pub(crate) struct SignedApexes {
    keys: BTreeMap<NameBuf, Arc<ZoneKeys>>,
}

impl SignedApexes {
    /// Applies `APEX [ALGORITHM]`: signed with a new key; `APEX none`: to be signed, without a key.
    pub(crate) fn apply(&mut self, words: &str) -> Result<(), String> {
        let (apex, with) = words.split_once(' ').unwrap_or((words, "ED25519"));
        let apex: NameBuf = apex.parse().map_err(|_| "no apex")?;
        let mut keys = Vec::new();
        if with != "none" {
            let algorithm: Algorithm = with.parse().map_err(|_| "no algorithm")?;
            let key = SigningKey::generate(algorithm).map_err(|error| error.to_string())?;
            keys.push(ZoneKey::new(Arc::new(key), KeyRoles::ALL));
        }
        let keys = ZoneKeys::new(apex.clone(), 3600, &keys);
        self.keys.insert(apex, Arc::new(keys));
        Ok(())
    }

    /// All of them.
    pub(crate) fn keys(&self) -> BTreeMap<NameBuf, Arc<ZoneKeys>> {
        self.keys.clone()
    }

    /// The same as those trust them who verify; those without a key are trusted with none.
    pub(crate) fn trusted(&self) -> Vec<TrustedZone> {
        let usable = self.keys.iter().filter(|(_, keys)| keys.is_usable());
        let trusted = usable.map(|(apex, keys)| {
            let rdata = keys.dnskey().iter().map(|rdata| &**rdata);
            TrustedZone::new(&apex.to_string(), rdata)
        });
        trusted.collect()
    }
}
