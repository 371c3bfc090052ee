//! Longest-prefix match over one address family.
//!
//! The prefixes are flattened to ranges of addresses that one and the same prefix decides, so that a
//! lookup is one binary search, and the range itself tells how far its answer holds. A trie would
//! have to be walked a second time for that.

/// An address as a number: `u32` for IPv4, whose table is then a quarter as large, and `u128`.
pub(super) trait Bits: Copy + Ord {
    /// The least address.
    const ZERO: Self;
    /// All bits behind the first `length`.
    fn behind(length: u8) -> Self;
    /// Bitwise or.
    fn or(self, other: Self) -> Self;
    /// The address with the bits of `other` cleared.
    fn without(self, other: Self) -> Self;
    /// How many leading bits two addresses have in common.
    fn common(self, other: Self) -> u32;
    /// The address before.
    fn before(self) -> Option<Self>;
    /// The address after.
    fn after(self) -> Option<Self>;
}

/// Implements [`Bits`] for a number.
macro_rules! bits {
    ($number:ty) => {
        impl Bits for $number {
            const ZERO: Self = 0;

            #[inline]
            fn behind(length: u8) -> Self {
                Self::MAX.checked_shr(u32::from(length)).unwrap_or(0)
            }

            #[inline]
            fn or(self, other: Self) -> Self {
                self | other
            }

            #[inline]
            fn without(self, other: Self) -> Self {
                self & !other
            }

            #[inline]
            fn common(self, other: Self) -> u32 {
                (self ^ other).leading_zeros()
            }

            #[inline]
            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }

            #[inline]
            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    };
}

bits!(u32);
bits!(u128);

/// A prefix: its first address and its length in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IpPrefix<A> {
    /// The first address; bits beyond `length` are zero.
    pub(super) first: A,
    /// How many leading bits count.
    pub(super) length: u8,
}

impl<A: Bits> IpPrefix<A> {
    /// The last address.
    #[inline]
    fn last(self) -> A {
        self.first.or(A::behind(self.length))
    }

    /// Whether all of `other` is inside.
    #[inline]
    fn holds(self, other: Self) -> bool {
        self.length <= other.length && self.first <= other.first && other.last() <= self.last()
    }
}

/// The place of an entry; [`NONE`] for none.
type Place = u32;

/// No entry has this place.
const NONE: Place = Place::MAX;

/// A prefix and what it says, linked to the next shorter prefix around it.
#[derive(Debug, Clone, Copy)]
struct Entry<A, T> {
    prefix: IpPrefix<A>,
    says: T,
    around: Place,
}

/// What each address of one family is told by its longest prefix.
#[derive(Debug, Clone)]
pub(super) struct Prefixes<A, T> {
    entries: Vec<Entry<A, T>>,
    /// First addresses of the ranges, ascending, the first one 0.
    starts: Vec<A>,
    /// The longest prefix of each range.
    deciding: Vec<Place>,
}

impl<A: Bits, T> Default for Prefixes<A, T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            starts: vec![A::ZERO],
            deciding: vec![NONE],
        }
    }
}

/// What a lookup finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PrefixMatch<T> {
    /// What the longest prefix around the whole of what was asked says.
    pub(super) says: Option<T>,
    /// The shortest prefix, in bits, around the first address that no longer prefix divides.
    pub(super) scope: u8,
}

impl<A: Bits, T: Copy> Prefixes<A, T> {
    /// Compiles prefixes, of which no two are equal.
    pub(super) fn compile(mut prefixes: Vec<(IpPrefix<A>, T)>) -> Self {
        // Outer prefixes come before what they hold.
        prefixes.sort_by_key(|(prefix, _)| *prefix);
        let mut compiled = Self {
            entries: Vec::with_capacity(prefixes.len()),
            starts: vec![A::ZERO],
            deciding: vec![NONE],
        };
        let mut open: Vec<Place> = Vec::new();
        for (prefix, says) in prefixes {
            compiled.close(&mut open, Some(prefix));
            let index = Place::try_from(compiled.entries.len()).unwrap_or(NONE);
            compiled.entries.push(Entry {
                prefix,
                says,
                around: open.last().copied().unwrap_or(NONE),
            });
            compiled.start(prefix.first, index);
            open.push(index);
        }
        compiled.close(&mut open, None);
        compiled
    }

    /// The entry at a place.
    #[inline]
    fn entry(&self, place: Place) -> Option<&Entry<A, T>> {
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// Ends the open prefixes that do not hold `next`.
    fn close(&mut self, open: &mut Vec<Place>, next: Option<IpPrefix<A>>) {
        while let Some(entry) = open.last().and_then(|index| self.entry(*index)) {
            if next.is_some_and(|next| entry.prefix.holds(next)) {
                return;
            }
            let after = entry.prefix.last().after();
            open.pop();
            if let Some(after) = after {
                self.start(after, open.last().copied().unwrap_or(NONE));
            }
        }
    }

    /// Starts a range.
    fn start(&mut self, first: A, deciding: Place) {
        if self.starts.last() == Some(&first) {
            self.starts.pop();
            self.deciding.pop();
        }
        self.starts.push(first);
        self.deciding.push(deciding);
    }

    /// Looks up the addresses of `asked`.
    #[inline]
    pub(super) fn find(&self, asked: IpPrefix<A>) -> PrefixMatch<T> {
        let after = self.starts.partition_point(|start| *start <= asked.first);
        let place = after.saturating_sub(1);
        let first = self.starts.get(place).copied().unwrap_or(A::ZERO);
        let next = self.starts.get(after).copied();
        let mut entry = self.deciding.get(place).copied().unwrap_or(NONE);
        let says = loop {
            match self.entry(entry) {
                Some(found) if found.prefix.holds(asked) => break Some(found.says),
                Some(found) => entry = found.around,
                None => break None,
            }
        };
        PrefixMatch {
            says,
            scope: scope(asked.first, first, next),
        }
    }
}

/// The length of the shortest prefix around `address` that lies between `first` and `next`, which
/// is the first address behind.
#[inline]
fn scope<A: Bits>(address: A, first: A, next: Option<A>) -> u8 {
    // A prefix of length n around the address stays in the range exactly if both neighbors of the
    // range differ from the address within the first n bits.
    let length = |neighbor: A| address.common(neighbor) + 1;
    let below = first.before().map_or(0, length);
    let above = next.map_or(0, length);
    u8::try_from(below.max(above)).unwrap_or(128)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(first: u128, length: u8) -> IpPrefix<u128> {
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        IpPrefix {
            first: first & mask,
            length,
        }
    }

    /// Prefixes over the first 8 bits only, so that random ones meet.
    fn prefixes() -> impl Strategy<Value = Vec<IpPrefix<u128>>> {
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
                let inside = |p: &&IpPrefix<u128>| p.holds(around);
                // The longest prefix around the address has to hold all of it.
                let deciding = all.iter().filter(|p| p.holds(asked)).map(|p| p.length).max();
                !divides(length) && all.iter().filter(inside).map(|p| p.length).max() == deciding
            });
            prop_assert_eq!(Some(table.find(asked).scope), expected);
        }
    }
}
