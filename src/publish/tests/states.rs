//! What happens to members, and the states that follow at which times.

mod brakes;
mod restarts;

use std::time::Duration;

use tokio::time::Instant;

use super::fixture::{federation, fleet};
use crate::model::{Fleet, Joined, MemberIdx, MemberSet, MemberState, UnixSeconds};
use crate::publish::members::states::{ContactEvent, MemberRecord, States};
use crate::publish::now::Now;

use ContactEvent::{Forgotten, Lost, Resumed, Returning, Synced};

/// States, and the time they started at.
struct Clocked {
    fleet: Fleet,
    states: States,
    start: Instant,
}

impl Clocked {
    /// A fleet of `members` members, started at second 0.
    fn new(members: usize) -> Self {
        let names: Vec<String> = (0..members).map(|index| format!("m{index}")).collect();
        Self::of(&fleet(
            &names.iter().map(String::as_str).collect::<Vec<_>>(),
        ))
    }

    /// A fleet, started at second 0.
    fn of(fleet: &Fleet) -> Self {
        let start = Instant::now();
        Self {
            fleet: fleet.clone(),
            states: States::new(fleet, Joined::AtStart, start),
            start,
        }
    }

    /// All members synced at second 0.
    fn synced(members: u8) -> Self {
        let mut clocked = Self::new(usize::from(members));
        for member in 0..members {
            clocked.at(0, member, Synced);
        }
        clocked
    }

    /// Something happens at a second, after all deadlines before it.
    fn at(&mut self, second: u64, member: u8, happening: ContactEvent) {
        self.until(second);
        self.states
            .on_contact_event(MemberIdx(member), happening, self.second(second));
    }

    /// Its facts are read from disk at a second, with what was kept of it.
    fn restore(&mut self, second: u64, member: u8, record: Option<&MemberRecord>) {
        let now = self.now(second);
        let member = MemberIdx(member);
        self.states.restore(member, record, &self.fleet, now);
        self.states.settle(now.instant);
    }

    /// What would be kept of a member at a second.
    fn record(&mut self, second: u64, member: u8) -> MemberRecord {
        self.until(second);
        let now = self.now(second);
        self.states.record(MemberIdx(member), &self.fleet, now)
    }

    /// Another process starts at a second, with what is kept of all members.
    fn restart(&mut self, second: u64) {
        let members = 0..u8::try_from(self.fleet.members.len()).unwrap();
        let records: Vec<_> = members.map(|member| self.record(second, member)).collect();
        self.states = States::new(&self.fleet, Joined::AtStart, self.second(second));
        for (member, record) in (0..).zip(&records) {
            self.restore(second, member, Some(record));
        }
    }

    /// Both clocks at a second.
    fn now(&self, second: u64) -> Now {
        Now {
            instant: self.second(second),
            wall: UnixSeconds(1_800_000_000 + second),
        }
    }

    /// Time passes until a second; nothing may change but at the deadlines.
    fn until(&mut self, second: u64) {
        let now = self.second(second);
        while let Some(deadline) = self.states.deadline().filter(|deadline| *deadline <= now) {
            let early = deadline.checked_sub(Duration::from_millis(1)).unwrap();
            assert_eq!(
                self.states.settle(early),
                [],
                "something changed before its deadline"
            );
            self.states.settle(deadline);
            assert_ne!(self.states.deadline(), Some(deadline), "the deadline stays");
        }
        assert_eq!(
            self.states.settle(now),
            [],
            "something changed without a deadline"
        );
    }

