//! Longest-prefix match over one address family.
//!
//! The prefixes are flattened to ranges of addresses that one and the same prefix decides, so that a
//! lookup is one binary search, and the range itself tells how far its answer holds. A trie would
//! have to be walked a second time for that.

/// A prefix: its first address, left-aligned in 128 bits, and its length in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix {
    /// The first address; bits beyond `length` are zero.
    pub(super) first: u128,
    /// How many leading bits count.
    pub(super) length: u8,
}

impl Prefix {
    /// The last address, in 128 bits.
    fn last(self) -> u128 {
        self.first | u128::MAX.checked_shr(u32::from(self.length)).unwrap_or(0)
    }

    /// Whether all of `other` is inside.
    fn holds(self, other: Self) -> bool {
        self.length <= other.length && self.first <= other.first && other.last() <= self.last()
    }
}

/// A prefix and what it says, linked to the next shorter prefix around it.
#[derive(Debug, Clone, Copy)]
struct Entry<T> {
    prefix: Prefix,
    says: T,
    around: Option<usize>,
}

/// What each address of one family is told by its longest prefix.
#[derive(Debug, Clone)]
pub(super) struct Prefixes<T> {
    entries: Vec<Entry<T>>,
    /// First addresses of the ranges, ascending, the first one 0.
    starts: Vec<u128>,
    /// The longest prefix of each range.
    deciding: Vec<Option<usize>>,
}

/// What a lookup finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<T> {
    /// What the longest prefix around the whole of what was asked says.
    pub(super) says: Option<T>,
    /// The shortest prefix, in bits, around the first address that no longer prefix divides.
    pub(super) scope: u8,
}

impl<T: Copy> Prefixes<T> {
    /// Compiles prefixes, of which no two are equal.
    pub(super) fn compile(mut prefixes: Vec<(Prefix, T)>) -> Self {
        // Outer prefixes come before what they hold.
        prefixes.sort_by_key(|(prefix, _)| *prefix);
        let mut compiled = Self {
            entries: Vec::with_capacity(prefixes.len()),
            starts: vec![0],
            deciding: vec![None],
        };
        let mut open: Vec<usize> = Vec::new();
        for (prefix, says) in prefixes {
            compiled.close(&mut open, Some(prefix));
            let index = compiled.entries.len();
            compiled.entries.push(Entry {
                prefix,
                says,
                around: open.last().copied(),
            });
            compiled.start(prefix.first, Some(index));
            open.push(index);
        }
        compiled.close(&mut open, None);
        compiled
    }

    /// Ends the open prefixes that do not hold `next`.
    fn close(&mut self, open: &mut Vec<usize>, next: Option<Prefix>) {
        while let Some(entry) = open.last().and_then(|index| self.entries.get(*index)) {
            if next.is_some_and(|next| entry.prefix.holds(next)) {
                return;
            }
            let after = entry.prefix.last().checked_add(1);
            open.pop();
            if let Some(after) = after {
                self.start(after, open.last().copied());
            }
        }
    }

    /// Starts a range.
    fn start(&mut self, first: u128, deciding: Option<usize>) {
        if self.starts.last() == Some(&first) {
            self.starts.pop();
            self.deciding.pop();
        }
        self.starts.push(first);
        self.deciding.push(deciding);
    }

    /// Looks up the addresses of `asked`.
    #[inline]
    pub(super) fn find(&self, asked: Prefix) -> Found<T> {
        let after = self.starts.partition_point(|start| *start <= asked.first);
        let place = after.saturating_sub(1);
        let first = self.starts.get(place).copied().unwrap_or(0);
        let last = self.starts.get(after).map_or(u128::MAX, |next| next - 1);
        let mut entry = self.deciding.get(place).copied().flatten();
        let says = loop {
            match entry.and_then(|index| self.entries.get(index)) {
                Some(found) if found.prefix.holds(asked) => break Some(found.says),
                Some(found) => entry = found.around,
                None => break None,
            }
        };
        Found {
            says,
            scope: scope(asked.first, first, last),
        }
    }
}

/// The length of the shortest prefix around `address` that lies between `first` and `last`.
#[inline]
fn scope(address: u128, first: u128, last: u128) -> u8 {
    // A prefix of length n around the address stays in the range exactly if both neighbors of the
    // range differ from the address within the first n bits.
    let common = |neighbor: u128| (address ^ neighbor).leading_zeros() + 1;
    let below = first.checked_sub(1).map_or(0, common);
    let above = last.checked_add(1).map_or(0, common);
    u8::try_from(below.max(above)).unwrap_or(128)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(first: u128, length: u8) -> Prefix {
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        Prefix {
            first: first & mask,
            length,
        }
    }

    /// Prefixes over the first 8 bits only, so that random ones meet.
    fn prefixes() -> impl Strategy<Value = Vec<Prefix>> {
        let one = (any::<u8>(), 0u8..=8)
            .prop_map(|(first, length)| prefix(u128::from(first) << 120, length));
        proptest::collection::vec(one, 0..12).prop_map(|mut all| {
            all.sort();
            all.dedup();
            all
        })
    }

    proptest! {
        #[test]
        fn the_longest_prefix_around_what_is_asked_decides(all in prefixes(), asked in (any::<u8>(), 0u8..=10)) {
            let asked = prefix(u128::from(asked.0) << 120, asked.1);
            let table = Prefixes::compile(all.iter().map(|prefix| (*prefix, *prefix)).collect());
            let expected = all.iter().filter(|prefix| prefix.holds(asked)).max_by_key(|p| p.length);
            prop_assert_eq!(table.find(asked).says, expected.copied());
        }

        #[test]
        fn the_scope_is_the_shortest_prefix_that_nothing_divides(all in prefixes(), address: u8) {
            let asked = prefix(u128::from(address) << 120, 128);
            let table = Prefixes::compile(all.iter().map(|prefix| (*prefix, ())).collect());
            let divides = |length: &u8| {
                let around = prefix(asked.first, *length);
                all.iter().any(|prefix| prefix.length > *length && around.holds(*prefix))
            };
            let expected = (0..=128u8).find(|length| {
                let around = prefix(asked.first, *length);
                let inside = |p: &&Prefix| p.holds(around);
                // The longest prefix around the address has to hold all of it.
                let deciding = all.iter().filter(|p| p.holds(asked)).map(|p| p.length).max();
                !divides(length) && all.iter().filter(inside).map(|p| p.length).max() == deciding
            });
            prop_assert_eq!(Some(table.find(asked).scope), expected);
        }
    }
}
