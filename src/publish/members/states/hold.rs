//! The hold of a member in one federation.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Federation;

/// For how long at most no hold passes of a member that is listing.
pub(super) const LISTING: Duration = Duration::from_secs(60);

/// The hold of a member in one federation. All but its length counts only while the member is not in
/// contact, or is suppressed.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else of it"
)]
pub(super) struct Hold {
    /// The federation, in configuration order.
    pub(super) federation: usize,
    /// How long it lasts.
    pub(super) length: Duration,
    /// For how long without contact a bare TCP connection proves an address.
    pub(super) tcp_proof: Duration,
    /// When it passes.
    pub(super) until: Instant,
    /// It has passed: the member is withdrawn where something sure is left.
    pub(super) has_passed: bool,
    /// It had passed to an earlier process, which was in contact again and suppressed the member. It runs
    /// as that of any member that was in contact, until something is heard: then it has passed.
    pub(super) was_suppressed: bool,
    /// It has begun anew when a brake went off; no other brake makes it begin anew once more.
    pub(super) is_renewed: bool,
    /// When a bare TCP connection proves nothing any more.
    pub(super) abandoned_at: Instant,
    /// That has come.
    pub(super) is_abandoned: bool,
}

impl Hold {
    /// The hold of a member that is in contact at `now`.
    pub(super) fn new(federation: usize, rules: &Federation, now: Instant) -> Self {
        let mut hold = Self {
            federation,
            length: rules.hold,
            tcp_proof: rules.tcp_proof,
            until: now,
            has_passed: false,
            was_suppressed: false,
            is_renewed: false,
            abandoned_at: now,
            is_abandoned: false,
        };
        hold.begin(now);
        hold
    }

    /// It begins, as its member is lost.
    pub(super) fn begin(&mut self, now: Instant) {
        self.until = now + self.length;
        self.is_renewed = false;
        self.abandoned_at = now + self.tcp_proof;
        self.is_abandoned = false;
    }

    /// It goes on as that of the same federation under the configuration before. One that was made
    /// longer, and would not have passed, has not.
    pub(super) fn take_over(&mut self, before: &Self, now: Instant) {
        self.until = moved(before.until, before.length, self.length, now);
        let is_taken_back = self.length > before.length && now < self.until;
        self.has_passed = before.has_passed && !is_taken_back;
        self.was_suppressed = before.was_suppressed && !is_taken_back;
        self.is_renewed = before.is_renewed;
        self.abandoned_at = moved(before.abandoned_at, before.tcp_proof, self.tcp_proof, now);
        self.is_abandoned = now >= self.abandoned_at;
    }

    /// When it passes by itself; `None` once it has. None passes while its member is listing, for
    /// [`LISTING`] at most.
    pub(super) fn passes(&self, returning: Option<Instant>) -> Option<Instant> {
        let earliest = returning.map(|since| since + LISTING);
        (!self.has_passed).then(|| earliest.map_or(self.until, |at| self.until.max(at)))
    }
}

/// A moment that follows another by a time that is another one now; not before `now` if it was not.
fn moved(at: Instant, before: Duration, after: Duration, now: Instant) -> Instant {
    let later = at + after.saturating_sub(before);
    let earlier = before.saturating_sub(after);
    later.checked_sub(earlier).unwrap_or(now)
}
