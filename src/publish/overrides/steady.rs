//! Seconds that pass evenly: what is due follows them, whatever is done to the wall clock, which only
//! dates it.

use tokio::time::Instant;

use crate::model::{Overrides, UnixSeconds};
use crate::publish::now::Now;

/// By how many seconds the wall clock may differ from what it was last seen to, before dates are
/// given anew: two clocks of whole seconds differ by one now and then.
const PLAY: i64 = 1;

/// Seconds that pass evenly, counted from what the wall clock said at the start.
#[derive(Debug, Clone, Copy)]
pub(in crate::publish) struct Steady {
    /// The start.
    begun: Instant,
    /// What the wall clock said then, or later if it has been set back since the last process.
    at: UnixSeconds,
    /// By how many seconds the wall clock is ahead.
    ahead: i64,
}

impl Steady {
    /// Begins to count. Nothing that was dated by an earlier process, such as `latest`, is to come.
    pub(in crate::publish) fn new(now: Now, latest: Option<UnixSeconds>) -> Self {
        let mut steady = Self {
            begun: now.instant,
            at: latest.map_or(now.wall, |latest| latest.max(now.wall)),
            ahead: 0,
        };
        steady.compare(now);
        steady
    }

    /// The moment that it is.
    pub(in crate::publish) fn now(&self, now: Instant) -> UnixSeconds {
        let passed = now.saturating_duration_since(self.begun).as_secs();
        UnixSeconds(self.at.0.saturating_add(passed))
    }

    /// By how many seconds the wall clock is ahead, as last compared.
    pub(in crate::publish) fn ahead(&self) -> i64 {
        self.ahead
    }

    /// Compares it with the wall clock. Returns by how many seconds that was set since it was last
    /// compared; zero if it was not.
    pub(in crate::publish) fn compare(&mut self, now: Now) -> i64 {
        let ahead = now
            .wall
            .0
            .wrapping_sub(self.now(now.instant).0)
            .cast_signed();
        if ahead.abs_diff(self.ahead) <= PLAY.unsigned_abs() {
            return 0;
        }
        let before = std::mem::replace(&mut self.ahead, ahead);
        ahead.saturating_sub(before)
    }
}

/// The same decisions with the dates that a wall clock gives which is ahead by so many seconds.
pub(in crate::publish) fn dated(overrides: &Overrides, ahead: i64) -> Overrides {
    let date = |at: UnixSeconds| UnixSeconds(at.0.saturating_add_signed(ahead));
    let mut dated = overrides.clone();
    if let Some(freeze) = &mut dated.frozen {
        freeze.since = date(freeze.since);
        freeze.until = freeze.until.map(date);
    }
    for drain in &mut dated.drains {
        drain.begun = drain.begun.map(date);
        drain.until = drain.until.map(date);
        drain.safe_at = drain.safe_at.map(date);
    }
    dated
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_goes_on_whatever_the_wall_clock_says() {
        let begun = Instant::now();
        let at = |seconds, wall| Now {
            instant: begun + Duration::from_secs(seconds),
            wall: UnixSeconds(wall),
        };
        let mut steady = Steady::new(at(0, 1000), None);
        for (seconds, wall, set, ahead) in [
            (10, 1010, 0, 0),
            (20, 1021, 0, 0),
            (30, 9030, 8000, 8000),
            (40, 40, -9000, -1000),
        ] {
            let by = steady.compare(at(seconds, wall));
            let now = steady.now(at(seconds, wall).instant);
            let found = (now.0, by, steady.ahead());
            assert_eq!(found, (1000 + seconds, set, ahead));
        }
        let behind = Steady::new(at(0, 1000), Some(UnixSeconds(5000)));
        assert_eq!((behind.now(begun).0, behind.ahead()), (5000, -4000));
    }
}
