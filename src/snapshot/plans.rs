//! Plans, each compiled once for all services that want the same.

use std::collections::HashMap;
use std::sync::Arc;

use super::scopes::Scopes;
use super::service::PlanIdx;
use crate::decide::{Plan, PlanKey};
use crate::model::{Fleet, MemberSet};
use crate::names::Label;

/// The plan of a key, compiled at its first use.
pub(super) fn intern(
    keys: &mut HashMap<PlanKey, PlanIdx>,
    plans: &mut Arc<Vec<Plan>>,
    scopes: &Scopes,
    fleet: &Fleet,
    key: PlanKey,
) -> PlanIdx {
    if let Some(index) = keys.get(&key) {
        return *index;
    }
    let index = PlanIdx::new(plans.len());
    Arc::make_mut(plans).push(plan(&key, scopes, fleet));
    keys.insert(key, index);
    index
}

/// Compiles a plan.
pub(super) fn plan(key: &PlanKey, scopes: &Scopes, fleet: &Fleet) -> Plan {
    let members: Vec<&Label> = fleet.members.iter().map(|member| &member.name).collect();
    let fence = key
        .fence
        .as_ref()
        .map_or(MemberSet::ALL, |regions| scopes.members_of(regions));
    Plan::compile(key, &members, fence)
}
