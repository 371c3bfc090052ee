//! The SOA serial (docs/names.md, D.10).

use std::time::Duration;

use tokio::time::Instant;

use crate::model::UnixSeconds;
use crate::snapshot::Serial;

/// At most one bump in this time (docs/names.md, D.10).
const INTERVAL: Duration = Duration::from_secs(5);

/// The serial, and when it may next move.
#[derive(Debug, Default)]
pub(in crate::publish) struct SerialClock {
    /// The present serial.
    last: Serial,
    /// When it last moved; `None` before the first bump of this process.
    bumped: Option<Instant>,
    /// Something was published under a serial that was out already.
    is_owed: bool,
}

impl SerialClock {
    /// Goes on after the last serial of an earlier process.
    pub(in crate::publish) fn after(last: Serial) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// The serial for a publication now. Moves to the greater of the next number and the Unix
    /// seconds, in serial arithmetic (RFC 1982), so it never goes back when the clock does.
    pub(in crate::publish) fn publish(&mut self, now: Instant, wall: UnixSeconds) -> Serial {
        if self.bumped.is_some_and(|bumped| now < bumped + INTERVAL) {
            self.is_owed = true;
            return self.last;
        }
        let next = self.last.0.wrapping_add(1);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a serial counts modulo 2^32"
        )]
        let seconds = wall.0 as u32;
        let is_ahead = seconds.wrapping_sub(next) < 1 << 31;
        self.last = Serial(if is_ahead { seconds } else { next });
        self.bumped = Some(now);
        self.is_owed = false;
        self.last
    }

    /// When a change that went out under an old serial needs a new one.
    pub(in crate::publish) fn due(&self) -> Option<Instant> {
        self.bumped
            .filter(|_| self.is_owed)
            .map(|bumped| bumped + INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_follows_the_clock_and_never_goes_back() {
        let check = |last: u32, wall: u64, expected: u32| {
            let mut serial = SerialClock::after(Serial(last));
            let got = serial.publish(Instant::now(), UnixSeconds(wall));
            assert_eq!(got, Serial(expected), "{last} {wall}");
        };
        check(0, 1_800_000_000, 1_800_000_000);
        check(1_800_000_000, 1_800_000_000, 1_800_000_001);
        check(1_800_000_500, 1_800_000_000, 1_800_000_501);
        check(u32::MAX, (1 << 32) + 7, 7);
    }

    #[test]
    fn the_serial_moves_at_most_once_in_five_seconds_and_then_owes_nothing() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut serial = SerialClock::default();
        let first = serial.publish(at(0), UnixSeconds(1000));
        assert_eq!(serial.due(), None);
        assert_eq!(serial.publish(at(1), UnixSeconds(1001)), first);
        assert_eq!(serial.due(), Some(at(5)));
        assert_eq!(serial.publish(at(5), UnixSeconds(1005)), Serial(1005));
        assert_eq!(serial.due(), None);
    }
}
