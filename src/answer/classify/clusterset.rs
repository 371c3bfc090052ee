//! What the names of a clusterset are (docs/names.md, D.3, N8; the DNS specification of the
//! Multi-Cluster Services API, KEP-1645).

use super::existing::{self, pinned, unknown};
use crate::answer::subject::Subject;
use crate::names::{Below, Prefix};
use crate::snapshot::{Apex, Scopes, ServiceEntry, Snapshot};

/// A name of a service that exists.
pub(super) fn service<'s>(
    snapshot: &'s Snapshot,
    entry: &'s ServiceEntry,
    prefix: Prefix<'_>,
) -> Subject<'s> {
    // Without a ready pod there is no such name, nor any below it (docs/names.md, E.7, V13).
    let mut members = entry.members().iter();
    if entry.is_headless() && !members.any(|member| entry.has_ready_pod(member)) {
        return unknown(snapshot, entry.federation);
    }
    match prefix {
        Prefix::MemberProtocol { .. } | Prefix::MemberPort { .. } => {
            Subject::Absent { federation: None }
        }
        // No pinned name, but pods have names below it (docs/names.md, decisions 3 and 7).
        Prefix::Member(member) => pinned(snapshot, entry, Scopes::GLOBAL, member, |shard| {
            let has_pod = entry.has_pod(shard.member);
            has_pod.then_some(Subject::EmptyNonTerminal)
        }),
        _ => match existing::service(snapshot, entry, Scopes::GLOBAL, prefix) {
            Subject::Level { entry, port, .. } => Subject::Clusterset { entry, port },
            other => other,
        },
    }
}

/// A name below `svc` that no service has.
pub(super) fn above_services<'s>(
    snapshot: &'s Snapshot,
    apex: &Apex,
    below: Below<'_>,
) -> Subject<'s> {
    let absent = Subject::Absent { federation: None };
    let Some(federation) = apex.federations.first() else {
        return absent;
    };
    match below {
        Below::Marker => Subject::EmptyNonTerminal,
        Below::Namespace(namespace) if snapshot.has_namespace([namespace, &apex.key_end]) => {
            Subject::EmptyNonTerminal
        }
        Below::Federation(_)
        | Below::Service {
            prefix: Prefix::Unknown,
            ..
        } => absent,
        Below::Namespace(_) | Below::Service { .. } => unknown(snapshot, *federation),
    }
}
