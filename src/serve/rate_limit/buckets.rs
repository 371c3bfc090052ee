//! A table of fixed size of how much has been taken of what is given in a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::model::RateLimits;

/// Rows of the table, each a cache line.
const ROWS: usize = 8_192;

/// Entries of a row.
const WAYS: usize = 8;

/// Nanoseconds of a tick.
const TICK: u64 = 64;

/// Ticks of a second.
const SECOND: u64 = 1_000_000_000 / TICK;

/// Bits of an entry that hold a time: it begins anew after 19 hours.
const TIME_BITS: u32 = 40;

/// Bits that count what was beyond the limit since one slipped through.
const SLIP_BITS: u32 = 4;

/// The bits of a time.
const TIME: u64 = (1 << TIME_BITS) - 1;

/// No entry is further ahead of the present time: one that seems to be is older than the times that its bits
/// can tell apart.
const MOST_AHEAD: u64 = SECOND * (RateLimits::LONGEST_BURST as u64 + 2);

/// How often an entry is tried to be written while others write it. Whoever fails so often is not held up.
const TRIES: usize = 8;

/// How much is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Ticks from one to the next.
    interval: u64,
    /// How many ticks ahead of these somebody may be who was quiet.
    tolerance: u64,
    /// Every so many beyond it one slips through; 0 is none.
    slip: u8,
}

impl Rate {
    /// So many in each second, and at once as many as in this time, in hundredths of a second.
    pub(super) fn new(each_second: u32, burst: u32, slip: u8) -> Self {
        let interval = (SECOND / u64::from(each_second.max(1))).max(1);
        Self {
            interval,
            tolerance: (SECOND * u64::from(burst) / 100).saturating_sub(interval),
            slip,
        }
    }
}

/// What became of an attempt to take one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is given.
    Within,
    /// It is not given.
    Beyond,
    /// It is not given, and it is the turn of this one to be told.
    Slipped,
}

/// The entries of one row, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Row([AtomicU64; WAYS]);

/// The table. An entry is a number: the tag of its key, how many were not given since one slipped, and the
/// time at which the next one is due (the generic cell rate algorithm of ATM: one number is the whole bucket).
/// Of a row that is full, whoever is least ahead is forgotten: who takes most is remembered longest.
#[derive(Debug)]
pub(super) struct Buckets {
    rows: Box<[Row]>,
}

/// An entry, taken apart.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u64,
    refused: u64,
    due: u64,
}

impl Entry {
    fn read(bits: u64) -> Self {
        Self {
            tag: bits >> (TIME_BITS + SLIP_BITS),
            refused: bits >> TIME_BITS & ((1 << SLIP_BITS) - 1),
            due: bits & TIME,
        }
    }

    fn bits(self) -> u64 {
        self.tag << (TIME_BITS + SLIP_BITS) | self.refused << TIME_BITS | self.due & TIME
    }

    /// How many ticks after `now` the next one is due; 0 if it is already.
    fn ahead(self, now: u64) -> u64 {
        let ahead = self.due.wrapping_sub(now) & TIME;
        if ahead <= MOST_AHEAD { ahead } else { 0 }
    }
}

impl Buckets {
    /// A table of which nothing was taken.
    pub(super) fn new() -> Self {
        Self {
            rows: (0..ROWS).map(|_| Row::default()).collect(),
        }
    }

