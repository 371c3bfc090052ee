//! Rendezvous hashing: draws that every replica makes alike, so that shares of weights and of drains survive resolvers
//! and caches (docs/names.md, decision 6).
//!
//! ```text
//! base          = FNV-1a 64 of: wire labels of service.ns.fed, 4 or 6 (one octet), client prefix
//!                 (8 octets, big-endian, left-aligned), time slot (8 octets, big-endian)
//! draw(member)  = mix(base XOR mix(FNV-1a 64 of the member's name XOR purpose))
//! draw(address) = the same with the octets of the address in network order
//! draw(place)   = mix(base XOR mix(purpose)), as a fraction of how many places there are
//! mix           = the finalizer of MurmurHash3, 64 bits
//! ```
//!
//! The time slot is the Unix time divided by the service's TTL, so that a client keeps its member
//! for about as long as it may keep the answer. No seed, no state, no floating point: two processes
//! with the same facts draw the same.

use crate::model::{Fleet, MemberIdx, MemberSet, UnixSeconds};
use crate::vantage::ClientPrefix;

/// Where FNV-1a begins.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// What FNV-1a multiplies by.
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// What is drawn; each purpose has its own, so that they do not depend on each other.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    /// Which member answers under `weighted`.
    Weight = 0,
    /// Whether a member that is being drained is left out.
    Drain = 1,
    /// Which addresses are in an answer that has not all.
    Limit = 2,
    /// Where the records of an answer begin that has as many as a message holds.
    Run = 3,
}

/// Hashes of the names of all members: a draw follows the name, so that it is the same whatever
/// the order of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeds(Box<[u64]>);

impl Seeds {
    /// The hashes for a fleet.
    pub fn compile(fleet: &Fleet) -> Self {
        let seats = fleet.members.seats().iter();
        let names = seats.map(|member| member.as_ref().map(|member| member.name.as_str()));
        let hash = |name: Option<&str>| fnv(OFFSET, name.unwrap_or_default().as_bytes());
        Self(names.map(hash).collect())
    }

    /// The hash of a member's name.
    fn get(&self, member: MemberIdx) -> u64 {
        self.0.get(member.get()).copied().unwrap_or_default()
    }
}

/// The draw of one service for one client at one time.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// The number of the time slot.
    pub slot: u64,
    /// The client.
    pub prefix: ClientPrefix,
    /// The hash of everything but the member.
    base: u64,
    /// Hashes of the members' names.
    seeds: &'a Seeds,
    /// Weights of members that do not have weight 1.
    weights: &'a [(MemberIdx, u32)],
    /// Shares of members that are being drained, of [`crate::model::FULL_SHARE`].
    shares: &'a [(MemberIdx, u16)],
}

impl<'a> Draw<'a> {
    /// The draw of the service with the wire labels `key`; `ttl` is the length of a time slot in
    /// seconds, at least 1.
    pub fn new(
        key: &[u8],
        prefix: ClientPrefix,
        (now, ttl): (UnixSeconds, u32),
        seeds: &'a Seeds,
        weights: &'a [(MemberIdx, u32)],
        shares: &'a [(MemberIdx, u16)],
    ) -> Self {
        let slot = now.0 / u64::from(ttl.max(1));
        let base = fnv(OFFSET, key);
        let base = fnv(base, &[prefix.family]);
        let base = fnv(base, &prefix.bits.to_be_bytes());
        let base = fnv(base, &slot.to_be_bytes());
        Self {
            slot,
            prefix,
            base,
            seeds,
            weights,
            shares,
        }
    }

    /// The weight of a member.
    pub fn weight(&self, member: MemberIdx) -> u32 {
        weight(self.weights, member)
    }

    /// One of `members`, by weighted rendezvous hashing: each has the share of its weight, and when
    /// one goes, only what it had moves.
    pub fn pick(&self, members: MemberSet) -> MemberSet {
        let weighted = members.iter();
        let weighted = weighted.map(|member| (member, self.weight(member).into()));
        self.pick_of(weighted).unwrap_or(members)
    }

