//! Records of a service in a clusterset (the DNS specification of the Multi-Cluster Services API,
//! KEP-1645): SRV records stand at the name of the service too, and a headless one has its pods.

use super::addresses::{self, Chosen};
use super::ports::Ports;
use super::srv::Srv;
use super::srv_targets::SrvTargets;
use crate::answer::reply::Reply;
use crate::model::{MemberIdx, MemberSet, Port};
use crate::snapshot::{Apex, NamedPort, ServiceEntry};

/// Labels of a service name left of the domain: `service.ns.svc`.
const SERVICE_LABELS: usize = 3;

/// Writes the addresses of all pods of the chosen members, or else their SRV records at all ports.
/// Returns the members in them, `None` for no record.
pub(in crate::answer) fn write_all_pods(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
) -> Option<MemberSet> {
    if let answering @ Some(_) = addresses::write_pods(reply, chosen) {
        return answering;
    }
    let numbers = |member| numbers(chosen.entry, member, |port| port.port);
    srv(reply, apex, chosen)?.write_pods(reply, numbers)
}

/// Writes the SRV records of all pods of the chosen members at one port, as [`write_all_pods`] does.
pub(in crate::answer) fn write_pods_of_port(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    port: &NamedPort,
) -> Option<MemberSet> {
    let number = |member| chosen.entry.port_inside(port, member);
    srv(reply, apex, chosen)?.write_pods(reply, number)
}

/// Writes the SRV records of one port of a service that is not headless.
#[inline(never)]
pub(in crate::answer) fn write_port(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    port: &NamedPort,
) -> Option<MemberSet> {
    srv(reply, apex, chosen)?.write_port(reply, port)
}

/// Writes the SRV records at the name of a service that is not headless: one for each port, with or
/// without a name (docs/names.md, D.7).
#[inline(never)]
pub(in crate::answer) fn write_ports(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
) -> Option<MemberSet> {
    let members = &reply.snapshot.fleet().members;
    let facts = |member| chosen.entry.facts(member);
    let gateway = |member| members.get(member)?.gateway_of(facts(member)?)?.port;
    srv(reply, apex, chosen)?.write_numbers(reply, |member, is_inside| {
        let gateway = gateway(member);
        numbers(chosen.entry, member, |port| {
            if is_inside {
                port.port
            } else {
                gateway.unwrap_or(port.outside)
            }
        })
    })
}

/// The numbers of all ports of a member, each once.
fn numbers(entry: &ServiceEntry, member: MemberIdx, number: impl Fn(&Port) -> u16) -> Ports {
    let facts = entry.facts(member);
    let ports = facts.map_or(&[][..], |facts| &facts.ports);
    ports.iter().map(number).collect()
}

/// SRV records at the name asked, if they are asked for. Their targets are below the service name as it
/// stands in the question, and in the federation's own apex.
fn srv<'r, 's>(reply: &Reply<'s, '_>, apex: &Apex, chosen: &'r Chosen<'s>) -> Option<Srv<'r, 's>> {
    let (snapshot, entry) = (reply.snapshot, chosen.entry);
    let home = snapshot.apexes().federation(entry.federation)?.apex;
    let home = snapshot.apexes().get(home)?;
    let left = reply.qname.label_count().checked_sub(apex.labels)?;
    let first = left.checked_sub(SERVICE_LABELS)?;
    let name = reply.qname.between(first, reply.qname.label_count());
    let targets = SrvTargets::global(snapshot, home, entry).called(name);
    Srv::asked(reply, targets, chosen, reply.at)
}
