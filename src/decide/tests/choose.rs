//! The rules of choosing, one by one.

use std::net::IpAddr;

use super::super::{FleetHealth, PartialFamilies, Seeds, ShardHealth, ShardOverlay, eligible};
use super::*;
use crate::model::{FULL_SHARE, SrvForm, UnixSeconds, WhenAllDown};
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
        max_addresses: None,
        spill_over: None,
        srv: SrvForm::Shared,
        when_all_down,
    }
}

/// Chooses for a service in members 0 to 3; levels are {0}, {0, 1} and all.
fn check(plan: &Plan, available: &[u8], stale: &[u8], expired: &[u8], expected: (usize, &[u8])) {
    let shards = ShardHealth {
        available: set(available),
        last_known: set(&[0, 1, 2, 3]),
        may_suppress: false,
    };
    let fleet = FleetHealth {
        stale: set(stale),
        doubtful: set(stale),
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
    overlay: Option<&ShardOverlay>,
    fleet: &FleetHealth,
    shares: &[(MemberIdx, u16)],
) -> (usize, MemberSet) {
    let seeds = Seeds::default();
    let prefix = ClientPrefix::of(None, IpAddr::from([192, 0, 2, 1]));
    let draw = || Draw::new(b"", prefix, (UnixSeconds(1), 30), &seeds, &[], shares);
    let shards = ShardHealth {
        may_suppress: overlay.is_some_and(ShardOverlay::may_suppress),
        ..*shards
    };
    let eligible = eligible(plan, &shards, || overlay, fleet, draw);
    let levels = [set(&[0]), set(&[0, 1]), MemberSet::ALL].map(|members| LevelView {
        members,
        nearest: None,
        eligible: &eligible,
        own: None,
        is_listed: false,
    });
    let endpoints = |_| Endpoints::default();
    let decision = choose(plan, levels, draw, endpoints, &mut NoTrace);
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

/// Members 0 to 3 under `spread`, some with an overlay or a drain; levels as above.
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
        may_suppress: false,
    };
    let overlay = ShardOverlay {
        damped: set(damped),
        damped_by_probes: MemberSet::EMPTY,
        proven: set(proven),
        by_tcp: MemberSet::EMPTY,
        partial: PartialFamilies::default(),
    };
    let fleet = FleetHealth {
        stale: set(stale),
        doubtful: set(stale),
        expired: set(expired),
        drained: set(drained),
        draining: draining
            .iter()
            .map(|(member, _)| MemberIdx(*member))
            .collect(),
        ..FleetHealth::default()
    };
    let shares: Vec<_> = (draining.iter())
        .map(|(member, share)| (MemberIdx(*member), *share))
        .collect();
    let got = decide(&plan, &shards, Some(&overlay), &fleet, &shares);
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
        let partial = PartialFamilies {
            ipv4: set(&[]),
            ipv6: set(&[0]),
            whole_ipv4: set(ipv4),
            whole_ipv6: set(ipv6),
        };
        assert_eq!(partial.suppressed(set(&[0, 1, 2])), set(expected));
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
