//! SRV records and the addresses of their targets (RFC 2782; names: D.7).

use super::addresses::{Chosen, Own};
use super::respond::Reply;
use crate::model::{MemberIdx, MemberSet, Pod, PodName};
use crate::snapshot::{Apex, NamedPort, Scope, Scopes, Shard};
use crate::wire::{MAX_NAME, Owner, Target, rrtype};

/// SRV priority of every record.
const PRIORITY: u16 = 0;

/// SRV weight of every record.
const WEIGHT: u16 = 100;

/// Labels of an SRV owner left of its service: `_port._proto`.
const PORT_LABELS: usize = 2;

/// Writes the SRV RRset of a populated level. Returns the members in it, `None` for no record.
///
/// The target is the name of the level. If the chosen shards differ in the port, each has a record
/// of its own whose target is its pinned name.
pub(super) fn write(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    owner: Owner,
    port: &NamedPort,
    level: &Scope,
) -> Option<MemberSet> {
    if !matches!(reply.query.qtype, rrtype::SRV | rrtype::ANY) {
        return None;
    }
    let number_of = |member| match chosen.own {
        Some(own) if own.member == member => chosen.entry.port_inside(port, member),
        _ => port.number(member),
    };
    let mut numbers = chosen.shards().map(|shard| number_of(shard.member));
    let first = numbers.next()?;
    let is_alike = numbers.all(|number| number == first);
    let pods = chosen.own.map_or(&[][..], |own| own.pods);
    if let (Some(number), true, []) = (first, is_alike, pods) {
        let target = target(apex, [&[], &chosen.entry.key, &level.path]);
        let at = reply
            .response
            .srv(owner, chosen.ttl, PRIORITY, WEIGHT, number, &target);
        write_target(reply, chosen, at);
        return Some(chosen.members);
    }
    let mut members = MemberSet::EMPTY;
    let mut answering = MemberSet::EMPTY;
    if let (Some(own), [_, ..]) = (chosen.own, pods)
        && let Some(number) = number_of(own.member)
    {
        for name in names(pods) {
            if let Some(target) = pod_target(reply, apex, chosen, own.member, &name) {
                let response = &mut reply.response;
                response.srv(owner, chosen.ttl, PRIORITY, WEIGHT, number, &target);
                answering.insert(own.member);
            }
        }
    }
    for shard in chosen.shards() {
        // A pinned name has outside addresses only: an own shard without any has no record there.
        let is_own = chosen.own.is_some_and(|own| own.member == shard.member);
        if is_own && !(pods.is_empty() && shard.has_address()) {
            continue;
        }
        let name = pinned(reply, apex, chosen, &shard);
        if let (Some(number), Some(name)) = (port.number(shard.member), name) {
            reply
                .response
                .srv(owner, chosen.ttl, PRIORITY, WEIGHT, number, &name);
            members.insert(shard.member);
        }
    }
    answering = answering | members;
    reply.response.begin_additional();
    if let Some(own) = chosen.own.filter(|own| answering.contains(own.member)) {
        for name in names(own.pods) {
            if let Some(target) = pod_target(reply, apex, chosen, own.member, &name) {
                let at = reply.response.owner_name(&target);
                let pods = Own::of_pods(own.member, chosen.entry.pods_of(own.member, name.label()));
                let own = Chosen::new(
                    reply.snapshot,
                    chosen.entry,
                    MemberSet::from_iter([own.member]),
                );
                let own = own.with_own(Some(&pods));
                own.write(reply, at, rrtype::A);
                own.write(reply, at, rrtype::AAAA);
            }
        }
    }
    for shard in chosen.entry.shards_of(members) {
        if let Some(name) = pinned(reply, apex, chosen, &shard) {
            let own = Chosen::pinned(reply.snapshot, chosen.entry, &shard);
            let at = reply.response.owner_name(&name);
            own.write(reply, at, rrtype::A);
            own.write(reply, at, rrtype::AAAA);
        }
    }
    (!answering.is_empty()).then_some(answering)
}

