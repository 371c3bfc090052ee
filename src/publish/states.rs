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
//!                                                      ▼                    │ │  kept back)
//!                                                     Lost ──── Returning ──┘ │
//!                                                      ▲                      ▼
//!                                                      └──── Lost: back, and the hold runs on
//! ```
//!
//! A member that was withdrawn and comes back counts at once the first time. When that happens again
//! and again ([`Damper`]), it is shown as `Returning` until its quiet time is over, and stays
//! withdrawn, that is: it counts only where nobody else does. Its facts are live meanwhile.
//!
//! Silence of an API alone ends nothing: what probes say of each address is looked at in the
//! snapshot, where a member whose addresses pass is not withdrawn however long its hold has passed.
//!
//! `hold` belongs to a federation, a state to a member. An operator who gives one federation a
//! longer hold than another means each exactly, so expiry is told per federation
//! ([`States::expired`]) and a member is shown as `Lost` when its hold has passed in every
//! federation that it takes part in.
//!
//! The brake (names: decision 5) goes on when the members lost within the last 60 s are more than
//! those still in contact: those two together are the synced ones. While it is on no hold passes;
//! what was withdrawn before stays withdrawn, since its loss is older than the doubt. Members lost
//! while it is on join those that it was put on for. It goes off when they are no longer more than
//! those in contact, and the holds of those that are still lost start anew from there. Restored
//! members count as in contact until their source reports a loss: silence right after the start
//! says nothing of the network.

mod contact;
mod holds;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{
    Damper, Federation, Fleet, Joined, Member, MemberIdx, MemberSet, MemberState, Pattern,
};
use crate::names::Label;

/// Losses within this time of each other may put the brake on (names: decision 5).
const BRAKE_WINDOW: Duration = Duration::from_secs(60);

/// The `sync-timeout` of a member that takes part in no federation (names: decision 10).
const SYNC_TIMEOUT: Duration = Duration::from_secs(30);

/// What is known of the contact to a member.
#[derive(Debug, Clone, Copy)]
enum Contact {
    /// There are no facts.
    Without,
    /// Its facts are live.
    Live,
    /// Its facts are as they were when it was last in contact.
    Gone {
        /// When its hold began.
        since: Instant,
        /// When its source reported the loss; `None` for restored facts without such a report.
        lost: Option<Instant>,
        /// It answers again and is listing.
        is_returning: bool,
    },
}

/// One member.
#[derive(Debug)]
struct Tracked {
    /// How long its first sync may take: the longest of its federations.
    sync_timeout: Duration,
    /// The federations that it takes part in, by index, with their holds.
    holds: Vec<(usize, Duration)>,
    /// How it came into the fleet.
    joined: Joined,
    /// Since when its first sync is awaited.
    awaited: Instant,
    /// It was in sync since then.
    has_synced: bool,
    /// What is known of the contact.
    contact: Contact,
    /// The federations in which its hold has passed.
    expired: Vec<usize>,
    /// The moment that its damper counts from.
    begun: Instant,
    /// How often it was withdrawn of late.
    damper: Damper,
    /// Its damper has counted that it is withdrawn now.
    is_counted: bool,
    /// It is back, and withdrawn as before until its quiet time is over.
    is_kept_back: bool,
    /// Its state, as last derived.
    state: MemberState,
}

/// The brake while it is on.
#[derive(Debug, Clone, Copy)]
struct Brake {
    /// Losses from here on belong to it.
    from: Instant,
}

/// A member has another state now, or is withdrawn from other federations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transition {
    /// The member.
    pub(super) member: MemberIdx,
    /// Its state before; the same as `to` when only its expiry in a federation has changed.
    pub(super) from: MemberState,
    /// Its state now.
    pub(super) to: MemberState,
}

/// What happened to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// A list is complete.
    Synced,
    /// It cannot be watched.
    Lost,
    /// It answers again and is listing.
    Returning,
    /// Its watches went on where they were.
    Resumed,
    /// Its facts were read from disk.
    Restored,
    /// Its facts were discarded.
    Forgotten,
}

/// The states of all members.
#[derive(Debug, Default)]
pub(super) struct States {
    /// In configuration order.
    members: Vec<Tracked>,
    /// The brake, while it is on.
    brake: Option<Brake>,
    /// When the brake last went off: holds count from here at the earliest.
    released: Option<Instant>,
}

impl States {
    /// Every member without facts.
    pub(super) fn new(fleet: &Fleet, joined: Joined, now: Instant) -> Self {
        let members = fleet.members.iter();
        Self {
            members: members
                .map(|member| Tracked::new(fleet, member, joined, now))
                .collect(),
            brake: None,
            released: None,
        }
    }

    /// The states under a new configuration: members are known by their names, and new ones joined
    /// while running. Ask [`Self::settle`] next.
    pub(super) fn reconfigured(&self, old: &Fleet, new: &Fleet, now: Instant) -> Self {
        let names = old.members.iter().map(|member| &member.name);
        let before: BTreeMap<&Label, &Tracked> = names.zip(&self.members).collect();
        let mut states = Self::new(new, Joined::WhileRunning, now);
        for (member, tracked) in new.members.iter().zip(&mut states.members) {
            if let Some(before) = before.get(&member.name) {
                tracked.take_over(before, old, new, self.is_braked());
            }
        }
        states.brake = self.brake;
        states.released = self.released;
        states
    }

