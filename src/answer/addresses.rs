//! The A and AAAA RRsets of chosen members.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::limit::Limit;
use super::respond::Reply;
use crate::model::MemberSet;
use crate::snapshot::{ServiceEntry, Shard, Snapshot, UNSETTLED_TTL, Whole};
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
    limit: Option<Limit<'s>>,
    /// The owner is a pinned name, and some of the member's addresses are withheld elsewhere.
    whole: Option<&'s Whole>,
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
        }
    }

    /// The same with so many addresses of each type at most.
    pub(super) fn limited(self, limit: Option<Limit<'s>>) -> Self {
        Self { limit, ..self }
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

    /// Writes the RRset of a type at `owner`, each address once, in an order that turns with the
    /// query. Returns the members whose addresses are in it.
    ///
    /// Nothing may rely on the order (names: D.5); turning it spreads clients that do.
    #[inline]
    pub(super) fn write(&self, reply: &mut Reply<'_, '_>, owner: Owner, qtype: u16) -> MemberSet {
        let mut members = MemberSet::EMPTY;
        let mark = reply.response.mark();
        let response = &mut reply.response;
        let length = if qtype == rrtype::A {
            if let Some(whole) = self.whole {
                if write_ipv4(response, owner, (self.ttl, mark), &whole.ipv4, |_| true) {
                    members = self.members;
                }
            } else {
                let all = || self.entry.ipv4_of(self.members);
                let octets = || all().flat_map(|(_, all)| all).map(Ipv4Addr::octets);
                let limit = self.limit.map(|limit| (limit, limit.last(octets())));
                let takes = |address: &Ipv4Addr| {
                    limit.is_none_or(|(limit, last)| limit.takes(&address.octets(), last))
                };
                for (member, addresses) in all() {
                    if write_ipv4(response, owner, (self.ttl, mark), addresses, takes) {
                        members.insert(member);
                    }
                }
            }
            A_LENGTH
        } else {
            if let Some(whole) = self.whole {
                if write_ipv6(response, owner, (self.ttl, mark), &whole.ipv6, |_| true) {
                    members = self.members;
                }
            } else {
                let all = || self.entry.ipv6_of(self.members);
                let octets = || all().flat_map(|(_, all)| all).map(Ipv6Addr::octets);
                let limit = self.limit.map(|limit| (limit, limit.last(octets())));
                let takes = |address: &Ipv6Addr| {
                    limit.is_none_or(|(limit, last)| limit.takes(&address.octets(), last))
                };
                for (member, addresses) in all() {
                    if write_ipv6(response, owner, (self.ttl, mark), addresses, takes) {
                        members.insert(member);
                    }
                }
            }
            AAAA_LENGTH
        };
        let count = reply.response.records_since(mark, length);
        if count > 1 {
            reply
                .response
                .rotate(mark, length, turn(reply.query.id, &self.entry.key) % count);
        }
        members
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
    takes: impl Fn(&Ipv4Addr) -> bool,
) -> bool {
    let before = response.count();
    for address in addresses.iter().filter(|address| takes(address)) {
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
    takes: impl Fn(&Ipv6Addr) -> bool,
) -> bool {
    let before = response.count();
    for address in addresses.iter().filter(|address| takes(address)) {
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
