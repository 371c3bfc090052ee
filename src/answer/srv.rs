//! SRV records and the addresses of their targets (RFC 2782; names: D.7).

use super::addresses::{Chosen, Own};
use super::many;
use super::respond::Reply;
use crate::model::{Inside, MemberIdx, MemberSet, Pod, PodName};
use crate::snapshot::{Apex, NamedPort, Scope, Scopes, ServiceEntry, Shard, Snapshot};
use crate::wire::{MAX_NAME, Owner, Target, rrtype};

/// SRV priority of every record.
const PRIORITY: u16 = 0;

/// SRV weight of a record where weights say nothing.
const WEIGHT: u16 = 100;

/// SRV weight of the heaviest member where weights are those of members: a multiple of 256, as `HAProxy`
/// divides by that.
const HEAVIEST: u16 = 65_280;

/// Members of a fleet at most.
const MEMBERS: usize = 256;

/// Octets of the longest SRV record whose owner is a pointer.
const LONGEST: usize = 12 + 6 + MAX_NAME;

/// Labels of an SRV owner left of its service: `_port._proto`.
const PORT_LABELS: usize = 2;

/// Names that SRV records of a service have as targets: labels without a root, in three parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets<'t> {
    /// The name of the service where it was asked.
    service: [&'t [u8]; 3],
    /// What follows a pod and its member.
    pods: [&'t [u8]; 3],
    /// What follows a member in its pinned name.
    pinned: [&'t [u8]; 3],
}

impl<'t> Targets<'t> {
    /// Those of a service at a level of an apex.
    pub(super) fn at(
        snapshot: &'t Snapshot,
        apex: &'t Apex,
        entry: &'t ServiceEntry,
        level: &'t Scope,
    ) -> Self {
        let global = Self::global(snapshot, apex, entry);
        Self {
            service: [&entry.key, &level.path, apex.name.without_root()],
            ..global
        }
    }

    /// Those of a service at the global level of an apex.
    pub(super) fn global(snapshot: &'t Snapshot, apex: &'t Apex, entry: &'t ServiceEntry) -> Self {
        let global = snapshot.scopes().chain(Scopes::GLOBAL).next();
        let path = global.map_or(&[][..], |global| &global.path);
        let service = [&entry.key[..], path, apex.name.without_root()];
        Self {
            service,
            pods: service,
            pinned: service,
        }
    }

    /// The same for a name of the service that is not made of its key; pinned names stay where they
    /// are.
    pub(super) fn called(self, labels: &'t [u8]) -> Self {
        let service = [labels, &[], &[]];
        Self {
            service,
            pods: service,
            ..self
        }
    }

    /// The name of the service.
    fn service(&self) -> Target<'t> {
        Target::new(self.service, None)
    }

    /// The name of a pod; `None` if it would be over 255 octets.
    fn pod(&self, member: &'t [u8], name: &'t PodName) -> Option<Target<'t>> {
        let [first, second, third] = self.pods;
        fitting([name.as_wire(), member, first, second, third])
    }

    /// The pinned name of a member; `None` if it would be over 255 octets.
    fn pinned(&self, member: &'t [u8]) -> Option<Target<'t>> {
        let [first, second, third] = self.pinned;
        fitting([member, first, second, third, &[]])
    }
}

/// A target of these labels; `None` if it would be over 255 octets. Never compressed: RFC 2782 forbids
/// it.
fn fitting(labels: [&[u8]; 5]) -> Option<Target<'_>> {
    let length = labels.iter().map(|labels| labels.len()).sum::<usize>() + 1;
    (length <= MAX_NAME).then(|| Target::new(labels, None))
}

/// Whether SRV records are asked for.
pub(super) fn is_asked(reply: &Reply<'_, '_>) -> bool {
    matches!(reply.query.qtype, rrtype::SRV | rrtype::ANY)
}

