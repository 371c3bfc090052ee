//! What a restart and a reload make of members: they take nothing back.

use crate::publish::tests::states::*;

#[test]
fn restored_facts_are_held_from_the_start() {
    let mut clocked = Clocked::new(3);
    clocked.restore(0, 0, None);
    clocked.restore(0, 1, None);
    assert!(!clocked.states.is_ready());
    clocked.at(1, 2, Synced);
    assert!(clocked.states.is_ready());
    clocked.at(50, 0, Lost);
    clocked.check(59, "HHR");
    clocked.check(60, "LLR");
}

#[test]
fn a_withdrawn_member_starts_withdrawn_and_old_losses_put_no_brake_on() {
    let mut clocked = Clocked::synced(4);
    clocked.at(10, 0, Lost);
    clocked.at(60, 1, Lost);
    clocked.check(80, "LHRR");
    clocked.restart(80);
    clocked.check(80, "LHHH");
    let contact = clocked.states.contact(0);
    assert_eq!(contact.expired, MemberSet::from_iter([MemberIdx(0)]));
    let presumed = [MemberIdx(2), MemberIdx(3)];
    assert_eq!(contact.presumed, MemberSet::from_iter(presumed));
    clocked.at(85, 0, Lost);
    clocked.at(85, 1, Lost);
    assert!(!clocked.states.is_braked(0));
    clocked.at(86, 2, Synced);
    clocked.check(119, "LHRH");
    clocked.check(120, "LLRH");
    // Of the last nothing was heard for as long as its hold.
    clocked.check(140, "LLRL");
    clocked.restart(150);
    clocked.check(150, "LLHL");
}

#[test]
fn a_restart_in_a_brake_is_its_end() {
    let mut clocked = Clocked::synced(2);
    for member in 0..2 {
        clocked.at(10, member, Lost);
    }
    clocked.check(100, "HH");
    clocked.restart(100);
    assert!(!clocked.states.is_braked(0));
    clocked.check(159, "HH");
    clocked.check(160, "LL");
}

#[test]
fn a_restart_forgets_no_withdrawal_that_counts() {
    let mut clocked = Clocked::synced(2);
    for second in [100, 200] {
        clocked.at(second, 0, Lost);
        clocked.at(second + 70, 0, Resumed);
    }
    // Withdrawn for the second time at 260, and quiet until 265.
    clocked.check(270, "RR");
    clocked.at(300, 0, Lost);
    clocked.check(360, "LR");
    clocked.restart(362);
    clocked.at(363, 1, Synced);
    clocked.at(364, 0, Synced);
    clocked.check(369, "rR");
    let suppressed = MemberSet::from_iter([MemberIdx(0)]);
    assert_eq!(clocked.states.contact(0).suppressed, suppressed);
    clocked.check(370, "RR");
}

#[test]
fn a_member_without_contact_for_long_is_abandoned() {
    let mut clocked = Clocked::synced(2);
    clocked.at(10, 0, Lost);
    let day = 24 * 3600;
    clocked.until(5 + day);
    assert_eq!(clocked.states.contact(0).abandoned, MemberSet::EMPTY);
    clocked.restart(5 + day);
    clocked.until(9 + day);
    assert_eq!(clocked.states.contact(0).abandoned, MemberSet::EMPTY);
    clocked.until(10 + day);
    let lost = MemberSet::from_iter([MemberIdx(0)]);
    assert_eq!(clocked.states.contact(0).abandoned, lost);
}

#[test]
fn a_loss_before_the_start_is_dated_anew_where_the_wall_clock_is_set() {
    let mut clocked = Clocked::synced(2);
    clocked.at(10, 0, Lost);
    clocked.restart(20);
    let lost = clocked.record(30, 0).lost.unwrap();
    clocked.states.clock_set(-3600);
    assert_eq!(clocked.record(30, 0).lost, Some(lost - 3600));
}

