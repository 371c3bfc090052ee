//! SRV records and the addresses of their targets (RFC 2782; docs/names.md, D.7).

use super::addresses::{Chosen, Own};
use super::many;
use super::rrsig::begin_additional;
use super::srv_targets::SrvTargets;
use crate::answer::reply::Reply;
use crate::model::{Inside, MemberIdx, MemberSet, Pod, PodName};
use crate::snapshot::{Apex, NamedPort, ServiceEntry, Shard};
use crate::wire::{MAX_NAME, NameParts, Owner, rrtype};

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

/// An SRV RRset that is asked for: the chosen members, the owner, and what the targets can be. What
/// writes it returns the members in it, `None` for no record.
pub(in crate::answer) struct Srv<'r, 's> {
    targets: SrvTargets<'s>,
    chosen: &'r Chosen<'s>,
    owner: Owner,
}

impl<'r, 's> Srv<'r, 's> {
    /// The RRset at `owner`; `None` if no SRV records are asked for.
    #[inline]
    pub(in crate::answer) fn asked(
        reply: &Reply<'_, '_>,
        targets: SrvTargets<'s>,
        chosen: &'r Chosen<'s>,
        owner: Owner,
    ) -> Option<Self> {
        is_asked(reply).then_some(Self {
            targets,
            chosen,
            owner,
        })
    }

    /// Writes the RRset of one port of a populated level, as [`Self::write_numbers`] does.
    pub(in crate::answer) fn write_port(
        &self,
        reply: &mut Reply<'_, '_>,
        port: &NamedPort,
    ) -> Option<MemberSet> {
        self.write_numbers(reply, |member, is_inside| {
            if is_inside {
                self.chosen.entry.port_inside(port, member)
            } else {
                port.number(member)
            }
        })
    }

    /// Writes the RRset of a populated level: `numbers` are the ports of a member, for clients inside it
    /// or outside, each once.
    ///
    /// The target is the name of the level. If the chosen shards differ in the ports, each has records
    /// of its own whose target is its pinned name.
    pub(super) fn write_numbers<N: IntoIterator<Item = u16> + PartialEq>(
        &self,
        reply: &mut Reply<'_, '_>,
        numbers: impl Fn(MemberIdx, bool) -> N,
    ) -> Option<MemberSet> {
        let chosen = self.chosen;
        let own = chosen.own.as_ref();
        let numbers_of = |member| numbers(member, own.is_some_and(|own| own.member == member));
        let first = chosen.shards().next()?.member;
        let of_first = numbers_of(first);
        let mut others = chosen.shards().skip(1);
        let is_alike = others.all(|shard| numbers_of(shard.member) == of_first);
        if is_alike && own.is_none_or(|own| own.pods.is_empty()) {
            return write_shared(reply, chosen, self.owner, of_first, &self.targets.service());
        }
        self.write_members(reply, numbers, |_| WEIGHT)
    }

    /// Writes the RRset of one port of a populated level with a record for each shard, whose target
    /// is its pinned name and whose weight is the shard's, so scaled that the largest is
    /// [`HEAVIEST`] (docs/names.md, decision 19).
    pub(in crate::answer) fn write_by_member(
        &self,
        reply: &mut Reply<'_, '_>,
        port: &NamedPort,
    ) -> Option<MemberSet> {
        let chosen = self.chosen;
        // One pass over each, so that no member is looked for among the others.
        let mut numbers = [None; MEMBERS];
        for (member, number) in &port.numbers {
            if let Some(place) = numbers.get_mut(member.get()) {
                *place = Some(*number);
            }
        }
        let numbers = |member: MemberIdx, _| numbers.get(member.get()).copied().flatten();
        let mut weights = [1_u32; MEMBERS];
        let overlay = chosen.entry.overlay();
        for (member, weight) in overlay.iter().flat_map(|overlay| &overlay.weights) {
            if let Some(place) = weights.get_mut(member.get()) {
                *place = *weight;
            }
        }
        let of = |member: MemberIdx| weights.get(member.get()).copied().unwrap_or(1);
        let members = chosen.members.iter();
        let with_port = members.filter(|member| numbers(*member, false).is_some());
        let largest = with_port.map(of).max().unwrap_or(1);
        self.write_members(reply, numbers, |member| scaled(of(member), largest))
    }

    /// Writes the RRset of the pods of all chosen members, one record for each of their host names and
    /// of `numbers` of their member.
    pub(super) fn write_pods<N: IntoIterator<Item = u16>>(
        &self,
        reply: &mut Reply<'_, '_>,
        numbers: impl Fn(MemberIdx) -> N,
    ) -> Option<MemberSet> {
        let Chosen { entry, members, .. } = *self.chosen;
        let all = || {
            let members = entry.ordered(members);
            members.flat_map(|member| pods_at(entry, member, numbers(member)))
        };
        let members = self.write_records(reply, |_| WEIGHT, all, |_, _| {})?;
        begin_additional(reply);
        for member in entry.ordered(members) {
            self.write_pod_addresses(reply, member);
        }
        Some(members)
    }

