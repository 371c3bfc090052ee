//! Names of a clusterset (names: D.3 N8; the DNS specification of the Multi-Cluster Services API,
//! KEP-1645): what they are, and what they answer.
//!
//! A service is what it is at the global level of its federation, but a headless one has all ready
//! pods of all members that export it: whoever configures a clusterset says that pods are routable in
//! it. No name means one member alone; where ports differ SRV records point to the pinned names in
//! the federation's own apex.

use super::addresses::Chosen;
use super::classify::{self, Subject, pinned, unknown};
use super::level::{self, Start, address_types};
use super::limit::lots;
use super::ports::Ports;
use super::respond::Reply;
use super::srv::{self, Targets};
use crate::decide::{Halves, ShardCaution, Trace, choose_all, eligible};
use crate::model::{MemberIdx, MemberSet};
use crate::names::{Below, Prefix};
use crate::snapshot::{Apex, NamedPort, Scopes, ServiceEntry, Snapshot};
use crate::wire::Owner;

/// Labels of a service name left of the domain: `service.ns.svc`.
const SERVICE_LABELS: usize = 3;

/// A name of a service that exists.
pub(super) fn service<'s>(
    snapshot: &'s Snapshot,
    entry: &'s ServiceEntry,
    prefix: Prefix<'_>,
) -> Subject<'s> {
    // Without a ready pod there is no such name, nor any below it (names: E.7 V13).
    let mut members = entry.members().iter();
    if entry.is_headless() && !members.any(|member| entry.has_ready_pod(member)) {
        return unknown(snapshot, entry.federation);
    }
    match prefix {
        Prefix::MemberProtocol { .. } | Prefix::MemberPort { .. } => {
            Subject::Absent { federation: None }
        }
        // No pinned name, but pods have names below it (names: decisions 3 and 7).
        Prefix::Member(member) => pinned(snapshot, entry, Scopes::GLOBAL, member, |shard| {
            let has_pod = entry.has_pod(shard.member);
            has_pod.then_some(Subject::EmptyNonTerminal)
        }),
        _ => match classify::service(snapshot, entry, Scopes::GLOBAL, prefix) {
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

/// Answers for a service, or for the SRV owner of one of its ports.
pub(super) fn answer<T: Trace>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    port: Option<&NamedPort>,
    trace: &mut T,
) {
    if entry.is_headless() {
        answer_pods(reply, apex, entry, port, trace);
    } else {
        level::answer(reply, apex, entry, Start::at(Scopes::GLOBAL), port, trace);
    }
}

/// Answers for a headless service, whoever asks: all its pods that take traffic in eligible members.
#[inline(never)]
fn answer_pods<T: Trace>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    port: Option<&NamedPort>,
    trace: &mut T,
) {
    let snapshot = reply.snapshot;
    let Some(plan) = snapshot.plan(entry.plan) else {
        return reply.not_ready();
    };
    let health = snapshot.state().health_in(entry.federation);
    // Probes are of addresses outside.
    let caution = entry.caution().map(|caution| ShardCaution {
        halves: Halves::default(),
        ..caution.sets
    });
    let lots = || lots(reply, entry);
    let shards = entry.health_of_pods();
    let eligible = eligible(plan, &shards, || caution.as_ref(), health, lots);
    let members = choose_all(&eligible, trace);
    if eligible.is_drawn {
        trace.lots(lots);
        reply.scope = reply.scope.max(reply.prefix().scope);
    }
    if members.is_empty() {
        let sync = snapshot.state().federation(entry.federation);
        if !sync.syncing_from_start.is_empty() {
            return reply.not_ready();
        }
        let is_fenced = !eligible.fenced_off.is_empty();
        return level::write_down(reply, apex, entry, plan, is_fenced);
    }
    let chosen = Chosen::new(snapshot, entry, members);
    let answering = match port {
        Some(_) => None,
        None => write_pod_addresses(reply, &chosen),
    };
    let answering = answering.or_else(|| write_pod_ports(reply, apex, &chosen, port));
    level::finish(reply, apex, entry, answering);
}

/// Writes the addresses of all pods of the chosen members. Returns the members in it, `None` for no
/// record.
fn write_pod_addresses(reply: &mut Reply<'_, '_>, chosen: &Chosen<'_>) -> Option<MemberSet> {
    let types = address_types(reply.query.qtype);
    let mut sets = types
        .iter()
        .map(|qtype| chosen.write_inside(reply, Owner::QUESTION, *qtype));
    sets.find(|members| !members.is_empty())
}

/// Writes the SRV records of all pods of the chosen members, of one port or of all.
fn write_pod_ports(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    port: Option<&NamedPort>,
) -> Option<MemberSet> {
    if !srv::is_asked(reply) {
        return None;
    }
    let entry = chosen.entry;
    let targets = targets(reply, apex, entry)?;
    match port {
        Some(port) => srv::write_pods(reply, &targets, chosen, |member| {
            entry.port_inside(port, member)
        }),
        None => srv::write_pods(reply, &targets, chosen, |member| {
            numbers(entry, member, None)
        }),
    }
}

/// Writes the SRV records of one port of a service that is not headless.
#[inline(never)]
pub(super) fn write_port(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    port: &NamedPort,
) -> Option<MemberSet> {
    let targets = targets(reply, apex, chosen.entry)?;
    srv::write(reply, &targets, chosen, Owner::QUESTION, port)
}

/// Writes the SRV records at the name of a service that is not headless: one for each port, with or
/// without a name (names: D.7).
#[inline(never)]
pub(super) fn write_ports(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
) -> Option<MemberSet> {
    let entry = chosen.entry;
    let members = &reply.snapshot.fleet().members;
    let gateway = |member: MemberIdx| members.get(member.get())?.gateway.as_ref()?.port;
    let targets = targets(reply, apex, entry)?;
    srv::write_numbers(
        reply,
        &targets,
        chosen,
        Owner::QUESTION,
        |member, is_inside| {
            let gateway = if is_inside { None } else { gateway(member) };
            numbers(entry, member, gateway)
        },
    )
}

/// The numbers of all ports of a member, each once; of its gateway, if it has one port for all.
fn numbers(entry: &ServiceEntry, member: MemberIdx, gateway: Option<u16>) -> Ports {
    let facts = entry.facts(member);
    let ports = facts.map_or(&[][..], |facts| &facts.ports);
    let numbers = ports.iter().map(|port| gateway.unwrap_or(port.port));
    numbers.collect()
}

/// The targets of SRV records: below the service name as it stands in the question, and in the
/// federation's own apex.
fn targets<'s>(reply: &Reply<'s, '_>, apex: &Apex, entry: &'s ServiceEntry) -> Option<Targets<'s>> {
    let snapshot = reply.snapshot;
    let home = snapshot.apexes().federation(entry.federation)?.apex;
    let home = snapshot.apexes().get(home)?;
    let left = reply.qname.label_count().checked_sub(apex.labels)?;
    let first = left.checked_sub(SERVICE_LABELS)?;
    let name = reply.qname.between(first, reply.qname.label_count());
    Some(Targets::global(snapshot, home, entry).called(name))
}
