//! The brake on lost members: when it goes on, what it keeps from passing, and how it ends.

use crate::publish::tests::states::*;

#[test]
fn the_brake_is_on_for_a_minute_beside_a_member_in_contact() {
    let mut clocked = Clocked::synced(5);
    clocked.at(10, 0, Lost);
    clocked.at(40, 1, Lost);
    assert!(!clocked.states.is_braked(0));
    clocked.at(69, 2, Lost);
    assert!(clocked.states.is_braked(0));
    let on = (clocked.second(69), clocked.second(129));
    assert_eq!(clocked.states.brake(0), Some(on));
    clocked.check(128, "HHHRR");
    assert!(clocked.states.is_braked(0));
    clocked.check(129, "HHHRR");
    assert!(!clocked.states.is_braked(0));
    // Their holds begin anew.
    clocked.check(188, "HHHRR");
    clocked.check(189, "LLLRR");
}

#[test]
fn the_brake_goes_off_when_the_lost_are_no_longer_most() {
    let mut clocked = Clocked::synced(5);
    for member in 0..3 {
        clocked.at(10, member, Lost);
    }
    clocked.at(20, 3, Lost);
    clocked.at(30, 0, Returning);
    assert!(clocked.states.is_braked(0), "three of five are lost");
    clocked.at(40, 1, Resumed);
    assert!(!clocked.states.is_braked(0), "two of five are lost");
    clocked.check(99, "rRHHR");
    clocked.check(100, "rRLLR");
}

#[test]
fn contact_that_breaks_again_and_again_does_not_end_the_brake_but_time_does() {
    let mut clocked = Clocked::synced(4);
    for member in 0..3 {
        clocked.at(100, member, Lost);
    }
    for second in (130..=670).step_by(30) {
        clocked.at(second, 3, Lost);
        assert!(clocked.states.is_braked(0), "{second}");
        clocked.at(second, 3, Resumed);
    }
    clocked.check(699, "HHHR");
    assert!(clocked.states.is_braked(0));
    clocked.until(700);
    assert!(!clocked.states.is_braked(0));
    clocked.check(760, "LLLR");
}

#[test]
fn a_loss_begins_anew_for_one_brake_alone_and_older_ones_run_on() {
    let mut clocked = Clocked::synced(2);
    clocked.at(1000, 0, Lost);
    // The other is lost for a second in each eight: a brake each time.
    for second in (1005..1064).step_by(8) {
        clocked.at(second, 1, Lost);
        assert!(clocked.states.is_braked(0), "{second}");
        clocked.at(second + 1, 1, Resumed);
        assert!(!clocked.states.is_braked(0), "{second}");
    }
    clocked.check(1065, "HR");
    clocked.check(1066, "LR");
}

#[test]
fn a_brake_counts_the_members_of_its_federation_alone() {
    let mut fleet = fleet(&["m0", "m1", "m2", "m3"]);
    fleet.federations[0].members = vec![crate::model::Pattern::new("m0")];
    fleet.federations.push(federation("g", "*", 60));
    let mut clocked = Clocked::of(&fleet);
    for member in 0..4 {
        clocked.at(0, member, Synced);
    }
    clocked.at(10, 0, Lost);
    assert_eq!([0, 1].map(|f| clocked.states.is_braked(f)), [true, false]);
    clocked.until(70);
    let lost = MemberSet::from_iter([MemberIdx(0)]);
    let expired = [0, 1].map(|f| clocked.states.contact(f).expired);
    assert_eq!(expired, [MemberSet::EMPTY, lost]);
}

#[test]
fn losses_further_apart_or_of_half_put_no_brake_on() {
    let mut clocked = Clocked::synced(5);
    clocked.at(10, 0, Lost);
    clocked.at(40, 1, Lost);
    clocked.at(70, 2, Lost);
    assert!(
        !clocked.states.is_braked(0),
        "the first was lost 60 s before the third"
    );
    clocked.check(130, "LLLRR");
    let mut clocked = Clocked::synced(4);
    clocked.at(10, 0, Lost);
    clocked.at(11, 1, Lost);
    assert!(
        !clocked.states.is_braked(0),
        "two of four are not more than half"
    );
    clocked.check(71, "LLRR");
}

#[test]
fn the_only_synced_member_is_held_until_the_brake_has_its_end() {
    let mut clocked = Clocked::new(2);
    clocked.at(0, 0, Synced);
    clocked.at(100, 0, Lost);
    assert!(clocked.states.is_braked(0));
    clocked.check(699, "Hn");
    clocked.check(759, "Hn");
    clocked.check(760, "Ln");
    assert!(!clocked.states.is_braked(0));
}

#[test]
fn what_was_withdrawn_before_the_brake_stays_withdrawn() {
    let mut clocked = Clocked::synced(4);
    clocked.at(10, 0, Lost);
    clocked.at(100, 1, Lost);
    clocked.at(101, 2, Lost);
    assert!(clocked.states.is_braked(0));
    clocked.check(150, "LHHR");
    let lost = MemberSet::from_iter([MemberIdx(0)]);
    assert_eq!(clocked.states.contact(0).expired, lost);
}

#[test]
fn losses_reported_right_after_a_restart_put_the_brake_on() {
    let mut clocked = Clocked::new(3);
    for member in 0..3 {
        clocked.restore(0, member, None);
    }
    assert!(!clocked.states.is_braked(0), "silence is no loss");
    clocked.at(1, 0, Synced);
    clocked.at(5, 1, Lost);
    clocked.at(6, 2, Lost);
    assert!(clocked.states.is_braked(0));
    clocked.check(65, "RHH");
    assert!(clocked.states.is_braked(0));
    clocked.until(66);
    assert!(
        !clocked.states.is_braked(0),
        "one was in contact for a minute"
    );
}
