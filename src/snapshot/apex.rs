//! An apex: its name, its infrastructure names and what it is of.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::shared_suffix::SharedSuffix;
use super::static_records::StaticRecords;
use super::ttl::seconds;
use super::wire_labels::wire_labels;
use crate::model::{Federation, MemberSet, NameServer};
use crate::wire::NameBuf;

/// The place of an apex in [`Apexes`](super::Apexes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApexIdx(u32);

impl ApexIdx {
    /// The place `index`.
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place as an index.
    #[inline]
    pub(super) fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The place of a federation in the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FederationIdx(u32);

impl FederationIdx {
    /// The place `index`.
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place as an index.
    #[inline]
    pub(super) fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A served zone.
#[derive(Debug, Clone)]
pub struct Apex {
    /// Its name.
    pub name: NameBuf,
    /// How many labels its name has.
    pub labels: usize,
    /// The NS RRset.
    pub nameservers: Vec<NameServer>,
    /// What of each name server's name stands in a message behind the apex and those before it.
    pub server_endings: Vec<SharedSuffix>,
    /// SOA RNAME.
    pub hostmaster: NameBuf,
    /// What of it stands in a message behind the apex and the first name server.
    pub hostmaster_ending: Option<SharedSuffix>,
    /// Its static records and aliases, if it has any.
    pub statics: Option<StaticRecords>,
    /// TTL and MINIMUM of the SOA in negative answers, in seconds.
    pub negative_ttl: u32,
    /// TTL of its own RRsets and of its infrastructure names, in seconds.
    pub ttl: u32,
    /// The next served apex above this one.
    pub parent: Option<ApexIdx>,
    /// Its federations.
    pub federations: Vec<FederationIdx>,
    /// Which names it has.
    pub tree: Tree,
    /// What follows the labels of its names in the keys of its services: of a clusterset the label of
    /// its federation, in wire form, else nothing.
    pub key_end: Box<[u8]>,
    /// Infrastructure names, by their wire labels left of the apex.
    pub(super) fixed: HashMap<Box<[u8]>, FixedName, foldhash::fast::RandomState>,
}

/// A kind of apex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// The names of federations at every level (docs/names.md, D.2).
    Federations,
    /// The zone of one federation in cluster domains: for each client the shard of its own member
    /// first (docs/names.md, D.8).
    Local,
    /// A domain of one federation whose names leave it out (docs/names.md, D.3, N8; the DNS
    /// specification of the Multi-Cluster Services API, KEP-1645).
    Clusterset,
    /// Static records alone.
    Static,
}

/// A name that exists by configuration, outside the service tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FixedName {
    /// An empty non-terminal above a name server (RFC 4592 section 2.2.2).
    EmptyNonTerminal,
    /// A name server.
    NameServer {
        /// Its A records.
        ipv4: Vec<Ipv4Addr>,
        /// Its AAAA records.
        ipv6: Vec<Ipv6Addr>,
    },
    /// `dns-version` (docs/names.md, D.10).
    Version,
    /// `_client`, which is there if the settings say so (docs/names.md, D.2).
    Client,
}

/// A federation as answers need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationView {
    /// Its apex.
    pub apex: ApexIdx,
    /// Members that take part.
    pub members: MemberSet,
}

impl Apex {
    /// A zone of one federation, with its name servers and TTLs.
    pub(super) fn of_one(index: usize, federation: &Federation, name: NameBuf, tree: Tree) -> Self {
        Self {
            labels: name.labels().count(),
            name,
            nameservers: federation.nameservers.clone(),
            server_endings: Vec::new(),
            hostmaster: federation.hostmaster.clone(),
            hostmaster_ending: None,
            statics: None,
            negative_ttl: seconds(federation.negative_ttl),
            ttl: seconds(federation.apex_ttl),
            parent: None,
            federations: vec![FederationIdx::new(index)],
            tree,
            key_end: Box::default(),
            fixed: HashMap::default(),
        }
    }

    /// Finds what its names have in common.
    pub(super) fn find_endings(&mut self) {
        let mut earlier = vec![&self.name];
        for server in &self.nameservers {
            self.server_endings
                .push(SharedSuffix::of(&server.name, &earlier));
            earlier.push(&server.name);
        }
        earlier.truncate(2);
        self.hostmaster_ending = Some(SharedSuffix::of(&self.hostmaster, &earlier));
    }

    /// The names between a name inside it and the apex exist (RFC 4592 section 2.2.2).
    pub(super) fn add_parents_of(&mut self, name: &NameBuf) {
        let labels: Vec<&str> = name.labels().collect();
        let left = labels.len() - self.labels;
        for start in 1..left {
            let parent = wire_labels(labels.iter().take(left).skip(start).copied());
            self.fixed
                .entry(parent)
                .or_insert(FixedName::EmptyNonTerminal);
        }
    }

    /// The serial of its SOA record, where that of the snapshot is `serial`.
    #[inline]
    pub fn serial(&self, serial: u32) -> u32 {
        let soa = self.statics.as_ref().and_then(|own| own.soa.as_ref());
        soa.and_then(|soa| soa.serial).unwrap_or(serial)
    }

    /// The infrastructure name with these wire labels left of the apex.
    pub fn fixed(&self, labels: &[u8]) -> Option<&FixedName> {
        self.fixed.get(labels)
    }
}
