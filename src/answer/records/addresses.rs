//! The A and AAAA RRsets of chosen members.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address_cap::AddressCap;
use super::family::Address;
use super::many::{self, FEW, turn};
use crate::answer::reply::Reply;
use crate::model::{Inside, MemberIdx, MemberSet, Pod};
use crate::snapshot::{AllAddresses, ServiceEntry, Shard, Snapshot, UNSETTLED_TTL};
use crate::wire::{Mark, Owner, ResponseWriter, rrtype};

/// The shards whose addresses one owner name has, and their TTL.
#[derive(Clone, Copy)]
pub(in crate::answer) struct Chosen<'s> {
    /// The service.
    pub(in crate::answer) entry: &'s ServiceEntry,
    /// Its members that are chosen.
    pub(in crate::answer) members: MemberSet,
    /// The TTL of both RRsets: the smallest of their shards (RFC 2181 section 5.2).
    pub(in crate::answer) ttl: u32,
    /// Only so many addresses of each type are in an answer, as the members have more.
    limit: Option<u8>,
    /// All addresses of the member, if the owner is its pinned name and some are withheld at other names.
    whole: Option<&'s AllAddresses>,
    /// The client is inside one of the members, and its shard is reached there.
    pub(in crate::answer) own: Option<Own<'s>>,
}

/// Where a shard is reached inside its member.
#[derive(Debug, Clone, Copy)]
pub(in crate::answer) struct Own<'s> {
    /// The member.
    pub(in crate::answer) member: MemberIdx,
    /// Cluster IPs.
    cluster_ips: &'s [IpAddr],
    /// Pods of a headless service.
    pub(in crate::answer) pods: &'s [Pod],
}

impl<'s> Own<'s> {
    /// A service in a member.
    pub(in crate::answer) fn new(member: MemberIdx, inside: &'s Inside) -> Self {
        Self {
            member,
            cluster_ips: inside.cluster_ips(),
            pods: inside.pods(),
        }
    }

    /// Some pods of a service in a member.
    pub(in crate::answer) fn of_pods(member: MemberIdx, pods: &'s [Pod]) -> Self {
        Self {
            member,
            cluster_ips: &[],
            pods,
        }
    }

    /// How many addresses it has at most.
    #[inline]
    fn most(&self) -> usize {
        self.cluster_ips.len() + self.pods.len()
    }

    /// The addresses that take traffic.
    pub(in crate::answer) fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'s> {
        let ready = self.pods.iter().filter(|pod| pod.is_ready);
        let cluster_ips = self.cluster_ips.iter().copied();
        cluster_ips.chain(ready.map(|pod| pod.address))
    }

    /// Writes those of a family at `owner`. Returns whether there was one.
    fn write<A: Address>(
        &self,
        response: &mut ResponseWriter<'_>,
        owner: Owner,
        (ttl, mark): (u32, Mark),
        takes: impl Fn(&A::Octets) -> bool,
    ) -> bool {
        let before = response.count();
        for address in self.addresses().filter_map(A::of) {
            write_each(response, owner, (ttl, mark), &[address], &takes);
        }
        response.count() != before
    }
}

impl<'s> Chosen<'s> {
    /// Chooses members for a level.
    #[inline]
    pub(in crate::answer) fn new(
        snapshot: &Snapshot,
        entry: &'s ServiceEntry,
        members: MemberSet,
    ) -> Self {
        let ttl = entry.least_ttl(members).unwrap_or(entry.ttl);
        Self {
            entry,
            members,
            ttl: ttl.min(longest_ttl(snapshot, entry, members)),
            limit: None,
            whole: None,
            own: None,
        }
    }

    /// The same with at most `most` addresses of each type, if that is a limit and there are more.
    #[inline]
    pub(in crate::answer) fn limited(mut self, most: Option<u8>) -> Self {
        self.limit = most.filter(|most| self.has_more(*most));
        self
    }

    /// Whether there are more addresses of a type than so many.
    #[inline(never)]
    fn has_more(&self, most: u8) -> bool {
        let own = self.own.iter().flat_map(Own::addresses).count();
        own > usize::from(most) || self.entry.has_more(self.members, most)
    }

    /// Whether a draw says which addresses are in an answer.
    #[inline]
    pub(in crate::answer) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// The same, for a client that reaches one of the members from inside.
    #[inline]
    pub(in crate::answer) fn with_own(mut self, own: Option<Own<'s>>) -> Self {
        self.own = own;
        self
    }

    /// Chooses one member for its pinned name: with all its addresses, withheld or not.
    pub(in crate::answer) fn pinned(
        snapshot: &Snapshot,
        entry: &'s ServiceEntry,
        shard: &Shard<'_>,
    ) -> Self {
        Self {
            whole: entry.whole(shard.member),
            ..Self::new(snapshot, entry, MemberSet::from_iter([shard.member]))
        }
    }