#[test]
fn a_reload_carries_over_what_has_passed_unless_the_hold_was_made_longer() {
    for (hold, expected) in [(60, "LRR"), (30, "LRR"), (100, "HRR")] {
        let mut clocked = Clocked::synced(3);
        clocked.at(10, 0, Lost);
        clocked.check(75, "LRR");
        let mut new = clocked.fleet.clone();
        new.federations[0].hold = Duration::from_secs(hold);
        let now = clocked.second(75);
        clocked.states = clocked.states.reconfigured(&clocked.fleet, &new, now);
        clocked.states.settle(now);
        clocked.check(76, expected);
        clocked.check(110, "LRR");
    }
}

#[test]
fn a_new_configuration_keeps_states_by_name_and_new_members_join_while_running() {
    let mut clocked = Clocked::synced(4);
    clocked.at(10, 1, Lost);
    clocked.until(20);
    let old = fleet(&["m0", "m1", "m2", "m3"]);
    let new = fleet(&["m9", "m1", "m3", "m0"]);
    clocked.states = clocked.states.reconfigured(&old, &new, clocked.second(20));
    clocked.states.settle(clocked.second(20));
    clocked.check(49, "wHRR");
    clocked.check(50, "nHRR");
    clocked.check(70, "nLRR");
}

#[test]
fn a_new_configuration_counts_no_withdrawal_twice() {
    let mut clocked = Clocked::synced(3);
    clocked.at(0, 0, Lost);
    clocked.until(70);
    let fleet = fleet(&["m0", "m1", "m2"]);
    clocked.states = clocked
        .states
        .reconfigured(&fleet, &fleet, clocked.second(70));
    clocked.states.settle(clocked.second(70));
    clocked.check(70, "LRR");
    clocked.at(71, 0, Resumed);
    clocked.check(71, "RRR");
}

#[test]
fn who_was_never_heard_of_is_out_where_its_hold_has_passed_and_nowhere_else() {
    let mut fleet = fleet(&["m0", "m1"]);
    fleet.federations.push(federation("g", "*", 600));
    let mut clocked = Clocked::of(&fleet);
    for member in 0..2 {
        clocked.at(0, member, Synced);
    }
    clocked.restart(10);
    clocked.at(11, 0, Synced);
    // One hold has passed, the other is long; and no process hears of it.
    clocked.until(80);
    for second in [80, 90] {
        clocked.restart(second);
        let silent = MemberSet::from_iter([MemberIdx(1)]);
        let contacts = [0, 1].map(|f| clocked.states.contact(f));
        assert_eq!(
            contacts.map(|it| it.expired & silent),
            [silent, MemberSet::EMPTY],
        );
        assert_eq!(
            contacts.map(|it| it.presumed & silent),
            [MemberSet::EMPTY, silent]
        );
    }
    // It is lost where all of them have, and stays so.
    clocked.until(700);
    clocked.restart(700);
    let contacts = [0, 1].map(|f| clocked.states.contact(f).expired);
    let both = MemberSet::from_iter([MemberIdx(0), MemberIdx(1)]);
    assert_eq!(contacts.map(|expired| expired & both), contacts);
    assert!(contacts.iter().all(|it| it.contains(MemberIdx(1))));
}

#[test]
fn who_was_kept_back_in_contact_has_a_whole_hold_after_a_restart_that_was_made_longer() {
    let mut clocked = Clocked::synced(2);
    for second in [100, 200] {
        clocked.at(second, 0, Lost);
        clocked.at(second + 61, 0, Resumed);
    }
    clocked.check(262, "rR");
    clocked.restart(262);
    let mut new = clocked.fleet.clone();
    new.federations[0].hold = Duration::from_secs(120);
    let now = clocked.second(263);
    clocked.states = clocked.states.reconfigured(&clocked.fleet, &new, now);
    clocked.states.settle(now);
    clocked.check(381, "HH");
    clocked.check(382, "LL");
}
