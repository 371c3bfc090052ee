//! What of the states says how they go on, for a walk that visits each once.

use std::time::Duration;

use tokio::time::Instant;

use super::hold::LISTING;
use super::loss_brake::WINDOW;
use super::member::Tracked;
use super::member_contact::{MemberContact, Told};
use crate::model::MemberState;
use crate::publish::members::states::States;

/// Times further away than any rule looks but the one of bare TCP connections, in seconds.
const FAR: i64 = 700;

impl States {
    /// Everything that says how the states go on, with times relative to `now` in seconds, and those
    /// alike that no rule tells apart.
    pub(in crate::publish) fn canonical(&self, now: Instant) -> Vec<i64> {
        let mut parts = Vec::new();
        for brake in &self.brakes {
            parts.push(brake.map_or(-1, |brake| age(brake.on, now)));
        }
        for tracked in self.members.values() {
            tracked.canonical(now, &mut parts);
            for brake in self.brakes.iter().flatten() {
                let is_of_it = match tracked.contact {
                    MemberContact::Gone {
                        told: Told::Now(at),
                        ..
                    } => at >= brake.from,
                    _ => false,
                };
                parts.push(i64::from(is_of_it));
            }
        }
        parts
    }
}

impl Tracked {
    fn canonical(&self, now: Instant, parts: &mut Vec<i64>) {
        parts.push(match self.state {
            MemberState::Syncing(joined) => joined as i64,
            MemberState::NeverSynced => 2,
            MemberState::Ready => 3,
            MemberState::Held => 4,
            MemberState::Lost => 5,
            MemberState::Returning => 6,
        });
        let window = i64::try_from(WINDOW.max(LISTING).as_secs()).unwrap();
        match self.contact {
            MemberContact::Without => {
                parts.extend([0, left(self.awaited + self.sync_timeout, now)]);
            }
            MemberContact::Live { since } => parts.extend([1, age(since, now).min(window)]),
            MemberContact::Gone { told, returning } => {
                let told = match told {
                    Told::Not => -1,
                    Told::Earlier(_) => -2,
                    Told::Now(at) => age(at, now).min(window),
                };
                let returning = returning.map_or(-1, |at| age(at, now).min(window));
                parts.extend([2, told, returning]);
            }
        }
        parts.push(i64::from(self.has_synced) + 2 * i64::from(self.is_counted));
        for hold in &self.holds {
            let counts = self.contact.is_gone() || hold.has_passed;
            let flags = [
                hold.has_passed,
                hold.was_suppressed,
                hold.is_renewed,
                hold.is_abandoned,
            ];
            let flags = flags.map(i64::from);
            parts.push(flags.into_iter().fold(0, |all, flag| all * 2 + flag));
            if counts {
                parts.extend([left(hold.until, now), left(hold.abandoned_at, now)]);
            }
        }
        let count = self.damper.count().min(8);
        let ago = self.time(now).saturating_sub(self.damper.last());
        let ago = if count > 0 { seconds(ago) } else { 0 };
        parts.extend([i64::from(count), ago]);
    }
}

/// For how many seconds something has been so.
fn age(since: Instant, now: Instant) -> i64 {
    seconds(now.saturating_duration_since(since))
}

/// In how many seconds something is, or since when it was.
fn left(at: Instant, now: Instant) -> i64 {
    seconds(at.saturating_duration_since(now)) - age(at, now)
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(FAR).min(FAR)
}
