//! What the records of a zone must not be together, and the RRsets that they make.

use std::collections::{BTreeMap, HashSet};

use domain::base::iana::Rtype;

use super::reader::FileRecords;
use super::record::FileRecord;
use crate::config::problem::Problem;
use crate::model::limits::PROBLEMS;
use crate::model::{StaticSet, StaticZone};
use crate::wire::{NameBuf, NameText, rrtype, suffixes};

/// The sets of one owner, by type.
type Types<'a> = BTreeMap<u16, &'a StaticSet>;

/// Puts records together to RRsets.
///
/// # Errors
/// Every problem, never none of them.
pub(super) fn check(
    read: FileRecords,
    apex: &NameBuf,
    addressed: &[NameBuf],
) -> Result<StaticZone, Vec<Problem>> {
    let sets = sets(read.records);
    let owners = Owners::of(&sets);
    let mut problems = Vec::new();
    for (owner, types) in &owners.types {
        let mut report = |set: &StaticSet, message: String| {
            let name = shown(owner, apex);
            problems.push(at(set, format!("{name}: {message}")));
        };
        check_single(types, &mut report);
        check_beside(types, owner.is_empty(), &mut report);
        check_glue(owner, types, (&owners, apex, addressed), &mut report);
    }
    problems.truncate(PROBLEMS.length());
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(StaticZone {
        apex: apex.clone(),
        sets,
        files: read.files,
        serial: None,
    })
}

/// The records by owner and type.
fn sets(records: Vec<FileRecord>) -> Vec<StaticSet> {
    let mut sets: BTreeMap<(Box<[u8]>, u16), StaticSet> = BTreeMap::new();
    for record in records {
        let set = sets.entry((record.owner, record.rrtype));
        let set = set.or_insert_with_key(|(owner, rrtype)| StaticSet {
            owner: owner.clone(),
            rrtype: *rrtype,
            ttl: record.ttl,
            rdata: Vec::new(),
            place: record.place,
        });
        set.ttl = set.ttl.min(record.ttl);
        set.rdata.push(record.rdata);
    }
    let mut sets: Vec<StaticSet> = sets.into_values().collect();
    for set in &mut sets {
        set.rdata.sort_unstable();
        set.rdata.dedup();
    }
    sets
}

/// Reports types of which there must be one record and are more (RFC 1034 section 3.6.2, RFC 6672 section
/// 2.4).
fn check_single(types: &Types<'_>, report: &mut impl FnMut(&StaticSet, String)) {
    for rrtype in [rrtype::SOA, rrtype::CNAME, rrtype::DNAME] {
        if let Some(set) = types.get(&rrtype).filter(|set| set.rdata.len() > 1) {
            let count = set.rdata.len();
            report(
                set,
                format!(
                    "has {count} {} records: one may be there",
                    Rtype::from_int(rrtype)
                ),
            );
        }
    }
}

/// Reports types that must not be beside each other, or at such a name.
fn check_beside(types: &Types<'_>, is_apex: bool, report: &mut impl FnMut(&StaticSet, String)) {
    if let Some(alias) = types.get(&rrtype::CNAME)
        && let Some(other) = types.values().find(|set| set.rrtype != rrtype::CNAME)
    {
        let (later, earlier) = if alias.place.1 > other.place.1 {
            (alias, other)
        } else {
            (other, alias)
        };
        let (later_type, earlier_type) = (
            Rtype::from_int(later.rrtype),
            Rtype::from_int(earlier.rrtype),
        );
        let line = earlier.place.1;
        report(
            later,
            format!("{later_type} beside {earlier_type} of line {line} (RFC 1034, 3.6.2)"),
        );
    }
    if is_apex {
        if let Some(set) = types.get(&rrtype::DS) {
            report(
                set,
                "DS at the apex: it belongs into the zone above (RFC 4035, 2.4)".to_owned(),
            );
        }
    } else {
        if let Some(set) = types.get(&rrtype::SOA) {
            report(set, "SOA outside of the apex".to_owned());
        }
        if let Some(set) = types
            .get(&rrtype::DS)
            .filter(|_| !types.contains_key(&rrtype::NS))
        {
            report(set, "DS without NS (RFC 4035, 2.4)".to_owned());
        }
    }
}

/// Reports name servers inside the zone that have no address there.
fn check_glue(
    owner: &[u8],
    types: &Types<'_>,
    (owners, apex, addressed): (&Owners<'_>, &NameBuf, &[NameBuf]),
    report: &mut impl FnMut(&StaticSet, String),
) {
    let Some(set) = types.get(&rrtype::NS) else {
        return;
    };
    for server in &set.rdata {
        let Some(left) = server
            .strip_suffix(apex.as_wire())
            .filter(|left| is_labels(left))
        else {
            continue;
        };
        let is_known = addressed.iter().any(|name| name.as_wire() == &**server);
        if !is_known && !owners.has_address(left, owner) {
            let server = shown(left, apex);
            report(
                set,
                format!("NS {server}: has no A and no AAAA record in this zone"),
            );
        }
    }
}

/// What stands in a zone.
struct Owners<'a> {
    /// The sets of each owner, by type.
    types: BTreeMap<&'a [u8], Types<'a>>,
    /// All owners and the names above them.
    existing: HashSet<&'a [u8]>,
}

impl<'a> Owners<'a> {
    fn of(sets: &'a [StaticSet]) -> Self {
        let mut owners = Self {
            types: BTreeMap::new(),
            existing: HashSet::new(),
        };
        for set in sets {
            let types = owners.types.entry(&set.owner).or_default();
            types.insert(set.rrtype, set);
            owners.existing.extend(suffixes(&set.owner));
        }
        owners
    }

    /// Whether a name server has an address here, be it by a wildcard, or need not have one, since the name
    /// belongs to another zone than the one that is delegated at `cut`.
    fn has_address(&self, server: &[u8], cut: &[u8]) -> bool {
        let is_given = |name: &[u8]| {
            let types = self.types.get(name);
            let suits = [rrtype::A, rrtype::AAAA, rrtype::CNAME];
            types.is_some_and(|types| suits.iter().any(|rrtype| types.contains_key(rrtype)))
        };
        let leads_away = |name: &[u8]| {
            let types = self.types.get(name);
            let is_cut = |types: &Types<'_>| !name.is_empty() && types.contains_key(&rrtype::NS);
            name != cut
                && types.is_some_and(|types| is_cut(types) || types.contains_key(&rrtype::DNAME))
        };
        if self.existing.contains(server) {
            return is_given(server);
        }
        let mut above = suffixes(server).skip(1);
        let encloser = above.find(|name| self.existing.contains(name));
        let wildcard = encloser.map(|encloser| [b"\x01*", encloser].concat());
        wildcard.is_some_and(|wildcard| is_given(&wildcard))
            || suffixes(server).skip(1).any(leads_away)
    }
}

/// Whether octets are whole labels without a root.
fn is_labels(octets: &[u8]) -> bool {
    suffixes(octets).last().is_some_and(<[u8]>::is_empty)
}

/// A problem at the first record of a set.
pub(in crate::config) fn at(set: &StaticSet, message: String) -> Problem {
    let (path, line) = &set.place;
    Problem {
        path: path.to_path_buf(),
        line: *line,
        column: 1,
        message,
        count: 1,
        limit: None,
    }
}

/// A name of the zone, as text without the last dot.
pub(in crate::config) fn shown(left: &[u8], apex: &NameBuf) -> String {
    NameText(&[left, apex.as_wire()].concat()).to_string()
}
