//! Signatures that were made, found without a lock.
//!
//! Each row is twelve `AtomicU64`, read and written under a sequence number: a reader copies a row and
//! checks that the sequence is even and the same afterwards. A bit that readers set decides which row of a
//! set goes when a new one comes.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

use super::algorithm::SIGNATURE;
use super::signature_set::Fingerprints;

/// Rows of a set.
const WAYS: usize = 8;

/// Words of a row: the sequence, two of the fingerprint, one of the expiration and the bit of use, eight
/// of the signature.
const WORDS: usize = 4 + SIGNATURE / 8;

/// The bit, beside the expiration, that a signature was asked for.
const USED: u64 = 1 << 32;

/// Octets of a row.
pub const ROW: usize = WORDS * 8;

/// A row.
type Row = [AtomicU64; WORDS];

/// Which signatures an RRset is kept with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Names that exist, of which there are only so many.
    Existing,
    /// Names without end: those that do not exist, which anybody can ask for, and those that are made
    /// for each client.
    Absent,
}

/// A signature that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundSignature {
    /// When it ends.
    pub expiration: u32,
    /// Its octets.
    pub signature: [u8; SIGNATURE],
}

/// The signatures of RRsets by their fingerprints: a fixed number for names that exist, and a quarter as
/// many beside them for names without end, so that a flood of those takes no place of the others.
#[derive(Debug)]
pub struct SignatureTable {
    fingerprints: Fingerprints,
    existing: Rows,
    absent: Rows,
}

impl SignatureTable {
    /// A table with at least `slots` rows for names that exist, 96 octets each. `key` is random.
    pub fn new(slots: usize, key: &[u8; 16]) -> Self {
        Self {
            fingerprints: Fingerprints::new(key),
            existing: Rows::new(slots),
            absent: Rows::new(slots / 4),
        }
    }

    /// How RRsets are hashed.
    pub fn fingerprints(&self) -> &Fingerprints {
        &self.fingerprints
    }

    /// The signature with a fingerprint, whenever it ends.
    #[inline]
    pub fn get(&self, lane: Lane, fingerprint: u128) -> Option<FoundSignature> {
        self.rows(lane).get(fingerprint)
    }

    /// Keeps a signature. It may be dropped at any time, at once too if another thread writes the same row.
    pub fn insert(&self, lane: Lane, fingerprint: u128, found: &FoundSignature) {
        self.rows(lane).insert(fingerprint, found);
    }

    /// How many rows of a lane are taken.
    pub fn used(&self, lane: Lane) -> usize {
        self.rows(lane).used.load(Ordering::Relaxed)
    }

    /// How many rows a lane has.
    pub fn slots(&self, lane: Lane) -> usize {
        self.rows(lane).sets.len() * WAYS
    }

    #[inline]
    fn rows(&self, lane: Lane) -> &Rows {
        match lane {
            Lane::Existing => &self.existing,
            Lane::Absent => &self.absent,
        }
    }
}

/// The sequence number of a row; 0 for one that was never written.
fn sequence(row: &Row) -> u64 {
    let [sequence, ..] = row;
    sequence.load(Ordering::Relaxed)
}

/// Sets of rows.
#[derive(Debug)]
struct Rows {
    /// A power of two of them.
    sets: Box<[[Row; WAYS]]>,
    /// How many rows were ever written: they are taken from then on.
    used: AtomicUsize,
}

/// The halves of a fingerprint: the set comes from the low one, the way to begin with from the high one.
#[inline]
fn halves(fingerprint: u128) -> [u64; 2] {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    [half(fingerprint), half(fingerprint >> 64)]
}

impl Rows {
    /// At least `slots` rows.
    fn new(slots: usize) -> Self {
        let sets = slots.div_ceil(WAYS).max(1).next_power_of_two();
        let row = || std::array::from_fn(|_| AtomicU64::new(0));
        let set = || std::array::from_fn(|_| row());
        Self {
            sets: (0..sets).map(|_| set()).collect(),
            used: AtomicUsize::new(0),
        }
    }

    /// The set of a fingerprint, and the way to begin with.
    #[inline]
    fn set(&self, [low, high]: [u64; 2]) -> Option<(&[Row; WAYS], usize)> {
        let mask = self.sets.len() - 1;
        let set = usize::try_from(low).unwrap_or_default() & mask;
        let first = usize::try_from(high >> 60).unwrap_or_default();
        Some((self.sets.get(set)?, first))
    }

    #[inline]
    fn get(&self, fingerprint: u128) -> Option<FoundSignature> {
        let halves = halves(fingerprint);
        let (set, first) = self.set(halves)?;
        let ways = (0..WAYS).filter_map(|way| set.get((first + way) % WAYS));
        ways.into_iter().find_map(|row| read(row, halves))
    }

