//! Who is eligible, at which level, and who of them is chosen.
//!
//! The rules in their order; each of 2 to 4 leaves out only what others can stand in for:
//!
//! 1. A shard is available if it is ready, has an address that no probe has found dead, and is not
//!    drained: neither by weight 0 nor by an operator. The fence cuts what is available. For a client
//!    inside its member, at the global level, its inside address counts instead, of which probes from
//!    outside say nothing (names: decision 12).
//! 2. A member whose hold has passed is withdrawn where a live one is left, unless probes of the
//!    service's addresses there pass (names: decision 5).
//! 3. A damped shard, ready again after it went out too often, is kept back where others are left, and so is one that has
//!    lost all addresses of a family while others have those that it has left.
//! 4. A member that is being drained is left out for the part of all lots that it has lost, where
//!    others are left.
//! 5. If none is left, `last-known` lets all stand in that are published and not drained.
//! 6. The first level with an eligible member answers; there the first tier of the plan that has
//!    one; and of that, under `weighted`, one member by lot (names: decision 6).

use super::{Eligible, Lots, Plan};
use crate::model::{MemberIdx, MemberSet};
use crate::vantage::Vantage;

/// A level, as one client sees it.
#[derive(Debug, Clone, Copy)]
pub struct LevelView<'t> {
    /// The members there.
    pub members: MemberSet,
    /// The tiers of the client's place if they count there: for `nearest` at the global level only,
    /// as zone and region names ignore where a client stands (names: decision 6).
    pub nearest: Option<&'t [MemberSet]>,
    /// Who is eligible there.
    pub eligible: &'t Eligible,
    /// The member that the client is inside, if its shard is reached there by its inside addresses: at
    /// the global level only (names: D.11, 2).
    pub own: Option<MemberIdx>,
}

/// The outcome of [`choose`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// How many levels were passed over: 0 is the level that was asked.
    pub level: usize,
    /// The members that answer; empty when no level has an eligible one.
    pub members: MemberSet,
    /// That of `members` which answers with its inside addresses.
    pub own: Option<MemberIdx>,
}

/// Watches a decision; every method does nothing by default.
pub trait Trace {
    /// Who is eligible, at this level and those after it until it is called again.
    fn eligible(&mut self, _eligible: &Eligible) {}
    /// Where the client stands counts.
    fn vantage(&mut self, _vantage: &Vantage) {}
    /// The answer depends on lots: these.
    fn lots<'l>(&mut self, _lots: impl FnOnce() -> Lots<'l>) {}
    /// One level was looked at: who is eligible there, and who of them is chosen.
    fn level(&mut self, _level: usize, _eligible: MemberSet, _chosen: MemberSet) {}
    /// A member that is chosen answers with its inside addresses.
    fn own(&mut self, _member: MemberIdx) {}
}

/// Watches nothing, at no cost: what the query path runs with.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTrace;

impl Trace for NoTrace {}