    fn second(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    /// The first letters of the states of all members at a second.
    fn shown(&mut self, second: u64) -> String {
        self.until(second);
        let states = (0..).map_while(|member| self.states.state(MemberIdx(member)));
        states.map(letter).collect()
    }

    #[track_caller]
    fn check(&mut self, second: u64, expected: &str) {
        assert_eq!(self.shown(second), expected, "at {second} s");
    }
}

fn letter(state: MemberState) -> char {
    match state {
        MemberState::Syncing(Joined::AtStart) => 's',
        MemberState::Syncing(Joined::WhileRunning) => 'w',
        MemberState::NeverSynced => 'n',
        MemberState::Ready => 'R',
        MemberState::Held => 'H',
        MemberState::Lost => 'L',
        MemberState::Returning => 'r',
    }
}

#[test]
fn a_member_that_never_syncs_is_empty_after_its_time_and_may_still_come() {
    let mut clocked = Clocked::new(2);
    clocked.at(1, 0, Synced);
    clocked.at(2, 1, Lost);
    clocked.check(29, "Rs");
    assert!(!clocked.states.is_ready());
    clocked.check(30, "Rn");
    assert!(clocked.states.is_ready());
    clocked.at(40, 1, Synced);
    clocked.check(40, "RR");
}

#[test]
fn no_facts_at_all_is_not_ready_and_no_members_at_all_is() {
    let mut clocked = Clocked::new(1);
    clocked.check(31, "n");
    assert!(!clocked.states.is_ready());
    assert!(Clocked::new(0).states.is_ready());
}

#[test]
fn the_longest_sync_timeout_and_each_hold_of_its_federations_count() {
    let mut fleet = fleet(&["m0", "m1", "m2"]);
    fleet.federations.push(federation("g", "m0", 200));
    fleet.federations[1].sync_timeout = Duration::from_secs(90);
    let mut clocked = Clocked::of(&fleet);
    clocked.check(31, "snn");
    for member in 0..3 {
        clocked.at(32, member, Synced);
    }
    clocked.at(100, 0, Lost);
    clocked.check(160, "HRR");
    let lost = MemberSet::from_iter([MemberIdx(0)]);
    assert_eq!(
        [0, 1].map(|f| clocked.states.contact(f).expired),
        [lost, MemberSet::EMPTY]
    );
    // In the other federation it is alone, and all there is: a brake for ten minutes.
    clocked.check(899, "HRR");
    clocked.check(900, "LRR");
    assert_eq!(
        [0, 1].map(|f| clocked.states.contact(f).expired),
        [lost, lost]
    );
    clocked.at(901, 0, Resumed);
    assert_eq!(
        [0, 1].map(|f| clocked.states.contact(f).expired),
        [MemberSet::EMPTY; 2]
    );
}

#[test]
fn a_lost_member_is_held_and_then_lost_and_comes_back() {
    let mut clocked = Clocked::synced(3);
    clocked.at(10, 0, Lost);
    clocked.check(69, "HRR");
    clocked.check(70, "LRR");
    clocked.at(80, 0, Returning);
    clocked.check(80, "rRR");
    let lost = MemberSet::from_iter([MemberIdx(0)]);
    assert_eq!(clocked.states.contact(0).expired, lost, "only listing");
    clocked.at(81, 0, Synced);
    assert_eq!(clocked.states.contact(0).expired, MemberSet::EMPTY);
    clocked.check(200, "RRR");
}

#[test]
fn a_hold_counts_from_the_loss_however_often_the_member_tries_to_return() {
    let mut clocked = Clocked::synced(3);
    clocked.at(10, 0, Lost);
    clocked.at(20, 0, Lost);
    clocked.at(30, 0, Returning);
    clocked.at(40, 0, Lost);
    clocked.check(69, "HRR");
    clocked.check(70, "LRR");
}

#[test]
fn a_member_that_returns_before_its_time_was_never_withdrawn() {
    let mut clocked = Clocked::synced(3);
    clocked.at(10, 0, Lost);
    clocked.at(69, 0, Resumed);
    clocked.check(300, "RRR");
}

#[test]
fn facts_of_another_cluster_leave_a_member_as_it_came() {
    let mut clocked = Clocked::new(3);
    clocked.restore(0, 0, None);
    clocked.at(10, 0, Forgotten);
    clocked.check(10, "sss");
    clocked.at(12, 1, Synced);
    clocked.at(14, 1, Forgotten);
    clocked.check(14, "sws");
    clocked.check(30, "nwn");
    clocked.check(44, "nnn");
}

#[test]
fn no_hold_passes_while_a_member_lists_but_for_a_minute() {
    let mut clocked = Clocked::synced(3);
    clocked.at(10, 0, Lost);
    clocked.at(60, 0, Returning);
    clocked.until(119);
    assert_eq!(clocked.states.contact(0).expired, MemberSet::EMPTY);
    clocked.until(120);
    let lost = MemberSet::from_iter([MemberIdx(0)]);
    assert_eq!(clocked.states.contact(0).expired, lost);
    clocked.at(130, 0, Synced);
    assert_eq!(clocked.states.contact(0).expired, MemberSet::EMPTY);
    clocked.at(200, 0, Lost);
    clocked.at(250, 0, Returning);
    clocked.at(270, 0, Lost);
    clocked.check(270, "LRR");
}

#[test]
fn a_member_without_a_federation_has_its_own_timeout_and_is_never_withdrawn() {
    let mut fleet = fleet(&["m0", "m1"]);
    fleet.federations[0].members = vec![crate::model::Pattern::new("m1")];
    let mut clocked = Clocked::of(&fleet);
    clocked.check(29, "ss");
    clocked.check(30, "nn");
    clocked.at(40, 0, Synced);
    clocked.at(40, 1, Synced);
    clocked.at(50, 0, Lost);
    clocked.check(1000, "HR");
}

#[test]
fn a_member_that_is_withdrawn_again_and_again_returns_later_and_later() {
    let mut clocked = Clocked::synced(3);
    let withdrawn = MemberSet::from_iter([MemberIdx(0)]);
    clocked.at(0, 0, Lost);
    clocked.check(60, "LRR");
    clocked.at(61, 0, Returning);
    clocked.at(62, 0, Synced);
    clocked.check(62, "RRR");
    clocked.at(100, 0, Lost);
    clocked.check(160, "LRR");
    clocked.at(161, 0, Returning);
    assert_eq!(
        clocked.states.contact(0).expired,
        withdrawn,
        "kept back while it lists"
    );
    clocked.at(162, 0, Synced);
    clocked.check(164, "rRR");
    assert_eq!(clocked.states.contact(0).suppressed, withdrawn);
    assert_eq!(
        clocked.states.suppressed(MemberIdx(0)),
        Some((2, clocked.second(165)))
    );
    clocked.check(165, "RRR");
    assert_eq!(clocked.states.contact(0).suppressed, MemberSet::EMPTY);
    clocked.at(200, 0, Lost);
    clocked.check(260, "LRR");
    clocked.at(261, 0, Resumed);
    clocked.at(262, 0, Lost);
    clocked.check(262, "LRR");
    clocked.at(263, 0, Resumed);
    clocked.check(281, "rRR");
    clocked.check(282, "RRR");
    clocked.at(2000, 0, Lost);
    clocked.at(2061, 0, Resumed);
    clocked.check(2061, "RRR");
}

#[test]
fn the_last_seconds_of_a_hold_are_told_one_by_one() {
    let mut clocked = Clocked::synced(3);
    assert_eq!(clocked.states.hold_left(0, clocked.second(1)), None);
    clocked.at(10, 0, Lost);
    clocked.at(12, 1, Lost);
    clocked.states.settle(clocked.second(12));
    assert!(clocked.states.is_braked(0));
    assert_eq!(clocked.states.next_hold_left(0, clocked.second(12)), None);
    clocked.at(20, 1, Resumed);
    let (mut now, mut told) = (clocked.second(20), Vec::new());
    while let Some(next) = clocked.states.next_hold_left(0, now) {
        assert!(next > now);
        now = next;
        told.push((now - clocked.second(0), clocked.states.hold_left(0, now)));
    }
    let seconds = Duration::from_secs;
    let expected = (1..=5)
        .rev()
        .map(|left| (seconds(80 - left), u32::try_from(left).ok()));
    assert_eq!(told, expected.collect::<Vec<_>>());
    assert_eq!(clocked.states.hold_left(0, clocked.second(21)), None);
}
