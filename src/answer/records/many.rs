//! RRsets of many records: as many as a message holds, in time linear in the number of records.
//!
//! Records are written from an offset on and around the end. If a message holds all, the offset rotates
//! with the query id, so that what is cut off over UDP is not always the same (docs/names.md, decision
//! 18). If not, a draw for the client gives the offset: a client gets the same records for the length
//! of a time slot.

use super::family::Address;
use crate::answer::reply::{Reply, Transport};
use crate::model::{MemberIdx, MemberSet};
use crate::snapshot::ServiceEntry;
use crate::wire::{Mark, Owner};

/// Up to so many addresses are compared with each other; more are put into a hash table.
pub(in crate::answer) const FEW: usize = 64;

/// Octets of one RRset at most, its owner counting as a pointer: beside them a message over TCP holds
/// the longest question, two CNAMEs of the longest names, and every option, so that the same records
/// are in an answer whatever is before them.
pub(in crate::answer) const RRSET: usize = 64_000;

/// Octets that the signatures of a chain and of the records at its end take at most, by one key.
const SIGNATURES: usize = 3 * (12 + 18 + 255 + 64);

/// Octets of one RRset at most in a reply.
pub(in crate::answer) fn longest_rrset(reply: &Reply<'_, '_>) -> usize {
    if reply.signing.is_wanted {
        RRSET - SIGNATURES
    } else {
        RRSET
    }
}

/// Writes an RRset of addresses, each once, at an owner and from a mark on. `all` gives them with their
/// members. Returns the members whose addresses are in it.
pub(in crate::answer) fn write_addresses<A: Address, I: Iterator<Item = (MemberIdx, A)>>(
    reply: &mut Reply<'_, '_>,
    entry: &ServiceEntry,
    (owner, mark): (Owner, Mark),
    ttl: u32,
    all: impl Fn() -> I,
) -> MemberSet {
    let most = longest_rrset(reply) / A::LENGTH;
    let count = all().count();
    let begin = begin(reply, entry, (count, most));
    let mut seen = Seen::new(reply.query.id);
    let mut written = 0;
    let mut members = MemberSet::EMPTY;
    for (member, address) in all().skip(begin).chain(all().take(begin)) {
        if written == most || reply.response.is_full() {
            break;
        }
        let response = &reply.response;
        let octets = address.octets();
        let is = |number| response.rdata_since(mark, A::LENGTH, number) == octets.as_ref();
        if !seen.insert(address.bits(), written, is) {
            continue;
        }
        address.write(&mut reply.response, owner, ttl);
        if !reply.response.is_full() {
            written += 1;
            members.insert(member);
        }
    }
    if written > 0 {
        reply.response.may_be_partial(mark, A::LENGTH);
    }
    members
}

/// The offset from which `count` records are written, of which a message holds `most`.
pub(in crate::answer) fn begin(
    reply: &mut Reply<'_, '_>,
    entry: &ServiceEntry,
    (count, most): (usize, usize),
) -> usize {
    let turned = turn(reply.query.id, &entry.key);
    if count <= most {
        return turned.checked_rem(count).unwrap_or_default();
    }
    let drawn = reply.draw_of_addresses(entry).place(count);
    note_over_message(reply);
    match reply.client.transport {
        Transport::Tcp { .. } => drawn,
        // Cut off with TC anyway, but of the same.
        Transport::Udp => (drawn + turned % most.saturating_sub(FEW * 2).max(1)) % count,
    }
}

/// An RRset has more records than a message holds: which ones are sent depends on the client.
#[cold]
fn note_over_message(reply: &mut Reply<'_, '_>) {
    reply.is_over_message = true;
    reply.depend_on_draw();
}

/// How far to rotate an RRset: a hash of the query id and the owner's key, so that it needs no state
/// and both transports agree.
pub(in crate::answer) fn turn(id: u16, key: &[u8]) -> usize {
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

/// Places of a table of addresses: twice as many as there are addresses at most, or more.
const PLACES: usize = 8192;

/// Addresses that were written: a hash table of their numbers, on the stack.
struct Seen {
    /// One more than the number of a record; 0 is a free place.
    places: [u16; PLACES],
    /// What makes the hash another one for each query, so that nobody can choose addresses that have
    /// the same for all.
    seed: u64,
}

impl Seen {
    /// None.
    fn new(id: u16) -> Self {
        Self {
            places: [0; PLACES],
            seed: u64::from(id),
        }
    }

    /// Takes record `number` in, unless it is there already: `is` compares it with an earlier one.
    fn insert(&mut self, bits: u128, number: usize, is: impl Fn(usize) -> bool) -> bool {
        let [high, low] = [bits >> 64, bits & u128::from(u64::MAX)];
        let [high, low] = [high, low].map(|half| u64::try_from(half).unwrap_or_default());
        let hash = mix(mix(high ^ self.seed) ^ low);
        let mut place = usize::try_from(hash).unwrap_or_default() % PLACES;
        // There are more places than numbers.
        while let Some(taken) = self.places.get_mut(place) {
            if *taken == 0 {
                *taken = u16::try_from(number + 1).unwrap_or(u16::MAX);
                return true;
            }
            if is(usize::from(*taken) - 1) {
                return false;
            }
            place = (place + 1) % PLACES;
        }
        false
    }
}

/// Spreads a number over all bits.
fn mix(number: u64) -> u64 {
    let number = (number ^ number >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ number >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ number >> 33
}