    /// One of the members, by the weights beside them; `None` when none has a weight.
    pub(super) fn pick_of(
        &self,
        weighted: impl Iterator<Item = (MemberIdx, u64)>,
    ) -> Option<MemberSet> {
        let mut best: Option<(MemberIdx, u64, u64)> = None;
        for (member, weight) in weighted {
            let loss = loss(self.of_member(member, Purpose::Weight));
            // loss / weight is the smallest, in whole numbers.
            let is_better = best.is_none_or(|(_, least, of)| {
                u128::from(loss) * u128::from(of) < u128::from(least) * u128::from(weight)
            });
            if weight > 0 && is_better {
                best = Some((member, loss, weight));
            }
        }
        best.map(|(member, ..)| MemberSet::from_iter([member]))
    }

    /// The draw of an address, given as its octets: those with the smallest are in an answer that
    /// does not have all.
    pub fn of_address(&self, octets: &[u8]) -> u64 {
        mix(self.base ^ mix(fnv(OFFSET, octets) ^ Purpose::Limit as u64))
    }

    /// One of `count` places.
    pub fn place(&self, count: usize) -> usize {
        let draw = u128::from(mix(self.base ^ mix(Purpose::Run as u64)));
        let place = (draw * u128::try_from(count).unwrap_or_default()) >> 64;
        usize::try_from(place).unwrap_or_default()
    }

    /// Those of `members` that are left out for now, as they are being drained.
    pub fn drained(&self, members: MemberSet) -> MemberSet {
        let shares = self.shares.iter().copied();
        let concerned = shares.filter(|(member, _)| members.contains(*member));
        let out = concerned.filter(|(member, share)| {
            self.of_member(*member, Purpose::Drain) >> 49 >= u64::from(*share)
        });
        out.map(|(member, _)| member).collect()
    }

    /// The draw of a member.
    fn of_member(&self, member: MemberIdx, purpose: Purpose) -> u64 {
        mix(self.base ^ mix(self.seeds.get(member) ^ purpose as u64))
    }
}

/// The weight of a member among those that do not have weight 1.
pub fn weight(weights: &[(MemberIdx, u32)], member: MemberIdx) -> u32 {
    let found = weights.iter().find(|(weighed, _)| *weighed == member);
    found.map_or(1, |(_, weight)| *weight)
}

/// The draw of an address of the service with the wire labels `key`, for every client and time: those
/// with the smallest count where a shard has more than it may.
pub fn draw_of_address(key: &[u8], octets: &[u8]) -> u64 {
    mix(fnv(OFFSET, key) ^ mix(fnv(OFFSET, octets) ^ Purpose::Limit as u64))
}

/// Continues a hash (Fowler, Noll, Vo: FNV-1a, 64 bits).
fn fnv(hash: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(hash, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(PRIME)
    })
}

