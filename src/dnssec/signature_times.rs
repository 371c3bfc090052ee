//! When signatures begin and end.

/// Seconds of an hour.
const HOUR: u32 = 3600;

/// Seconds of a day.
const DAY: u32 = 24 * HOUR;

/// How long signatures are valid, and how often they are made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureTimes {
    /// Every so many seconds a signature is made anew; at least an hour.
    pub refresh: u32,
    /// It ends so many seconds after it was due; at least twice `refresh`, at most 30 days.
    pub validity: u32,
}

impl Default for SignatureTimes {
    fn default() -> Self {
        Self {
            refresh: DAY,
            validity: 4 * DAY,
        }
    }
}

/// When a signature of an RRset is valid, and for how long its predecessor may still be served. Times are
/// Unix seconds modulo 2³² (RFC 4034 section 3.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureSlot {
    /// From then on.
    pub inception: u32,
    /// Until then.
    pub expiration: u32,
    /// The expiration of the signature before it, while that may be served: for the first hour.
    pub previous: Option<u32>,
}

impl SignatureTimes {
    /// The slot of an RRset at the Unix time `now`. `spread`, a hash of its owner and type, says when in
    /// the refresh interval it is due, so that every replica makes the same times and renewals do not come
    /// at once.
    pub fn slot(&self, now: u64, spread: u64) -> SignatureSlot {
        let refresh = u64::from(self.refresh.max(HOUR));
        let offset = spread % refresh;
        let due = ((now + offset) / refresh * refresh).saturating_sub(offset);
        let age = now.saturating_sub(due);
        let modulo = |time: u64| u32::try_from(time & u64::from(u32::MAX)).unwrap_or_default();
        let due = modulo(due);
        let expiration = due.wrapping_add(self.validity);
        let before = expiration.wrapping_sub(self.refresh.max(HOUR));
        SignatureSlot {
            inception: due.wrapping_sub(HOUR),
            expiration,
            previous: (age < u64::from(HOUR)).then_some(before),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dnssec::SignatureSet;
    use crate::wire::NameBuf;

    proptest! {
        #[test]
        fn a_signature_has_three_days_left_but_for_an_hour(now in 0_u64..1 << 40, spread: u64) {
            let times = SignatureTimes::default();
            let now = now + 10 * u64::from(DAY);
            let slot = times.slot(now, spread);
            let [low, ..] = [now & u64::from(u32::MAX)];
            let now32 = u32::try_from(low).unwrap();
            let left = slot.expiration.wrapping_sub(now32);
            prop_assert!(left > 3 * DAY && left <= 4 * DAY, "{left}");
            prop_assert!(now32.wrapping_sub(slot.inception) >= HOUR);
            if let Some(previous) = slot.previous {
                let left = previous.wrapping_sub(now32);
                prop_assert!(left > 3 * DAY - HOUR && left <= 3 * DAY, "{left}");
            }
            let next = times.slot(now + u64::from(DAY), spread);
            prop_assert_eq!(next.expiration, slot.expiration.wrapping_add(DAY));
        }
    }

    #[test]
    fn renewals_spread_over_the_day_and_no_minute_has_many() {
        let times = SignatureTimes::default();
        let names = 10_000;
        let mut minutes = [0_u32; 24 * 60];
        for number in 0..names {
            let owner: NameBuf = format!("s{number}.n.f.svc.example.com").parse().unwrap();
            let set = SignatureSet {
                owner: owner.as_wire(),
                labels: 6,
                apex: owner.as_wire(),
                rrtype: 1,
                original_ttl: 30,
            };
            let slot = times.slot(1_800_000_000, set.spread());
            let due = slot.expiration - times.validity;
            minutes[usize::try_from(due % DAY / 60).unwrap()] += 1;
        }
        // 7 on the average; 2 % would be 200.
        assert!(minutes.iter().all(|minute| *minute <= 30), "{minutes:?}");
        assert!(minutes.iter().filter(|minute| **minute > 0).count() > 1_400);
    }
}
