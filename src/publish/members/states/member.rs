//! One member: what is known of its contact, and what that makes of its holds.

use std::time::Duration;

use tokio::time::Instant;

use super::hold::Hold;
use super::member_contact::{ContactEvent, MemberContact, Told};
use crate::model::{Damper, Fleet, Joined, Member, MemberState, Pattern};
use crate::publish::now::BEGUN;

/// The `sync-timeout` of a member that takes part in no federation (docs/names.md, decision 10).
const SYNC_TIMEOUT: Duration = Duration::from_secs(30);

/// One member.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Tracked {
    /// How long its first sync may take: the longest of its federations.
    pub(super) sync_timeout: Duration,
    /// One for each federation that it takes part in.
    pub(super) holds: Vec<Hold>,
    /// How it came into the fleet.
    joined: Joined,
    /// Since when its first sync is awaited.
    pub(super) awaited: Instant,
    /// It was in sync since then.
    pub(super) has_synced: bool,
    /// What is known of the contact.
    pub(super) contact: MemberContact,
    /// The moment that is [`BEGUN`] to its damper.
    pub(super) begun: Instant,
    /// How often it was withdrawn of late.
    pub(super) damper: Damper,
    /// Its damper has counted that it is withdrawn now.
    pub(super) is_counted: bool,
    /// Its state, as last derived.
    pub(super) state: MemberState,
}

impl Tracked {
    /// A member without facts.
    pub(super) fn new(fleet: &Fleet, member: &Member, joined: Joined, now: Instant) -> Self {
        let federations = fleet.federations.iter().enumerate();
        let federations =
            federations.filter(|(_, federation)| Pattern::any(&federation.members, &member.name));
        let timeouts = federations
            .clone()
            .map(|(_, federation)| federation.sync_timeout);
        Self {
            sync_timeout: timeouts.max().unwrap_or(SYNC_TIMEOUT),
            holds: federations
                .map(|(index, federation)| Hold::new(index, federation, now))
                .collect(),
            joined,
            awaited: now,
            has_synced: false,
            contact: MemberContact::Without,
            begun: now,
            damper: Damper::default(),
            is_counted: false,
            state: MemberState::Syncing(joined),
        }
    }

    /// Becomes what the member of this name was under the configuration before; `old_place` is the
    /// place that a federation had there.
    pub(super) fn take_over(
        &mut self,
        before: &Self,
        old_place: impl Fn(usize) -> Option<usize>,
        now: Instant,
    ) {
        self.joined = before.joined;
        self.awaited = before.awaited;
        self.has_synced = before.has_synced;
        self.contact = before.contact;
        self.state = before.state;
        self.begun = before.begun;
        self.damper = before.damper;
        self.is_counted = before.is_counted;
        for hold in &mut self.holds {
            let before = old_place(hold.federation).and_then(|place| before.hold(place));
            if let Some(before) = before {
                hold.take_over(before, now);
            }
        }
        // Longer holds take back that it was withdrawn, with what was counted of it: once they have
        // passed it is so again, and counted once, in whatever process that is.
        if self.contact.is_gone() && !self.is_withdrawn() && std::mem::take(&mut self.is_counted) {
            self.damper.taken_back();
        }
    }

    /// Something happened to it.
    pub(super) fn on_contact_event(&mut self, event: ContactEvent, now: Instant) {
        let was_live = self.contact.is_live();
        self.contact = self.contact.after(event, now);
        if !self.contact.is_presumed() {
            for hold in &mut self.holds {
                hold.has_passed |= std::mem::take(&mut hold.was_suppressed);
            }
        }
        match event {
            ContactEvent::Synced => self.has_synced = true,
            // Its other facts were served, so what follows is no start any more.
            ContactEvent::Forgotten if self.has_synced => {
                self.joined = Joined::WhileRunning;
                self.awaited = now;
                self.has_synced = false;
            }
            _ => {}
        }
        if was_live && self.contact.is_gone() {
            if self.is_withdrawn() {
                // It is lost again before it was let back.
                self.damper.withdrawn(self.time(now));
            }
            for hold in &mut self.holds {
                hold.begin(now);
            }
        }
    }

