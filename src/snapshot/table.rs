//! The table of services: found by key, shared between generations, one change costs O(change).
//!
//! ```text
//! Branch ─▶ Branch ─▶ Leaf: 7 lines ─▶ CacheLine: 7 tags and 7 entries in one cache line
//! ```
//!
//! Branches of 64 take six bits of the hash each. A leaf is split in two when one of its lines is
//! full, and may hang on several places of its branch until then. Nothing is merged when entries
//! go: the table keeps the shape of its largest time.
//!
//! A look-up goes in steps, of which each waits for memory at most once, so that a batch of
//! look-ups made step by step waits for all of them at the same time ([`Seek`]).

mod clone;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Bits of the hash that a branch takes.
const BITS: u32 = 6;

/// Places of a branch.
const PLACES: usize = 1 << BITS;

/// Bits of the hash that all branches together may take; the others choose a line and a tag.
const BRANCH_BITS: u32 = 32;

/// Lines of a leaf: with the counts of an [`Arc`] 512 octets, a size that allocators have.
const LINES: usize = 7;

/// Entries of a line: with their tags one cache line of 64 octets.
const SLOTS: usize = 7;

/// What the table finds by a key of its own.
pub(super) trait Keyed {
    /// The key.
    fn key(&self) -> &[u8];
}

/// Entries by their keys. Cheap to clone; clones share what neither has changed.
#[derive(Debug)]
pub(super) struct Table<T, S = RandomState> {
    root: Arc<Branch<T>>,
    /// Entries that found no room though all bits of their hash are used: none, unless the hash
    /// fails.
    overflow: Arc<Vec<Arc<T>>>,
    hasher: S,
}

/// A node for six bits of the hash.
#[derive(Debug)]
struct Branch<T> {
    /// The child at each place.
    children_at: [u8; PLACES],
    /// Each once, though it may be at several places.
    children: Vec<Node<T>>,
}

/// What hangs on a branch.
#[derive(Debug)]
enum Node<T> {
    Branch(Arc<Branch<T>>),
    Leaf(Arc<Leaf<T>>),
}

/// Entries whose hashes begin alike.
#[derive(Debug)]
struct Leaf<T> {
    lines: [CacheLine<T>; LINES],
}

/// Entries of which another part of the hash is alike too, in one cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct CacheLine<T> {
    /// Eight bits of each entry's hash, 0 for none; the last is always 0.
    tags: [u8; SLOTS + 1],
    entries: [Option<Arc<T>>; SLOTS],
}