    /// Something happened to a member. Returns every transition that follows, of other members too.
    pub(super) fn happen(
        &mut self,
        member: MemberIdx,
        happening: Happening,
        now: Instant,
    ) -> Vec<Transition> {
        if let Some(tracked) = self.members.get_mut(member.get()) {
            tracked.happen(happening, now);
        }
        self.settle(now)
    }

    /// Derives every state anew. Returns what has changed.
    pub(super) fn settle(&mut self, now: Instant) -> Vec<Transition> {
        self.settle_brake(now);
        let from = self.released;
        let is_braked = self.brake.is_some();
        let mut transitions = Vec::new();
        for (index, tracked) in (0u8..=u8::MAX).zip(&mut self.members) {
            let has_expired = tracked.expire(from, is_braked, now);
            let (from, to) = (tracked.state, tracked.derived(now));
            tracked.state = to;
            if from != to || has_expired {
                let member = MemberIdx(index);
                transitions.push(Transition { member, from, to });
            }
        }
        transitions
    }

    /// When [`Self::settle`] may next change anything by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let each = |tracked: &Tracked| match tracked.contact {
            Contact::Without if tracked.state != MemberState::NeverSynced => {
                Some(tracked.awaited + tracked.sync_timeout)
            }
            Contact::Gone { since, .. } if self.brake.is_none() => {
                let from = self.released.map_or(since, |released| released.max(since));
                tracked.pending_holds().map(|hold| from + hold).min()
            }
            _ => None,
        };
        let ends = self.members.iter().filter_map(Tracked::quiet_until);
        self.members.iter().filter_map(each).chain(ends).min()
    }

    /// The federations that a member takes part in.
    pub(super) fn federations(&self, member: MemberIdx) -> impl Iterator<Item = usize> {
        let tracked = self.members.get(member.get()).into_iter();
        tracked.flat_map(|tracked| tracked.holds.iter().map(|(federation, _)| *federation))
    }

    /// How often a member that is kept back was withdrawn of late, and until when it is.
    pub(super) fn kept_back(&self, member: MemberIdx) -> Option<(u32, Instant)> {
        let tracked = self.members.get(member.get())?;
        Some((tracked.damper.count(), tracked.quiet_until()?))
    }

    /// The state of a member.
    pub(super) fn state(&self, member: MemberIdx) -> Option<MemberState> {
        self.members.get(member.get()).map(|tracked| tracked.state)
    }

    /// The members whose hold in a federation has passed: withdrawn wherever another is live.
    pub(super) fn expired(&self, federation: usize) -> MemberSet {
        let expired = (0u8..=u8::MAX).zip(&self.members).filter(|(_, tracked)| {
            let counts = tracked.contact.is_returning() && !tracked.is_kept_back;
            !counts && tracked.expired.contains(&federation)
        });
        expired.map(|(index, _)| MemberIdx(index)).collect()
    }

    /// Whether the brake is on.
    pub(super) fn is_braked(&self) -> bool {
        self.brake.is_some()
    }

    /// Whether each member synced, was restored or timed out, and one at least has facts
    /// (names: decision 10). A member added while running delays nothing.
    pub(super) fn is_ready(&self) -> bool {
        let awaited = MemberState::Syncing(Joined::AtStart);
        let is_awaited = self.members.iter().any(|tracked| tracked.state == awaited);
        let has_facts = self
            .members
            .iter()
            .any(|tracked| tracked.contact.has_facts());
        !is_awaited && (has_facts || self.members.is_empty())
    }

    /// Puts the brake on or takes it off.
    fn settle_brake(&mut self, now: Instant) {
        let live = self.count(Tracked::is_in_contact);
        match self.brake {
            None => {
                let recent = |lost: &Instant| now.duration_since(*lost) < BRAKE_WINDOW;
                let losses = self
                    .members
                    .iter()
                    .filter_map(|tracked| tracked.contact.lost());
                let losses: Vec<Instant> = losses.filter(recent).collect();
                if losses.len() > live {
                    let from = losses.into_iter().min();
                    self.brake = from.map(|from| Brake { from });
                }
            }
            Some(Brake { from }) => {
                let is_of_it = |lost: Instant| lost >= from;
                if self.count(|tracked| tracked.contact.lost().is_some_and(is_of_it)) <= live {
                    self.brake = None;
                    self.released = Some(now);
                }
            }
        }
    }

    /// How many members are as `claim` says.
    fn count(&self, claim: impl Fn(&Tracked) -> bool) -> usize {
        self.members.iter().filter(|tracked| claim(tracked)).count()
    }
}