/// Writes the SRV RRset of one port of a populated level, as [`write_numbers`] does.
pub(super) fn write(
    reply: &mut Reply<'_, '_>,
    targets: &Targets<'_>,
    chosen: &Chosen<'_>,
    owner: Owner,
    port: &NamedPort,
) -> Option<MemberSet> {
    write_numbers(reply, targets, chosen, owner, |member, is_inside| {
        if is_inside {
            chosen.entry.port_inside(port, member)
        } else {
            port.number(member)
        }
    })
}

/// Writes the SRV RRset of a populated level: `numbers` are the ports of a member, for clients inside
/// it or outside, each once. Returns the members in it, `None` for no record.
///
/// The target is the name of the level. If the chosen shards differ in the ports, each has records
/// of its own whose target is its pinned name.
pub(super) fn write_numbers<N: IntoIterator<Item = u16> + PartialEq>(
    reply: &mut Reply<'_, '_>,
    targets: &Targets<'_>,
    chosen: &Chosen<'_>,
    owner: Owner,
    numbers: impl Fn(MemberIdx, bool) -> N,
) -> Option<MemberSet> {
    if !is_asked(reply) {
        return None;
    }
    let is_own = |member| chosen.own.is_some_and(|own| own.member == member);
    let numbers_of = |member| numbers(member, is_own(member));
    let first = chosen.shards().next()?.member;
    let of_first = numbers_of(first);
    let mut others = chosen.shards().skip(1);
    let is_alike = others.all(|shard| numbers_of(shard.member) == of_first);
    let pods = chosen.own.map_or(&[][..], |own| own.pods);
    if is_alike && pods.is_empty() {
        let mut at = None;
        for number in of_first {
            let response = &mut reply.response;
            let target = targets.service();
            at = Some(response.srv(owner, chosen.ttl, PRIORITY, WEIGHT, number, &target));
            if response.is_full() {
                break;
            }
        }
        write_target(reply, chosen, at?);
        return Some(chosen.members);
    }
    write_members(reply, targets, chosen, owner, numbers, |_| WEIGHT)
}

/// Writes the SRV RRset of one port of a populated level with a record for each shard, whose target is
/// its pinned name and whose weight is the shard's, so scaled that the largest is [`HEAVIEST`] (names:
/// decision 19). Returns the members in it, `None` for no record.
pub(super) fn write_by_member(
    reply: &mut Reply<'_, '_>,
    targets: &Targets<'_>,
    chosen: &Chosen<'_>,
    owner: Owner,
    port: &NamedPort,
) -> Option<MemberSet> {
    if !is_asked(reply) {
        return None;
    }
    // One pass over each, so that no member is looked for among the others.
    let mut numbers = [None; MEMBERS];
    for (member, number) in &port.numbers {
        if let Some(place) = numbers.get_mut(member.get()) {
            *place = Some(*number);
        }
    }
    let numbers = |member: MemberIdx, _| numbers.get(member.get()).copied().flatten();
    let mut weights = [1_u32; MEMBERS];
    let caution = chosen.entry.caution();
    for (member, weight) in caution.iter().flat_map(|caution| &caution.weights) {
        if let Some(place) = weights.get_mut(member.get()) {
            *place = *weight;
        }
    }
    let of = |member: MemberIdx| weights.get(member.get()).copied().unwrap_or(1);
    let members = chosen.members.iter();
    let with_port = members.filter(|member| numbers(*member, false).is_some());
    let largest = with_port.map(of).max().unwrap_or(1);
    write_members(reply, targets, chosen, owner, numbers, |member| {
        scaled(of(member), largest)
    })
}

/// A weight beside the largest of its set, on the scale of SRV records.
fn scaled(weight: u32, largest: u32) -> u16 {
    let scaled = u64::from(weight) * u64::from(HEAVIEST) / u64::from(largest.max(1));
    u16::try_from(scaled).unwrap_or(HEAVIEST).clamp(1, HEAVIEST)
}

