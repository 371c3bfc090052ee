//! The states of members, as functions of what happened and of the time. Pure: it takes `now`, and
//! says when it wants to be asked again.
//!
//! ```text
//!            ┌── sync-timeout ──▶ NeverSynced ──┐ Synced
//!  Syncing ──┴────────── Synced ────────────────┴──▶ Ready ◀── Synced, Resumed ──────┐
//!     ▲                                                │ ▲  (the first time of late, │
//!     │ identity is another: facts discarded           │ │   or never withdrawn)     │
//!     └────────── (any state with facts)          Lost │ └─ quiet is over ─┐         │
//!                                                      ▼                   │         │
//!                        restored at start ─────────▶ Held ──── Returning ──▶ Returning
//!                                                      │ hold               ▲ │ (listing, or
//!                                                      ▼                    │ │  suppressed)
//!                                                     Lost ──── Returning ──┘ │
//!                                                      ▲                      ▼
//!                                                      └──── Lost: back, and the hold runs on
//! ```
//!
//! What a member's state means for answers is told per federation ([`States::contact`]), as `hold`
//! belongs to a federation and a state to a member: a member is shown as `Lost` when its hold has
//! passed in every federation that it takes part in. A member that was withdrawn counts again once
//! its list is complete, and not when it begins; no hold passes while it lists, for 60 s at most.
//!
//! A member that was withdrawn and comes back counts at once the first time. When that happens again
//! and again ([`Damper`](crate::model::Damper)), it is shown as `Returning` until its quiet time is
//! over, and counts only where nothing sure is left without it. Its facts are live meanwhile.
//!
//! Silence of an API alone ends nothing: what probes say of each address is looked at in the
//! snapshot, where a member whose addresses have passed of late is not withdrawn, however long ago
//! its hold has passed.
//!
//! When most members of a federation are lost at once, its brake goes on ([`loss_brake`]). A restart and a
//! reload take nothing back: what they need of each member is in [`MemberRecord`].

#[cfg(test)]
mod canonical;
mod hold;
mod holds_left;
mod loss_brake;
mod member;
mod member_contact;
mod record;

use std::collections::BTreeMap;

use tokio::time::Instant;

use self::loss_brake::MemberLossBrake;
use self::member::Tracked;
pub(in crate::publish) use self::member_contact::ContactEvent;
#[cfg(test)]
pub(in crate::publish) use self::record::HoldRecord;
pub(in crate::publish) use self::record::MemberRecord;
use crate::model::{Fleet, Joined, MemberIdx, MemberSet, MemberState};
use crate::names::Label;
use crate::publish::now::Now;
use crate::snapshot::FederationContact;

/// A member has another state now, or counts otherwise in a federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::publish) struct StateTransition {
    /// The member.
    pub(in crate::publish) member: MemberIdx,
    /// Its state before; the same as `to` when only how it counts in a federation has changed.
    pub(in crate::publish) from: MemberState,
    /// Its state now.
    pub(in crate::publish) to: MemberState,
}

/// The states of all members.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(in crate::publish) struct States {
    members: BTreeMap<MemberIdx, Tracked>,
    /// The brake of each federation, while it is on.
    brakes: Vec<Option<MemberLossBrake>>,
    /// There may be members that are not known yet.
    lacks_members: bool,
}

impl States {
    /// Every member without facts.
    pub(in crate::publish) fn new(fleet: &Fleet, joined: Joined, now: Instant) -> Self {
        let members = fleet.members.iter();
        Self {
            members: members
                .map(|(index, member)| (index, Tracked::new(fleet, member, joined, now)))
                .collect(),
            brakes: vec![None; fleet.federations.len()],
            lacks_members: !fleet.awaited.is_empty(),
        }
    }

