//! Facts that are there from before: all at once, by every processor, as waiting for memory is what
//! takes time.

use std::sync::Arc;

use smallvec::SmallVec;

use super::SnapshotBuilder;
use super::compiler::Compiled;
use super::crew::share_out;
use crate::model::{Fleet, MemberIdx, NamespacedName, Service};
use crate::snapshot::apexes::FederationIdx;
use crate::snapshot::facts::{Facts, Said, TOGETHER};
use crate::snapshot::namesakes::is_namesake;

/// How many services are compiled at a time by one thread.
const CHUNK: usize = 16 * TOGETHER;

/// A service that is compiled for the first time, in each federation that has it.
struct First<'f> {
    said: &'f Said,
    entries: SmallVec<[(FederationIdx, Compiled); 1]>,
}

impl SnapshotBuilder {
    /// What members said before, each service of a member once. To be called when nothing else was
    /// said yet, as it takes the place of that.
    pub fn restore(&mut self, members: Vec<(MemberIdx, Vec<(NamespacedName, Arc<Service>)>)>) {
        let fleet = Arc::clone(&self.fleet);
        let is_special = |member, name: &NamespacedName, service: &Service| {
            is_special(&fleet, member, name, service)
        };
        let (facts, special) = Facts::gather(members, is_special);
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
                let mut all = Vec::with_capacity(chunk.len());
                for batch in chunk.chunks(TOGETHER) {
                    Said::touch(batch);
                    all.extend(batch.iter().map(|said| First {
                        said,
                        entries: compiler.compile_everywhere(&said.name, &said.shards),
                    }));
                }
                all
            },
            |all| {
                for first in all {
                    outcome.add(&compiler, &first.said.name, first.entries);
                }
            },
        );
        for said in called {
            self.recompile(&said.name, &said.shards, facts);
        }
    }
}

/// Whether more follows from a service of a member than its entry.
fn is_special(fleet: &Fleet, member: MemberIdx, name: &NamespacedName, service: &Service) -> bool {
    !service.hostnames.is_empty()
        || service.steering.external_name.is_some()
        || is_namesake(fleet, member, &name.namespace)
}
