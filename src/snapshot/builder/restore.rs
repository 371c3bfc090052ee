//! Facts that are there from before: all at once, where waiting for memory is what takes time.

use std::sync::Arc;

use super::SnapshotBuilder;
use crate::model::{MemberIdx, NamespacedName, Service};
use crate::snapshot::facts::{Facts, Said};

/// How many services are read ahead: they wait for memory together.
const TOGETHER: usize = 32;

impl SnapshotBuilder {
    /// Services of a member are there, from before: as [`Self::upsert`], sooner for many.
    pub fn restore(&mut self, member: MemberIdx, services: Vec<(NamespacedName, Arc<Service>)>) {
        let mut rest = services.into_iter();
        while !rest.as_slice().is_empty() {
            let batch = rest.as_slice().iter().take(TOGETHER);
            self.facts.touch_places(&batch.map(|(name, _)| name));
            for (name, service) in rest.by_ref().take(TOGETHER) {
                self.upsert(member, &name, service);
            }
        }
    }

    /// Compiles every service for the first time.
    pub(super) fn compile_all(&mut self, facts: &Facts) {
        for batch in facts.in_memory_order().chunks(TOGETHER) {
            Said::touch(batch);
            for said in batch {
                self.recompile(&said.name, &said.shards, facts);
            }
        }
    }
}
