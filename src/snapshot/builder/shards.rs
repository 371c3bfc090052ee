//! Questions about single shards.

use std::sync::Arc;

use super::SnapshotBuilder;
use crate::model::{MemberIdx, NamespacedName, Service};
use crate::snapshot::FederationIdx;
use crate::snapshot::compile::Input;
use crate::snapshot::facts::{Said, TOGETHER};

impl SnapshotBuilder {
    /// Looks at all facts, in no order.
    pub fn for_each_fact(&self, mut look: impl FnMut(MemberIdx, &NamespacedName, &Arc<Service>)) {
        for batch in self.facts.in_memory_order().chunks(TOGETHER) {
            Said::touch(batch);
            for said in batch {
                for (member, facts) in &said.shards {
                    look(*member, &said.name, facts);
                }
            }
        }
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
