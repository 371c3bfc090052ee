//! What every member says about every service, while the process runs.
//!
//! A table of pointers: half of a table's places are empty as a rule, and an empty one costs a
//! pointer here, not a name and a list.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::ptr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::model::{MemberIdx, NamespacedName, Service};

/// What each member says about one service, in configuration order.
pub(super) type Shards = [(MemberIdx, Arc<Service>)];

/// How many services are read ahead by whoever goes through all: they wait for memory together.
pub(super) const PREFETCH_BATCH: usize = 32;

/// One service that a member at least knows.
#[derive(Debug)]
pub(super) struct ServiceRecord {
    /// Which.
    pub(super) name: NamespacedName,
    /// Never empty.
    pub(super) shards: Box<Shards>,
}

impl ServiceRecord {
    /// Prefetches what compiling these services reads, so that the cache misses of all overlap.
    pub(super) fn prefetch(services: &[&Self]) {
        for said in services {
            let name = said.name.name.as_str().as_bytes();
            black_box((name.first(), said.shards.first()));
        }
        for (_, facts) in services.iter().flat_map(|said| &*said.shards) {
            black_box((facts.endpoints.ready, facts.addresses.len()));
        }
    }
}

/// What all members say.
#[derive(Debug, Default)]
pub(super) struct Facts {
    table: HashTable<Box<ServiceRecord>>,
    /// How many services each member has.
    counts: BTreeMap<MemberIdx, usize>,
    hasher: RandomState,
}

impl Facts {
    /// Services with the hashes of their names by `hasher`, each once, and how many of them each member
    /// has.
    pub(super) fn of_all(
        hasher: RandomState,
        services: Vec<Vec<(u64, Box<ServiceRecord>)>>,
        counts: Vec<(MemberIdx, usize)>,
    ) -> Self {
        let mut table = HashTable::with_capacity(services.iter().map(Vec::len).sum());
        for (hash, said) in services.into_iter().flatten() {
            table.insert_unique(hash, said, |said| hasher.hash_one(&said.name));
        }
        Self {
            table,
            counts: counts.into_iter().collect(),
            hasher,
        }
    }

    /// What each member says about a service.
    pub(super) fn of(&self, name: &NamespacedName) -> &Shards {
        let hash = self.hasher.hash_one(name);
        let said = self.table.find(hash, |said| said.name == *name);
        said.map(|said| &*said.shards).unwrap_or_default()
    }

    /// Every service, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NamespacedName, &Shards)> {
        self.table.iter().map(|said| (&said.name, &*said.shards))
    }

    /// Every service, in the order in which they lie in memory, which is much that in which they
    /// came: whoever goes through all waits less. Costs a pointer for each.
    pub(super) fn in_memory_order(&self) -> Vec<&ServiceRecord> {
        let mut all: Vec<&ServiceRecord> = self.table.iter().map(|said| &**said).collect();
        all.sort_unstable_by_key(|said| ptr::from_ref(*said).addr());
        all
    }

    /// How many services a member has.
    pub(super) fn count(&self, member: MemberIdx) -> usize {
        self.counts.get(&member).copied().unwrap_or(0)
    }

    /// A member says this now. Returns what it said before, or an error when it said the same.
    pub(super) fn insert(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        service: Arc<Service>,
    ) -> Result<Option<Arc<Service>>, Unchanged> {
        let hasher = &self.hasher;
        let hash = hasher.hash_one(name);
        let Some(said) = self.table.find_mut(hash, |said| said.name == *name) else {
            let said = Box::new(ServiceRecord {
                name: name.clone(),
                shards: Box::new([(member, service)]),
            });
            #[expect(clippy::borrowed_box, reason = "the table hashes what it holds")]
            let hash_of = |said: &Box<ServiceRecord>| hasher.hash_one(&said.name);
            self.table.insert_unique(hash, said, hash_of);
            *self.counts.entry(member).or_default() += 1;
            return Ok(None);
        };
        match place_of(&said.shards, member) {
            Ok(place) => match said.shards.get_mut(place) {
                Some((_, before)) if *before == service => Err(Unchanged),
                shard => Ok(shard.map(|(_, before)| std::mem::replace(before, service))),
            },
            Err(place) => {
                let mut shards = std::mem::take(&mut said.shards).into_vec();
                shards.reserve_exact(1);
                shards.insert(place, (member, service));
                said.shards = shards.into();
                *self.counts.entry(member).or_default() += 1;
                Ok(None)
            }
        }
    }

    /// A member says nothing about a service any more. Returns what it said.
    pub(super) fn remove(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
    ) -> Option<Arc<Service>> {
        let hash = self.hasher.hash_one(name);
        let found = self.table.find_entry(hash, |said| said.name == *name);
        let mut found = found.ok()?;
        let said = found.get_mut();
        let place = place_of(&said.shards, member).ok()?;
        let mut shards = std::mem::take(&mut said.shards).into_vec();
        let (_, before) = shards.remove(place);
        if let Some(count) = self.counts.get_mut(&member) {
            *count -= 1;
        }
        if shards.is_empty() {
            found.remove();
        } else {
            said.shards = shards.into();
        }
        Some(before)
    }
}

/// Nothing has changed.
#[derive(Debug)]
pub(super) struct Unchanged;

/// What one member says, of what all say.
pub(super) fn of_member(shards: &Shards, member: MemberIdx) -> Option<&Arc<Service>> {
    let (_, service) = shards.get(place_of(shards, member).ok()?)?;
    Some(service)
}

/// Where a member's shard is, or would be.
fn place_of(shards: &Shards, member: MemberIdx) -> Result<usize, usize> {
    shards.binary_search_by_key(&member, |(of, _)| *of)
}
