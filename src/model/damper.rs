//! Damping: what goes away too often is let back only after a quiet time, which grows.

use std::time::Duration;

/// The quiet time after the second withdrawal; each further one doubles it.
const FIRST_QUIET: Duration = Duration::from_secs(5);

/// The longest quiet time.
const LONGEST_QUIET: Duration = Duration::from_secs(300);

/// How long after the last withdrawal all are forgotten.
const MEMORY: Duration = Duration::from_secs(600);

/// Counts how often something was withdrawn of late, and says how long it stays away.
///
/// It is withdrawn at once, always. The first time it may return at once too; from the second on
/// it stays away for 5 s, 10 s, 20 s … 5 minutes from its last withdrawal. All is forgotten when it
/// has not been withdrawn for ten minutes, so whatever keeps failing returns about every five
/// minutes, and not more often.
///
/// Times are since any fixed moment, of a clock that never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Damper {
    /// Withdrawals, none more than [`MEMORY`] after the one before.
    count: u32,
    /// When the last one was.
    last: Duration,
}

impl Damper {
    /// One that was withdrawn so often of late, and last at `last`.
    pub fn of(count: u32, last: Duration) -> Self {
        Self { count, last }
    }

    /// When it was withdrawn last.
    pub fn last(&self) -> Duration {
        self.last
    }

    /// It is withdrawn.
    pub fn withdrawn(&mut self, now: Duration) {
        let before = if self.is_over(now) { 0 } else { self.count };
        self.count = before.saturating_add(1);
        self.last = now;
    }

    /// Its last withdrawal was none after all: the rule by which it was is another one now.
    pub fn taken_back(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    /// Withdrawals that count. Those that are [over](Self::is_over) still do.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Until when it stays away; `None` if it may return at once. May be past.
    pub fn quiet_until(&self) -> Option<Duration> {
        let doublings = self.count.checked_sub(2)?;
        let factor = 2_u32.saturating_pow(doublings);
        let quiet = FIRST_QUIET.saturating_mul(factor).min(LONGEST_QUIET);
        Some(self.last.saturating_add(quiet))
    }

    /// Whether it is suppressed at `now`.
    pub fn is_quiet(&self, now: Duration) -> bool {
        self.quiet_until().is_some_and(|until| now < until)
    }

    /// Whether all is forgotten at `now`: then it is as good as a new one.
    pub fn is_over(&self, now: Duration) -> bool {
        self.count == 0 || now.saturating_sub(self.last) >= MEMORY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment, in seconds.
    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_quiet_time_doubles_and_is_bounded() {
        let mut damper = Damper::default();
        assert_eq!((damper.quiet_until(), damper.is_over(at(0))), (None, true));
        let mut now = at(1000);
        for (withdrawal, quiet) in (1..).zip([0, 5, 10, 20, 40, 80, 160, 300, 300, 300]) {
            damper.withdrawn(now);
            assert_eq!(damper.count(), withdrawal);
            let expected = (quiet > 0).then(|| now + at(quiet));
            assert_eq!(damper.quiet_until(), expected, "{withdrawal}");
            now += at(quiet);
            assert!(!damper.is_quiet(now));
        }
        for _ in 0..100 {
            damper.withdrawn(now);
        }
        assert_eq!(damper.quiet_until(), Some(now + at(300)));
    }

    #[test]
    fn ten_quiet_minutes_are_as_if_nothing_had_been() {
        let mut damper = Damper::default();
        damper.withdrawn(at(0));
        damper.withdrawn(at(599));
        assert!(damper.is_quiet(at(603)) && !damper.is_quiet(at(604)));
        assert!(!damper.is_over(at(1198)) && damper.is_over(at(1199)));
        damper.withdrawn(at(1199));
        assert_eq!((damper.count(), damper.quiet_until()), (1, None));
    }
}
