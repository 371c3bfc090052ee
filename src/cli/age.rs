//! Ages as people read them.

/// A duration in its largest unit, and the next one where the first says little.
pub(super) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0..=1) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, 1..=9, _) => format!("{hours}h{}m", minutes % 60),
        (0, ..) => format!("{hours}h"),
        (1..=9, ..) => format!("{days}d{}h", hours % 24),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let check = |seconds, expected| assert_eq!(age(seconds), expected);
        check(0, "0s");
        check(119, "119s");
        check(120, "2m");
        check(3_599, "59m");
        check(3_600 + 120, "1h2m");
        check(86_399, "23h");
        check(86_400 * 3 + 3_600, "3d1h");
        check(86_400 * 400, "400d");
    }
}