/// A look-up on its way: see [`Table::advance`].
#[derive(Debug)]
pub(super) enum Seek<'t, T> {
    /// The hash of the key.
    Hashed(u64),
    /// The line that has the entry if any has.
    Line(u64, &'t CacheLine<T>),
    /// The entry of the line whose tag is that of the key, or the first of several.
    TagMatch(u64, &'t CacheLine<T>, Option<&'t Arc<T>>),
    /// The outcome.
    Found(Option<&'t Arc<T>>),
}

impl<T: Keyed, S: BuildHasher> Table<T, S> {
    /// An empty table.
    fn with_hasher(hasher: S) -> Self {
        Self {
            root: Arc::new(Branch::with(Node::Leaf(Arc::default()))),
            overflow: Arc::default(),
            hasher,
        }
    }

    /// The hash of a key.
    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// Begins a look-up.
    #[inline]
    pub(super) fn seek(&self, key: &[u8]) -> Seek<'_, T> {
        Seek::Hashed(self.hash(key))
    }

    /// Takes a look-up for `key` one step further; three make it whole.
    #[inline]
    pub(super) fn advance<'t>(&'t self, seek: &mut Seek<'t, T>, key: &[u8]) {
        *seek = match seek {
            Seek::Hashed(hash) => match self.line(*hash) {
                Some(line) => Seek::Line(*hash, line),
                None => Seek::Found(None),
            },
            Seek::Line(hash, line) => Seek::TagMatch(*hash, line, line.tag_match(*hash)),
            Seek::TagMatch(_, _, None) => Seek::Found(self.in_overflow(key)),
            Seek::TagMatch(_, _, Some(entry)) if entry.key() == key => Seek::Found(Some(*entry)),
            Seek::TagMatch(hash, line, Some(_)) => {
                Seek::Found(line.find(*hash, key).or_else(|| self.in_overflow(key)))
            }
            Seek::Found(_) => return,
        };
    }

    /// The entry with a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Arc<T>> {
        let mut seek = self.seek(key);
        loop {
            if let Seek::Found(entry) = seek {
                return entry;
            }
            self.advance(&mut seek, key);
        }
    }

    /// The line for a hash.
    #[inline]
    fn line(&self, hash: u64) -> Option<&CacheLine<T>> {
        let mut branch = &*self.root;
        let mut rest = hash;
        loop {
            match branch.child(rest)? {
                Node::Branch(inner) => branch = inner,
                Node::Leaf(leaf) => return leaf.lines.get(line_of(hash)),
            }
            rest >>= BITS;
        }
    }

    /// The entry with a key, among those that found no room.
    #[inline]
    fn in_overflow(&self, key: &[u8]) -> Option<&Arc<T>> {
        self.overflow.iter().find(|entry| entry.key() == key)
    }

    /// All entries, in no order. Costs O(entries).
    pub(super) fn entries(&self) -> impl Iterator<Item = &T> {
        let mut leaves = Vec::new();
        self.root.leaves(&mut leaves);
        let lines = leaves.into_iter().flat_map(|leaf| &leaf.lines);
        let entries = lines.flat_map(|line| line.entries.iter().flatten());
        entries.chain(&*self.overflow).map(|entry| &**entry)
    }

    /// Puts an entry in, in the place of the one that has its key.
    pub(super) fn insert(&mut self, entry: Arc<T>) {
        let key = entry.key();
        if let Some(place) = self.overflow.iter().position(|old| old.key() == key) {
            if let Some(old) = Arc::make_mut(&mut self.overflow).get_mut(place) {
                *old = entry;
            }
            return;
        }
        let hash = self.hash(key);
        let hasher = &self.hasher;
        let hash_of = |entry: &T| {
            let mut hasher = hasher.build_hasher();
            hasher.write(entry.key());
            hasher.finish()
        };
        if let Err(entry) = put(&mut self.root, hash, 0, entry, &hash_of) {
            Arc::make_mut(&mut self.overflow).push(entry);
        }
    }

    /// Prefetches where these keys belong, so that the cache misses of all overlap.
    pub(super) fn prefetch<'k>(&self, keys: impl IntoIterator<Item = &'k [u8]>) {
        for key in keys {
            let hash = self.hash(key);
            let mut branch = &*self.root;
            let mut rest = hash;
            while let Some(child) = branch.child(rest) {
                match child {
                    Node::Branch(inner) => branch = inner,
                    Node::Leaf(leaf) => {
                        let line = leaf.lines.get(line_of(hash));
                        black_box((Arc::strong_count(leaf), line.map(|line| line.tags)));
                        break;
                    }
                }
                rest >>= BITS;
            }
        }
    }

    /// Takes the entry with a key out, if there is one.
    pub(super) fn remove(&mut self, key: &[u8]) {
        if self.get(key).is_none() {
            return;
        }
        if self.in_overflow(key).is_some() {
            Arc::make_mut(&mut self.overflow).retain(|entry| entry.key() != key);
            return;
        }
        let hash = self.hash(key);
        let mut branch = Arc::make_mut(&mut self.root);
        let mut rest = hash;
        loop {
            match branch.child_mut(rest) {
                Some(Node::Branch(inner)) => branch = Arc::make_mut(inner),
                Some(Node::Leaf(leaf)) => {
                    let leaf = Arc::make_mut(leaf);
                    if let Some(line) = leaf.lines.get_mut(line_of(hash)) {
                        line.remove(hash, key);
                    }
                    return;
                }
                None => return,
            }
            rest >>= BITS;
        }
    }
}

