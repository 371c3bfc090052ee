//! Compiling services: all at first, by every processor, as waiting for memory is what takes time;
//! later those that have changed.

use std::sync::Arc;

use super::SnapshotBuilder;
use super::compilation::Compilation;
use super::compiler::Compiler;
use super::parallel::map_in_parallel;
use crate::model::{MemberSet, NamespacedName};
use crate::snapshot::apex::FederationIdx;
use crate::snapshot::facts::{Facts, PREFETCH_BATCH, ServiceRecord, Shards};
use crate::snapshot::partition::{PartitionedFacts, Partitioner};
use crate::snapshot::service::ServiceEntry;
use crate::snapshot::wire_labels::inline_labels;

/// How many services a thread compiles at a time.
const CHUNK: usize = 8 * PREFETCH_BATCH;

impl SnapshotBuilder {
    /// What members said before. To be called when nothing else was said yet, as it takes the place of
    /// that.
    pub fn restore(&mut self, partitioner: Partitioner, members: Vec<PartitionedFacts>) {
        let (facts, special) = partitioner.merge(members);
        self.facts = facts;
        for (member, name, service) in special {
            self.learn(member, &name, None, &service);
        }
    }

    /// Compiles every service for the first time, but for those that want or get another name.
    pub(super) fn compile_all(&mut self, facts: &Facts) {
        let naming = &self.compilation.naming;
        let (named, called): (Vec<_>, Vec<_>) = (facts.in_memory_order().into_iter())
            .partition(|said| naming.keeps_its_name(&said.name));
        let (compiler, compilation) = self.compiler();
        map_in_parallel(
            named.chunks(CHUNK),
            |chunk| {
                let mut services = Vec::with_capacity(chunk.len());
                for batch in chunk.chunks(PREFETCH_BATCH) {
                    ServiceRecord::prefetch(batch);
                    let all = batch.iter().map(|said| (&said.name, &*said.shards));
                    services.extend(all.map(|service| compiler.compile_everywhere(service)));
                }
                services
            },
            |services| compilation.add(&compiler, services),
        );
        for said in called {
            self.recompile(&said.name, &said.shards, facts);
        }
    }

    /// What compiling reads, and where it goes.
    pub(super) fn compiler(&mut self) -> (Compiler<'_>, &mut Compilation) {
        let compiler = Compiler {
            fleet: &self.fleet,
            apexes: &self.apexes,
            scopes: &self.scopes,
            hostnames: &self.hostnames,
            health_inputs: &self.health_inputs,
            plans: &self.plans,
            probes: &self.probes,
        };
        (compiler, &mut self.compilation)
    }

    /// Compiles everything that changed since the last time.
    pub(super) fn compile_changed(&mut self) {
        self.compilation.superseded.clear();
        // Taken out while they are read, since compiling keeps much else.
        let facts = std::mem::take(&mut self.facts);
        // Whoever is or was called otherwise changes that name, too.
        let mut others = Vec::new();
        if self.is_new {
            for name in &self.changed {
                others.extend(self.compilation.naming.want(name, facts.of(name)));
            }
            self.compile_all(&facts);
            self.is_new = false;
        }
        let changed: Vec<_> = std::mem::take(&mut self.changed).into_iter().collect();
        self.recompile_all(&changed, others, &facts);
        loop {
            let admitted = self.compilation.probing.admit();
            if admitted.is_empty() {
                break;
            }
            self.recompile_all(&admitted, Vec::new(), &facts);
        }
        self.plans.free_unused(&mut self.compilation.plan_uses);
        self.facts = facts;
    }

    /// Compiles services anew, and what has the names that they want.
    fn recompile_all(
        &mut self,
        changed: &[NamespacedName],
        mut others: Vec<NamespacedName>,
        facts: &Facts,
    ) {
        for name in changed {
            others.extend(self.compilation.naming.want(name, facts.of(name)));
        }
        others.sort_unstable();
        others.dedup();
        for name in changed.iter().chain(&others) {
            self.recompile(name, facts.of(name), facts);
        }
    }

    /// Compiles what has a name anew, in every federation.
    pub(super) fn recompile(&mut self, name: &NamespacedName, shards: &Shards, facts: &Facts) {
        let names = self.compilation.naming.candidates(name);
        let others: Vec<_> = names
            .iter()
            .flatten()
            .map(|name| (name, facts.of(name)))
            .collect();
        let candidates = if names.is_some() {
            &*others
        } else {
            &[(name, shards)]
        };
        let mut before = MemberSet::EMPTY;
        let mut after = MemberSet::EMPTY;
        for index in 0..self.fleet.federations.len() {
            let (old, new) = self.recompile_in(FederationIdx::new(index), name, candidates);
            before = before | old;
            after = after | new;
        }
        self.compilation.move_exports(before, after);
    }

    /// Compiles what has a name anew in one federation: the first of `candidates` that exists. Returns
    /// who knew it before, and who does now.
    fn recompile_in(
        &mut self,
        federation: FederationIdx,
        name: &NamespacedName,
        candidates: &[(&NamespacedName, &Shards)],
    ) -> (MemberSet, MemberSet) {
        let mut entry: Option<Arc<ServiceEntry>> = None;
        let mut first: Option<&NamespacedName> = None;
        for (candidate, shards) in candidates {
            let has_it = first.filter(|_| entry.as_ref().is_some_and(|entry| entry.exists()));
            if has_it.is_some() {
                let probing = &mut self.compilation.probing;
                probing.use_targets(federation, candidate, Vec::new());
                let naming = &mut self.compilation.naming;
                naming.settle(federation, candidate, shards, has_it);
                continue;
            }
            let compiled = self.compile_in(federation, (candidate, shards), name);
            if compiled.as_ref().is_some_and(|entry| entry.exists()) || entry.is_none() {
                entry = compiled;
                first = Some(candidate);
            }
            let naming = &mut self.compilation.naming;
            naming.settle(federation, candidate, shards, None);
        }
        let Some(rules) = self.fleet.federations.get(federation.get()) else {
            return (MemberSet::EMPTY, MemberSet::EMPTY);
        };
        let key = inline_labels([
            name.name.as_str(),
            name.namespace.as_str(),
            rules.name.as_str(),
        ]);
        let (compiler, compilation) = self.compiler();
        let old = compilation.services.get(&key).cloned();
        compilation.supersede(old.as_ref(), entry.as_deref());
        let (old, new) = (old.as_deref(), entry.as_deref());
        compilation.put(&compiler, (name, federation), old, new);
        let known =
            |entry: Option<&ServiceEntry>| entry.map_or(MemberSet::EMPTY, ServiceEntry::members);
        let change = (known(old), known(new));
        if let Some(entry) = entry {
            compilation.services.insert(entry);
        } else {
            compilation.services.remove(&key);
        }
        change
    }

    /// Compiles a service in one federation, under a name, and has it probed.
    fn compile_in(
        &mut self,
        federation: FederationIdx,
        service: (&NamespacedName, &Shards),
        published: &NamespacedName,
    ) -> Option<Arc<ServiceEntry>> {
        let (compiler, compilation) = self.compiler();
        let (name, _) = service;
        let Some(compiled) = compiler.compile(federation, service, published) else {
            compilation
                .probing
                .use_targets(federation, name, Vec::new());
            return None;
        };
        Some(compilation.probe(federation, name, compiled))
    }
}
