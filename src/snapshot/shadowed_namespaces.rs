//! Namespaces with the name of a federation, in members with a cluster domain: the zone of the
//! federation shadows the names that their services have in the member's own DNS
//! (docs/names.md, D.8).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Fleet, MemberIdx, NamespacedName};
use crate::names::Label;

/// How many services of such namespaces each member has.
#[derive(Debug, Default)]
pub(super) struct ShadowedNamespaces {
    counts: BTreeMap<(MemberIdx, Label), usize>,
    /// What is said of them.
    warnings: Arc<Vec<(MemberIdx, String)>>,
}

impl ShadowedNamespaces {
    /// What is said of them, and of which member.
    pub(super) fn warnings(&self) -> &Arc<Vec<(MemberIdx, String)>> {
        &self.warnings
    }

    /// A member has a service in a namespace that it did not have.
    pub(super) fn add(&mut self, fleet: &Fleet, member: MemberIdx, namespace: &Label) {
        if !is_shadowed(fleet, member, namespace) {
            return;
        }
        let count = self.counts.entry((member, namespace.clone())).or_default();
        *count += 1;
        if *count == 1 {
            self.say(fleet);
        }
    }

    /// A member has a service in a namespace no more.
    pub(super) fn remove(&mut self, fleet: &Fleet, member: MemberIdx, namespace: &Label) {
        let key = (member, namespace.clone());
        let Some(count) = self.counts.get_mut(&key) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&key);
            self.say(fleet);
        }
    }

    /// A member that has these services, each named once, may have another cluster domain.
    pub(super) fn recount<'n>(
        &mut self,
        fleet: &Fleet,
        member: MemberIdx,
        services: impl Iterator<Item = &'n NamespacedName>,
    ) {
        self.counts.retain(|(of, _), _| *of != member);
        let namesakes = services.filter(|name| is_shadowed(fleet, member, &name.namespace));
        for name in namesakes {
            let key = (member, name.namespace.clone());
            *self.counts.entry(key).or_default() += 1;
        }
        self.say(fleet);
    }

    /// Says it anew.
    fn say(&mut self, fleet: &Fleet) {
        let warning = |(member, namespace): &(MemberIdx, Label)| {
            let domain = fleet.members.get(*member)?.cluster_domain.as_ref()?;
            let warning = format!(
                "namespace \"{namespace}\" is called as a federation: pods do not find its \
                 services below {namespace}.svc.{domain}"
            );
            Some((*member, warning))
        };
        self.warnings = Arc::new(self.counts.keys().filter_map(warning).collect());
    }
}

/// Whether names of a namespace are in the zone of a federation.
pub(super) fn is_shadowed(fleet: &Fleet, member: MemberIdx, namespace: &Label) -> bool {
    let member = fleet.members.get(member);
    member.is_some_and(|member| member.cluster_domain.is_some())
        && fleet
            .federations
            .iter()
            .any(|federation| federation.name == *namespace)
}