impl<T: Keyed> Default for Table<T> {
    fn default() -> Self {
        Self::with_hasher(RandomState::default())
    }
}

/// Which line of a leaf a hash belongs to.
#[inline]
fn line_of(hash: u64) -> usize {
    // The high half as a fraction of the lines.
    usize::try_from(((hash >> 32) * LINES as u64) >> 32).unwrap_or_default()
}

/// The tag of a hash, never 0.
#[inline]
fn tag_of(hash: u64) -> u8 {
    let [_, _, _, _, tag, ..] = hash.to_le_bytes();
    tag.max(1)
}

/// The place of a branch for the bits of a hash that are left.
#[inline]
fn place_of(rest: u64) -> usize {
    usize::try_from(rest % PLACES as u64).unwrap_or_default()
}

/// Puts an entry below a branch, from which on `shift` bits of the hash are used; gives it back if
/// there is no room and none can be made.
fn put<T: Keyed>(
    branch: &mut Arc<Branch<T>>,
    hash: u64,
    shift: u32,
    mut entry: Arc<T>,
    hash_of: &impl Fn(&T) -> u64,
) -> Result<(), Arc<T>> {
    let branch = Arc::make_mut(branch);
    loop {
        match branch.child_mut(hash >> shift) {
            Some(Node::Branch(inner)) => return put(inner, hash, shift + BITS, entry, hash_of),
            Some(Node::Leaf(leaf)) => match Arc::make_mut(leaf).put(hash, entry) {
                Ok(()) => return Ok(()),
                Err(back) => entry = back,
            },
            None => return Err(entry),
        }
        if !branch.split(place_of(hash >> shift), shift, hash_of) {
            return Err(entry);
        }
    }
}

impl<T: Keyed> Branch<T> {
    /// A branch with one child.
    fn with(child: Node<T>) -> Self {
        Self {
            children_at: [0; PLACES],
            children: vec![child],
        }
    }

    /// All leaves below it.
    fn leaves<'t>(&'t self, leaves: &mut Vec<&'t Leaf<T>>) {
        for child in &self.children {
            match child {
                Node::Branch(inner) => inner.leaves(leaves),
                Node::Leaf(leaf) => leaves.push(leaf),
            }
        }
    }

    /// The child for the bits of a hash that are left.
    #[inline]
    fn child(&self, rest: u64) -> Option<&Node<T>> {
        let child = self.children_at.get(place_of(rest))?;
        self.children.get(usize::from(*child))
    }

    /// The child for the bits of a hash that are left.
    fn child_mut(&mut self, rest: u64) -> Option<&mut Node<T>> {
        let child = self.children_at.get(place_of(rest))?;
        self.children.get_mut(usize::from(*child))
    }

    /// Splits the leaf at a place, or hangs it on a branch of its own if it is at that place alone.
    /// Returns whether there were bits of the hash left to do so.
    fn split(&mut self, place: usize, shift: u32, hash_of: &impl Fn(&T) -> u64) -> bool {
        let Some(child) = self.children_at.get(place).copied() else {
            return false;
        };
        let next = self.children.len();
        let Some(Node::Leaf(leaf)) = self.children.get_mut(usize::from(child)) else {
            return false;
        };
        let is_its = |at: &u8| usize::from(*at == child);
        let places: usize = self.children_at.iter().map(is_its).sum();
        if places == 1 {
            if shift + 2 * BITS > BRANCH_BITS {
                return false;
            }
            let inner = Branch::with(Node::Leaf(leaf.clone()));
            if let Some(node) = self.children.get_mut(usize::from(child)) {
                *node = Node::Branch(Arc::new(inner));
            }
            return true;
        }
        // The places of the leaf have their lowest bits in common; the next one divides them.
        let bit = (PLACES / places).trailing_zeros();
        let goes = |entry: &T| hash_of(entry) >> (shift + bit) & 1 == 1;
        let other = Arc::make_mut(leaf).split_off(goes, hash_of);
        let Ok(next) = u8::try_from(next) else {
            return false;
        };
        self.children.push(Node::Leaf(Arc::new(other)));
        for (place, at) in self.children_at.iter_mut().enumerate() {
            if *at == child && place >> bit & 1 == 1 {
                *at = next;
            }
        }
        true
    }
}

