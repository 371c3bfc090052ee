//! Durations in words.

/// A day, in seconds.
pub(super) const DAY: u64 = 86_400;

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
    }
}