    /// The chosen shards.
    #[inline]
    pub(in crate::answer) fn shards(&self) -> impl Iterator<Item = Shard<'s>> {
        self.entry.shards_of(self.members)
    }

    /// The highest draw within a limit, of the addresses of a family: those that the client reaches from
    /// inside, and those of `outside`.
    fn last_of<A: Address>(&self, limit: &AddressCap<'_>, outside: MemberSet) -> u64 {
        let own = self.own.iter().flat_map(Own::addresses);
        let outside = A::of_members(self.entry, outside).flat_map(|(_, all)| all);
        let all = own.filter_map(A::of).chain(outside.copied());
        limit.last(all.map(Address::octets))
    }

    /// Writes the RRset of a type at `owner`, each address once, in an order that turns with the
    /// query. Returns the members whose addresses are in it.
    ///
    /// Nothing may rely on the order (docs/names.md, D.5); turning it spreads clients that do.
    #[inline]
    fn write(&self, reply: &mut Reply<'_, '_>, owner: Owner, qtype: u16) -> MemberSet {
        if qtype == rrtype::A {
            self.write_family::<Ipv4Addr>(reply, owner)
        } else {
            self.write_family::<Ipv6Addr>(reply, owner)
        }
    }

    /// Writes the RRsets of both types at `owner`, a target of other records.
    #[inline]
    pub(super) fn write_both(&self, reply: &mut Reply<'_, '_>, owner: Owner) {
        self.write_family::<Ipv4Addr>(reply, owner);
        self.write_family::<Ipv6Addr>(reply, owner);
    }

    /// As [`Self::write`], of a family.
    #[inline]
    fn write_family<A: Address>(&self, reply: &mut Reply<'_, '_>, owner: Owner) -> MemberSet {
        match self.limit {
            None => self.write_those::<A>(reply, owner, |_| true),
            Some(most) => self.write_within::<A>(most, reply, owner),
        }
    }

    /// The same, of the addresses that a limit lets in.
    #[inline(never)]
    fn write_within<A: Address>(
        &self,
        most: u8,
        reply: &mut Reply<'_, '_>,
        owner: Owner,
    ) -> MemberSet {
        let limit = AddressCap::new(most, reply.draw_of_addresses(self.entry));
        let last = self.last_of::<A>(&limit, self.outside());
        self.write_those::<A>(reply, owner, |address| limit.takes(address.as_ref(), last))
    }

    /// Members whose addresses for clients outside are in the answer, where they are not withheld.
    #[inline]
    fn outside(&self) -> MemberSet {
        let mut outside = self.members;
        if let Some(own) = &self.own {
            outside.remove(own.member);
        }
        outside
    }

    /// The same, of the addresses that `takes` lets in.
    #[inline]
    fn write_those<A: Address>(
        &self,
        reply: &mut Reply<'_, '_>,
        owner: Owner,
        takes: impl Fn(&A::Octets) -> bool + Copy,
    ) -> MemberSet {
        let mut members = MemberSet::EMPTY;
        let mark = reply.response.mark();
        if self.most::<A>() > FEW.min(reply.response.room(A::LENGTH)) {
            return self.write_many::<A>(reply, (owner, mark), takes);
        }
        let response = &mut reply.response;
        let outside = self.outside();
        if let Some(own) = &self.own
            && own.write::<A>(response, owner, (self.ttl, mark), takes)
        {
            members.insert(own.member);
        }
        if let Some(whole) = self.whole {
            if write_each(response, owner, (self.ttl, mark), A::of_whole(whole), takes) {
                members = self.members;
            }
        } else {
            for (member, addresses) in A::of_members(self.entry, outside) {
                if write_each(response, owner, (self.ttl, mark), addresses, takes) {
                    members.insert(member);
                }
            }
        }
        let count = reply.response.records_since(mark, A::LENGTH);
        if count > 0 {
            reply.response.may_be_partial(mark, A::LENGTH);
        }
        if count > 1 {
            let turned = turn(reply.query.id, &self.entry.key) % count;
            reply.response.rotate(mark, A::LENGTH, turned);
        }
        members
    }

    /// How many addresses of a family it has at most.
    #[inline]
    fn most<A: Address>(&self) -> usize {
        let own = self.own.as_ref().map_or(0, Own::most);
        let whole = self.whole.map_or(0, |whole| A::of_whole(whole).len());
        self.entry.count(A::IS_IPV4) + own + whole
    }

    /// As [`Self::write_those`], where there may be more than a few or than fit.
    #[inline(never)]
    fn write_many<A: Address>(
        &self,
        reply: &mut Reply<'_, '_>,
        at: (Owner, Mark),
        takes: impl Fn(&A::Octets) -> bool + Copy,
    ) -> MemberSet {
        let all = || {
            let own = self.own.iter();
            let own = own.flat_map(|own| own.addresses().map(|address| (own.member, address)));
            let own = own.filter_map(|(member, address)| Some((member, A::of(address)?)));
            let whole = self.whole.into_iter();
            let whole =
                whole.flat_map(|whole| A::of_whole(whole).iter().map(|one| (whole.member, *one)));
            let outside = self.whole.map_or(self.outside(), |_| MemberSet::EMPTY);
            let outside = A::of_members(self.entry, outside);
            let outside =
                outside.flat_map(|(member, all)| all.iter().map(move |one| (member, *one)));
            let all = own.chain(whole).chain(outside);
            all.filter(|(_, address)| takes(&address.octets()))
        };
        many::write_addresses(reply, self.entry, at, self.ttl, all)
    }

    /// Writes the addresses of a type at which all chosen shards are reached inside their members,
    /// each once. Returns the members whose addresses are in it.
    fn write_inside(&self, reply: &mut Reply<'_, '_>, owner: Owner, qtype: u16) -> MemberSet {
        if qtype == rrtype::A {
            self.write_family_inside::<Ipv4Addr>(reply, owner)
        } else {
            self.write_family_inside::<Ipv6Addr>(reply, owner)
        }
    }

    /// As [`Self::write_inside`], of a family.
    fn write_family_inside<A: Address>(
        &self,
        reply: &mut Reply<'_, '_>,
        owner: Owner,
    ) -> MemberSet {
        let at = (owner, reply.response.mark());
        let all = || {
            self.entry.ordered(self.members).flat_map(|member| {
                let inside = self.entry.inside(member).into_iter();
                let all = inside.flat_map(Inside::addresses);
                all.filter_map(move |address| Some((member, A::of(address)?)))
            })
        };
        many::write_addresses(reply, self.entry, at, self.ttl, all)
    }
}

