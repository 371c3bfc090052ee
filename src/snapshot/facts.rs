//! What every member says about every service, while the process runs.
//!
//! A table of pointers: half of a table's places are empty as a rule, and an empty one costs a
//! pointer here, not a name and a list.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::ptr;
use std::sync::Arc;

use hashbrown::HashTable;
use smallvec::{SmallVec, smallvec};

use super::builder::share_out;
use crate::model::{MemberIdx, NamespacedName, Service};

/// What each member says about one service, in configuration order.
pub(super) type Shards = [(MemberIdx, Arc<Service>)];

/// How many services are read ahead by whoever goes through all: they wait for memory together.
pub(super) const TOGETHER: usize = 32;

/// One service that a member at least knows.
#[derive(Debug)]
pub(super) struct Said {
    /// Which.
    pub(super) name: NamespacedName,
    /// Never empty.
    pub(super) shards: Box<Shards>,
}

impl Said {
    /// Waits for what compiling these services reads, for all together.
    pub(super) fn touch(services: &[&Self]) {
        for said in services {
            let name = said.name.name.as_str().as_bytes();
            black_box((name.first(), said.shards.first()));
        }
        for (_, facts) in services.iter().flat_map(|said| &*said.shards) {
            black_box((facts.endpoints.ready, facts.addresses.len()));
        }
    }
}

/// What a member says about one service, on its way into the table.
struct Saying {
    /// Of the name.
    hash: u64,
    name: NamespacedName,
    service: Arc<Service>,
}

/// What a member says about one service, by itself.
pub(super) type Shard = (MemberIdx, NamespacedName, Arc<Service>);

/// What all members say.
#[derive(Debug, Default)]
pub(super) struct Facts {
    table: HashTable<Box<Said>>,
    /// How many services each member has.
    counts: BTreeMap<MemberIdx, usize>,
    hasher: foldhash::fast::RandomState,
}

/// Parts that a first table is made of, one after the other: of a million services one fits the
/// caches of a processor.
const PARTS: usize = 256;

/// The part that a hash belongs to, by other bits than those that tables take.
fn part_of(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or_default() % PARTS
}

impl Facts {
    /// What members say, each service of a member once, all at once; and those of them that are
    /// special.
    pub(super) fn gather(
        members: Vec<(MemberIdx, Vec<(NamespacedName, Arc<Service>)>)>,
        is_special: impl Fn(MemberIdx, &NamespacedName, &Service) -> bool + Sync,
    ) -> (Self, Vec<Shard>) {
        let mut facts = Self::default();
        let mut special = Vec::new();
        let mut parts: Vec<_> = (0..PARTS).map(|_| Vec::new()).collect();
        let hasher = &facts.hasher;
        let counts = &mut facts.counts;
        share_out(
            members,
            |(member, services)| {
                let is_special = |name: &_, service: &_| is_special(member, name, service);
                (member, divide(services, hasher, is_special))
            },
            |(member, (divided, found))| {
                counts.insert(member, divided.iter().map(Vec::len).sum());
                for (part, sayings) in parts.iter_mut().zip(divided) {
                    part.push((member, sayings));
                }
                special.extend(found.into_iter().map(|(name, said)| (member, name, said)));
            },
        );
        let mut united = Vec::with_capacity(PARTS);
        share_out(parts, unite, |part| united.push(part));
        let hash_of = |said: &Box<Said>| hasher.hash_one(&said.name);
        facts
            .table
            .reserve(united.iter().map(Vec::len).sum(), hash_of);
        for (hash, said) in united.into_iter().flatten() {
            facts.table.insert_unique(hash, said, hash_of);
        }
        (facts, special)
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
    pub(super) fn in_memory_order(&self) -> Vec<&Said> {
        let mut all: Vec<&Said> = self.table.iter().map(|said| &**said).collect();
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
    ) -> Result<Option<Arc<Service>>, Same> {
        let hasher = &self.hasher;
        let hash = hasher.hash_one(name);
        let Some(said) = self.table.find_mut(hash, |said| said.name == *name) else {
            let said = Box::new(Said {
                name: name.clone(),
                shards: Box::new([(member, service)]),
            });
            #[expect(clippy::borrowed_box, reason = "the table hashes what it holds")]
            let hash_of = |said: &Box<Said>| hasher.hash_one(&said.name);
            self.table.insert_unique(hash, said, hash_of);
            *self.counts.entry(member).or_default() += 1;
            return Ok(None);
        };
        match place_of(&said.shards, member) {
            Ok(place) => match said.shards.get_mut(place) {
                Some((_, before)) if *before == service => Err(Same),
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

/// Divides what a member says into parts, and finds what is special.
fn divide(
    services: Vec<(NamespacedName, Arc<Service>)>,
    hasher: &foldhash::fast::RandomState,
    is_special: impl Fn(&NamespacedName, &Service) -> bool,
) -> (Vec<Vec<Saying>>, Vec<(NamespacedName, Arc<Service>)>) {
    let hashes: Vec<_> = (services.iter().map(|(name, _)| hasher.hash_one(name))).collect();
    let mut counts = [0; PARTS];
    for hash in &hashes {
        if let Some(count) = counts.get_mut(part_of(*hash)) {
            *count += 1;
        }
    }
    let mut parts: Vec<Vec<Saying>> = counts.map(Vec::with_capacity).into();
    let mut special = Vec::new();
    for (hash, (name, service)) in hashes.into_iter().zip(services) {
        if is_special(&name, &service) {
            special.push((name.clone(), Arc::clone(&service)));
        }
        if let Some(part) = parts.get_mut(part_of(hash)) {
            part.push(Saying {
                hash,
                name,
                service,
            });
        }
    }
    (parts, special)
}

/// Puts together what members say about the services of a part.
fn unite(mut members: Vec<(MemberIdx, Vec<Saying>)>) -> Vec<(u64, Box<Said>)> {
    members.sort_unstable_by_key(|(member, _)| *member);
    let mut services: Vec<(u64, NamespacedName, SmallVec<[_; 4]>)> = Vec::new();
    let mut places: HashTable<usize> = HashTable::new();
    for (member, sayings) in members {
        for saying in sayings {
            let is_it = |place: &usize| {
                let known = services.get(*place);
                known.is_some_and(|(_, name, _)| *name == saying.name)
            };
            let known = places.find(saying.hash, is_it).copied();
            let shard = (member, saying.service);
            if let Some((_, _, shards)) = known.and_then(|place| services.get_mut(place)) {
                shards.push(shard);
            } else {
                let hash_of = |place: &usize| services.get(*place).map_or(0, |(hash, ..)| *hash);
                places.insert_unique(saying.hash, services.len(), hash_of);
                services.push((saying.hash, saying.name, smallvec![shard]));
            }
        }
    }
    let said = services.into_iter().map(|(hash, name, shards)| {
        let shards = shards.into_iter().collect();
        (hash, Box::new(Said { name, shards }))
    });
    said.collect()
}

/// Nothing has changed.
#[derive(Debug)]
pub(super) struct Same;

/// What one member says, of what all say.
pub(super) fn of_member(shards: &Shards, member: MemberIdx) -> Option<&Arc<Service>> {
    let (_, service) = shards.get(place_of(shards, member).ok()?)?;
    Some(service)
}

/// Where a member's shard is, or would be.
fn place_of(shards: &Shards, member: MemberIdx) -> Result<usize, usize> {
    shards.binary_search_by_key(&member, |(of, _)| *of)
}
