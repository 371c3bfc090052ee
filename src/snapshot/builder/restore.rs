//! Facts that are there from before: all at once, by every processor, as waiting for memory is what
//! takes time.

use super::SnapshotBuilder;
use super::crew::share_out;
use crate::snapshot::facts::{Facts, Said, TOGETHER};
use crate::snapshot::gather::{Gathered, Gathering};

/// How many services a thread compiles at a time.
const CHUNK: usize = 8 * TOGETHER;

impl SnapshotBuilder {
    /// What members said before. To be called when nothing else was said yet, as it takes the place of
    /// that.
    pub fn restore(&mut self, gathering: Gathering, members: Vec<Gathered>) {
        let (facts, special) = gathering.unite(members);
        self.facts = facts;
        for (member, name, service) in special {
            self.learn(member, &name, None, &service);
        }
    }

    /// Compiles every service for the first time, but for those that want or get another name.
    pub(super) fn compile_all(&mut self, facts: &Facts) {
        let naming = &self.outcome.naming;
        let (named, called): (Vec<_>, Vec<_>) = (facts.in_memory_order().into_iter())
            .partition(|said| naming.is_called_as_it_is(&said.name));
        let (compiler, outcome) = self.compiler();
        share_out(
            named.chunks(CHUNK),
            |chunk| {
                let mut services = Vec::with_capacity(chunk.len());
                for batch in chunk.chunks(TOGETHER) {
                    Said::touch(batch);
                    let all = batch.iter().map(|said| (&said.name, &*said.shards));
                    services.extend(all.map(|service| compiler.compile_everywhere(service)));
                }
                services
            },
            |services| outcome.add(&compiler, services),
        );
        for said in called {
            self.recompile(&said.name, &said.shards, facts);
        }
    }
}
