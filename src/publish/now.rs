//! Both clocks, read once for each turn of the writer.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::UnixSeconds;

/// What the moment that a damper counts from is to it: withdrawals by an earlier process are before.
pub(super) const BEGUN: Duration = Duration::from_secs(3600);

/// Both clocks, read once for each turn of the writer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For durations.
    pub(super) instant: Instant,
    /// For what is shown and kept.
    pub(super) wall: UnixSeconds,
}

impl Now {
    /// What the wall clock says, said or will say at a moment: whole seconds, and never too early.
    pub(super) fn wall_of(self, at: Instant) -> UnixSeconds {
        let left = at.saturating_duration_since(self.instant);
        let left = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let passed = self.instant.saturating_duration_since(at).as_secs();
        UnixSeconds((self.wall.0 + left).saturating_sub(passed))
    }

    /// The same of a moment as a damper counts it, to which `begun` is [`BEGUN`]: perhaps one before this
    /// process.
    pub(super) fn wall_of_counted(self, begun: Instant, at: Duration) -> UnixSeconds {
        let (before, since) = (BEGUN.saturating_sub(at), at.saturating_sub(BEGUN));
        let UnixSeconds(at) = self.wall_of(begun + since);
        UnixSeconds(at.saturating_sub(before.as_secs()))
    }
}