/// Writes an SRV RRset with records for each shard, whose targets are its pinned name or, where the
/// client reaches its pods, these. Returns the members in it, `None` for no record.
fn write_members<N: IntoIterator<Item = u16>>(
    reply: &mut Reply<'_, '_>,
    targets: &Targets<'_>,
    chosen: &Chosen<'_>,
    owner: Owner,
    numbers: impl Fn(MemberIdx, bool) -> N,
    weight: impl Fn(MemberIdx) -> u16,
) -> Option<MemberSet> {
    let entry = chosen.entry;
    let own = chosen.own.map(|own| own.member);
    let with_pods = chosen.own.filter(|own| !own.pods.is_empty());
    let with_pods = with_pods.map(|own| own.member);
    // A pinned name has outside addresses only: an own shard without any has no record there.
    let is_pinned = |shard: &Shard<'_>| {
        own != Some(shard.member) || (with_pods.is_none() && shard.has_address())
    };
    let all = || {
        let pods = with_pods.into_iter();
        let pods = pods.flat_map(|member| pods_at(entry, member, numbers(member, true)));
        let pinned = chosen.shards().filter(is_pinned).map(|shard| shard.member);
        let pinned = pinned.flat_map(|member| {
            let numbers = numbers(member, false).into_iter();
            numbers.map(move |number| Record {
                member,
                pod: None,
                number,
            })
        });
        pods.chain(pinned)
    };
    let mut places = [None; MEMBERS];
    let at = (owner, weight);
    let members = write_records(reply, targets, chosen, at, all, |member, at| {
        if let Some(place) = places.get_mut(member.get()) {
            *place = Some(at);
        }
    })?;
    reply.response.begin_additional();
    let answering = with_pods.filter(|member| members.contains(*member));
    if let Some(member) = answering {
        write_pod_addresses(reply, targets, entry, member);
    }
    for shard in entry.shards_of(members).filter(is_pinned) {
        let snapshot = reply.snapshot;
        let label = snapshot.apexes().member_label(shard.member);
        if let Some(name) = targets.pinned(label) {
            let own = Chosen::pinned(snapshot, entry, &shard);
            let at = places.get(shard.member.get()).copied().flatten();
            let at = at.filter(|at| at.is_reached());
            let at = at.unwrap_or_else(|| reply.response.owner_name(&name));
            own.write_both(reply, at);
        }
        if reply.response.is_full() {
            break;
        }
    }
    Some(members)
}

/// Writes the SRV RRset of the pods of all chosen members, one record for each of their host names and
/// of `numbers` of their member. Returns the members in it, `None` for no record.
pub(super) fn write_pods<N: IntoIterator<Item = u16>>(
    reply: &mut Reply<'_, '_>,
    targets: &Targets<'_>,
    chosen: &Chosen<'_>,
    numbers: impl Fn(MemberIdx) -> N,
) -> Option<MemberSet> {
    let entry = chosen.entry;
    let all = || {
        let members = chosen.members.iter();
        members.flat_map(|member| pods_at(entry, member, numbers(member)))
    };
    let at = (Owner::QUESTION, |_| WEIGHT);
    let members = write_records(reply, targets, chosen, at, all, |_, _| {})?;
    reply.response.begin_additional();
    for member in members.iter() {
        write_pod_addresses(reply, targets, entry, member);
    }
    Some(members)
}

/// An SRV record of an RRset with several targets.
struct Record {
    /// The member.
    member: MemberIdx,
    /// The host name of its pods that are the target; without it the target is the pinned name.
    pod: Option<PodName>,
    /// The port.
    number: u16,
}

/// A record for each host name of pods that take traffic in a member, and each number.
fn pods_at<N: IntoIterator<Item = u16>>(
    entry: &ServiceEntry,
    member: MemberIdx,
    numbers: N,
) -> impl Iterator<Item = Record> + use<'_, N> {
    let numbers = numbers.into_iter();
    numbers.flat_map(move |number| {
        names(entry, member).map(move |name| Record {
            member,
            pod: Some(name),
            number,
        })
    })
}

