//! Names of services that exist: what each prefix means.

use crate::answer::subject::Subject;
use crate::names::Prefix;
use crate::snapshot::{FederationIdx, NamedPort, ScopeIdx, Scopes, ServiceEntry, Shard, Snapshot};

/// A name of a service that exists.
#[inline]
pub(super) fn service<'s>(
    snapshot: &'s Snapshot,
    entry: &'s ServiceEntry,
    scope: ScopeIdx,
    prefix: Prefix<'_>,
) -> Subject<'s> {
    let has_protocol = |port: &NamedPort, protocol: &[u8]| port.protocol() == protocol;
    match prefix {
        Prefix::None => Subject::Level {
            entry,
            scope,
            port: None,
        },
        Prefix::Port(labels) => match entry.port(labels) {
            Some(port) => Subject::Level {
                entry,
                scope,
                port: Some(port),
            },
            None => unknown(snapshot, entry.federation),
        },
        Prefix::Protocol(protocol) => {
            if entry
                .ports()
                .iter()
                .any(|port| has_protocol(port, protocol))
            {
                Subject::EmptyNonTerminal
            } else {
                unknown(snapshot, entry.federation)
            }
        }
        Prefix::Member(member) => pinned(snapshot, entry, scope, member, |shard| {
            Some(Subject::Pinned {
                entry,
                shard,
                port: None,
            })
        }),
        Prefix::Pod { hostname, member } => pinned(snapshot, entry, scope, member, |shard| {
            let pods = entry.pods_of(shard.member, hostname);
            (!pods.is_empty()).then_some(Subject::Pods { entry, shard, pods })
        }),
        Prefix::MemberProtocol { member, protocol } => {
            pinned(snapshot, entry, scope, member, |shard| {
                let has_port = |port: &&NamedPort| {
                    has_protocol(port, protocol) && port.number(shard.member).is_some()
                };
                entry
                    .ports()
                    .iter()
                    .find(has_port)
                    .map(|_| Subject::EmptyNonTerminal)
            })
        }
        Prefix::MemberPort { member, port } => pinned(snapshot, entry, scope, member, |shard| {
            let port = entry.port(port)?.number(shard.member)?;
            Some(Subject::Pinned {
                entry,
                shard,
                port: Some(port),
            })
        }),
        Prefix::Unknown => Subject::Absent { federation: None },
    }
}

/// A name of a service that exists, in the zone of its federation in a cluster domain: there are no
/// pinned names, and none of pods below them.
pub(super) fn local<'s>(
    snapshot: &'s Snapshot,
    entry: &'s ServiceEntry,
    scope: ScopeIdx,
    prefix: Prefix<'_>,
) -> Subject<'s> {
    match prefix {
        Prefix::Member(_)
        | Prefix::Pod { .. }
        | Prefix::MemberProtocol { .. }
        | Prefix::MemberPort { .. } => Subject::Absent { federation: None },
        _ => match service(snapshot, entry, scope, prefix) {
            Subject::Level { entry, port, .. } => Subject::Local { entry, port },
            other => other,
        },
    }
}

/// A name below a member's label: there are such names at the global level only.
pub(super) fn pinned<'s>(
    snapshot: &'s Snapshot,
    entry: &'s ServiceEntry,
    scope: ScopeIdx,
    member: &[u8],
    found: impl FnOnce(Shard<'s>) -> Option<Subject<'s>>,
) -> Subject<'s> {
    let fleet = snapshot.fleet();
    let mut members = fleet.members.iter();
    let index = members.find(|(_, known)| known.name.as_str().as_bytes() == member);
    if scope != Scopes::GLOBAL {
        return Subject::Absent { federation: None };
    }
    let sync = snapshot.state().federation(entry.federation);
    let Some((index, _)) = index else {
        return if sync.lacks_members {
            Subject::NotReady
        } else {
            Subject::Absent { federation: None }
        };
    };
    if let Some(subject) = entry.shard(index).and_then(found) {
        return subject;
    }
    if sync.syncing.contains(index) {
        return Subject::NotReady;
    }
    Subject::Absent {
        federation: Some(entry.federation),
    }
}

/// A namespace, service or port that no member's facts have.
pub(super) fn unknown(snapshot: &Snapshot, federation: FederationIdx) -> Subject<'_> {
    let sync = snapshot.state().federation(federation);
    if sync.has_no_facts || sync.is_syncing() {
        return Subject::NotReady;
    }
    Subject::Absent {
        federation: Some(federation),
    }
}
