//! Policies compiled to tiers.

use crate::model::{Fleet, MemberSet, Policy, Roster, SrvForm, WhenAllDown};
use crate::names::Label;

/// What a service and its federation say about choosing: equal keys share one plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanKey {
    /// The policy.
    pub policy: Policy,
    /// The order of the policy `failover`; empty for the others.
    pub order: Vec<Label>,
    /// Regions that answers may come from; `None` is all.
    pub fence: Option<Vec<Label>>,
    /// How many addresses of a type an answer has at most; `None` is all.
    pub max_addresses: Option<u8>,
    /// The share, in percent, of the endpoints nearest to a client that are to be ready, or others
    /// carry the rest; `None` where nothing spills over. `None` for the policies that do not order
    /// members.
    pub spill_over: Option<u8>,
    /// What SRV records lead to.
    pub srv: SrvForm,
    /// What to answer when no member is eligible.
    pub when_all_down: WhenAllDown,
}

/// A compiled [`PlanKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Members within the fence.
    pub fence: MemberSet,
    /// Disjoint sets, tried in order; together they hold every member.
    pub tiers: Box<[MemberSet]>,
    /// At the global level the tiers of the client's place come first, if it is known.
    pub is_nearest: bool,
    /// One member answers, drawn by its weight.
    pub is_weighted: bool,
    /// How many addresses of a type an answer has at most; a draw says which.
    pub max_addresses: Option<u8>,
    /// The share, in percent, of the endpoints of the first tier that are to be ready, or the next
    /// tiers carry the rest.
    pub spill_over: Option<u8>,
    /// What SRV records lead to.
    pub srv: SrvForm,
    /// What to answer when no member is eligible.
    pub when_all_down: WhenAllDown,
}

impl Plan {
    /// Compiles `key` for a fleet: `fence` are the members that stand in its regions.
    pub fn compile(key: &PlanKey, fleet: &Fleet, fence: MemberSet) -> Self {
        let tiers = match key.policy {
            Policy::Failover => failover(&key.order, &fleet.members),
            Policy::Nearest | Policy::Spread | Policy::Weighted => Box::new([MemberSet::ALL]),
        };
        Self {
            fence,
            tiers,
            is_nearest: key.policy == Policy::Nearest,
            is_weighted: key.policy == Policy::Weighted,
            max_addresses: key.max_addresses,
            spill_over: key.spill_over,
            srv: key.srv,
            when_all_down: key.when_all_down,
        }
    }
}

/// One tier for each member: the listed ones, then the others in configuration order
/// (docs/names.md, D.11.9).
fn failover(order: &[Label], members: &Roster) -> Box<[MemberSet]> {
    let listed = order.iter().filter_map(|name| members.find(name));
    let all = members.iter().map(|(member, _)| member);
    let mut seen = MemberSet::EMPTY;
    let mut tiers = Vec::with_capacity(members.len());
    for member in listed.chain(all) {
        if !seen.contains(member) {
            seen.insert(member);
            tiers.push(MemberSet::from_iter([member]));
        }
    }
    tiers.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Member;

    #[test]
    fn failover_lists_every_member_once() {
        let names: Vec<Label> = ["a", "b", "c"].map(|name| name.parse().unwrap()).into();
        let member = |name: &Label| Member {
            name: name.clone(),
            region: None,
            zones: Vec::new(),
            namespaces: Vec::new(),
            cluster_domain: None,
            gateway: None,
            addresses_from: Vec::new(),
        };
        let fleet = Fleet {
            members: names.iter().map(member).collect(),
            ..Fleet::default()
        };
        let key = PlanKey {
            policy: Policy::Failover,
            order: vec![names[2].clone(), names[2].clone()],
            fence: None,
            max_addresses: None,
            spill_over: None,
            srv: SrvForm::Shared,
            when_all_down: WhenAllDown::NoData,
        };
        let plan = Plan::compile(&key, &fleet, MemberSet::ALL);
        let tiers: Vec<_> = plan
            .tiers
            .iter()
            .map(|tier| tier.iter().next().unwrap().0)
            .collect();
        assert_eq!(tiers, [2, 0, 1]);
    }
}