/// Spreads a hash over all bits (Appleby: the finalizer of `MurmurHash3`, 64 bits).
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// The negated binary logarithm of a draw as a fraction of all, in units of 2^-32: distributed as
/// the time until the first event, of which a member with twice the weight has twice as many.
fn loss(draw: u64) -> u64 {
    let draw = draw.max(1);
    let zeros = draw.leading_zeros();
    // The mantissa, 1 to 2, with 63 bits after the point. Each squaring gives a bit of the logarithm.
    let mut mantissa = draw << zeros;
    let mut fraction = 0u64;
    for _ in 0..32 {
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 63;
        fraction <<= 1;
        mantissa = if let Ok(below_two) = u64::try_from(square) {
            below_two
        } else {
            fraction |= 1;
            u64::try_from(square >> 1).unwrap_or(u64::MAX)
        };
    }
    ((u64::from(zeros) + 1) << 32) - fraction
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::model::{FULL_SHARE, Member};

    const KEY: &[u8] = b"\x01s\x01n\x03fed";

    fn seeds(names: &[&str]) -> Seeds {
        let member = |name: &&str| Member {
            name: name.parse().unwrap(),
            region: None,
            zones: Vec::new(),
            namespaces: Vec::new(),
            cluster_domain: None,
            gateway: None,
            addresses_from: Vec::new(),
        };
        Seeds::compile(&Fleet {
            members: names.iter().map(member).collect(),
            ..Fleet::default()
        })
    }

    /// Everything that a draw depends on: 2,000 networks at 10 times.
    fn draws<'a>(
        seeds: &'a Seeds,
        weights: &'a [(MemberIdx, u32)],
        shares: &'a [(MemberIdx, u16)],
    ) -> impl Iterator<Item = Draw<'a>> {
        (0..20_000u32).map(move |n| {
            let source = IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + (n % 2000) * 256));
            let now = UnixSeconds(1_800_000_000 + u64::from(n / 2000) * 30);
            let prefix = ClientPrefix::of(None, source);
            Draw::new(KEY, prefix, (now, 30), seeds, weights, shares)
        })
    }

    fn set(members: &[u8]) -> MemberSet {
        members.iter().copied().map(MemberIdx).collect()
    }

    #[test]
    fn losses_are_logarithms() {
        assert_eq!(loss(u64::MAX) >> 8, 0);
        assert_eq!(loss(1 << 63), 1 << 32);
        assert_eq!(loss(1 << 62), 2 << 32);
        assert_eq!(loss(1), 64 << 32);
        // log2(3/4) = -0.41503749928
        assert!(loss(3 << 62).abs_diff(1_782_572_486) < 4);
    }

    #[test]
    fn hashes_are_as_published() {
        // From the authors' test vectors.
        assert_eq!(fnv(OFFSET, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(OFFSET, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(OFFSET, b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(mix(0), 0);
        assert_eq!(mix(1), 0xb456_bcfc_34c2_cb2c);
    }

    #[test]
    fn each_member_has_the_share_of_its_weight() {
        let seeds = seeds(&["a", "b", "c"]);
        let weights = [(MemberIdx(0), 80), (MemberIdx(1), 15), (MemberIdx(2), 5)];
        let mut counts = [0u32; 3];
        for draw in draws(&seeds, &weights, &[]) {
            let picked = draw.pick(set(&[0, 1, 2]));
            assert_eq!(picked.len(), 1);
            counts[picked.iter().next().unwrap().get()] += 1;
        }
        // Four standard deviations of 20,000 draws are 1.1 % at most.
        for (count, expected) in counts.into_iter().zip([16_000, 3_000, 1_000]) {
            assert!(count.abs_diff(expected) < 226, "{counts:?}");
        }
    }

    #[test]
    fn only_what_a_member_had_moves() {
        let (before, after) = (seeds(&["a", "b", "c"]), seeds(&["b", "c"]));
        let all = [(MemberIdx(0), 2), (MemberIdx(1), 3), (MemberIdx(2), 5)];
        let left = [(MemberIdx(0), 3), (MemberIdx(1), 5)];
        let mut taken = [0u32; 2];
        let draws = draws(&before, &all, &[]).zip(draws(&after, &left, &[]));
        for (before, after) in draws {
            let old = before.pick(set(&[0, 1, 2])).iter().next().unwrap().0;
            let new = after.pick(set(&[0, 1])).iter().next().unwrap().0;
            if old == 0 {
                taken[usize::from(new)] += 1;
            } else {
                assert_eq!(new, old - 1);
            }
        }
        // What went is shared out by weight: 4,000 draws, 3 to 5.
        assert!(taken[0].abs_diff(1_500) < 160 && taken[1].abs_diff(2_500) < 160);
    }

    #[test]
    fn drained_members_keep_their_share_of_the_draws() {
        let seeds = seeds(&["a", "b"]);
        let share = FULL_SHARE / 4;
        let shares = [(MemberIdx(0), share), (MemberIdx(1), share)];
        let less = [(MemberIdx(0), share / 2), (MemberIdx(1), share / 2)];
        let (mut one, mut both) = (0u32, 0u32);
        for (draw, later) in draws(&seeds, &[], &shares).zip(draws(&seeds, &[], &less)) {
            let out = draw.drained(set(&[0, 1]));
            one += u32::from(out.contains(MemberIdx(0)));
            both += u32::from(out.len() == 2);
            // What is out stays out while the share falls.
            assert_eq!(out & later.drained(set(&[0, 1])), out);
        }
        assert!(one.abs_diff(15_000) < 245, "{one}");
        assert!(both.abs_diff(11_250) < 285, "{both}");
    }
}
