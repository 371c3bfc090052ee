//! Random events, the same for the same seed.

use std::time::Duration;

/// A small generator of numbers (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    /// One that begins at a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("64 bits");
        usize::try_from((mixed ^ (mixed >> 31)) % bound).expect("below a usize")
    }

    /// A span from one to another, in milliseconds.
    pub(crate) fn span(&mut self, least: u64, most: u64) -> Duration {
        let width = usize::try_from(most - least + 1).expect("a short span");
        Duration::from_millis(least + u64::try_from(self.below(width)).expect("64 bits"))
    }
}
