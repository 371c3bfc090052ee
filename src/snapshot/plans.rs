//! Plans, each compiled once for all services that want the same.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::scopes::Scopes;
use super::service::PlanIdx;
use crate::decide::{Plan, PlanKey};
use crate::model::{Fleet, MemberSet};
use crate::names::Label;

/// The plans that were wanted so far. Several threads may ask for them at the first compilation.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<Known>);

/// Plans and what they were wanted by.
#[derive(Debug, Default)]
struct Known {
    keys: HashMap<PlanKey, PlanIdx, foldhash::fast::RandomState>,
    plans: Arc<Vec<Plan>>,
}

impl Plans {
    /// The plan of a key, compiled at its first use.
    pub(super) fn intern(&self, key: PlanKey, scopes: &Scopes, fleet: &Fleet) -> PlanIdx {
        let mut known = self.0.lock();
        if let Some(index) = known.keys.get(&key) {
            return *index;
        }
        let index = PlanIdx::new(known.plans.len());
        Arc::make_mut(&mut known.plans).push(plan(&key, scopes, fleet));
        known.keys.insert(key, index);
        index
    }

    /// All of them.
    pub(super) fn compiled(&mut self) -> Arc<Vec<Plan>> {
        Arc::clone(&self.0.get_mut().plans)
    }

    /// Compiles every plan anew: fences follow the members of their regions.
    pub(super) fn recompile(&mut self, scopes: &Scopes, fleet: &Fleet) {
        let known = self.0.get_mut();
        let mut plans: Vec<Option<Plan>> = known.keys.iter().map(|_| None).collect();
        for (key, index) in &known.keys {
            if let Some(place) = plans.get_mut(index.get()) {
                *place = Some(plan(key, scopes, fleet));
            }
        }
        known.plans = Arc::new(plans.into_iter().flatten().collect());
    }
}

/// Compiles a plan.
fn plan(key: &PlanKey, scopes: &Scopes, fleet: &Fleet) -> Plan {
    let members: Vec<&Label> = fleet.members.iter().map(|member| &member.name).collect();
    let fence = key
        .fence
        .as_ref()
        .map_or(MemberSet::ALL, |regions| scopes.members_of(regions));
    Plan::compile(key, &members, fence)
}
