//! What every member says about every service, while the process runs.
//!
//! A table of numbers of pointers: half of a table's places are empty as a rule, and an empty one
//! costs a number here, not a name and a list. The services of each member are found by those numbers,
//! so that it can come and go at the cost of its own.

mod place_set;

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::ptr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use self::place_set::PlaceSet;
use crate::model::{MemberIdx, NamespacedName, Roster, Service};

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
    /// Every service; a place without one is in `free`.
    services: Vec<Option<Box<ServiceRecord>>>,
    free: Vec<usize>,
    /// The places of `services`, by the names there.
    table: HashTable<u32>,
    /// The places of the services of each member.
    members: BTreeMap<MemberIdx, PlaceSet>,
    hasher: RandomState,
}

impl Facts {
    /// Services with the hashes of their names by `hasher`, each once.
    pub(super) fn of_all(
        hasher: RandomState,
        services: Vec<Vec<(u64, Box<ServiceRecord>)>>,
    ) -> Self {
        let count = services.iter().map(Vec::len).sum();
        let mut facts = Self {
            services: Vec::with_capacity(count),
            table: HashTable::with_capacity(count),
            hasher,
            ..Self::default()
        };
        for (hash, said) in services.into_iter().flatten() {
            facts.add(hash, said);
        }
        facts
    }

    /// Takes in a service that is not there.
    fn add(&mut self, hash: u64, said: Box<ServiceRecord>) {
        let place = self.free.pop().unwrap_or(self.services.len());
        let Ok(short) = u32::try_from(place) else {
            return;
        };
        for (member, _) in &said.shards {
            self.members.entry(*member).or_default().insert(place);
        }
        match self.services.get_mut(place) {
            Some(free) => *free = Some(said),
            None => self.services.push(Some(said)),
        }
        let (services, hasher) = (&self.services, &self.hasher);
        let hash_of = |place: &u32| at(services, *place).map_or(0, |it| hasher.hash_one(&it.name));
        self.table.insert_unique(hash, short, hash_of);
    }

    /// Where a service is.
    fn place(&self, name: &NamespacedName) -> Option<usize> {
        let hash = self.hasher.hash_one(name);
        let is_it = |place: &u32| at(&self.services, *place).is_some_and(|it| it.name == *name);
        let place = self.table.find(hash, is_it)?;
        usize::try_from(*place).ok()
    }

    /// What each member says about a service.
    pub(super) fn of(&self, name: &NamespacedName) -> &Shards {
        let place = self.place(name);
        let said = place.and_then(|place| self.services.get(place)?.as_deref());
        said.map(|said| &*said.shards).unwrap_or_default()
    }

    /// The services of a member, and what it says about each, in no order.
    pub(super) fn of_one(
        &self,
        member: MemberIdx,
    ) -> impl Iterator<Item = (&NamespacedName, &Arc<Service>)> {
        let places = self
            .members
            .get(&member)
            .into_iter()
            .flat_map(PlaceSet::iter);
        let services = places.filter_map(|place| self.services.get(place)?.as_deref());
        services.filter_map(move |said| Some((&said.name, of_member(&said.shards, member)?)))
    }

    /// Every service, in the order in which they lie in memory, which is much that in which they
    /// came: whoever goes through all waits less. Costs a pointer for each.
    pub(super) fn in_memory_order(&self) -> Vec<&ServiceRecord> {
        let all = self.services.iter();
        let mut all: Vec<&ServiceRecord> = all.filter_map(Option::as_deref).collect();
        all.sort_unstable_by_key(|said| ptr::from_ref(*said).addr());
        all
    }

    /// How many services a member has.
    pub(super) fn count(&self, member: MemberIdx) -> usize {
        self.members.get(&member).map_or(0, PlaceSet::count)
    }

    /// A member says this now. Returns what it said before, or an error when it said the same.
    pub(super) fn insert(
        &mut self,
        (member, members): (MemberIdx, &Roster),
        name: &NamespacedName,
        service: Arc<Service>,
    ) -> Result<Option<Arc<Service>>, Unchanged> {
        let known = self.place(name);
        let Some(place) = known else {
            let said = Box::new(ServiceRecord {
                name: name.clone(),
                shards: Box::new([(member, service)]),
            });
            self.add(self.hasher.hash_one(name), said);
            return Ok(None);
        };
        let Some(said) = self.services.get_mut(place).and_then(Option::as_mut) else {
            return Ok(None);
        };
        match said.shards.iter_mut().find(|(of, _)| *of == member) {
            Some((_, before)) if *before == service => Err(Unchanged),
            Some((_, before)) => Ok(Some(std::mem::replace(before, service))),
            None => {
                let mut shards = std::mem::take(&mut said.shards).into_vec();
                let rank = members.rank(member);
                let after = shards.partition_point(|(of, _)| members.rank(*of) < rank);
                shards.reserve_exact(1);
                shards.insert(after, (member, service));
                said.shards = shards.into();
                self.members.entry(member).or_default().insert(place);
                Ok(None)
            }
        }
    }

    /// A member has another place among the others. Returns the services of which what members say is in
    /// another order now. Costs O(its services).
    pub(super) fn reorder(&mut self, member: MemberIdx, members: &Roster) -> Vec<NamespacedName> {
        let places = self.members.get(&member).into_iter();
        let mut reordered = Vec::new();
        for place in places.flat_map(PlaceSet::iter) {
            let said = self.services.get_mut(place).and_then(Option::as_mut);
            let Some(said) = said else { continue };
            let rank = |(of, _): &(MemberIdx, Arc<Service>)| members.rank(*of);
            if !said.shards.is_sorted_by_key(rank) {
                said.shards.sort_by_key(rank);
                reordered.push(said.name.clone());
            }
        }
        reordered
    }

    /// A member says nothing about a service any more. Returns what it said.
    pub(super) fn remove(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
    ) -> Option<Arc<Service>> {
        let place = self.place(name)?;
        let slot = self.services.get_mut(place)?;
        let said = slot.as_mut()?;
        let which = said.shards.iter().position(|(of, _)| *of == member)?;
        let mut shards = std::mem::take(&mut said.shards).into_vec();
        let (_, before) = shards.remove(which);
        said.shards = shards.into();
        let is_last = said.shards.is_empty();
        if is_last {
            let hash = self.hasher.hash_one(name);
            let is_it = |at: &u32| usize::try_from(*at).is_ok_and(|at| at == place);
            if let Ok(found) = self.table.find_entry(hash, is_it) {
                found.remove();
            }
            *slot = None;
            self.free.push(place);
        }
        if let Some(places) = self.members.get_mut(&member) {
            places.remove(place);
            if places.count() == 0 {
                self.members.remove(&member);
            }
        }
        Some(before)
    }
}

/// The service at a place.
fn at(services: &[Option<Box<ServiceRecord>>], place: u32) -> Option<&ServiceRecord> {
    services.get(usize::try_from(place).ok()?)?.as_deref()
}

/// Nothing has changed.
#[derive(Debug)]
pub(super) struct Unchanged;

/// What one member says, of what all say.
pub(super) fn of_member(shards: &Shards, member: MemberIdx) -> Option<&Arc<Service>> {
    let mut shards = shards.iter();
    let (_, service) = shards.find(|(of, _)| *of == member)?;
    Some(service)
}
