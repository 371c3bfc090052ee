//! What a name is, in one snapshot: the step before any record is written (names: D.2 to D.6).

use super::clusterset;
use super::sought::Sought;
use crate::model::{MemberIdx, MemberSet, Pod};
use crate::names::{Below, Form, Prefix};
use crate::snapshot::{
    Apex, ApexIdx, FederationIdx, FixedName, NamedPort, ScopeIdx, ServiceEntry, Shard, Snapshot,
    Tree,
};

/// What a name inside an apex is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'s> {
    /// The apex itself.
    Apex,
    /// An infrastructure name.
    Fixed(&'s FixedName),
    /// A name without records above names that exist (RFC 4592 section 2.2.2).
    EmptyNonTerminal,
    /// A service at a level, or one of its SRV owners.
    Level {
        /// The service.
        entry: &'s ServiceEntry,
        /// The level that was asked.
        scope: ScopeIdx,
        /// The port of an SRV owner.
        port: Option<&'s NamedPort>,
    },
    /// The prefix of a service: an alias of its global name (names: N9).
    Prefixed {
        /// The service.
        entry: &'s ServiceEntry,
    },
    /// A service, the client's own member first (names: D.8), or one of its SRV owners.
    Local {
        /// The service.
        entry: &'s ServiceEntry,
        /// The port of an SRV owner.
        port: Option<&'s NamedPort>,
    },
    /// A service in a clusterset (names: D.3 N8), or one of its SRV owners.
    Clusterset {
        /// The service.
        entry: &'s ServiceEntry,
        /// The port of an SRV owner.
        port: Option<&'s NamedPort>,
    },
    /// A service in one member and no other (names: decision 7).
    Pinned {
        /// The service.
        entry: &'s ServiceEntry,
        /// The member's shard.
        shard: Shard<'s>,
        /// The port number of an SRV owner.
        port: Option<u16>,
    },
    /// The pods of one host name of a headless service in one member.
    Pods {
        /// The service.
        entry: &'s ServiceEntry,
        /// The member's shard.
        shard: Shard<'s>,
        /// The pods, ready or not.
        pods: &'s [Pod],
    },
    /// A name that does not exist.
    Absent {
        /// The federation whose facts say so; `None` when the configuration alone does.
        federation: Option<FederationIdx>,
    },
    /// Too little is known to say that the name does not exist (names: decision 10).
    NotReady,
}

/// Says what a name is.
#[inline]
pub(super) fn classify<'s>(snapshot: &'s Snapshot, sought: &mut Sought<'s>) -> Subject<'s> {
    let absent = Subject::Absent { federation: None };
    let apex = sought.apex;
    match sought.form {
        Form::Apex => Subject::Apex,
        Form::Plain { labels } => {
            if let Some(fixed) = apex.fixed(labels) {
                return match fixed {
                    FixedName::EmptyNonTerminal => Subject::EmptyNonTerminal,
                    _ => Subject::Fixed(fixed),
                };
            }
            if apex.tree == Tree::Clusterset {
                return absent;
            }
            match (
                snapshot.scopes().find(labels),
                snapshot.prefixed(sought.index, labels),
            ) {
                (Some(_), _) => Subject::EmptyNonTerminal,
                (None, Some(entry)) => Subject::Prefixed { entry },
                (None, None) if label_count(labels) <= 2 => unknown_topology(snapshot, apex),
                (None, None) => absent,
            }
        }
        Form::Tree { below, .. } => {
            // A service that exists knows its federation: the common case needs no other look-up.
            if let (Some(scope), Below::Service { prefix, .. }) = (sought.scope, below)
                && let Some(entry) = sought.service(snapshot)
            {
                return match apex.tree {
                    Tree::Federations => service(snapshot, entry, scope, prefix),
                    Tree::Local => local(snapshot, entry, scope, prefix),
                    Tree::Clusterset => clusterset::service(snapshot, entry, prefix),
                };
            }
            if apex.tree == Tree::Clusterset {
                return clusterset::above_services(snapshot, apex, below);
            }
            above_services(snapshot, sought.index, apex, sought.scope, below)
        }
    }
}

/// A name of the service tree that no service has.
fn above_services<'s>(
    snapshot: &'s Snapshot,
    index: ApexIdx,
    apex: &Apex,
    scope: Option<ScopeIdx>,
    below: Below<'_>,
) -> Subject<'s> {
    let absent = Subject::Absent { federation: None };
    let label = match below {
        Below::Marker => None,
        Below::Federation(label) => Some(label),
        Below::Namespace(labels) | Below::Service { key: labels, .. } => Some(last_label(labels)),
    };
    let federation = label.and_then(|label| snapshot.apexes().federation_of(index, label));
    if label.is_some() && federation.is_none() {
        return absent;
    }
    if scope.is_none() {
        return unknown_topology(snapshot, apex);
    }
    match (below, federation) {
        (Below::Namespace(namespace), Some(federation)) => {
            if snapshot.has_namespace([namespace, &[]]) {
                Subject::EmptyNonTerminal
            } else {
                unknown(snapshot, federation)
            }
        }
        (
            Below::Service {
                prefix: Prefix::Unknown,
                ..
            },
            _,
        ) => absent,
        (Below::Service { .. }, Some(federation)) => unknown(snapshot, federation),
        _ => Subject::EmptyNonTerminal,
    }
}

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
fn local<'s>(
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
    let mut members = MemberIdx::all().zip(&fleet.members);
    let index = members.find(|(_, known)| known.name.as_str().as_bytes() == member);
    let (Some((index, _)), true) = (index, scope == crate::snapshot::Scopes::GLOBAL) else {
        return Subject::Absent { federation: None };
    };
    if let Some(subject) = entry.shard(index).and_then(found) {
        return subject;
    }
    let sync = snapshot.state().federation(entry.federation);
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
    if sync.is_blind || !sync.syncing.is_empty() {
        return Subject::NotReady;
    }
    Subject::Absent {
        federation: Some(federation),
    }
}

/// One or two topology labels that are no known region or zone (names: D.11, 6).
fn unknown_topology<'s>(snapshot: &'s Snapshot, apex: &Apex) -> Subject<'s> {
    let unplaced = |federation: &FederationIdx| snapshot.state().federation(*federation).unplaced;
    let unplaced = apex
        .federations
        .iter()
        .map(unplaced)
        .fold(MemberSet::EMPTY, |a, b| a | b);
    if unplaced.is_empty() {
        Subject::Absent { federation: None }
    } else {
        Subject::NotReady
    }
}

/// The last label of a wire form without a root, in wire form.
fn last_label(labels: &[u8]) -> &[u8] {
    suffixes(labels).last().unwrap_or_default()
}

/// How many labels a wire form without a root has.
fn label_count(labels: &[u8]) -> usize {
    suffixes(labels).count()
}

/// A wire form without a root from each of its labels on.
fn suffixes(labels: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(labels), |labels| after_first(labels))
        .take_while(|labels| !labels.is_empty())
}

/// What follows the first label.
fn after_first(labels: &[u8]) -> Option<&[u8]> {
    let (length, tail) = labels.split_first()?;
    tail.get(usize::from(*length)..)
}
