//! The A and AAAA RRsets of chosen members.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::limit::Limit;
use super::respond::Reply;
use crate::decide::Lots;
use crate::model::{Inside, MemberIdx, MemberSet, Pod};
use crate::snapshot::{ServiceEntry, Shard, Snapshot, UNSETTLED_TTL, Whole, ipv4, ipv6};
use crate::wire::{Mark, Owner, ResponseWriter, rrtype};

/// Octets of an A record whose owner is a pointer.
const A_LENGTH: usize = 16;

/// Octets of an AAAA record whose owner is a pointer.
const AAAA_LENGTH: usize = 28;

/// The shards whose addresses one owner name has, and their TTL.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'s> {
    /// The service.
    pub(super) entry: &'s ServiceEntry,
    /// Its members that are chosen.
    pub(super) members: MemberSet,
    /// The TTL of both RRsets: the smallest of their shards (RFC 2181 section 5.2).
    pub(super) ttl: u32,
    /// Only so many addresses of each type are in an answer.
    limit: Option<&'s Limit<'s>>,
    /// The owner is a pinned name, and some of the member's addresses are withheld elsewhere.
    whole: Option<&'s Whole>,
    /// The client is inside one of the members, and its shard is reached there.
    pub(super) own: Option<&'s Own<'s>>,
}

/// Where a shard is reached inside its member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'s> {
    /// The member.
    pub(super) member: MemberIdx,
    /// Cluster IPs.
    cluster_ips: &'s [IpAddr],
    /// Pods of a headless service.
    pub(super) pods: &'s [Pod],
}

impl<'s> Own<'s> {
    /// A service in a member.
    pub(super) fn new(member: MemberIdx, inside: &'s Inside) -> Self {
        Self {
            member,
            cluster_ips: inside.cluster_ips(),
            pods: inside.pods(),
        }
    }

    /// Some pods of a service in a member.
    pub(super) fn of_pods(member: MemberIdx, pods: &'s [Pod]) -> Self {
        Self {
            member,
            cluster_ips: &[],
            pods,
        }
    }

    /// The addresses that take traffic.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'s> {
        let ready = self.pods.iter().filter(|pod| pod.is_ready);
        let cluster_ips = self.cluster_ips.iter().copied();
        cluster_ips.chain(ready.map(|pod| pod.address))
    }

    /// Writes those of a type at `owner`. Returns whether there was one.
    fn write(
        &self,
        response: &mut ResponseWriter<'_>,
        owner: Owner,
        (ttl, mark): (u32, Mark),
        qtype: u16,
        takes: impl Fn(&[u8]) -> bool,
    ) -> bool {
        let before = response.count();
        for address in self.addresses() {
            match (address, qtype) {
                (IpAddr::V4(address), rrtype::A) => {
                    write_ipv4(response, owner, (ttl, mark), &[address], &takes);
                }
                (IpAddr::V6(address), rrtype::AAAA) => {
                    write_ipv6(response, owner, (ttl, mark), &[address], &takes);
                }
                _ => {}
            }
        }
        response.count() != before
    }
}