impl<T: Keyed> Leaf<T> {
    /// Puts an entry in; gives it back if its line is full.
    fn put(&mut self, hash: u64, entry: Arc<T>) -> Result<(), Arc<T>> {
        match self.lines.get_mut(line_of(hash)) {
            Some(line) => line.put(hash, entry),
            None => Err(entry),
        }
    }

    /// Takes the entries out that `goes` says, into another leaf.
    fn split_off(&mut self, goes: impl Fn(&T) -> bool, hash_of: &impl Fn(&T) -> u64) -> Self {
        let mut other = Self::default();
        for line in &mut self.lines {
            for (tag, entry) in line.tags.iter_mut().zip(&mut line.entries) {
                if let Some(gone) = entry.take_if(|entry| goes(entry)) {
                    *tag = 0;
                    let hash = hash_of(&gone);
                    // Its line in the other leaf has at most the entries that its line here had.
                    let room = other.put(hash, gone);
                    debug_assert!(room.is_ok());
                }
            }
        }
        other
    }
}

impl<T: Keyed> CacheLine<T> {
    /// A bit in the octet of each tag that is that of `hash`, and perhaps in some after it.
    #[inline]
    fn matches(&self, hash: u64) -> u64 {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        let differing = u64::from_le_bytes(self.tags) ^ (u64::from(tag_of(hash)) * ONES);
        // An octet that is 0 borrows from its highest bit.
        differing.wrapping_sub(ONES) & !differing & (ONES << 7)
    }

    /// The first entry with the tag of `hash`.
    #[inline]
    fn tag_match(&self, hash: u64) -> Option<&Arc<T>> {
        let slot = self.matches(hash).trailing_zeros() / 8;
        self.entries.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    /// The slot of the entry with a key.
    fn slot(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let tag = tag_of(hash);
        let is_it = |(known, entry): (&u8, &Option<Arc<T>>)| {
            *known == tag && entry.as_ref().is_some_and(|entry| entry.key() == key)
        };
        self.tags.iter().zip(&self.entries).position(is_it)
    }

    /// The entry with a key.
    fn find(&self, hash: u64, key: &[u8]) -> Option<&Arc<T>> {
        self.entries.get(self.slot(hash, key)?)?.as_ref()
    }

    /// Puts an entry in; gives it back if the line is full.
    fn put(&mut self, hash: u64, entry: Arc<T>) -> Result<(), Arc<T>> {
        let slot = self.slot(hash, entry.key());
        let slot = slot.or_else(|| self.entries.iter().position(Option::is_none));
        let place = slot.and_then(|slot| Some((self.tags.get_mut(slot)?, slot)));
        let Some((tag, slot)) = place else {
            return Err(entry);
        };
        *tag = tag_of(hash);
        if let Some(place) = self.entries.get_mut(slot) {
            *place = Some(entry);
        }
        Ok(())
    }

    /// Takes the entry with a key out.
    fn remove(&mut self, hash: u64, key: &[u8]) {
        let slot = self.slot(hash, key);
        let place =
            slot.and_then(|slot| Some((self.tags.get_mut(slot)?, self.entries.get_mut(slot)?)));
        if let Some((tag, entry)) = place {
            *tag = 0;
            *entry = None;
        }
    }
}