    /// The states under a new configuration: members and federations are known by their names, and
    /// new members joined while running, unless the start is waiting for them. Ask [`Self::settle`]
    /// next.
    pub(in crate::publish) fn reconfigured(&self, old: &Fleet, new: &Fleet, now: Instant) -> Self {
        let before: BTreeMap<&Label, &Tracked> = {
            let members = old.members.iter();
            let known = members.filter_map(|(index, member)| {
                let tracked = self.members.get(&index)?;
                Some((&member.name, tracked))
            });
            known.collect()
        };
        let joined = if old.awaited.is_empty() {
            Joined::WhileRunning
        } else {
            Joined::AtStart
        };
        let mut states = Self::new(new, joined, now);
        let old_place = |federation: usize| {
            let name = &new.federations.get(federation)?.name;
            let mut all = old.federations.iter();
            all.position(|federation| federation.name == *name)
        };
        for (index, member) in new.members.iter() {
            let tracked = states.members.get_mut(&index);
            if let Some((before, tracked)) = before.get(&member.name).zip(tracked) {
                tracked.take_over(before, old_place, now);
            }
        }
        for (federation, brake) in states.brakes.iter_mut().enumerate() {
            let before = old_place(federation).and_then(|place| self.brakes.get(place));
            *brake = before.copied().flatten();
        }
        states
    }

    /// Something happened to a member. Returns every transition that follows, of other members too.
    pub(in crate::publish) fn on_contact_event(
        &mut self,
        member: MemberIdx,
        event: ContactEvent,
        now: Instant,
    ) -> Vec<StateTransition> {
        if let Some(tracked) = self.members.get_mut(&member) {
            tracked.on_contact_event(event, now);
        }
        self.settle(now)
    }

    /// The facts of a member were read from disk, and what an earlier process knew of its contact:
    /// without that, it was in contact. Ask [`Self::settle`] next.
    pub(in crate::publish) fn restore(
        &mut self,
        member: MemberIdx,
        record: Option<&MemberRecord>,
        fleet: &Fleet,
        now: Now,
    ) {
        if let Some(tracked) = self.members.get_mut(&member) {
            tracked.restore(record, fleet, now);
        }
    }

    /// What another process has to know of a member.
    pub(in crate::publish) fn record(
        &self,
        member: MemberIdx,
        fleet: &Fleet,
        now: Now,
    ) -> MemberRecord {
        let tracked = self.members.get(&member);
        tracked.map_or_else(MemberRecord::default, |tracked| {
            let is_braked = |federation| self.is_braked(federation);
            tracked.record(fleet, is_braked, now)
        })
    }

    /// The wall clock was set by so many seconds.
    pub(in crate::publish) fn clock_set(&mut self, by: i64) {
        for tracked in self.members.values_mut() {
            tracked.contact.clock_set(by);
        }
    }

    /// Derives every state anew. Returns what has changed.
    pub(in crate::publish) fn settle(&mut self, now: Instant) -> Vec<StateTransition> {
        for federation in 0..self.brakes.len() {
            self.settle_brake(federation, now);
        }
        let mut transitions = Vec::new();
        let Self {
            members, brakes, ..
        } = self;
        let is_braked = |federation: usize| brakes.get(federation).is_some_and(Option::is_some);
        for (member, tracked) in members {
            let member = *member;
            let counts_otherwise = tracked.settle_holds(is_braked, now);
            let (from, to) = (tracked.state, tracked.derived(now));
            tracked.state = to;
            if from != to || counts_otherwise {
                transitions.push(StateTransition { member, from, to });
            }
        }
        // A brake that went off may go on at once for losses that came later, and one for which somebody
        // counted as in contact whose hold has passed. What was due before has passed by now.
        for federation in 0..self.brakes.len() {
            if !self.is_braked(federation) {
                self.settle_brake(federation, now);
            }
        }
        transitions
    }

    /// Puts the brake of a federation on or takes it off.
    fn settle_brake(&mut self, federation: usize, now: Instant) {
        if let Some(place) = self.brakes.get_mut(federation) {
            loss_brake::settle(place, federation, &mut self.members, now);
        }
    }

    /// When the brake of a federation goes off at the latest, if nothing else happens.
    fn brake_until(&self, federation: usize) -> Option<Instant> {
        let brake = self.brakes.get(federation).copied().flatten()?;
        Some(brake.until(federation, &self.members))
    }

    /// Derives every state anew, while no hold passes and no brake moves.
    pub(in crate::publish) fn derive(&mut self, now: Instant) {
        for tracked in self.members.values_mut() {
            tracked.state = tracked.derived(now);
        }
    }

