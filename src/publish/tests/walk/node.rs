//! The states at one moment of a history, and what can be seen of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::case::{Case, FEDERATIONS, Form, MEMBERS, Step};
use super::rules;
use super::witness::Witness;
use crate::model::{Joined, MemberIdx, MemberSet, MemberState, UnixSeconds};
use crate::publish::members::states::States;
use crate::publish::now::Now;

/// What can be seen of the states: members and federations by the numbers of the [`Case`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) states: [Option<MemberState>; MEMBERS],
    /// For each member in each federation.
    pub(super) shares: [[Share; FEDERATIONS]; MEMBERS],
    /// Until which second each is kept back.
    pub(super) kept_until: [Option<u64>; MEMBERS],
    /// Since when the brake of each federation is on.
    pub(super) brakes: [Option<u64>; FEDERATIONS],
}

/// What a member is in a federation.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are what a federation sees, each by itself"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Share {
    pub(super) is_expired: bool,
    pub(super) is_kept_back: bool,
    pub(super) is_presumed: bool,
    pub(super) is_abandoned: bool,
}

impl Share {
    /// Withdrawn, and not let back.
    pub(super) fn is_out(self) -> bool {
        self.is_expired || self.is_kept_back
    }
}

/// A moment of a history.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) states: States,
    pub(super) form: Form,
    /// Seconds of the monotonic clock.
    pub(super) now: u64,
    /// By how much the wall clock was set back in all.
    pub(super) back: u64,
    pub(super) seen: Seen,
    pub(super) witness: Witness,
}

impl Node {
    /// Nothing has happened yet.
    pub(super) fn new(case: &Case) -> Self {
        let form = Form::default();
        let states = States::new(case.fleet(form), Joined::AtStart, case.second(0));
        let mut node = Self {
            states,
            form,
            now: 0,
            back: 0,
            seen: Seen::default(),
            witness: Witness::default(),
        };
        node.seen = node.look(case);
        node
    }

    /// What can be seen now.
    pub(super) fn look(&self, case: &Case) -> Seen {
        let mut seen = Seen::default();
        for member in 0..case.members {
            let index = case.index(member, self.form);
            seen.states[member] = self.states.state(index);
            let kept = self.states.suppressed(index);
            seen.kept_until[member] = kept.map(|(_, until)| case.seconds(until));
        }
        for federation in 0..case.federations {
            let place = case.federation(federation, self.form);
            let brake = self.states.brake(place);
            seen.brakes[federation] = brake.map(|(on, _)| case.seconds(on));
            let contact = self.states.contact(place);
            let of = |set: MemberSet, member: MemberIdx| set.contains(member);
            for member in 0..case.members {
                let index = case.index(member, self.form);
                seen.shares[member][federation] = Share {
                    is_expired: of(contact.expired, index),
                    is_kept_back: of(contact.suppressed, index),
                    is_presumed: of(contact.presumed, index),
                    is_abandoned: of(contact.abandoned, index),
                };
            }
        }
        seen
    }

    /// Takes a step and looks whether all rules hold; says which one does not.
    pub(super) fn step(&mut self, case: &Case, step: Step) -> Result<(), String> {
        let before = self.clone();
        match step {
            Step::Happens(member, happening) => {
                self.witness.happens(case, &before, member, happening);
                let index = case.index(member, self.form);
                let now = case.second(self.now);
                self.states.on_contact_event(index, happening, now);
            }
            Step::Passes(seconds) => return self.pass(case, seconds),
            Step::Deadline => {
                let deadline = self.states.deadline();
                return self.pass(case, deadline.map_or(0, |at| case.seconds(at) - self.now));
            }
            Step::Restart(back) => self.restart(case, &before, back),
            Step::Reload => self.reload(case, self.form),
            Step::ReloadHolds => {
                let is_longer = !self.form.is_longer;
                let form = Form {
                    is_longer,
                    ..self.form
                };
                self.witness.holds_change(case, &before, form);
                self.reload(case, form);
            }
            Step::ReloadOrder => {
                let is_turned = !self.form.is_turned;
                self.reload(
                    case,
                    Form {
                        is_turned,
                        ..self.form
                    },
                );
            }
        }
        self.settled(case, &before, Some(step))
    }

    /// Looks whether all rules hold once something has changed.
    fn settled(&mut self, case: &Case, before: &Self, step: Option<Step>) -> Result<(), String> {
        self.seen = self.look(case);
        let off_and_on =
            std::array::from_fn(|f| rules::brake_went_off_and_on(case, before, self, f));
        self.witness
            .follow_brakes(case, before, self.now, (&self.seen, off_and_on), self.form);
        rules::of_change(case, before, self, step)?;
        self.witness
            .follow(case, before, step, self.now, &self.seen);
        rules::of_moment(case, self)
    }

    /// Time passes: nothing changes but at deadlines.
    fn pass(&mut self, case: &Case, seconds: u64) -> Result<(), String> {
        let end = self.now + seconds;
        while let Some(deadline) = self.states.deadline() {
            if deadline > case.second(end) {
                break;
            }
            let before = self.clone();
            self.states
                .settle(deadline.checked_sub(Duration::from_millis(1)).unwrap());
            if self.look(case) != before.seen {
                return Err(format!(
                    "deadlines: changed before its deadline: {:?} became {:?}",
                    before.seen,
                    self.look(case)
                ));
            }
            self.states.settle(deadline);
            self.now = case.seconds(deadline);
            if self.states.deadline() == Some(deadline) {
                return Err("deadlines: one stays after it was followed".to_owned());
            }
            self.settled(case, &before, None)?;
        }
        let before = self.clone();
        self.states.settle(case.second(end));
        self.now = end;
        if self.look(case) != before.seen {
            return Err(format!(
                "deadlines: changed without one: {:?} became {:?}",
                before.seen,
                self.look(case)
            ));
        }
        self.settled(case, &before, None)
    }

    /// Another process starts, with what is kept of all members.
    fn restart(&mut self, case: &Case, before: &Self, back: u64) {
        let fleet = case.fleet(self.form);
        let now = self.clocks(case);
        let all = MemberIdx::all().take(case.members);
        let with_facts = all.filter(|member| {
            let state = before.states.state(*member);
            !matches!(
                state,
                Some(MemberState::Syncing(_) | MemberState::NeverSynced)
            )
        });
        let records = with_facts.map(|member| (member, before.states.record(member, fleet, now)));
        let records: Vec<_> = records.collect();
        self.back += back;
        let now = self.clocks(case);
        self.states = States::new(fleet, Joined::AtStart, now.instant);
        for (member, record) in records {
            self.states.restore(member, Some(&record), fleet, now);
        }
        self.states.settle(now.instant);
        self.witness.restart(case, before, back);
    }

    fn reload(&mut self, case: &Case, form: Form) {
        let (old, new) = (case.fleet(self.form), case.fleet(form));
        let now = case.second(self.now);
        self.states = self.states.reconfigured(old, new, now);
        self.states.settle(now);
        self.form = form;
    }

    fn clocks(&self, case: &Case) -> Now {
        Now {
            instant: case.second(self.now),
            wall: UnixSeconds(1_800_000_000 + self.now - self.back),
        }
    }

    /// The same for all nodes that go on alike.
    pub(super) fn key(&self, case: &Case) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.states
            .canonical(case.second(self.now))
            .hash(&mut hasher);
        (self.form.is_longer, self.form.is_turned).hash(&mut hasher);
        self.witness
            .canonical(case, self.now, &self.seen)
            .hash(&mut hasher);
        hasher.finish()
    }
}
