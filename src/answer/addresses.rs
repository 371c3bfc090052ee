//! The A and AAAA RRsets of chosen members.

use super::respond::Reply;
use crate::model::MemberSet;
use crate::snapshot::{ServiceEntry, Shard};
use crate::wire::{Owner, rrtype};

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
}

impl<'s> Chosen<'s> {
    /// Chooses members; no TTL exceeds `cap`.
    #[inline]
    pub(super) fn new(entry: &'s ServiceEntry, members: MemberSet, cap: u32) -> Self {
        let ttl = entry.least_ttl(members).unwrap_or(entry.ttl);
        Self {
            entry,
            members,
            ttl: ttl.min(cap),
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
            for (member, addresses) in self.entry.ipv4_of(self.members) {
                let before = response.count();
                for address in addresses {
                    if !response.contains_rdata(mark, A_LENGTH, &address.octets()) {
                        response.a(owner, self.ttl, *address);
                    }
                }
                if response.count() != before {
                    members.insert(member);
                }
            }
            A_LENGTH
        } else {
            for (member, addresses) in self.entry.ipv6_of(self.members) {
                let before = response.count();
                for address in addresses {
                    if !response.contains_rdata(mark, AAAA_LENGTH, &address.octets()) {
                        response.aaaa(owner, self.ttl, *address);
                    }
                }
                if response.count() != before {
                    members.insert(member);
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
