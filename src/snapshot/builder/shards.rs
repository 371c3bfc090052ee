//! Questions about single shards.

use std::sync::Arc;

use super::SnapshotBuilder;
use crate::model::{MemberIdx, NamespacedName, Service};
use crate::snapshot::FederationIdx;
use crate::snapshot::compile::Input;

impl SnapshotBuilder {
    /// All facts, in no order.
    pub fn all_facts(&self) -> impl Iterator<Item = (MemberIdx, &NamespacedName, &Arc<Service>)> {
        self.facts.iter().flat_map(|(name, shards)| {
            let shards = shards.iter();
            shards.map(move |(member, facts)| (*member, name, facts))
        })
    }

    /// The federations in which a member's service counts as an export (names: decision 13), by
    /// their place in the configuration.
    pub fn federations_of(
        &self,
        member: MemberIdx,
        name: &NamespacedName,
        facts: &Service,
    ) -> Vec<usize> {
        let federations = self.fleet.federations.iter().enumerate();
        let counts = federations.filter(|(index, rules)| {
            let federation = FederationIdx::new(*index);
            let members = self.apexes.federation(federation).map(|view| view.members);
            let input = Input {
                fleet: &self.fleet,
                federation,
                rules,
                members: members.unwrap_or_default(),
                name,
                label: &name.name,
                facts: &[],
            };
            input.ignores(member, facts).is_none()
        });
        counts.map(|(index, _)| index).collect()
    }
}
