//! The first facts on their way into the table: each reader partitions those of its member by the
//! hash of the name, and the partitions are merged one by one, so that all cores can work and wait
//! little for memory.

use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::{SmallVec, smallvec};

use super::builder::map_in_parallel;
use super::facts::{Facts, ServiceRecord};
use super::shadowed_namespaces::is_shadowed;
use crate::model::{Fleet, MemberIdx, NamespacedName, Service};

/// How many partitions there are: one of a million services fits the caches of a core.
const PARTS: usize = 256;

/// Partitions the facts of all members in the same way.
#[derive(Debug, Clone)]
pub struct Partitioner {
    fleet: Arc<Fleet>,
    hasher: RandomState,
}

/// Facts of one member, partitioned.
#[derive(Debug)]
pub struct PartitionedFacts {
    member: MemberIdx,
    parts: Vec<Vec<ShardFacts>>,
    /// Those from which more follows than an entry.
    special: Vec<(NamespacedName, Arc<Service>)>,
}

/// What a member says about one service.
#[derive(Debug)]
struct ShardFacts {
    /// Of the name.
    hash: u64,
    name: NamespacedName,
    service: Arc<Service>,
}

/// A service from which more follows than an entry, as one member says it.
pub(super) type Special = (MemberIdx, NamespacedName, Arc<Service>);

impl Partitioner {
    /// Of a fleet.
    pub fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            fleet,
            hasher: RandomState::default(),
        }
    }

    /// Partitions the services of a member, of which each is there once.
    pub fn partition(
        &self,
        member: MemberIdx,
        services: Vec<(NamespacedName, Arc<Service>)>,
    ) -> PartitionedFacts {
        let names = services.iter().map(|(name, _)| name);
        let hashes: Vec<u64> = names.map(|name| self.hasher.hash_one(name)).collect();
        let mut counts = [0; PARTS];
        for hash in &hashes {
            if let Some(count) = counts.get_mut(part_of(*hash)) {
                *count += 1;
            }
        }
        let mut parts: Vec<Vec<ShardFacts>> = counts.map(Vec::with_capacity).into();
        let mut special = Vec::new();
        for (hash, (name, service)) in hashes.into_iter().zip(services) {
            if self.is_special(member, &name, &service) {
                special.push((name.clone(), Arc::clone(&service)));
            }
            if let Some(part) = parts.get_mut(part_of(hash)) {
                part.push(ShardFacts {
                    hash,
                    name,
                    service,
                });
            }
        }
        PartitionedFacts {
            member,
            parts,
            special,
        }
    }

    /// Whether more follows from a service of a member than its entry.
    fn is_special(&self, member: MemberIdx, name: &NamespacedName, service: &Service) -> bool {
        !service.hostnames.is_empty()
            || service.steering.external_name.is_some()
            || is_shadowed(&self.fleet, member, &name.namespace)
    }

    /// Merges the partitions of all members; beside them, the services that are special.
    pub(super) fn merge(self, members: Vec<PartitionedFacts>) -> (Facts, Vec<Special>) {
        let mut parts: Vec<_> = (0..PARTS).map(|_| Vec::new()).collect();
        let mut special = Vec::new();
        for partitioned in members {
            let member = partitioned.member;
            for (part, facts) in parts.iter_mut().zip(partitioned.parts) {
                part.push((member, facts));
            }
            let found = partitioned.special.into_iter();
            special.extend(found.map(|(name, service)| (member, name, service)));
        }
        let mut merged = Vec::with_capacity(PARTS);
        let fleet = &self.fleet;
        map_in_parallel(parts, |part| merge(fleet, part), |part| merged.push(part));
        (Facts::of_all(self.hasher, merged), special)
    }
}

impl PartitionedFacts {
    /// How many services there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The part that a hash belongs to, by other bits than those that tables take.
fn part_of(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or_default() % PARTS
}

/// Puts together what members say about the services of a part; with the hashes of their names.
fn merge(
    fleet: &Fleet,
    mut members: Vec<(MemberIdx, Vec<ShardFacts>)>,
) -> Vec<(u64, Box<ServiceRecord>)> {
    members.sort_unstable_by_key(|(member, _)| fleet.members.rank(*member));
    let mut services: Vec<(u64, NamespacedName, SmallVec<[_; 4]>)> = Vec::new();
    let mut places: HashTable<usize> = HashTable::new();
    for (member, facts) in members {
        // Waits for their names, for all together.
        for one in &facts {
            black_box(one.name.name.as_str().as_bytes().first());
        }
        for one in facts {
            let is_it = |place: &usize| {
                let known = services.get(*place);
                known.is_some_and(|(_, name, _)| *name == one.name)
            };
            let known = places.find(one.hash, is_it).copied();
            let shard = (member, one.service);
            if let Some((_, _, shards)) = known.and_then(|place| services.get_mut(place)) {
                shards.push(shard);
            } else {
                let hash_of = |place: &usize| services.get(*place).map_or(0, |(hash, ..)| *hash);
                places.insert_unique(one.hash, services.len(), hash_of);
                services.push((one.hash, one.name, smallvec![shard]));
            }
        }
    }
    let said = services.into_iter().map(|(hash, name, shards)| {
        let shards = shards.into_iter().collect();
        (hash, Box::new(ServiceRecord { name, shards }))
    });
    said.collect()
}
