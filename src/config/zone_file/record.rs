//! One record: owner, TTL, class and type in front of its rdata (RFC 1035 section 5.1).

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use domain::base::iana::Rtype;

use super::lexer::{Token, ZoneEntry};
use super::owner::{self, WireName};
use super::rdata;
use super::ttl::time;
use crate::config::problem::FileProblems;
use crate::model::Shown;
use crate::wire::{SoaRdata, rrtype};

/// One record of a master file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileRecord {
    /// The labels of its owner left of the apex, in wire form and lower case, without a root.
    pub(super) owner: Box<[u8]>,
    pub(super) rrtype: u16,
    /// In seconds.
    pub(super) ttl: u32,
    /// In canonical form.
    pub(super) rdata: Box<[u8]>,
    /// The file, and the line in it, from 1.
    pub(super) place: (Arc<Path>, usize),
}

/// What one entry leaves to the next.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) origin: WireName,
    /// The owner of the record before.
    pub(super) owner: Option<WireName>,
    /// What `$TTL` says.
    pub(super) default_ttl: Option<u32>,
    /// The TTL of the record before.
    pub(super) last_ttl: Option<u32>,
}

/// Types of records that this server makes itself (RFC 4034, 5155, 7344).
const SIGNED_HERE: [Rtype; 7] = [
    Rtype::RRSIG,
    Rtype::NSEC,
    Rtype::DNSKEY,
    Rtype::NSEC3,
    Rtype::NSEC3PARAM,
    Rtype::CDS,
    Rtype::CDNSKEY,
];

impl Standing {
    /// Reads the record of an entry of the zone `apex`; its place is left empty. `None` after a problem.
    pub(super) fn record(
        &mut self,
        entry: &ZoneEntry<'_>,
        apex: &WireName,
        report: &FileProblems<'_>,
    ) -> Option<FileRecord> {
        let mut tokens = entry.tokens.as_slice();
        if !entry.begins_blank {
            let (first, rest) = tokens.split_first()?;
            tokens = rest;
            let name = owner::read(first, &self.origin);
            if name.is_none() {
                report.add(
                    first.at,
                    format!("{:?} is no name", Shown(first.text).to_string()),
                );
            }
            // Records after a wrong owner have none, and are not reported again.
            self.owner = Some(name?);
        }
        let Some(owner) = self.owner.clone() else {
            let message = "no owner: the first record of a file begins with its name";
            report.add(entry.at, message);
            return None;
        };
        let (ttl, tokens) = class_and_ttl(tokens, report)?;
        let Some((typed, data)) = tokens.split_first() else {
            report.add(entry.at, "no type of a record");
            return None;
        };
        let rrtype = rrtype_of(typed, report)?;
        let Some(labels) = left_of(&owner, apex) else {
            report.add(entry.at, format!("{owner}.: outside of the zone {apex}."));
            return None;
        };
        let rdata = match rdata::read(rrtype, data, &self.origin) {
            Ok(rdata) => rdata,
            Err(message) => {
                report.add(data.first().unwrap_or(typed).at, message);
                return None;
            }
        };
        let ttl = ttl
            .or(self.default_ttl)
            .or(self.last_ttl)
            .or_else(|| minimum(rrtype, &rdata));
        let Some(ttl) = ttl else {
            report.add(entry.at, "no TTL: write $TTL before the first record");
            return None;
        };
        self.last_ttl = Some(ttl);
        Some(FileRecord {
            owner: labels,
            rrtype,
            ttl,
            rdata,
            place: (Path::new("").into(), 0),
        })
    }
}

/// Takes a TTL and a class, in either order, from the front of `tokens`.
fn class_and_ttl<'t, 'a>(
    mut tokens: &'t [Token<'a>],
    report: &FileProblems<'_>,
) -> Option<(Option<u32>, &'t [Token<'a>])> {
    let mut ttl = None;
    let mut has_class = false;
    while let Some((token, rest)) = tokens.split_first() {
        let is_class = ["IN", "CLASS1"]
            .iter()
            .any(|class| token.text.eq_ignore_ascii_case(class));
        let is_time = token.text.starts_with(|first: char| first.is_ascii_digit());
        if is_time && ttl.is_none() {
            ttl = time(token.text);
            if ttl.is_none() {
                report.add(
                    token.at,
                    format!("{:?} is no TTL", Shown(token.text).to_string()),
                );
                return None;
            }
        } else if is_class && !has_class {
            has_class = true;
        } else if !has_class
            && ["CH", "HS", "CS"]
                .iter()
                .any(|class| token.text.eq_ignore_ascii_case(class))
        {
            report.add(token.at, format!("class {}: only IN is served", token.text));
            return None;
        } else {
            break;
        }
        tokens = rest;
    }
    Some((ttl, tokens))
}

/// Reads a type that records of files may have.
fn rrtype_of(token: &Token<'_>, report: &FileProblems<'_>) -> Option<u16> {
    let shown = Shown(token.text).to_string();
    let Ok(rtype) = Rtype::from_str(token.text) else {
        report.add(
            token.at,
            format!("{shown:?} is no type that is known: write TYPE and its number, and \\#"),
        );
        return None;
    };
    // What is in questions and signatures alone (RFC 6895 section 3.1), and EDNS's own.
    if matches!(rtype.to_int(), 0 | rrtype::OPT | 128..=255) {
        report.add(token.at, format!("{shown}: no type of a record in a zone"));
        return None;
    }
    if SIGNED_HERE.contains(&rtype) {
        report.add(
            token.at,
            format!("{shown}: not taken from a file: zones are signed here"),
        );
        return None;
    }
    Some(rtype.to_int())
}

/// The labels of a name left of the apex, without a root; `None` outside.
fn left_of(name: &WireName, apex: &WireName) -> Option<Box<[u8]>> {
    if !name.ends_with(apex) {
        return None;
    }
    let left = name.len().checked_sub(apex.len())?;
    name.as_slice().get(..left).map(Box::from)
}

/// What the SOA record says of a TTL where nothing else does: its last field (RFC 1035 section 3.3.13).
fn minimum(rrtype: u16, rdata: &[u8]) -> Option<u32> {
    let soa = (rrtype == rrtype::SOA).then(|| SoaRdata::read(rdata));
    soa.flatten().map(|soa| soa.minimum())
}