    /// Writes an RRset with records for each shard, whose targets are its pinned name or, where the
    /// client reaches its pods, these.
    fn write_members<N: IntoIterator<Item = u16>>(
        &self,
        reply: &mut Reply<'_, '_>,
        numbers: impl Fn(MemberIdx, bool) -> N,
        weight: impl Fn(MemberIdx) -> u16,
    ) -> Option<MemberSet> {
        let Self {
            targets, chosen, ..
        } = self;
        let entry = chosen.entry;
        let own = chosen.own.as_ref().map(|own| own.member);
        let with_pods = chosen.own.as_ref().filter(|own| !own.pods.is_empty());
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
        let members = self.write_records(reply, weight, all, |member, at| {
            if let Some(place) = places.get_mut(member.get()) {
                *place = Some(at);
            }
        })?;
        begin_additional(reply);
        if let Some(member) = with_pods.filter(|member| members.contains(*member)) {
            self.write_pod_addresses(reply, member);
        }
        for shard in entry.shards_of(members).filter(is_pinned) {
            let snapshot = reply.snapshot;
            let label = snapshot.apexes().member_label(shard.member);
            if let Some(name) = targets.pinned(label) {
                let own = Chosen::pinned(snapshot, entry, &shard);
                let at = places.get(shard.member.get()).copied().flatten();
                write_target(reply, &own, &name, at.filter(|at| at.is_reached()));
            }
            if reply.response.is_full() {
                break;
            }
        }
        Some(members)
    }

    /// Writes the records of the RRset with weights of members: all of them, or as many as a message
    /// holds. Tells where the pinned names of members are then.
    fn write_records<I: Iterator<Item = Record>>(
        &self,
        reply: &mut Reply<'_, '_>,
        weight: impl Fn(MemberIdx) -> u16,
        all: impl Fn() -> I,
        mut written: impl FnMut(MemberIdx, Owner),
    ) -> Option<MemberSet> {
        let Self {
            targets,
            chosen,
            owner,
        } = self;
        // What does not fit over UDP is empty, whatever the order; so it is turned over TCP alone.
        let count = all().count();
        let longest = many::longest_rrset(reply);
        let begin = if count > longest / LONGEST {
            many::begin(reply, chosen.entry, (count, longest / LONGEST))
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
            if reply.response.is_full() || reply.response.octets_since(mark) > longest - LONGEST {
                break;
            }
            if let Some(target) = target {
                let (ttl, number) = (chosen.ttl, record.number);
                let weight = weight(record.member);
                let response = &mut reply.response;
                let at = response.srv(*owner, ttl, PRIORITY, weight, number, &target);
                members.insert(record.member);
                if record.pod.is_none() {
                    written(record.member, at);
                }
            }
        }
        (!members.is_empty()).then_some(members)
    }

    /// Writes the addresses of the host names of pods that take traffic in a member.
    fn write_pod_addresses(&self, reply: &mut Reply<'_, '_>, member: MemberIdx) {
        let (snapshot, entry) = (reply.snapshot, self.chosen.entry);
        let label = snapshot.apexes().member_label(member);
        for name in names(entry, member) {
            if reply.response.is_full() {
                break;
            }
            if let Some(target) = self.targets.pod(label, &name) {
                let pods = Own::of_pods(member, entry.pods_of(member, name.label()));
                let own = Chosen::new(snapshot, entry, MemberSet::from_iter([member]));
                write_target(reply, &own.with_own(Some(pods)), &target, None);
            }
        }
    }
}

/// Writes the SRV record of a pinned name. Returns the members in it, `None` for no record.
pub(in crate::answer) fn write_pinned(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    shard: &Shard<'_>,
    port: u16,
) -> Option<MemberSet> {
    if !is_asked(reply) {
        return None;
    }
    let snapshot = reply.snapshot;
    let label = snapshot.apexes().member_label(shard.member);
    let name = SrvTargets::global(snapshot, apex, chosen.entry).pinned(label)?;
    write_shared(reply, chosen, reply.at, [port], &name)
}

/// Writes the SRV record of the client's own member, whose target is the name asked without the
/// port (docs/names.md, D.8). Returns the members in it, `None` for no record.
pub(in crate::answer) fn write_own(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    port: &NamedPort,
) -> Option<MemberSet> {
    if !is_asked(reply) {
        return None;
    }
    let own = chosen.own.as_ref()?;
    let number = chosen.entry.port_inside(port, own.member)?;
    let name = NameParts::name(reply.qname.suffix(PORT_LABELS));
    write_shared(reply, chosen, reply.at, [number], &name)
}

/// Whether SRV records are asked for.
#[inline]
fn is_asked(reply: &Reply<'_, '_>) -> bool {
    matches!(reply.query.qtype, rrtype::SRV | rrtype::ANY)
}

/// Writes an SRV RRset with one target, which has the addresses of all chosen members. Returns the
/// members in it, `None` for no record.
#[inline]
fn write_shared(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    owner: Owner,
    numbers: impl IntoIterator<Item = u16>,
    name: &NameParts<'_>,
) -> Option<MemberSet> {
    let mut at = None;
    for number in numbers {
        let response = &mut reply.response;
        at = Some(response.srv(owner, chosen.ttl, PRIORITY, WEIGHT, number, name));
        if response.is_full() {
            break;
        }
    }
    let at = at?;
    begin_additional(reply);
    write_target(reply, chosen, name, Some(at));
    Some(chosen.members)
}

/// Writes the addresses of a target, whose name is in the message at `at`, or nowhere yet.
#[inline]
fn write_target(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    name: &NameParts<'_>,
    at: Option<Owner>,
) {
    let at = at.unwrap_or_else(|| reply.response.owner_name(name));
    chosen.write_both(reply, at);
}

/// A weight beside the largest of its set, on the scale of SRV records.
fn scaled(weight: u32, largest: u32) -> u16 {
    let scaled = u64::from(weight) * u64::from(HEAVIEST) / u64::from(largest.max(1));
    u16::try_from(scaled).unwrap_or(HEAVIEST).clamp(1, HEAVIEST)
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
