//! Plans, each compiled once for all services that want the same, and freed with the last of them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::scopes::Scopes;
use crate::decide::{Plan, PlanKey};
use crate::model::{Fleet, MemberSet};

/// The place of a plan in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanIdx(u32);

impl PlanIdx {
    /// The place `index`.
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place as an index.
    #[inline]
    pub(super) fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Compiled plans by their place, a persistent list: handing it on costs nothing, and a change what
/// a few plans cost. A place may be free.
pub(super) type CompiledPlans = imbl::Vector<Option<Arc<Plan>>>;

/// The plans that are wanted. Several threads may ask for them at the first compilation.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<Known>);

/// Who uses which plan.
#[derive(Debug, Default)]
pub(super) struct PlanUses {
    /// How many entries use each place.
    uses: Vec<usize>,
    /// Places that the last entry went from.
    left: Vec<PlanIdx>,
}

impl PlanUses {
    /// An entry uses a plan instead of another.
    pub(super) fn moved(&mut self, from: Option<PlanIdx>, to: Option<PlanIdx>) {
        if from == to {
            return;
        }
        if let Some(to) = to {
            if self.uses.len() <= to.get() {
                self.uses.resize(to.get() + 1, 0);
            }
            self.uses
                .iter_mut()
                .skip(to.get())
                .take(1)
                .for_each(|uses| *uses += 1);
        }
        let Some(from) = from else { return };
        if let Some(uses) = self.uses.get_mut(from.get()) {
            *uses = uses.saturating_sub(1);
            if *uses == 0 {
                self.left.push(from);
            }
        }
    }
}

/// Plans and what they are wanted by.
#[derive(Debug, Default)]
struct Known {
    places: HashMap<Arc<PlanKey>, PlanIdx, foldhash::fast::RandomState>,
    keys: Vec<Option<Arc<PlanKey>>>,
    plans: CompiledPlans,
    free: Vec<PlanIdx>,
    /// Places that were given since the last look at who uses them.
    fresh: Vec<PlanIdx>,
}

impl Plans {
    /// The plan of a key, compiled at its first use. It stays until the next
    /// [`free_unused`](Self::free_unused) at least.
    pub(super) fn intern(&self, key: PlanKey, scopes: &Scopes, fleet: &Fleet) -> PlanIdx {
        let mut known = self.0.lock();
        let known = &mut *known;
        if let Some(index) = known.places.get(&key) {
            return *index;
        }
        let compiled = Some(Arc::new(plan(&key, scopes, fleet)));
        let key = Arc::new(key);
        let index = known.free.pop().unwrap_or_else(|| {
            known.keys.push(None);
            known.plans.push_back(None);
            PlanIdx::new(known.keys.len() - 1)
        });
        if let Some(place) = known.plans.get_mut(index.get()) {
            *place = compiled;
        }
        if let Some(place) = known.keys.get_mut(index.get()) {
            *place = Some(Arc::clone(&key));
        }
        known.places.insert(key, index);
        known.fresh.push(index);
        index
    }

    /// Frees the plans that no entry uses. To be called when everything that was compiled is in its
    /// place.
    pub(super) fn free_unused(&mut self, users: &mut PlanUses) {
        let known = self.0.get_mut();
        for index in users.left.drain(..).chain(known.fresh.drain(..)) {
            let uses = users.uses.get(index.get()).copied();
            let place = known.keys.get_mut(index.get());
            let Some(key) = place
                .filter(|_| uses.unwrap_or(0) == 0)
                .and_then(Option::take)
            else {
                continue;
            };
            known.places.remove(&key);
            if let Some(place) = known.plans.get_mut(index.get()) {
                *place = None;
            }
            known.free.push(index);
        }
    }

    /// All of them.
    pub(super) fn compiled(&mut self) -> CompiledPlans {
        self.0.get_mut().plans.clone()
    }

    /// Compiles every plan anew: fences follow the members of their regions.
    pub(super) fn recompile(&mut self, scopes: &Scopes, fleet: &Fleet) {
        let known = self.0.get_mut();
        let keys = known.keys.iter();
        let plans = keys.map(|key| Some(Arc::new(plan(key.as_deref()?, scopes, fleet))));
        known.plans = plans.collect();
    }
}

/// Compiles a plan.
fn plan(key: &PlanKey, scopes: &Scopes, fleet: &Fleet) -> Plan {
    let fence = key
        .fence
        .as_ref()
        .map_or(MemberSet::ALL, |regions| scopes.members_of(regions));
    Plan::compile(key, fleet, fence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Policy, SrvForm, TopologyFacts, WhenAllDown};
    use crate::snapshot::Apexes;

    fn key(number: usize) -> PlanKey {
        PlanKey {
            policy: Policy::Failover,
            order: vec![format!("m{number}").parse().unwrap()],
            fence: None,
            max_addresses: None,
            spill_over: None,
            srv: SrvForm::Shared,
            when_all_down: WhenAllDown::NoData,
        }
    }

    #[test]
    fn plans_go_with_the_last_entry_that_uses_them() {
        let fleet = Fleet::default();
        let none: [TopologyFacts; 0] = [];
        let scopes = Scopes::compile(&fleet, &Apexes::compile(&fleet, None), &none);
        let (mut plans, mut uses) = (Plans::default(), PlanUses::default());
        let mut before = None;
        // Two entries: one goes from plan to plan, one stays.
        let stays = plans.intern(key(0), &scopes, &fleet);
        uses.moved(None, Some(stays));
        for number in 1..100 {
            let next = plans.intern(key(number), &scopes, &fleet);
            // Compiled for an entry that was not put in its place after all.
            plans.intern(key(1000 + number), &scopes, &fleet);
            uses.moved(before, Some(next));
            before = Some(next);
            plans.free_unused(&mut uses);
            let compiled = plans.compiled();
            assert!(compiled.len() <= 5, "{}", compiled.len());
            assert_eq!(compiled.iter().flatten().count(), 2);
            assert!(compiled.get(stays.get()).unwrap().is_some());
        }
        plans.recompile(&scopes, &fleet);
        assert_eq!(plans.compiled().iter().flatten().count(), 2);
        assert_eq!(plans.intern(key(0), &scopes, &fleet), stays);
    }
}
