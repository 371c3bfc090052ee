//! What is left of holds that run: answers may not outlive the facts that they are made of.

use std::time::Duration;

use tokio::time::Instant;

use crate::publish::members::states::States;
use crate::snapshot::UNSETTLED_TTL;

impl States {
    /// What is left of the shortest hold that runs in a federation, in whole seconds rounded up;
    /// `None` when that is more than [`UNSETTLED_TTL`], or none runs.
    pub(in crate::publish) fn hold_left(&self, federation: usize, now: Instant) -> Option<u32> {
        let left = self.running(federation, now).min()?;
        whole(left).filter(|seconds| *seconds <= UNSETTLED_TTL)
    }

    /// When [`Self::hold_left`] of a federation changes next by itself; the end of a hold is a
    /// transition, and not told here.
    pub(in crate::publish) fn next_hold_left(
        &self,
        federation: usize,
        now: Instant,
    ) -> Option<Instant> {
        let next = |left: Duration| {
            let seconds = whole(left).map_or(UNSETTLED_TTL, |seconds| {
                UNSETTLED_TTL.min(seconds.saturating_sub(1))
            });
            let seconds = Duration::from_secs(seconds.into());
            (!seconds.is_zero()).then(|| now + left.saturating_sub(seconds))
        };
        self.running(federation, now).filter_map(next).min()
    }

    /// What is left of each hold that runs in a federation.
    fn running(&self, federation: usize, now: Instant) -> impl Iterator<Item = Duration> {
        let is_braked = self.is_braked(federation);
        let members = self.members.values().filter(move |_| !is_braked);
        members.filter_map(move |tracked| {
            let hold = tracked.hold(federation)?;
            let runs = tracked.contact.is_gone() && !hold.has_passed;
            let passes = hold.passes(tracked.contact.returning());
            passes
                .filter(|_| runs)
                .map(|at| at.saturating_duration_since(now))
        })
    }
}

/// Whole seconds, rounded up; `None` when there are too many.
fn whole(time: Duration) -> Option<u32> {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(seconds).ok()
}
