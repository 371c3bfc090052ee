//! Who is eligible, at which level, and who of them is chosen.

use super::Plan;
use crate::model::{MemberSet, WhenAllDown};
use crate::vantage::Vantage;

/// What holds for all services of a fleet at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetHealth {
    /// Members whose facts are not live: held, lost or returning.
    pub stale: MemberSet,
    /// Members whose hold has passed; a subset of `stale`.
    pub expired: MemberSet,
}

/// What holds for one service, whatever the state of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardHealth {
    /// Members with a shard that is ready, publishable and not drained.
    pub available: MemberSet,
    /// Members with a shard that is publishable and not drained, ready or not.
    pub last_known: MemberSet,
}

/// The eligible members of a service, at every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eligible {
    /// The members.
    pub members: MemberSet,
    /// Members that would be eligible but for the fence.
    pub fenced_off: MemberSet,
    /// Members that are left out because their hold has passed and others are live.
    pub withdrawn: MemberSet,
    /// None was eligible, and those last known stand in (names: decision 2).
    pub is_last_known: bool,
}

/// The outcome of [`choose`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// How many levels were passed over: 0 is the level that was asked.
    pub level: usize,
    /// The members that answer; empty when no level has an eligible one.
    pub members: MemberSet,
}

/// Watches a decision; every method does nothing by default.
pub trait Trace {
    /// Who is eligible, at whatever level.
    fn eligible(&mut self, _eligible: &Eligible) {}
    /// Where the client stands counts.
    fn vantage(&mut self, _vantage: &Vantage) {}
    /// One level was looked at: who is eligible there, and who of them is chosen.
    fn level(&mut self, _level: usize, _eligible: MemberSet, _chosen: MemberSet) {}
}

/// Watches nothing, at no cost: what the query path runs with.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTrace;

impl Trace for NoTrace {}

/// Who is eligible (names: D.1, decisions 2 and 5). Does not depend on the level or query type.
#[inline]
pub fn eligible(plan: &Plan, shards: &ShardHealth, fleet: &FleetHealth) -> Eligible {
    let within = shards.available & plan.fence;
    let expired = within & fleet.expired;
    let withdrawn = if expired.is_empty() || (within & !fleet.stale).is_empty() {
        MemberSet::EMPTY
    } else {
        expired
    };
    let members = within & !withdrawn;
    let is_last_known = members.is_empty() && plan.when_all_down == WhenAllDown::LastKnown;
    Eligible {
        members: if is_last_known {
            shards.last_known & plan.fence
        } else {
            members
        },
        fenced_off: shards.available & !plan.fence,
        withdrawn,
        is_last_known,
    }
}

/// Chooses members: the first of `levels` with an eligible member answers, with the first tier of
/// the plan that has one of them.
///
/// `levels` are the members at each level, the one asked first and the global one last, each with
/// the tiers of the client's place if they count there: for `nearest` at the global level only, as
/// zone and region names ignore where a client stands (names: decision 6).
#[inline]
pub fn choose<'t, T: Trace>(
    plan: &Plan,
    eligible: &Eligible,
    levels: impl IntoIterator<Item = (MemberSet, Option<&'t [MemberSet]>)>,
    trace: &mut T,
) -> Decision {
    trace.eligible(eligible);
    let mut last = 0;
    for (level, (at_level, nearest)) in levels.into_iter().enumerate() {
        let candidates = eligible.members & at_level;
        let chosen = nearest
            .unwrap_or(&plan.tiers)
            .iter()
            .map(|tier| *tier & candidates)
            .find(|tier| !tier.is_empty());
        trace.level(level, candidates, chosen.unwrap_or_default());
        if let Some(members) = chosen {
            return Decision { level, members };
        }
        last = level;
    }
    Decision {
        level: last,
        members: MemberSet::EMPTY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MemberIdx;

    fn set(members: &[u8]) -> MemberSet {
        members.iter().copied().map(MemberIdx).collect()
    }

    fn plan(tiers: &[&[u8]], fence: &[u8], when_all_down: WhenAllDown) -> Plan {
        let tiers = tiers.iter().map(|tier| set(tier)).collect();
        Plan {
            fence: set(fence),
            tiers,
            is_nearest: false,
            when_all_down,
        }
    }

    /// Chooses for a service in members 0 to 3; levels are {0}, {0, 1} and all.
    fn check(
        plan: &Plan,
        available: &[u8],
        stale: &[u8],
        expired: &[u8],
        expected: (usize, &[u8]),
    ) {
        let shards = ShardHealth {
            available: set(available),
            last_known: set(&[0, 1, 2, 3]),
        };
        let fleet = FleetHealth {
            stale: set(stale),
            expired: set(expired),
        };
        let levels = [set(&[0]), set(&[0, 1]), MemberSet::ALL].map(|members| (members, None));
        let decision = choose(plan, &eligible(plan, &shards, &fleet), levels, &mut NoTrace);
        assert_eq!(
            (decision.level, decision.members),
            (expected.0, set(expected.1))
        );
    }

    #[test]
    fn the_first_level_with_an_eligible_member_answers() {
        let spread = plan(&[&[0, 1, 2, 3]], &[0, 1, 2, 3], WhenAllDown::NoData);
        check(&spread, &[0, 1, 2, 3], &[], &[], (0, &[0]));
        check(&spread, &[1, 2], &[], &[], (1, &[1]));
        check(&spread, &[2, 3], &[], &[], (2, &[2, 3]));
        check(&spread, &[], &[], &[], (2, &[]));
    }

    #[test]
    fn failover_takes_the_first_of_its_order_within_the_level() {
        let failover = plan(
            &[&[3], &[1], &[0], &[2]],
            &[0, 1, 2, 3],
            WhenAllDown::NoData,
        );
        check(&failover, &[0, 1, 2, 3], &[], &[], (0, &[0]));
        check(&failover, &[1, 2, 3], &[], &[], (1, &[1]));
        check(&failover, &[2, 3], &[], &[], (2, &[3]));
    }

    #[test]
    fn a_fence_cuts_every_level() {
        let fenced = plan(&[&[0, 1, 2, 3]], &[1, 2], WhenAllDown::NoData);
        check(&fenced, &[0, 1, 2, 3], &[], &[], (1, &[1]));
        check(&fenced, &[0, 3], &[], &[], (2, &[]));
    }

    #[test]
    fn an_expired_hold_withdraws_only_beside_a_live_shard() {
        let spread = plan(&[&[0, 1, 2, 3]], &[0, 1, 2, 3], WhenAllDown::NoData);
        check(&spread, &[0, 2], &[0], &[], (0, &[0]));
        check(&spread, &[0, 2], &[0], &[0], (2, &[2]));
        check(&spread, &[0, 2], &[0, 2], &[0], (0, &[0]));
        check(&spread, &[0], &[0], &[0], (0, &[0]));
    }

    #[test]
    fn a_live_shard_outside_the_fence_withdraws_nothing() {
        let fenced = plan(&[&[0, 1, 2, 3]], &[0], WhenAllDown::NoData);
        check(&fenced, &[0, 2], &[0], &[0], (0, &[0]));
    }

    #[test]
    fn last_known_members_stand_in_at_every_level() {
        let open = plan(&[&[0, 1, 2, 3]], &[0, 1, 2], WhenAllDown::LastKnown);
        check(&open, &[], &[], &[], (0, &[0]));
        check(&open, &[2], &[], &[], (2, &[2]));
    }
}
