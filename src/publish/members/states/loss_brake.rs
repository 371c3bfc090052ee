//! The brake on lost members: when most of a federation's members are lost at once, the watcher
//! itself is the likelier culprit (docs/names.md, decision 5).
//!
//! It goes on when the members that were lost within the last [`WINDOW`] are more than those in
//! contact. While it is on no hold passes in its federation; what was withdrawn before stays so, since
//! that loss is older than the doubt. It is for a moment of doubt: it goes off when those lost since it
//! began are no longer more than those in contact; or when any member has been in contact for
//! [`WINDOW`] without a break since, which shows that we can hear; or after [`LONGEST`]. The holds of
//! its losses begin anew then, once; older ones have run on.
//!
//! Losses that an earlier process knew of do not count. Members of which nothing was heard since the
//! start count as in contact until their source reports a loss: silence right after the start says
//! nothing of the network.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::member::Tracked;
use super::member_contact::{MemberContact, Told};
use crate::model::MemberIdx;

/// Losses within this time of each other may put the brake on, and contact for so long takes it off.
pub(in crate::publish) const WINDOW: Duration = Duration::from_secs(60);

/// How long it is on at most.
pub(in crate::publish) const LONGEST: Duration = Duration::from_secs(600);

/// The brake of a federation while it is on.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemberLossBrake {
    /// Losses from here on belong to it.
    pub(super) from: Instant,
    /// Since when it is on.
    pub(super) on: Instant,
}

/// Puts the brake of a federation on or takes it off.
pub(super) fn settle(
    place: &mut Option<MemberLossBrake>,
    federation: usize,
    members: &mut BTreeMap<MemberIdx, Tracked>,
    now: Instant,
) {
    let in_contact = count(federation, members, Tracked::is_in_contact);
    let Some(brake) = *place else {
        let is_recent = |lost: &Instant| now.saturating_duration_since(*lost) < WINDOW;
        let losses = members_of(federation, members);
        let losses = losses.filter_map(|tracked| tracked.contact.lost());
        let losses: Vec<Instant> = losses.filter(is_recent).collect();
        if losses.len() > in_contact {
            let from = losses.into_iter().min();
            *place = from.map(|from| MemberLossBrake { from, on: now });
        }
        return;
    };
    let is_of_it = |tracked: &Tracked| tracked.contact.lost().is_some_and(|at| at >= brake.from);
    let is_over = count(federation, members, is_of_it) <= in_contact
        || brake.until(federation, members) <= now;
    if !is_over {
        return;
    }
    *place = None;
    for tracked in members.values_mut() {
        let belongs = match tracked.contact {
            MemberContact::Gone {
                told: Told::Now(at),
                ..
            } => at >= brake.from,
            _ => false,
        };
        if let Some(hold) = tracked.hold_mut(federation)
            && belongs
            && !hold.has_passed
            && !hold.is_renewed
        {
            hold.until = now + hold.length;
            hold.is_renewed = true;
        }
    }
}

impl MemberLossBrake {
    /// When it goes off at the latest, if nothing else happens.
    pub(super) fn until(
        self,
        federation: usize,
        members: &BTreeMap<MemberIdx, Tracked>,
    ) -> Instant {
        let heard = members_of(federation, members).filter_map(|tracked| {
            let MemberContact::Live { since } = tracked.contact else {
                return None;
            };
            Some(since.max(self.on) + WINDOW)
        });
        heard.fold(self.on + LONGEST, Instant::min)
    }
}

/// The members of a federation.
fn members_of(
    federation: usize,
    members: &BTreeMap<MemberIdx, Tracked>,
) -> impl Iterator<Item = &Tracked> {
    let members = members.values();
    members.filter(move |tracked| tracked.hold(federation).is_some())
}

/// How many members of a federation are as `claim` says.
fn count(
    federation: usize,
    members: &BTreeMap<MemberIdx, Tracked>,
    claim: impl Fn(&Tracked) -> bool,
) -> usize {
    let members = members_of(federation, members);
    members.filter(|tracked| claim(tracked)).count()
}
