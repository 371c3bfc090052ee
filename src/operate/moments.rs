//! Moments and durations in words.

use jiff::Timestamp;

use crate::model::UnixSeconds;

/// A day, in seconds.
pub(super) const DAY: u64 = 86_400;

/// A moment by RFC 3339.
pub(super) fn date(time: UnixSeconds) -> String {
    let seconds = i64::try_from(time.0).unwrap_or(i64::MAX);
    let timestamp = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    timestamp.to_string()
}

/// A duration in its largest whole unit.
pub(super) fn span(seconds: u64) -> String {
    for (unit, length) in [("d", DAY), ("h", 3_600), ("m", 60)] {
        if seconds >= length && seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_time_is_exact() {
        for (seconds, said) in [
            (30 * DAY, "30d"),
            (3_600, "1h"),
            (5_400, "90m"),
            (61, "61s"),
        ] {
            assert_eq!(span(seconds), said);
        }
        assert_eq!(date(UnixSeconds(1_798_027_200)), "2026-12-23T12:00:00Z");
    }
}