impl Tracked {
    /// A member without facts.
    fn new(fleet: &Fleet, member: &Member, joined: Joined, now: Instant) -> Self {
        let federations = fleet.federations.iter().enumerate();
        let federations =
            federations.filter(|(_, federation)| Pattern::any(&federation.members, &member.name));
        let timeouts = federations
            .clone()
            .map(|(_, federation)| federation.sync_timeout);
        Self {
            sync_timeout: timeouts.max().unwrap_or(SYNC_TIMEOUT),
            holds: federations
                .map(|(index, federation)| (index, federation.hold))
                .collect(),
            joined,
            awaited: now,
            has_synced: false,
            contact: Contact::Without,
            expired: Vec::new(),
            begun: now,
            damper: Damper::default(),
            is_counted: false,
            is_kept_back: false,
            state: MemberState::Syncing(joined),
        }
    }

    /// Becomes what the member of this name was under the configuration before.
    fn take_over(&mut self, before: &Self, old: &Fleet, new: &Fleet, is_braked: bool) {
        self.joined = before.joined;
        self.awaited = before.awaited;
        self.has_synced = before.has_synced;
        self.contact = before.contact;
        self.state = before.state;
        self.begun = before.begun;
        self.damper = before.damper;
        self.is_counted = before.is_counted;
        if is_braked || before.is_kept_back {
            // No hold passes now, so what had passed must be carried over, by name.
            let names = before
                .expired
                .iter()
                .filter_map(|index| old.federations.get(*index));
            let indices = names.filter_map(|federation| {
                let is_it = |other: &Federation| other.name == federation.name;
                new.federations.iter().position(is_it)
            });
            let takes_part = |index: &usize| self.holds.iter().any(|(held, _)| held == index);
            self.expired = indices.filter(takes_part).collect();
        }
    }

    /// Something happened to it.
    fn happen(&mut self, happening: Happening, now: Instant) {
        self.contact = self.contact.after(happening, now);
        match happening {
            Happening::Synced => self.has_synced = true,
            // Its other facts were served, so what follows is no start any more.
            Happening::Forgotten if self.has_synced => {
                self.joined = Joined::WhileRunning;
                self.awaited = now;
                self.has_synced = false;
            }
            _ => {}
        }
    }

    /// Notes the holds that have passed. Returns whether there is a new one, or an end of one.
    fn expire(&mut self, released: Option<Instant>, is_braked: bool, now: Instant) -> bool {
        let time = now.duration_since(self.begun);
        let is_back = self.contact.is_back();
        let was_kept_back = self.is_kept_back;
        self.is_kept_back = is_back && !self.expired.is_empty() && self.damper.is_quiet(time);
        let Contact::Gone { since, .. } = self.contact else {
            let had_expired = !self.expired.is_empty();
            if !self.is_kept_back {
                self.expired.clear();
                self.is_counted = false;
            }
            return had_expired && !self.is_kept_back;
        };
        if was_kept_back && !is_back {
            // It is lost again before it was let back.
            self.damper.withdrawn(time);
        }
        if is_braked {
            return was_kept_back != self.is_kept_back;
        }
        let from = released.map_or(since, |released| released.max(since));
        let before = self.expired.len();
        for (federation, hold) in &self.holds {
            if now >= from + *hold && !self.expired.contains(federation) {
                self.expired.push(*federation);
            }
        }
        if !self.expired.is_empty() && !std::mem::replace(&mut self.is_counted, true) {
            self.damper.withdrawn(time);
        }
        self.expired.len() > before || was_kept_back != self.is_kept_back
    }

    /// Until when it is kept back, if it is.
    fn quiet_until(&self) -> Option<Instant> {
        let until = self.damper.quiet_until().filter(|_| self.is_kept_back)?;
        Some(self.begun + until)
    }

    /// The holds that have not passed.
    fn pending_holds(&self) -> impl Iterator<Item = Duration> {
        let pending = self
            .holds
            .iter()
            .filter(|(federation, _)| !self.expired.contains(federation));
        pending.map(|(_, hold)| *hold)
    }

    /// The state that follows from everything else.
    fn derived(&self, now: Instant) -> MemberState {
        match self.contact {
            Contact::Without if now >= self.awaited + self.sync_timeout => MemberState::NeverSynced,
            Contact::Without => MemberState::Syncing(self.joined),
            Contact::Live if self.is_kept_back => MemberState::Returning,
            Contact::Live => MemberState::Ready,
            Contact::Gone {
                is_returning: true, ..
            } => MemberState::Returning,
            Contact::Gone { .. } if self.is_lost() => MemberState::Lost,
            Contact::Gone { .. } => MemberState::Held,
        }
    }

    /// Whether its hold has passed in every federation that it takes part in.
    fn is_lost(&self) -> bool {
        !self.holds.is_empty() && self.expired.len() == self.holds.len()
    }

    /// Whether it counts among those in contact for the brake.
    fn is_in_contact(&self) -> bool {
        match self.contact {
            Contact::Without => false,
            Contact::Live
            | Contact::Gone {
                is_returning: true, ..
            } => true,
            Contact::Gone { lost, .. } => lost.is_none() && !self.is_lost(),
        }
    }
}