    /// Follows the time: holds pass, and end when the member is let back. Returns whether it counts
    /// otherwise in any federation.
    pub(super) fn settle_holds(&mut self, is_braked: impl Fn(usize) -> bool, now: Instant) -> bool {
        let mut counts_otherwise = false;
        match self.contact {
            MemberContact::Gone { returning, .. } => {
                for hold in &mut self.holds {
                    let is_due = hold.passes(returning).is_some_and(|at| at <= now);
                    if is_due && !is_braked(hold.federation) {
                        hold.has_passed = true;
                        hold.was_suppressed = false;
                        counts_otherwise = true;
                    }
                    if !hold.is_abandoned && now >= hold.abandoned_at {
                        hold.is_abandoned = true;
                        counts_otherwise = true;
                    }
                }
                if self.is_withdrawn() && !std::mem::replace(&mut self.is_counted, true) {
                    self.damper.withdrawn(self.time(now));
                }
            }
            MemberContact::Live { .. }
                if self.is_withdrawn() && self.damper.is_quiet(self.time(now)) => {}
            MemberContact::Live { .. } | MemberContact::Without => {
                counts_otherwise = self.is_withdrawn();
                self.is_counted = false;
                for hold in &mut self.holds {
                    hold.has_passed = false;
                    hold.was_suppressed = false;
                    hold.is_abandoned = false;
                }
            }
        }
        counts_otherwise
    }

    /// When it may next change by itself.
    pub(super) fn deadline(&self, is_braked: impl Fn(usize) -> bool) -> Option<Instant> {
        match self.contact {
            MemberContact::Without if self.state == MemberState::NeverSynced => None,
            MemberContact::Without => Some(self.awaited + self.sync_timeout),
            MemberContact::Live { .. } => self.kept_until(),
            MemberContact::Gone { returning, .. } => {
                let holds = self.holds.iter().flat_map(|hold| {
                    let passes = hold.passes(returning);
                    let abandoned = (!hold.is_abandoned).then_some(hold.abandoned_at);
                    let passes = passes.filter(|_| !is_braked(hold.federation));
                    passes.into_iter().chain(abandoned)
                });
                holds.min()
            }
        }
    }

    /// The state that follows from everything else.
    pub(super) fn derived(&self, now: Instant) -> MemberState {
        match self.contact {
            MemberContact::Without if now >= self.awaited + self.sync_timeout => {
                MemberState::NeverSynced
            }
            MemberContact::Without => MemberState::Syncing(self.joined),
            MemberContact::Live { .. } if self.is_withdrawn() => MemberState::Returning,
            MemberContact::Live { .. } => MemberState::Ready,
            MemberContact::Gone { .. } if self.contact.returning().is_some() => {
                MemberState::Returning
            }
            MemberContact::Gone { .. } if self.is_lost() => MemberState::Lost,
            MemberContact::Gone { .. } => MemberState::Held,
        }
    }

    /// Its hold in a federation, if it takes part in it.
    pub(super) fn hold(&self, federation: usize) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.federation == federation)
    }

    /// The same, to be changed.
    pub(super) fn hold_mut(&mut self, federation: usize) -> Option<&mut Hold> {
        let mut holds = self.holds.iter_mut();
        holds.find(|hold| hold.federation == federation)
    }

    /// Until when it is suppressed, if it is: back in contact, and withdrawn as before.
    pub(super) fn kept_until(&self) -> Option<Instant> {
        let is_kept_back = self.contact.is_live() && self.is_withdrawn();
        let until = self.damper.quiet_until().filter(|_| is_kept_back)?;
        Some(self.begun + until.saturating_sub(BEGUN))
    }

    /// Whether its hold has passed in every federation that it takes part in.
    pub(super) fn is_lost(&self) -> bool {
        !self.holds.is_empty() && self.holds.iter().all(|hold| hold.has_passed)
    }

    /// Whether its hold has passed in any federation, and it was not let back.
    pub(super) fn is_withdrawn(&self) -> bool {
        let mut holds = self.holds.iter();
        holds.any(|hold| hold.has_passed || hold.was_suppressed)
    }

    /// Whether it counts among those in contact for the brake: its facts are live, it answers again, or nothing was heard since the start.
    pub(super) fn is_in_contact(&self) -> bool {
        match self.contact {
            MemberContact::Without => false,
            MemberContact::Live { .. } => true,
            MemberContact::Gone { told, returning } => {
                returning.is_some() || (told == Told::Not && !self.is_lost())
            }
        }
    }

    /// A time as its damper counts it.
    pub(super) fn time(&self, now: Instant) -> Duration {
        BEGUN + now.saturating_duration_since(self.begun)
    }
}
