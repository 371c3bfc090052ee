//! The types of DNSSEC that are asked for, and what no signed apex answers.

use super::records::ending::Ending;
use super::reply::Reply;
use super::subject::Subject;
use crate::dnssec::ZoneKeys;
use crate::snapshot::Apex;
use crate::wire::rrtype;

/// Answers for a type of DNSSEC in a signed apex; `None` for what has no such answer.
#[inline]
pub(super) fn answer<'s>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    subject: &Subject<'s>,
) -> Option<Ending<'s>> {
    if reply.signing.is_wanted {
        note_original_ttl(reply, subject);
    }
    let keys = reply.signing.keys?;
    answer_signed(reply, apex, keys)
}

/// The TTL that signatures of the records of a service say: the configured one. What is served may be
/// less.
#[cold]
fn note_original_ttl(reply: &mut Reply<'_, '_>, subject: &Subject<'_>) {
    reply.signing.original_ttl = match subject {
        Subject::Level { entry, .. }
        | Subject::Prefixed { entry }
        | Subject::Local { entry, .. }
        | Subject::Clusterset { entry, .. }
        | Subject::Pinned { entry, .. }
        | Subject::Pods { entry, .. } => Some(entry.ttl),
        Subject::Aliased {
            alias,
            entry: Some(entry),
            ..
        } if alias.takes(reply.query.qtype) => Some(entry.ttl),
        _ => None,
    };
}

#[cold]
fn answer_signed<'s>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    keys: &'s ZoneKeys,
) -> Option<Ending<'s>> {
    if !keys.is_usable() {
        return Some(Ending::NoKeys);
    }
    // Also where an alias stands at the apex.
    let is_apex = reply.qname.label_count() == apex.labels;
    let qtype = reply.query.qtype;
    let (records, ttl) = match qtype {
        rrtype::NXNAME => return Some(Ending::InvalidType),
        rrtype::DNSKEY if is_apex => (keys.dnskey(), keys.dnskey_ttl()),
        rrtype::CDS if is_apex => (keys.cds(), keys.dnskey_ttl()),
        rrtype::CDNSKEY if is_apex => (keys.cdnskey(), keys.dnskey_ttl()),
        rrtype::DS if reply.signing.is_at_cut => {
            let snapshot = reply.snapshot;
            let parent = apex.parent.and_then(|parent| snapshot.apexes().get(parent));
            let inner = snapshot.keys_of(apex)?;
            (inner.parent_ds(), parent?.ttl)
        }
        _ => return None,
    };
    for rdata in records {
        let response = &mut reply.response;
        response.rdata(reply.at, qtype, ttl, &[rdata]);
    }
    (!records.is_empty()).then_some(Ending::Complete)
}
