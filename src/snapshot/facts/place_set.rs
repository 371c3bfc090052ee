//! Which services a member has: a set of places in a list, in pages, so that one of few services is
//! small and all of them are found without a look at others.

use std::iter;

/// How many words of bits a page has.
const WORDS: usize = 64;

/// How many places a page has.
const PAGE: usize = WORDS * 64;

/// A set of places.
#[derive(Debug, Default)]
pub(super) struct PlaceSet {
    pages: Vec<Option<Box<[u64; WORDS]>>>,
    count: usize,
}

impl PlaceSet {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Adds a place that is not there.
    pub(super) fn insert(&mut self, place: usize) {
        let page = place / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages.get_mut(page);
        let page = page.map(|page| page.get_or_insert_with(|| Box::new([0; WORDS])));
        if let Some(word) = page.and_then(|page| page.get_mut(place % PAGE / 64)) {
            *word |= 1 << (place % 64);
            self.count += 1;
        }
    }

    /// Removes a place that is there.
    pub(super) fn remove(&mut self, place: usize) {
        let Some(slot) = self.pages.get_mut(place / PAGE) else {
            return;
        };
        if let Some(word) = slot
            .as_mut()
            .and_then(|page| page.get_mut(place % PAGE / 64))
        {
            *word &= !(1 << (place % 64));
            self.count = self.count.saturating_sub(1);
        }
        if slot.as_deref().is_some_and(|page| *page == [0; WORDS]) {
            *slot = None;
        }
    }

    /// All of them, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(number, page)| Some((number * PAGE, page.as_deref()?)));
        pages.flat_map(|(first, page)| {
            let words = page.iter().enumerate();
            words.flat_map(move |(number, word)| bits(first + number * 64, *word))
        })
    }
}

/// The bits of a word, of which the lowest is `first`.
fn bits(first: usize, mut word: u64) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let bit = usize::try_from(word.trailing_zeros()).ok()?;
        (word != 0).then(|| word &= word - 1)?;
        Some(first + bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut places = PlaceSet::default();
        let all = [0, 1, 63, 64, 4095, 4096, 1_000_000];
        for place in all.iter().rev() {
            places.insert(*place);
        }
        assert_eq!(places.iter().collect::<Vec<_>>(), all);
        for place in [0, 4096, 1_000_000] {
            places.remove(place);
        }
        assert_eq!(places.iter().collect::<Vec<_>>(), [1, 63, 64, 4095]);
        assert_eq!(places.count(), 4);
        assert_eq!(places.pages.iter().flatten().count(), 1);
    }
}
