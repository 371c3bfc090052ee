//! Records that a master file gives a zone (docs/static-zones.md).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::names::Label;
use crate::wire::{NameBuf, SoaRdata, rrtype};

/// All records of one name, class IN and one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticSet {
    /// The labels of its owner left of the apex, in wire form and lower case, without a root; empty for the
    /// apex.
    pub owner: Box<[u8]>,
    /// The type.
    pub rrtype: u16,
    /// In seconds: the smallest of its records (RFC 2181 section 5.2 wants them alike).
    pub ttl: u32,
    /// The rdata of each record in canonical form and order, each once (RFC 4034 section 6).
    pub rdata: Vec<Box<[u8]>>,
    /// The file of its first record, and the line there, from 1.
    pub place: (Arc<Path>, usize),
}

/// The static records of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticZone {
    /// Its apex.
    pub apex: NameBuf,
    /// Its RRsets, by owner and type; no two of one owner and type.
    pub sets: Vec<StaticSet>,
    /// The master file, and those that it includes.
    pub files: Vec<PathBuf>,
    /// The serial that the zone is served with where that of its SOA record did not grow with a change.
    pub serial: Option<u32>,
}

impl StaticZone {
    /// The set of a type at the apex.
    pub fn apex_set(&self, rrtype: u16) -> Option<&StaticSet> {
        self.sets
            .iter()
            .find(|set| set.owner.is_empty() && set.rrtype == rrtype)
    }

    /// Whether another reading of its files has the same in it, at the same places.
    pub fn has_same_records(&self, read: &Self) -> bool {
        self.sets == read.sets && self.files == read.files
    }

    /// Its SOA record, if it has one.
    pub fn soa(&self) -> Option<SoaRdata<'_>> {
        let set = self.apex_set(rrtype::SOA)?;
        SoaRdata::read(set.rdata.first()?)
    }

    /// The serial that it is served with where it stands alone; `None` without an SOA record.
    pub fn serial(&self) -> Option<u32> {
        self.serial.or_else(|| Some(self.soa()?.serial))
    }
}

/// A name that has the addresses of a service, without a CNAME record (docs/static-zones.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAlias {
    /// The name.
    pub name: NameBuf,
    /// The labels of the service, its namespace and its federation.
    pub service: [Label; 3],
    /// Whether it has A records.
    pub has_a: bool,
    /// Whether it has AAAA records.
    pub has_aaaa: bool,
}