/// Writes the SRV record of a pinned name.
pub(super) fn write_pinned(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    shard: &Shard<'_>,
    port: u16,
) -> Option<MemberSet> {
    if !matches!(reply.query.qtype, rrtype::SRV | rrtype::ANY) {
        return None;
    }
    let name = pinned(reply, apex, chosen, shard)?;
    Some(write_one(reply, chosen, port, &name))
}

/// Writes the SRV record of the client's own member, whose target is the name asked without the port
/// (names: D.8).
pub(super) fn write_own(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    port: &NamedPort,
) -> Option<MemberSet> {
    if !matches!(reply.query.qtype, rrtype::SRV | rrtype::ANY) {
        return None;
    }
    let number = chosen.entry.port_inside(port, chosen.own?.member)?;
    let qname = reply.qname;
    let name = Target::name(qname.suffix(PORT_LABELS));
    Some(write_one(reply, chosen, number, &name))
}

/// Writes an SRV record at the name asked, and the addresses of its target.
fn write_one(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    port: u16,
    name: &Target<'_>,
) -> MemberSet {
    let at = reply
        .response
        .srv(Owner::QUESTION, chosen.ttl, PRIORITY, WEIGHT, port, name);
    write_target(reply, chosen, at);
    chosen.members
}

/// Writes the addresses of the one target.
fn write_target(reply: &mut Reply<'_, '_>, chosen: &Chosen<'_>, at: Owner) {
    reply.response.begin_additional();
    chosen.write(reply, at, rrtype::A);
    chosen.write(reply, at, rrtype::AAAA);
}

/// The host names of the pods that take traffic, each once: pods come ordered by them.
fn names(pods: &[Pod]) -> impl Iterator<Item = PodName> {
    let mut last = None;
    let ready = pods.iter().filter(|pod| pod.is_ready);
    ready.filter_map(move |pod| {
        let is_same =
            last.is_some_and(|last: &Pod| pod.hostname.is_some() && last.hostname == pod.hostname);
        last = Some(pod);
        (!is_same).then(|| pod.name())
    })
}

/// The name of a pod; `None` if it would be over 255 octets.
fn pod_target<'t>(
    reply: &Reply<'t, '_>,
    apex: &'t Apex,
    chosen: &Chosen<'t>,
    member: MemberIdx,
    name: &'t PodName,
) -> Option<Target<'t>> {
    let member = reply.snapshot.apexes().member_label(member);
    let global = reply.snapshot.scopes().chain(Scopes::GLOBAL).next()?;
    let labels = [
        name.as_wire(),
        member,
        &chosen.entry.key,
        &global.path,
        apex.name.without_root(),
    ];
    let length = labels.iter().map(|labels| labels.len()).sum::<usize>() + 1;
    (length <= MAX_NAME).then(|| Target::new(labels, None))
}

/// The pinned name of a shard; `None` if it would be over 255 octets.
fn pinned<'t>(
    reply: &Reply<'t, '_>,
    apex: &'t Apex,
    chosen: &Chosen<'t>,
    shard: &Shard<'_>,
) -> Option<Target<'t>> {
    let member = reply.snapshot.apexes().member_label(shard.member);
    let global = reply.snapshot.scopes().chain(Scopes::GLOBAL).next()?;
    let (key, path) = (&*chosen.entry.key, &*global.path);
    let length = member.len() + key.len() + path.len() + apex.name.as_wire().len();
    (length <= MAX_NAME).then(|| target(apex, [member, key, path]))
}

/// A target below an apex. Never compressed: RFC 2782 forbids it.
fn target<'t>(apex: &'t Apex, labels: [&'t [u8]; 3]) -> Target<'t> {
    let [first, second, third] = labels;
    Target::new([first, second, third, apex.name.without_root()], None)
}
