//! The A and AAAA RRsets of chosen members.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::respond::Reply;
use crate::model::{Inside, MemberIdx, MemberSet};
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
    /// The owner is a pinned name, and some of the member's addresses are withheld elsewhere.
    whole: Option<&'s Whole>,
    /// The client is inside the one member.
    inside: Option<&'s Inside>,
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
            whole: None,
            inside: None,
        }
    }

    /// Chooses one member for its pinned name: with all its addresses, withheld or not.
    pub(super) fn pinned(snapshot: &Snapshot, entry: &'s ServiceEntry, shard: &Shard<'_>) -> Self {
        Self {
            whole: entry.whole(shard.member),
            ..Self::new(snapshot, entry, MemberSet::from_iter([shard.member]))
        }
    }

    /// Chooses one member for a client inside it.
    pub(super) fn inside(
        snapshot: &Snapshot,
        entry: &'s ServiceEntry,
        member: MemberIdx,
        inside: &'s Inside,
    ) -> Self {
        Self {
            inside: Some(inside),
            ..Self::new(snapshot, entry, MemberSet::from_iter([member]))
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
            if let Some(inside) = self.inside {
                for address in inside.addresses().filter_map(ipv4) {
                    if write_ipv4(response, owner, (self.ttl, mark), &[address]) {
                        members = self.members;
                    }
                }
            } else if let Some(whole) = self.whole {
                if write_ipv4(response, owner, (self.ttl, mark), &whole.ipv4) {
                    members = self.members;
                }
            } else {
                for (member, addresses) in self.entry.ipv4_of(self.members) {
                    if write_ipv4(response, owner, (self.ttl, mark), addresses) {
                        members.insert(member);
                    }
                }
            }
            A_LENGTH
        } else {
            if let Some(inside) = self.inside {
                for address in inside.addresses().filter_map(ipv6) {
                    if write_ipv6(response, owner, (self.ttl, mark), &[address]) {
                        members = self.members;
                    }
                }
            } else if let Some(whole) = self.whole {
                if write_ipv6(response, owner, (self.ttl, mark), &whole.ipv6) {
                    members = self.members;
                }
            } else {
                for (member, addresses) in self.entry.ipv6_of(self.members) {
                    if write_ipv6(response, owner, (self.ttl, mark), addresses) {
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

/// Writes addresses that are not there yet, from `mark` on. Returns whether there was one.
#[inline]
fn write_ipv4(
    response: &mut ResponseWriter<'_>,
    owner: Owner,
    (ttl, mark): (u32, Mark),
    addresses: &[Ipv4Addr],
) -> bool {
    let before = response.count();
    for address in addresses {
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
) -> bool {
    let before = response.count();
    for address in addresses {
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

/// The address, if it is of IPv4.
fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The address, if it is of IPv6.
fn ipv6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
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
