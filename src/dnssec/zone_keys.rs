//! The keys of one apex at a moment, and the RRsets that are made of them alone.

use std::sync::Arc;

use super::algorithm::DsDigest;
use super::dnskey::DnsKey;
use super::key_roles::{KeyRole, KeyRoles};
use super::signature_times::SignatureTimes;
use super::signing_key::SigningKey;
use crate::wire::NameBuf;

/// The CDS record that asks a parent to delete all DS records (RFC 8078 section 4).
const DELETE_CDS: &[u8] = &[0, 0, 0, 0, 0];

/// The CDNSKEY record that asks for the same.
const DELETE_CDNSKEY: &[u8] = &[0, 0, 3, 0, 0];

/// A key of an apex.
#[derive(Debug, Clone)]
pub struct ZoneKey {
    /// Its public half.
    pub dnskey: DnsKey,
    /// Its private half; `None` for a key with which another signer signs the same zone (RFC 8901).
    pub private: Option<Arc<SigningKey>>,
    /// What it does.
    pub roles: KeyRoles,
}

impl ZoneKey {
    /// A key that signs.
    pub fn new(key: Arc<SigningKey>, roles: KeyRoles) -> Self {
        Self {
            dnskey: key.dnskey().clone(),
            private: Some(key),
            roles,
        }
    }
}

/// The keys of one apex at a moment. They change with a publication, like all that is configured.
#[derive(Debug, Clone)]
pub struct ZoneKeys {
    apex: NameBuf,
    dnskey_ttl: u32,
    times: SignatureTimes,
    dnskey: Vec<Box<[u8]>>,
    cds: Vec<Box<[u8]>>,
    cdnskey: Vec<Box<[u8]>>,
    parent_ds: Vec<Box<[u8]>>,
    dnskey_signers: Vec<Arc<SigningKey>>,
    signers: Vec<Arc<SigningKey>>,
}

impl ZoneKeys {
    /// The keys of an apex, in any order. `dnskey_ttl` is the TTL of its DNSKEY, CDS and CDNSKEY RRsets,
    /// in seconds. Without a key that signs, the apex answers SERVFAIL (see [`Self::is_usable`]).
    pub fn new(apex: NameBuf, dnskey_ttl: u32, keys: &[ZoneKey]) -> Self {
        let with = |role: KeyRole| keys.iter().filter(move |key| key.roles.has(role));
        let signers = |role| with(role).filter_map(|key| key.private.clone()).collect();
        let digest = |key: &ZoneKey| key.dnskey.ds(&apex, DsDigest::Sha256).into();
        let rdata = |key: &ZoneKey| key.dnskey.rdata().into();
        Self {
            dnskey_ttl,
            times: SignatureTimes::default(),
            dnskey: canonical(with(KeyRole::InDnskey).map(rdata)),
            cds: canonical(with(KeyRole::InCds).map(digest)),
            cdnskey: canonical(with(KeyRole::InCds).map(rdata)),
            parent_ds: canonical(with(KeyRole::InParentDs).map(digest)),
            dnskey_signers: signers(KeyRole::SignsDnskey),
            signers: signers(KeyRole::SignsRest),
            apex,
        }
    }

    /// The same, with other times of signatures than the default.
    #[must_use]
    pub fn with_times(mut self, times: SignatureTimes) -> Self {
        self.times = times;
        self
    }

    /// The same, asking the parent to delete its DS records (RFC 8078 section 4).
    #[must_use]
    pub fn with_delete_request(mut self) -> Self {
        self.cds = vec![DELETE_CDS.into()];
        self.cdnskey = vec![DELETE_CDNSKEY.into()];
        self
    }

    /// The name of the apex.
    pub fn apex(&self) -> &NameBuf {
        &self.apex
    }

    /// Whether it has the keys to sign everything. Without them nothing of the apex may be answered, since
    /// validators would take unsigned answers for forged ones.
    pub fn is_usable(&self) -> bool {
        !self.signers.is_empty() && !self.dnskey_signers.is_empty()
    }

    /// How long its signatures are valid, and how often they are made anew.
    pub fn times(&self) -> &SignatureTimes {
        &self.times
    }

    /// TTL of the DNSKEY, CDS and CDNSKEY RRsets, in seconds.
    pub fn dnskey_ttl(&self) -> u32 {
        self.dnskey_ttl
    }

    /// The DNSKEY RRset: rdata in canonical order.
    pub fn dnskey(&self) -> &[Box<[u8]>] {
        &self.dnskey
    }

    /// The CDS RRset (RFC 7344): rdata in canonical order.
    pub fn cds(&self) -> &[Box<[u8]>] {
        &self.cds
    }

    /// The CDNSKEY RRset (RFC 7344): rdata in canonical order.
    pub fn cdnskey(&self) -> &[Box<[u8]>] {
        &self.cdnskey
    }

    /// The DS RRset that an apex around this one has: rdata in canonical order.
    pub fn parent_ds(&self) -> &[Box<[u8]>] {
        &self.parent_ds
    }

    /// The keys that sign the DNSKEY, CDS and CDNSKEY RRsets.
    pub fn dnskey_signers(&self) -> &[Arc<SigningKey>] {
        &self.dnskey_signers
    }

    /// The keys that sign all other RRsets: one, but for a change of the algorithm.
    pub fn signers(&self) -> &[Arc<SigningKey>] {
        &self.signers
    }
}

/// Rdata in canonical order, each once (RFC 4034 section 6.3).
fn canonical(rdata: impl Iterator<Item = Box<[u8]>>) -> Vec<Box<[u8]>> {
    let mut all: Vec<_> = rdata.collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dnssec::Algorithm;

    fn key(roles: KeyRoles) -> ZoneKey {
        let key = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
        ZoneKey::new(Arc::new(key), roles)
    }

    #[test]
    fn roles_say_which_rrsets_a_key_is_in_and_signs() {
        let old = key(KeyRoles::of(&[
            KeyRole::InDnskey,
            KeyRole::SignsDnskey,
            KeyRole::InParentDs,
        ]));
        let new = key(KeyRoles::ALL);
        let next = key(KeyRoles::NONE);
        let apex: NameBuf = "example.com".parse().unwrap();
        let keys = ZoneKeys::new(apex, 3600, &[old, new.clone(), next]);
        assert!(keys.is_usable());
        assert_eq!(keys.dnskey().len(), 2);
        assert!(keys.dnskey().is_sorted());
        assert_eq!(keys.parent_ds().len(), 2);
        assert_eq!(keys.dnskey_signers().len(), 2);
        let tags: Vec<_> = keys
            .signers()
            .iter()
            .map(|key| key.dnskey().tag())
            .collect();
        assert_eq!(tags, [new.dnskey.tag()]);
        assert_eq!(keys.cdnskey(), [new.dnskey.rdata().into()]);
        let keys = keys.with_delete_request();
        assert_eq!(keys.cds(), [Box::from([0, 0, 0, 0, 0])]);
    }

    #[test]
    fn an_apex_without_a_private_key_is_not_usable() {
        let foreign = ZoneKey {
            private: None,
            ..key(KeyRoles::ALL)
        };
        let keys = ZoneKeys::new("example.com".parse().unwrap(), 3600, &[foreign]);
        assert!(!keys.is_usable());
        assert_eq!(keys.dnskey().len(), 1);
    }
}