/// Writes the records of one RRset, at an owner and with weights of members: all of them, or as many as
/// a message holds. Tells where the pinned
/// names of members are then. Returns the members in it, `None` for no record.
fn write_records<I: Iterator<Item = Record>>(
    reply: &mut Reply<'_, '_>,
    targets: &Targets<'_>,
    chosen: &Chosen<'_>,
    (owner, weight): (Owner, impl Fn(MemberIdx) -> u16),
    all: impl Fn() -> I,
    mut written: impl FnMut(MemberIdx, Owner),
) -> Option<MemberSet> {
    // What does not fit over UDP is empty, whatever the order; so it is turned over TCP alone.
    let count = all().count();
    let begin = if count > many::RRSET / LONGEST {
        many::begin(reply, chosen.entry, (count, many::RRSET / LONGEST))
    } else {
        0
    };
    let mut members = MemberSet::EMPTY;
    let mark = reply.response.mark();
    for record in all().skip(begin).chain(all().take(begin)) {
        let snapshot = reply.snapshot;
        let label = snapshot.apexes().member_label(record.member);
        let target = match &record.pod {
            Some(name) => targets.pod(label, name),
            None => targets.pinned(label),
        };
        if reply.response.is_full() || reply.response.octets_since(mark) > many::RRSET - LONGEST {
            break;
        }
        if let Some(target) = target {
            let (ttl, number) = (chosen.ttl, record.number);
            let weight = weight(record.member);
            let response = &mut reply.response;
            let at = response.srv(owner, ttl, PRIORITY, weight, number, &target);
            members.insert(record.member);
            if record.pod.is_none() {
                written(record.member, at);
            }
        }
    }
    (!members.is_empty()).then_some(members)
}

/// Writes the addresses of the host names of pods that take traffic in a member.
fn write_pod_addresses(
    reply: &mut Reply<'_, '_>,
    targets: &Targets<'_>,
    entry: &ServiceEntry,
    member: MemberIdx,
) {
    let snapshot = reply.snapshot;
    let label = snapshot.apexes().member_label(member);
    for name in names(entry, member) {
        if reply.response.is_full() {
            break;
        }
        if let Some(target) = targets.pod(label, &name) {
            let at = reply.response.owner_name(&target);
            let pods = Own::of_pods(member, entry.pods_of(member, name.label()));
            let own = Chosen::new(snapshot, entry, MemberSet::from_iter([member]));
            let own = own.with_own(Some(&pods));
            own.write_both(reply, at);
        }
    }
}

/// Writes the SRV record of a pinned name.
pub(super) fn write_pinned(
    reply: &mut Reply<'_, '_>,
    targets: &Targets<'_>,
    chosen: &Chosen<'_>,
    shard: &Shard<'_>,
    port: u16,
) -> Option<MemberSet> {
    if !is_asked(reply) {
        return None;
    }
    let label = reply.snapshot.apexes().member_label(shard.member);
    let name = targets.pinned(label)?;
    Some(write_one(reply, chosen, port, &name))
}

/// Writes the SRV record of the client's own member, whose target is the name asked without the port
/// (names: D.8).
pub(super) fn write_own(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    port: &NamedPort,
) -> Option<MemberSet> {
    if !is_asked(reply) {
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
    chosen.write_both(reply, at);
}

/// The host names of the pods in a member that take traffic, each once: pods come ordered by them.
fn names(entry: &ServiceEntry, member: MemberIdx) -> impl Iterator<Item = PodName> {
    let mut last = None;
    let pods = entry.inside(member).map_or(&[][..], Inside::pods);
    let ready = pods.iter().filter(|pod| pod.is_ready);
    ready.filter_map(move |pod| {
        let is_same =
            last.is_some_and(|last: &Pod| pod.hostname.is_some() && last.hostname == pod.hostname);
        last = Some(pod);
        (!is_same).then(|| pod.name())
    })
}
