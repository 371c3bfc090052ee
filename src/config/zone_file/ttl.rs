//! Times in master files: seconds, or numbers with units (`1h30m`), as BIND has them.

/// The largest TTL (RFC 2181 section 8).
pub(super) const MAX_TTL: u32 = 0x7fff_ffff;

/// Reads a time in seconds; `None` if it is none, or too long.
pub(super) fn time(text: &str) -> Option<u32> {
    let mut total: u64 = 0;
    let mut number: Option<u64> = None;
    let mut has_unit = false;
    for octet in text.bytes() {
        if octet.is_ascii_digit() {
            let digit = u64::from(octet - b'0');
            number = Some(
                number
                    .unwrap_or_default()
                    .checked_mul(10)?
                    .checked_add(digit)?,
            );
            continue;
        }
        let unit = match octet.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        has_unit = true;
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    match number {
        Some(seconds) => total = total.checked_add(seconds)?,
        None if !has_unit => return None,
        None => {}
    }
    u32::try_from(total).ok().filter(|time| *time <= MAX_TTL)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_seconds_or_have_units() {
        assert_eq!(time("0"), Some(0));
        assert_eq!(time("3600"), Some(3600));
        assert_eq!(time("1h30m"), Some(5400));
        assert_eq!(
            time("1W2d3H4m5s"),
            Some(604_800 + 2 * 86_400 + 3 * 3600 + 4 * 60 + 5)
        );
        assert_eq!(time("1m1"), Some(61));
        for wrong in [
            "",
            "h",
            "1x",
            "-1",
            "1 h",
            "4294967296",
            "99999999999999999999",
            "2147483648",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