/// Chooses members: the first of `levels` with an eligible member answers, with the first tier of
/// the plan that has one of them, and under `weighted` with one member of it.
///
/// `levels` are the level asked first and the global one last. A client inside a member is in its
/// first tier alone, so that under `nearest` its own shard answers alone where it can. `lots` are as
/// for [`eligible`].
#[inline]
pub fn choose<'t, 'l, T: Trace>(
    plan: &Plan,
    levels: impl IntoIterator<Item = LevelView<'t>>,
    lots: impl FnOnce() -> Lots<'l>,
    trace: &mut T,
) -> Decision {
    let mut last = 0;
    for (level, view) in levels.into_iter().enumerate() {
        trace.eligible(view.eligible);
        let candidates = view.eligible.members & view.members;
        let chosen = view
            .nearest
            .unwrap_or(&plan.tiers)
            .iter()
            .map(|tier| *tier & candidates)
            .find(|tier| !tier.is_empty());
        if let Some(members) = chosen {
            let members = if plan.is_weighted {
                lots().pick(members)
            } else {
                members
            };
            trace.level(level, candidates, members);
            let own = view.own.filter(|own| members.contains(*own));
            if let Some(own) = own {
                trace.own(own);
            }
            return Decision {
                level,
                members,
                own,
            };
        }
        trace.level(level, candidates, MemberSet::EMPTY);
        last = level;
    }
    Decision {
        level: last,
        members: MemberSet::EMPTY,
        own: None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::super::{FleetHealth, Halves, Seeds, ShardCaution, ShardHealth, eligible};
    use super::*;
    use crate::model::{FULL_SHARE, UnixSeconds, WhenAllDown};
    use crate::vantage::ClientPrefix;

    fn set(members: &[u8]) -> MemberSet {
        members.iter().copied().map(MemberIdx).collect()
    }

    fn plan(tiers: &[&[u8]], fence: &[u8], when_all_down: WhenAllDown) -> Plan {
        let tiers = tiers.iter().map(|tier| set(tier)).collect();
        Plan {
            fence: set(fence),
            tiers,
            is_nearest: false,
            is_weighted: false,
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
            ..FleetHealth::default()
        };
        let (level, members) = decide(plan, &shards, None, &fleet, &[]);
        assert_eq!((level, members), (expected.0, set(expected.1)));
    }

    /// Chooses for a client; `shares` are those of members that are being drained.
    fn decide(
        plan: &Plan,
        shards: &ShardHealth,
        caution: Option<&ShardCaution>,
        fleet: &FleetHealth,
        shares: &[(MemberIdx, u16)],
    ) -> (usize, MemberSet) {
        let seeds = Seeds::default();
        let prefix = ClientPrefix::of(None, IpAddr::from([192, 0, 2, 1]));
        let lots = || Lots::new(b"", prefix, (UnixSeconds(1), 30), &seeds, &[], shares);
        let eligible = eligible(plan, shards, caution, fleet, lots);
        let levels = [set(&[0]), set(&[0, 1]), MemberSet::ALL].map(|members| LevelView {
            members,
            nearest: None,
            eligible: &eligible,
            own: None,
        });
        let decision = choose(plan, levels, lots, &mut NoTrace);
        (decision.level, decision.members)
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

    /// Members 0 to 3 under `spread`, some with a caution or a drain; levels as above.
    #[expect(clippy::too_many_arguments, reason = "a table of sets")]
    fn check_cautious(
        available: &[u8],
        (stale, expired): (&[u8], &[u8]),
        damped: &[u8],
        proven: &[u8],
        drained: &[u8],
        draining: &[(u8, u16)],
        when_all_down: WhenAllDown,
        expected: (usize, &[u8]),
    ) {
        let plan = plan(&[&[0, 1, 2, 3]], &[0, 1, 2, 3], when_all_down);
        let shards = ShardHealth {
            available: set(available),
            last_known: set(&[0, 1, 2, 3]),
        };
        let caution = ShardCaution {
            damped: set(damped),
            proven: set(proven),
            halves: Halves::default(),
        };
        let fleet = FleetHealth {
            stale: set(stale),
            expired: set(expired),
            drained: set(drained),
            draining: draining
                .iter()
                .map(|(member, _)| MemberIdx(*member))
                .collect(),
        };
        let shares: Vec<_> = (draining.iter())
            .map(|(member, share)| (MemberIdx(*member), *share))
            .collect();
        let got = decide(&plan, &shards, Some(&caution), &fleet, &shares);
        assert_eq!(got, (expected.0, set(expected.1)));
    }

    #[test]
    fn a_proven_member_is_not_withdrawn() {
        let check = |proven: &[u8], expected| {
            let no_data = WhenAllDown::NoData;
            check_cautious(
                &[0, 2],
                (&[0], &[0]),
                &[],
                proven,
                &[],
                &[],
                no_data,
                expected,
            );
        };
        check(&[], (2, &[2]));
        check(&[0], (0, &[0]));
    }

    #[test]
    fn a_damped_shard_counts_where_no_other_does() {
        let check = |available: &[u8], lost: &[u8], damped: &[u8], expected| {
            let no_data = WhenAllDown::NoData;
            check_cautious(
                available,
                (lost, lost),
                damped,
                &[],
                &[],
                &[],
                no_data,
                expected,
            );
        };
        check(&[0, 2], &[], &[0], (2, &[2]));
        check(&[0], &[], &[0], (0, &[0]));
        check(&[0, 2], &[], &[0, 2], (0, &[0]));
        // Live and damped stands before lost.
        check(&[0, 2], &[2], &[0], (0, &[0]));
    }

    #[test]
    fn half_a_shard_is_kept_back_where_others_have_what_it_has() {
        let check = |ipv4: &[u8], ipv6: &[u8], expected: &[u8]| {
            let halves = Halves {
                ipv4: set(&[]),
                ipv6: set(&[0]),
                whole_ipv4: set(ipv4),
                whole_ipv6: set(ipv6),
            };
            assert_eq!(halves.kept_back(set(&[0, 1, 2])), set(expected));
        };
        check(&[1], &[1], &[0]);
        check(&[1], &[2], &[0]);
        // Nobody else has IPv6.
        check(&[1], &[], &[]);
        // The one that has is not eligible.
        check(&[1], &[3], &[]);
    }

    #[test]
    fn a_drain_leaves_out_where_others_are_left() {
        let check = |available: &[u8], drained: &[u8], draining: &[(u8, u16)], expected| {
            let open = WhenAllDown::LastKnown;
            check_cautious(
                available,
                (&[], &[]),
                &[],
                &[],
                drained,
                draining,
                open,
                expected,
            );
        };
        check(&[0, 2], &[0], &[], (2, &[2]));
        // Not even the last known stand in for what an operator has taken out.
        check(&[0], &[0, 1, 2, 3], &[], (2, &[]));
        check(&[], &[0, 1], &[], (2, &[2, 3]));
        // A share of 1 in 32,768 is hardly ever drawn; with nobody else it is served.
        check(&[0, 2], &[], &[(0, 1)], (2, &[2]));
        check(&[0], &[], &[(0, 1)], (0, &[0]));
        check(&[0, 1], &[], &[(0, 1), (1, 1)], (0, &[0]));
        check(&[0, 1], &[], &[(0, FULL_SHARE - 1)], (0, &[0]));
    }
}
