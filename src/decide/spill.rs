//! Spill-over: what the members nearest to a client cannot carry goes on to the next ones, so that a
//! neighbor of 5 endpoints does not get all the load of 100.
//!
//! What is to be carried is a share of the endpoints, ready or not, of the first tier that has any.
//! Each tier in turn carries as much of it as it has ready endpoints, and of the members that carry
//! one is drawn in proportion (as Envoy's priority levels do with their overprovisioning factor).

use std::cmp::min;

use crate::model::{Endpoints, MemberIdx, MemberSet};

/// A load and those who carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spill {
    /// How many endpoints are to be ready for it.
    pub needed: u64,
    /// How many are, in the first tier.
    pub ready: u64,
}

/// Tiers at a level, and what their members have.
pub(super) struct Loads<'t, F> {
    /// The tiers, nearest first.
    pub(super) tiers: &'t [MemberSet],
    /// Who could be at this level.
    pub(super) known: MemberSet,
    /// Who is eligible.
    pub(super) candidates: MemberSet,
    /// The endpoints of a member; none for one without a shard.
    pub(super) endpoints: F,
}

impl<F: Fn(MemberIdx) -> Endpoints> Loads<'_, F> {
    /// What spills over the first tier when `percent` of its endpoints are to be ready; `None` where
    /// one tier carries all.
    pub(super) fn spill(&self, percent: u8) -> Option<Spill> {
        let all = |tier: &MemberSet| -> u64 {
            let members = (*tier & self.known).iter();
            members
                .map(|of| u64::from((self.endpoints)(of).total))
                .sum()
        };
        let mut tiers = self.tiers.iter();
        let first = tiers.find(|tier| all(tier) > 0 || self.ready(**tier) > 0)?;
        let needed = (all(first) * u64::from(percent)).div_ceil(100);
        let ready = self.ready(*first);
        let mut carrying = [ready]
            .into_iter()
            .chain(tiers.map(|tier| self.ready(*tier)));
        let carries = carrying.find(|ready| *ready > 0)?;
        (carries < needed && carrying.any(|ready| ready > 0)).then_some(Spill { needed, ready })
    }

    /// How many of `needed` endpoints each member carries, in units that only compare.
    pub(super) fn shares(&self, needed: u64) -> impl Iterator<Item = (MemberIdx, u64)> {
        let tiers = self.tiers.iter().map(|tier| *tier & self.candidates);
        let carried = tiers.scan(needed, move |left, members| {
            let ready = self.ready(members);
            let carried = min(*left, ready);
            *left -= carried;
            Some((members, ready.max(1), carried))
        });
        carried.flat_map(move |(members, ready, carried)| {
            let own = move |member| (self.of(member) << 16) * carried / ready;
            members.iter().map(move |member| (member, own(member)))
        })
    }

    /// The ready endpoints of eligible members.
    fn ready(&self, tier: MemberSet) -> u64 {
        let members = (tier & self.candidates).iter();
        members.map(|member| self.of(member)).sum()
    }

    /// The ready endpoints of an eligible member: one that is without any counts as one.
    fn of(&self, member: MemberIdx) -> u64 {
        (self.endpoints)(member).ready.max(1).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[u8]) -> MemberSet {
        members.iter().copied().map(MemberIdx).collect()
    }

    /// Members 0 to 3 with endpoints (ready, all), one tier each.
    fn check(
        percent: u8,
        endpoints: [(u32, u32); 4],
        expected: Option<(u64, u64)>,
        carried: [u64; 4],
    ) {
        let tiers: Vec<_> = (0..4).map(|member| set(&[member])).collect();
        let ready = (0..4).filter(|member| endpoints[usize::from(*member)].0 > 0);
        let loads = Loads {
            tiers: &tiers,
            known: MemberSet::ALL,
            candidates: ready.map(MemberIdx).collect(),
            endpoints: |member: MemberIdx| {
                let (ready, total) = endpoints.get(member.get()).copied().unwrap_or_default();
                Endpoints { ready, total }
            },
        };
        let spill = loads.spill(percent);
        assert_eq!(spill.map(|spill| (spill.needed, spill.ready)), expected);
        let Some(spill) = spill else { return };
        let mut got = [0; 4];
        for (member, share) in loads.shares(spill.needed) {
            got[member.get()] = share >> 16;
        }
        assert_eq!(got, carried);
    }

    #[test]
    fn what_the_nearest_cannot_carry_goes_to_the_next() {
        // All is well, or nearly.
        check(80, [(100, 100), (5, 5), (200, 200), (9, 9)], None, [0; 4]);
        check(80, [(80, 100), (5, 5), (200, 200), (9, 9)], None, [0; 4]);
        // Half of it goes on, to the neighbor as much as that has.
        check(
            80,
            [(50, 100), (5, 5), (200, 200), (9, 9)],
            Some((80, 50)),
            [50, 5, 25, 0],
        );
        check(
            80,
            [(0, 100), (5, 5), (200, 200), (9, 9)],
            Some((80, 0)),
            [0, 5, 75, 0],
        );
        // The next carries all of it.
        check(80, [(0, 100), (80, 80), (200, 200), (9, 9)], None, [0; 4]);
        // Everybody together has too little.
        check(
            80,
            [(10, 100), (5, 5), (0, 200), (9, 9)],
            Some((80, 10)),
            [10, 5, 0, 9],
        );
        // There is nobody else.
        check(80, [(10, 100), (0, 0), (0, 0), (0, 0)], None, [0; 4]);
        // The first that has the service is the nearest.
        check(
            50,
            [(0, 0), (2, 10), (7, 7), (9, 9)],
            Some((5, 2)),
            [0, 2, 3, 0],
        );
    }
}