    fn insert(&self, fingerprint: u128, found: &FoundSignature) {
        let halves = halves(fingerprint);
        let Some((set, first)) = self.set(halves) else {
            return;
        };
        let ways = || (0..WAYS).filter_map(|way| set.get((first + way) % WAYS));
        let is = |row: &&Row| {
            let [sequence, low, high, ..] = row;
            let read = [low, high].map(|word| word.load(Ordering::Relaxed));
            sequence.load(Ordering::Relaxed) != 0 && read == halves
        };
        let is_unused = |row: &&Row| {
            let [_, _, _, times, ..] = row;
            times.load(Ordering::Relaxed) & USED == 0
        };
        let same = ways().find(is);
        let place = same.or_else(|| ways().find(|row| sequence(row) == 0));
        let place = place.or_else(|| ways().find(is_unused));
        let place = place.or_else(|| {
            // All were used: from now on only those are that are asked for again.
            for [_, _, _, times, ..] in ways() {
                times.fetch_and(!USED, Ordering::Relaxed);
            }
            ways().next()
        });
        if let Some(row) = place
            && write(row, halves, found) == Some(0)
        {
            self.used.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads a row if it has the fingerprint and nobody writes it.
#[inline]
fn read(row: &Row, halves: [u64; 2]) -> Option<FoundSignature> {
    let [sequence, low, high, times, signature @ ..] = row;
    let before = sequence.load(Ordering::Acquire);
    if before & 1 != 0 || [low, high].map(|word| word.load(Ordering::Relaxed)) != halves {
        return None;
    }
    let time = times.load(Ordering::Relaxed);
    let mut octets = [0; SIGNATURE];
    let (words, _) = octets.as_chunks_mut::<8>();
    for (place, word) in words.iter_mut().zip(signature) {
        *place = word.load(Ordering::Relaxed).to_ne_bytes();
    }
    fence(Ordering::Acquire);
    // A row that was never written has no sequence, whatever the fingerprint is.
    if before == 0 || sequence.load(Ordering::Relaxed) != before {
        return None;
    }
    if time & USED == 0 {
        // If the row is written meanwhile, another one counts as used: that does no harm.
        times.fetch_or(USED, Ordering::Relaxed);
    }
    Some(FoundSignature {
        expiration: u32::try_from(time & u64::from(u32::MAX)).ok()?,
        signature: octets,
    })
}

/// Writes a row, unless somebody else does. Returns the sequence number that it had.
fn write(row: &Row, halves: [u64; 2], found: &FoundSignature) -> Option<u64> {
    let [sequence, low, high, times, signature @ ..] = row;
    let before = sequence.load(Ordering::Relaxed);
    let is_taken = before & 1 != 0
        || sequence
            .compare_exchange(before, before + 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err();
    if is_taken {
        return None;
    }
    fence(Ordering::Release);
    for (place, word) in [low, high].into_iter().zip(halves) {
        place.store(word, Ordering::Relaxed);
    }
    times.store(u64::from(found.expiration), Ordering::Relaxed);
    let (words, _) = found.signature.as_chunks::<8>();
    for (place, word) in signature.iter().zip(words) {
        place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
    sequence.store(before + 2, Ordering::Release);
    Some(before)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    fn found(number: u8) -> FoundSignature {
        FoundSignature {
            expiration: u32::from(number),
            signature: [number; SIGNATURE],
        }
    }

    #[test]
    fn what_is_kept_is_found_and_newer_takes_its_place() {
        let table = SignatureTable::new(64, &[0; 16]);
        assert_eq!(table.get(Lane::Existing, 0), None);
        table.insert(Lane::Existing, 7, &found(1));
        assert_eq!(table.get(Lane::Existing, 7), Some(found(1)));
        assert_eq!(table.get(Lane::Absent, 7), None);
        table.insert(Lane::Existing, 7, &found(2));
        assert_eq!(table.get(Lane::Existing, 7), Some(found(2)));
        assert_eq!(table.used(Lane::Existing), 1);
        assert_eq!(
            (table.slots(Lane::Existing), table.slots(Lane::Absent)),
            (64, 16)
        );
    }

    #[test]
    fn what_is_asked_for_stays_while_others_come() {
        let table = SignatureTable::new(8, &[0; 16]);
        table.insert(Lane::Existing, 0, &found(9));
        for number in 1..200_u8 {
            assert_eq!(table.get(Lane::Existing, 0), Some(found(9)), "{number}");
            table.insert(Lane::Existing, u128::from(number), &found(number));
        }
        assert_eq!(table.used(Lane::Existing), 8);
    }

    #[test]
    fn nobody_reads_half_a_row() {
        let table = SignatureTable::new(8, &[0; 16]);
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            for first in [0, 1] {
                let (table, is_done) = (&table, &is_done);
                scope.spawn(move || {
                    for round in 0..20_000_u32 {
                        let number = u8::try_from((round * 2 + first) % 250).unwrap_or_default();
                        table.insert(Lane::Existing, u128::from(number % 3), &found(number));
                    }
                    is_done.store(true, Ordering::Release);
                });
            }
            while !is_done.load(Ordering::Acquire) {
                for fingerprint in 0..3 {
                    if let Some(read) = table.get(Lane::Existing, fingerprint) {
                        let [number, ..] = read.signature;
                        assert_eq!(read, found(number));
                        assert_eq!(u128::from(number % 3), fingerprint);
                    }
                }
            }
        });
    }
}