impl<'s> Chosen<'s> {
    /// Chooses members for a level.
    #[inline]
    pub(super) fn new(snapshot: &Snapshot, entry: &'s ServiceEntry, members: MemberSet) -> Self {
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

    /// What keeps it to `most` addresses of each type; `None` where it has no more.
    #[inline(never)]
    pub(super) fn limit(&self, most: u8, lots: impl FnOnce() -> Lots<'s>) -> Option<Limit<'s>> {
        let own = self.own.into_iter().flat_map(Own::addresses).count();
        let has_more = own > usize::from(most) || self.entry.has_more(self.members, most);
        has_more.then(|| Limit::new(most, lots()))
    }

    /// The same within a limit.
    #[inline]
    pub(super) fn limited(mut self, limit: Option<&'s Limit<'s>>) -> Self {
        self.limit = limit;
        self
    }

    /// The same, for a client that reaches one of the members from inside.
    #[inline]
    pub(super) fn with_own(mut self, own: Option<&'s Own<'s>>) -> Self {
        self.own = own;
        self
    }

    /// Chooses one member for its pinned name: with all its addresses, withheld or not.
    pub(super) fn pinned(snapshot: &Snapshot, entry: &'s ServiceEntry, shard: &Shard<'_>) -> Self {
        Self {
            whole: entry.whole(shard.member),
            ..Self::new(snapshot, entry, MemberSet::from_iter([shard.member]))
        }
    }

    /// The chosen shards.
    #[inline]
    pub(super) fn shards(&self) -> impl Iterator<Item = Shard<'s>> {
        self.entry.shards_of(self.members)
    }

    /// The last lot that is in, of the addresses of a type: those that the client reaches from inside,
    /// and those of `outside`.
    fn last_of(&self, limit: &Limit<'_>, outside: MemberSet, qtype: u16) -> u64 {
        let own = self.own.into_iter().flat_map(Own::addresses);
        if qtype == rrtype::A {
            let outside = self.entry.ipv4_of(outside).flat_map(|(_, all)| all);
            let all = own.filter_map(ipv4).chain(outside.copied());
            limit.last(all.map(|address| address.octets()))
        } else {
            let outside = self.entry.ipv6_of(outside).flat_map(|(_, all)| all);
            let all = own.filter_map(ipv6).chain(outside.copied());
            limit.last(all.map(|address| address.octets()))
        }
    }

    /// Writes the RRset of a type at `owner`, each address once, in an order that turns with the
    /// query. Returns the members whose addresses are in it.
    ///
    /// Nothing may rely on the order (names: D.5); turning it spreads clients that do.
    #[inline]
    pub(super) fn write(&self, reply: &mut Reply<'_, '_>, owner: Owner, qtype: u16) -> MemberSet {
        match self.limit {
            None => self.write_those(reply, owner, qtype, |_| true),
            Some(limit) => self.write_within(limit, reply, owner, qtype),
        }
    }

    /// Writes the RRsets of both types at `owner`, a target of other records.
    #[inline]
    pub(super) fn write_both(&self, reply: &mut Reply<'_, '_>, owner: Owner) {
        self.write(reply, owner, rrtype::A);
        self.write(reply, owner, rrtype::AAAA);
    }

    /// As [`Self::write`], of the addresses that a limit lets in.
    #[inline(never)]
    fn write_within(
        &self,
        limit: &Limit<'_>,
        reply: &mut Reply<'_, '_>,
        owner: Owner,
        qtype: u16,
    ) -> MemberSet {
        let mut outside = self.members;
        if let Some(own) = self.own {
            outside.remove(own.member);
        }
        let last = self.last_of(limit, outside, qtype);
        self.write_those(reply, owner, qtype, |address| limit.takes(address, last))
    }

    /// The same, of the addresses that `takes` lets in.
    #[inline]
    fn write_those(
        &self,
        reply: &mut Reply<'_, '_>,
        owner: Owner,
        qtype: u16,
        takes: impl Fn(&[u8]) -> bool + Copy,
    ) -> MemberSet {
        let mut members = MemberSet::EMPTY;
        let mark = reply.response.mark();
        let response = &mut reply.response;
        let mut outside = self.members;
        if let Some(own) = self.own {
            outside.remove(own.member);
            if own.write(response, owner, (self.ttl, mark), qtype, takes) {
                members.insert(own.member);
            }
        }
        let length = if qtype == rrtype::A {
            if let Some(whole) = self.whole {
                if write_ipv4(response, owner, (self.ttl, mark), &whole.ipv4, takes) {
                    members = self.members;
                }
            } else {
                for (member, addresses) in self.entry.ipv4_of(outside) {
                    if write_ipv4(response, owner, (self.ttl, mark), addresses, takes) {
                        members.insert(member);
                    }
                }
            }
            A_LENGTH
        } else {
            if let Some(whole) = self.whole {
                if write_ipv6(response, owner, (self.ttl, mark), &whole.ipv6, takes) {
                    members = self.members;
                }
            } else {
                for (member, addresses) in self.entry.ipv6_of(outside) {
                    if write_ipv6(response, owner, (self.ttl, mark), addresses, takes) {
                        members.insert(member);
                    }
                }
            }
            AAAA_LENGTH
        };
        self.rotate(reply, mark, length);
        members
    }

    /// Writes the addresses of a type at which all chosen shards are reached inside their members,
    /// each once. Returns the members whose addresses are in it.
    pub(super) fn write_inside(
        &self,
        reply: &mut Reply<'_, '_>,
        owner: Owner,
        qtype: u16,
    ) -> MemberSet {
        let mut members = MemberSet::EMPTY;
        let mark = reply.response.mark();
        for member in self.members.iter() {
            if let Some(inside) = self.entry.inside(member) {
                let own = Own::new(member, inside);
                let response = &mut reply.response;
                if own.write(response, owner, (self.ttl, mark), qtype, |_| true) {
                    members.insert(member);
                }
            }
        }
        let length = if qtype == rrtype::A {
            A_LENGTH
        } else {
            AAAA_LENGTH
        };
        self.rotate(reply, mark, length);
        members
    }

    /// Turns the RRset from `mark` on with the query.
    #[inline]
    fn rotate(&self, reply: &mut Reply<'_, '_>, mark: Mark, length: usize) {
        let count = reply.response.records_since(mark, length);
        if count > 1 {
            let turned = turn(reply.query.id, &self.entry.key) % count;
            reply.response.rotate(mark, length, turned);
        }
    }
}

/// Writes those addresses that `takes` lets in and that are not there yet, from `mark` on. Returns
/// whether there was one.
#[inline]
fn write_ipv4(
    response: &mut ResponseWriter<'_>,
    owner: Owner,
    (ttl, mark): (u32, Mark),
    addresses: &[Ipv4Addr],
    takes: impl Fn(&[u8]) -> bool,
) -> bool {
    let before = response.count();
    let addresses = addresses.iter();
    for address in addresses.filter(|address| takes(&address.octets())) {
        if !response.contains_rdata(mark, A_LENGTH, &address.octets()) {
            response.a(owner, ttl, *address);
        }
    }
    response.count() != before
}

/// The same for IPv6.
#[inline]
fn write_ipv6(
    response: &mut ResponseWriter<'_>,
    owner: Owner,
    (ttl, mark): (u32, Mark),
    addresses: &[Ipv6Addr],
    takes: impl Fn(&[u8]) -> bool,
) -> bool {
    let before = response.count();
    let addresses = addresses.iter();
    for address in addresses.filter(|address| takes(&address.octets())) {
        if !response.contains_rdata(mark, AAAA_LENGTH, &address.octets()) {
            response.aaaa(owner, ttl, *address);
        }
    }
    response.count() != before
}

/// The longest TTL that an answer from `members` may have: short while a member of the federation is
/// in its first sync and while one of these is held or being drained, and never longer than what is
/// left of a hold (names: decision 8). That of a suspect shard is short in itself.
#[inline]
fn longest_ttl(snapshot: &Snapshot, entry: &ServiceEntry, members: MemberSet) -> u32 {
    let sync = snapshot.state().federation(entry.federation);
    let wary = members & sync.wary;
    if wary.is_empty() {
        return if sync.syncing.is_empty() {
            u32::MAX
        } else {
            UNSETTLED_TTL
        };
    }
    let held = wary & sync.stale & !sync.expired;
    let left = sync.hold_left.filter(|_| !held.is_empty());
    left.map_or(UNSETTLED_TTL, |left| left.min(UNSETTLED_TTL))
}

/// How far to turn an RRset: a hash of the query id and the owner's key, so that it needs no state
/// and both transports agree.
fn turn(id: u16, key: &[u8]) -> usize {
    let mix =
        |hash: u64, octets: u64| (hash.rotate_left(5) ^ octets).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = key.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let hash = words.fold(mix(0, u64::from(id)), mix);
    let hash = rest
        .iter()
        .fold(hash, |hash, octet| mix(hash, u64::from(*octet)));
    usize::try_from(hash >> 40).unwrap_or(0)
}