/// Writes the addresses of chosen members that a type asks for at `owner`. Returns the members in them,
/// `None` for no record.
#[expect(
    clippy::inline_always,
    reason = "a few instructions of every answer, called from several places"
)]
#[inline(always)]
pub(in crate::answer) fn write(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    owner: Owner,
) -> Option<MemberSet> {
    let types = types_asked(reply.query.qtype);
    let mut sets = types.iter().map(|qtype| chosen.write(reply, owner, *qtype));
    sets.find(|members| !members.is_empty())
}

/// Writes the addresses of all pods of chosen members at the name asked, as [`write()`] does.
pub(in crate::answer) fn write_pods(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
) -> Option<MemberSet> {
    let types = types_asked(reply.query.qtype);
    let mut sets = types
        .iter()
        .map(|qtype| chosen.write_inside(reply, reply.at, *qtype));
    sets.find(|members| !members.is_empty())
}

/// The types of addresses that a type asks for, the first of which that has records is written.
fn types_asked(qtype: u16) -> &'static [u16] {
    match qtype {
        rrtype::A => &[rrtype::A],
        rrtype::AAAA => &[rrtype::AAAA],
        rrtype::ANY => &[rrtype::A, rrtype::AAAA],
        _ => &[],
    }
}

/// Writes those addresses that `takes` lets in and that are not there yet, from `mark` on. Returns
/// whether there was one.
#[inline]
fn write_each<A: Address>(
    response: &mut ResponseWriter<'_>,
    owner: Owner,
    (ttl, mark): (u32, Mark),
    addresses: &[A],
    takes: impl Fn(&A::Octets) -> bool,
) -> bool {
    let before = response.count();
    let octets = addresses.iter().map(|address| (address, address.octets()));
    for (address, octets) in octets.filter(|(_, octets)| takes(octets)) {
        if !response.contains_rdata(mark, A::LENGTH, octets.as_ref()) {
            address.write(response, owner, ttl);
        }
    }
    response.count() != before
}

/// The longest TTL that an answer from `members` may have: short while a member of the federation
/// is in its first sync and while one of these is held or being drained, and never longer than what
/// is left of a hold (docs/names.md, decision 8). That of a suspect shard is short in itself.
#[inline]
fn longest_ttl(snapshot: &Snapshot, entry: &ServiceEntry, members: MemberSet) -> u32 {
    let sync = snapshot.state().federation(entry.federation);
    let short_ttl = members & sync.short_ttl;
    if short_ttl.is_empty() {
        return if sync.is_syncing() {
            UNSETTLED_TTL
        } else {
            u32::MAX
        };
    }
    let held = short_ttl & sync.stale & !sync.expired;
    let left = sync.hold_left.filter(|_| !held.is_empty());
    left.map_or(UNSETTLED_TTL, |left| left.min(UNSETTLED_TTL))
}