    /// Takes one for a key, `now` after the beginning.
    #[inline]
    pub(super) fn take(&self, key: u64, rate: Rate, now: Duration) -> Taken {
        let now = ticks(now);
        let tag = key >> (TIME_BITS + SLIP_BITS);
        let row = usize::try_from(key).unwrap_or_default() % ROWS;
        let Some(Row(row)) = self.rows.get(row) else {
            return Taken::Within;
        };
        for _ in 0..TRIES {
            let Some((place, found)) = find(row, tag, now) else {
                break;
            };
            let entry = Entry::read(found);
            let (new, taken) = if entry.tag == tag {
                take(entry, rate, now)
            } else {
                take(
                    Entry {
                        tag,
                        refused: 0,
                        due: now,
                    },
                    rate,
                    now,
                )
            };
            let written = place.compare_exchange_weak(
                found,
                new.bits(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if written.is_ok() {
                return taken;
            }
        }
        Taken::Within
    }
}

/// The entry of a tag in a row, else the one to forget.
#[inline]
fn find(row: &[AtomicU64; WAYS], tag: u64, now: u64) -> Option<(&AtomicU64, u64)> {
    let mut least: Option<(&AtomicU64, u64, u64)> = None;
    for place in row {
        let bits = place.load(Ordering::Relaxed);
        let entry = Entry::read(bits);
        if entry.tag == tag {
            return Some((place, bits));
        }
        let ahead = entry.ahead(now);
        if least.is_none_or(|(_, _, least)| ahead < least) {
            least = Some((place, bits, ahead));
        }
    }
    least.map(|(place, bits, _)| (place, bits))
}

/// Takes one of an entry.
#[inline]
fn take(entry: Entry, rate: Rate, now: u64) -> (Entry, Taken) {
    let ahead = entry.ahead(now);
    if ahead <= rate.tolerance {
        let due = now.wrapping_add(ahead).wrapping_add(rate.interval);
        return (Entry { due, ..entry }, Taken::Within);
    }
    // What is forgotten of the limits of before does not lengthen the wait.
    let due = now.wrapping_add(ahead.min(rate.tolerance + rate.interval));
    let refused = entry.refused + 1;
    let is_turn = rate.slip != 0 && refused >= u64::from(rate.slip);
    let (refused, taken) = match is_turn {
        true => (0, Taken::Slipped),
        false if rate.slip == 0 => (0, Taken::Beyond),
        false => (refused, Taken::Beyond),
    };
    (
        Entry {
            refused,
            due,
            ..entry
        },
        taken,
    )
}

/// A time in ticks, of which [`TIME_BITS`] count.
fn ticks(time: Duration) -> u64 {
    let seconds = time.as_secs().wrapping_mul(SECOND);
    seconds.wrapping_add(u64::from(time.subsec_nanos()) / TICK)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    const ALL: [Taken; 3] = [Taken::Within, Taken::Slipped, Taken::Beyond];

    /// Takes evenly for so many seconds from `start` on, and counts what comes of it.
    fn run(buckets: &Buckets, key: u64, rate: Rate, times: [f64; 3]) -> [u32; 3] {
        let [start, seconds, each] = times;
        let mut counts = [0; 3];
        let mut at = 0.0;
        while at < seconds {
            let taken = buckets.take(key, rate, Duration::from_secs_f64(start + at));
            let kind = ALL.iter().position(|one| *one == taken).unwrap();
            counts[kind] += 1;
            at += 1.0 / each;
        }
        counts
    }

    #[test]
    fn a_flood_gets_its_rate_and_half_of_the_rest_slips() {
        let buckets = Buckets::new();
        let rate = Rate::new(200, 250, 2);
        // The burst of 500, and 200 in each second of which 1,000 come.
        let [within, slipped, beyond] = run(&buckets, 7, rate, [0.0, 10.0, 1_000.0]);
        assert!((2_495..=2_505).contains(&within), "{within}");
        assert!(slipped.abs_diff(beyond) <= 1, "{slipped} {beyond}");
        // Below the rate nothing is refused, and what was saved up meanwhile is the burst again.
        let quiet = run(&buckets, 7, rate, [20.0, 5.0, 150.0]);
        assert_eq!(quiet[1..], [0, 0]);
        let [within, ..] = run(&buckets, 7, rate, [60.0, 0.6, 1_000.0]);
        // The first 500, and what is due meanwhile.
        assert!((599..=601).contains(&within), "{within}");
    }

    #[test]
    fn slip_says_how_many_are_told() {
        for (slip, told) in [(0, 0), (1, 100), (2, 50), (10, 10)] {
            let buckets = Buckets::new();
            let rate = Rate::new(1, 100, slip);
            let now = Duration::from_secs(5);
            assert_eq!(buckets.take(1, rate, now), Taken::Within);
            let taken = (0..100).map(|_| buckets.take(1, rate, now));
            let slipped = taken.filter(|taken| *taken == Taken::Slipped).count();
            assert_eq!(slipped, told, "{slip}");
        }
    }

    #[test]
    fn keys_have_buckets_of_their_own_and_who_takes_most_is_remembered() {
        let buckets = Buckets::new();
        let rate = Rate::new(10, 100, 1);
        let now = Duration::from_secs(1);
        let flood = 1 << 50 | 3;
        for _ in 0..10 {
            assert_eq!(buckets.take(flood, rate, now), Taken::Within);
        }
        // So many others of the same row that each of its places was taken many times.
        for other in 2..1_000 {
            assert_eq!(buckets.take(other << 50 | 3, rate, now), Taken::Within);
        }
        assert_eq!(buckets.take(flood, rate, now), Taken::Slipped);
        assert_eq!(buckets.take(flood | 4, rate, now), Taken::Within);
    }

    #[test]
    fn what_is_older_than_its_bits_tell_apart_limits_nobody() {
        let rate = Rate::new(1, 100, 1);
        let turn = Duration::from_nanos(TICK << TIME_BITS);
        let start = Duration::from_secs(1_000);
        let buckets = Buckets::new();
        assert_eq!(buckets.take(1, rate, start), Taken::Within);
        assert_eq!(buckets.take(1, rate, start), Taken::Slipped);
        for part in 1..100_u32 {
            let later = start + turn * part / 101;
            let buckets = Buckets::new();
            assert_eq!(buckets.take(1, rate, start), Taken::Within);
            assert_eq!(buckets.take(1, rate, later), Taken::Within, "{part}");
        }
    }

    #[test]
    fn workers_together_give_no_more_than_the_rate() {
        let buckets = Buckets::new();
        let rate = Rate::new(100, 100, 2);
        let given = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let now = Duration::from_secs(9);
                        if buckets.take(11, rate, now) == Taken::Within {
                            given.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        // But for those who failed to write so often that they are let through.
        let given = given.into_inner();
        assert!((100..=400).contains(&given), "{given}");
    }
}
