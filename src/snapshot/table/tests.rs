//! The table against a map, whatever the hash is worth.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A key, and which of its versions.
#[derive(Debug, PartialEq)]
struct Entry([u8; 2], u32);

impl Keyed for Entry {
    fn key(&self) -> &[u8] {
        &self.0
    }
}

/// Keeps some bits of a real hash.
#[derive(Debug, Clone, Default)]
struct Masked(RandomState, u64);

/// The hasher of [`Masked`].
struct MaskedHasher(<RandomState as BuildHasher>::Hasher, u64);

impl BuildHasher for Masked {
    type Hasher = MaskedHasher;
    fn build_hasher(&self) -> MaskedHasher {
        MaskedHasher(self.0.build_hasher(), self.1)
    }
}

impl Hasher for MaskedHasher {
    fn finish(&self) -> u64 {
        self.0.finish() & self.1
    }
    fn write(&mut self, octets: &[u8]) {
        self.0.write(octets);
    }
}

/// Compares a table with what it should hold.
fn check(table: &Table<Entry, Masked>, expected: &BTreeMap<[u8; 2], u32>) {
    for key in (0..=u16::MAX).step_by(37).map(u16::to_be_bytes) {
        let found = table.get(&key).map(|entry| entry.1);
        assert_eq!(found, expected.get(&key).copied(), "{key:?}");
    }
    for (key, version) in expected {
        assert_eq!(table.get(key).map(|entry| entry.1), Some(*version));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the hash is worth: all of it, a few bits here or there, or nothing.
    #[test]
    fn it_holds_what_a_map_holds_and_clones_keep_theirs(
        changes in proptest::collection::vec((0u16..3000, any::<bool>()), 0..4000),
        mask in prop_oneof![
            Just(u64::MAX), Just(0), Just(0xffff), Just(0xff00_0000_0000), Just(0x7_0000_0000),
        ],
    ) {
        let mut table = Table::with_hasher(Masked(RandomState::default(), mask));
        let mut expected = BTreeMap::new();
        let mut kept = None;
        for (version, (key, stays)) in changes.iter().enumerate() {
            let key = key.to_be_bytes();
            let version = u32::try_from(version).unwrap();
            if *stays || version % 3 == 0 {
                table.insert(Arc::new(Entry(key, version)));
                expected.insert(key, version);
            } else {
                table.remove(&key);
                expected.remove(&key);
            }
            if usize::try_from(version).unwrap() == changes.len() / 2 {
                kept = Some((table.clone(), expected.clone()));
            }
        }
        check(&table, &expected);
        if let Some((table, expected)) = kept {
            check(&table, &expected);
        }
    }
}

#[test]
fn a_line_is_one_cache_line_and_a_leaf_of_a_usual_size() {
    assert_eq!(size_of::<CacheLine<Entry>>(), 64);
    assert_eq!(size_of::<Leaf<Entry>>() + 64, 512);
}
