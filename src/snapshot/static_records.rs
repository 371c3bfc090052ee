//! The static records of an apex, and its aliases.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::statics::StaticTree;
use super::wire_labels::{inline_labels, wire_labels};
use crate::model::{ServiceAlias, StaticZone};
use crate::names::Label;
use crate::wire::rrtype;

/// Trees that are compiled, by their zones; not those that aliases are in.
pub(super) type Compiled = HashMap<*const StaticZone, Arc<StaticTree>>;

/// The static records of an apex, and its aliases.
#[derive(Debug, Clone)]
pub struct StaticRecords {
    /// The records as they were read; none where there are aliases alone.
    pub(super) zone: Arc<StaticZone>,
    /// The same, to be looked up.
    pub tree: Arc<StaticTree>,
    /// What the SOA record of the file says.
    pub soa: Option<StaticSoa>,
    /// Aliases of services, by their labels left of the apex.
    pub(super) aliases: HashMap<Box<[u8]>, AliasedService, RandomState>,
}

/// The SOA record of a master file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticSoa {
    /// MNAME and RNAME, uncompressed.
    pub names: Box<[u8]>,
    /// That of the zone, where it stands alone: beside federations it is that of the snapshot.
    pub serial: Option<u32>,
    /// REFRESH, RETRY, EXPIRE and MINIMUM.
    pub times: [u8; 16],
}

/// A service whose addresses a static owner has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasedService {
    /// Its key in the table of services: its labels, in wire form.
    pub key: Box<[u8]>,
    /// Whether the owner has A records.
    pub has_a: bool,
    /// Whether it has AAAA records.
    pub has_aaaa: bool,
}

impl AliasedService {
    /// Whether the alias answers for a type.
    pub fn takes(&self, qtype: u16) -> bool {
        match qtype {
            rrtype::A => self.has_a,
            rrtype::AAAA => self.has_aaaa,
            _ => false,
        }
    }
}

impl StaticRecords {
    /// The alias with these wire labels left of the apex.
    pub fn alias(&self, labels: &[u8]) -> Option<&AliasedService> {
        self.aliases.get(labels)
    }

    /// Whether a label is the last one before the apex of an owner.
    pub(super) fn has_top_label(&self, label: &str) -> bool {
        let wire = wire_labels([label]);
        self.tree.node(&wire).is_some()
    }
}

impl StaticSoa {
    fn of(zone: &StaticZone, is_alone: bool) -> Option<Self> {
        let soa = zone.soa()?;
        Some(Self {
            names: soa.names.into(),
            serial: zone.serial().filter(|_| is_alone),
            times: soa.times,
        })
    }
}

impl StaticRecords {
    /// Those of a zone and of aliases in it.
    pub(super) fn of(
        zone: Arc<StaticZone>,
        aliases: &[&ServiceAlias],
        is_alone: bool,
        compiled: &Compiled,
    ) -> Self {
        let apex_labels = zone.apex.labels().count();
        let aliases: HashMap<_, _, RandomState> = aliases
            .iter()
            .map(|alias| {
                let labels = alias.name.labels().count() - apex_labels;
                let labels = inline_labels(alias.name.labels().take(labels));
                (labels.into_boxed_slice(), aliased(alias))
            })
            .collect();
        let again = compiled
            .get(&Arc::as_ptr(&zone))
            .filter(|_| aliases.is_empty());
        let tree = again.cloned().unwrap_or_else(|| {
            let names = aliases.keys().map(|labels| &**labels);
            Arc::new(StaticTree::compile(&zone, names))
        });
        Self {
            soa: StaticSoa::of(&zone, is_alone),
            tree,
            aliases,
            zone,
        }
    }
}

fn aliased(alias: &ServiceAlias) -> AliasedService {
    AliasedService {
        key: wire_labels(alias.service.iter().map(Label::as_str)),
        has_a: alias.has_a,
        has_aaaa: alias.has_aaaa,
    }
}