    /// When [`Self::settle`] may next change anything by itself.
    pub(in crate::publish) fn deadline(&self) -> Option<Instant> {
        let is_braked = |federation| self.is_braked(federation);
        let members = self.members.values();
        let members = members.filter_map(|tracked| tracked.deadline(is_braked));
        let brakes = (0..self.brakes.len()).filter_map(|federation| self.brake_until(federation));
        members.chain(brakes).min()
    }

    /// The federations that a member takes part in.
    pub(in crate::publish) fn federations(&self, member: MemberIdx) -> impl Iterator<Item = usize> {
        let tracked = self.members.get(&member).into_iter();
        tracked.flat_map(|tracked| tracked.holds.iter().map(|hold| hold.federation))
    }

    /// How often a member that is suppressed was withdrawn of late, and until when it is.
    pub(in crate::publish) fn suppressed(&self, member: MemberIdx) -> Option<(u32, Instant)> {
        let tracked = self.members.get(&member)?;
        Some((tracked.damper.count(), tracked.kept_until()?))
    }

    /// When the next hold of a member passes that is not in contact.
    pub(in crate::publish) fn hold_passes(&self, member: MemberIdx) -> Option<Instant> {
        let tracked = self.members.get(&member)?;
        let returning = tracked.contact.returning();
        let holds = tracked.holds.iter().filter(|_| tracked.contact.is_gone());
        holds.filter_map(|hold| hold.passes(returning)).min()
    }

    /// The state of a member.
    pub(in crate::publish) fn state(&self, member: MemberIdx) -> Option<MemberState> {
        self.members.get(&member).map(|tracked| tracked.state)
    }

    /// Whether a member has been withdrawn in every federation that it takes part in.
    pub(in crate::publish) fn is_lost(&self, member: MemberIdx) -> bool {
        self.members.get(&member).is_some_and(Tracked::is_lost)
    }

    /// What is known of the contact to members, as a federation sees it.
    pub(in crate::publish) fn contact(&self, federation: usize) -> FederationContact {
        let those = |claim: &dyn Fn(&Tracked, &hold::Hold) -> bool| -> MemberSet {
            let those = self.members.iter().filter(|(_, tracked)| {
                let hold = tracked.hold(federation);
                hold.is_some_and(|hold| claim(tracked, hold))
            });
            those.map(|(member, _)| *member).collect()
        };
        FederationContact {
            expired: those(&|tracked, hold| hold.has_passed && tracked.contact.is_gone()),
            abandoned: those(&|tracked, hold| hold.is_abandoned && tracked.contact.is_gone()),
            presumed: those(&|tracked, hold| !hold.has_passed && tracked.contact.is_presumed()),
            suppressed: those(&|tracked, hold| {
                hold.was_suppressed || (hold.has_passed && tracked.contact.is_live())
            }),
        }
    }

    /// The brake of a federation while it is on: since when, and until when at most as things are.
    pub(in crate::publish) fn brake(&self, federation: usize) -> Option<(Instant, Instant)> {
        let brake = self.brakes.get(federation).copied().flatten()?;
        Some((brake.on, self.brake_until(federation)?))
    }

    /// Whether the brake of a federation is on.
    pub(in crate::publish) fn is_braked(&self, federation: usize) -> bool {
        self.brakes.get(federation).is_some_and(Option::is_some)
    }

    /// The federations whose brake is on.
    pub(in crate::publish) fn braked(&self) -> Vec<usize> {
        let all = 0..self.brakes.len();
        all.filter(|federation| self.is_braked(*federation))
            .collect()
    }

    /// Whether each member synced, was restored or timed out, and one at least has facts
    /// (docs/names.md, decision 10), and who is one is known. A member added while running delays
    /// nothing.
    pub(in crate::publish) fn is_ready(&self) -> bool {
        let awaited = MemberState::Syncing(Joined::AtStart);
        let is_awaited = self
            .members
            .values()
            .any(|tracked| tracked.state == awaited);
        let has_facts = self
            .members
            .values()
            .any(|tracked| tracked.contact.has_facts());
        !self.lacks_members && !is_awaited && (has_facts || self.members.is_empty())
    }
}
