//! Compiling services anew.

use std::sync::Arc;

use super::SnapshotBuilder;
use crate::model::{MemberSet, NamespacedName};
use crate::snapshot::apexes::{FederationIdx, wire_labels};
use crate::snapshot::compile::{Input, compile};
use crate::snapshot::facts::{Facts, Shards};
use crate::snapshot::plans::intern;
use crate::snapshot::service::ServiceEntry;
use crate::wire::MAX_NAME;

impl SnapshotBuilder {
    /// Compiles everything that changed since the last time.
    pub(super) fn compile_changed(&mut self) {
        // Taken out while they are read, since compiling keeps much else.
        let facts = std::mem::take(&mut self.facts);
        // Whoever is or was called otherwise changes that name, too.
        let mut others = Vec::new();
        if self.is_new {
            for name in &self.changed {
                others.extend(self.naming.want(name, facts.of(name)));
            }
            self.compile_all(&facts);
            self.is_new = false;
        }
        let changed: Vec<_> = std::mem::take(&mut self.changed).into_iter().collect();
        self.recompile_all(&changed, others, &facts);
        let admitted: Vec<_> = self.cautions.probing.admit().into_iter().collect();
        self.recompile_all(&admitted, Vec::new(), &facts);
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
            others.extend(self.naming.want(name, facts.of(name)));
        }
        others.sort_unstable();
        others.dedup();
        for name in changed.iter().chain(&others) {
            self.recompile(name, facts.of(name), facts);
        }
    }

    /// Compiles what has a name anew, in every federation.
    pub(super) fn recompile(&mut self, name: &NamespacedName, shards: &Shards, facts: &Facts) {
        let names = self.naming.candidates(name);
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
        if before == after {
            return;
        }
        let counts = Arc::make_mut(&mut self.counts);
        for member in (before & !after).iter() {
            counts
                .exported
                .get_mut(member.get())
                .into_iter()
                .for_each(|count| *count -= 1);
        }
        for member in (after & !before).iter() {
            counts
                .exported
                .get_mut(member.get())
                .into_iter()
                .for_each(|count| *count += 1);
        }
    }

    /// Compiles what has a name anew in one federation: the first of `candidates` that exists. Returns
    /// who knew it before, and who does now.
    fn recompile_in(
        &mut self,
        federation: FederationIdx,
        name: &NamespacedName,
        candidates: &[(&NamespacedName, &Shards)],
    ) -> (MemberSet, MemberSet) {
        let Some(apex) = self.apexes.federation(federation).map(|view| view.apex) else {
            return (MemberSet::EMPTY, MemberSet::EMPTY);
        };
        let mut entry: Option<ServiceEntry> = None;
        let mut first: Option<&NamespacedName> = None;
        for (candidate, shards) in candidates {
            let has_it = first.filter(|_| entry.as_ref().is_some_and(ServiceEntry::exists));
            if has_it.is_some() {
                let probing = &mut self.cautions.probing;
                probing.use_targets(federation, candidate, Vec::new());
                self.naming.settle(federation, candidate, shards, has_it);
                continue;
            }
            let compiled = self.compile_in(federation, (candidate, shards), name);
            if compiled.as_ref().is_some_and(ServiceEntry::exists) || entry.is_none() {
                entry = compiled;
                first = Some(candidate);
            }
            self.naming.settle(federation, candidate, shards, None);
        }
        let key = match self.fleet.federations.get(federation.get()) {
            Some(rules) => wire_labels([
                name.name.as_str(),
                name.namespace.as_str(),
                rules.name.as_str(),
            ]),
            None => return (MemberSet::EMPTY, MemberSet::EMPTY),
        };
        // At first each service is compiled once, and there is none to look for.
        let old = if self.is_new {
            None
        } else {
            self.services.get(&key).cloned()
        };
        self.tally(old.as_deref(), entry.as_ref());
        let place = (name, federation);
        self.naming
            .prefix(apex, place, old.as_deref(), entry.as_ref());
        let known =
            |entry: Option<&ServiceEntry>| entry.map_or(MemberSet::EMPTY, ServiceEntry::members);
        let change = (known(old.as_deref()), known(entry.as_ref()));
        if let Some(entry) = entry {
            self.services.insert(Arc::new(entry));
        } else {
            self.services.remove(&key);
        }
        change
    }

    /// Compiles a service in one federation, under a name.
    fn compile_in(
        &mut self,
        federation: FederationIdx,
        (name, facts): (&NamespacedName, &Shards),
        published: &NamespacedName,
    ) -> Option<ServiceEntry> {
        let fleet = self.fleet.clone();
        let rules = fleet.federations.get(federation.get())?;
        let input = Input {
            fleet: &fleet,
            federation,
            rules,
            members: self.apexes.federation(federation)?.members,
            name,
            label: &published.name,
            facts,
        };
        let (hostnames, apexes) = (&self.hostnames, &self.apexes);
        let (cautions, probes) = (&mut self.cautions, &mut self.probes);
        let (plan_keys, plans, scopes) = (&mut self.plan_keys, &mut self.plans, &self.scopes);
        let entry = compile(
            &input,
            |hostname| hostnames.get(hostname).filter(|_| !apexes.holds(hostname)),
            |key| intern(plan_keys, plans, scopes, &fleet, key),
            |shards| {
                let (caution, targets) = cautions.judge(&input, probes, shards);
                let probing = &mut cautions.probing;
                (caution, probing.use_targets(federation, name, targets))
            },
        );
        if entry.is_none() {
            cautions.probing.use_targets(federation, name, Vec::new());
        }
        entry
    }

    /// Keeps the sums when an entry replaces another.
    fn tally(&mut self, old: Option<&ServiceEntry>, new: Option<&ServiceEntry>) {
        let exists = |entry: Option<&ServiceEntry>| entry.is_some_and(ServiceEntry::exists);
        if exists(old) != exists(new) {
            let namespace = old
                .or(new)
                .map(|entry| namespace_of(&entry.key))
                .unwrap_or_default();
            let count = self.namespaces.get(namespace).copied().unwrap_or(0);
            let count = if exists(new) {
                count + 1
            } else {
                count.saturating_sub(1)
            };
            if count == 0 {
                self.namespaces.remove(namespace);
            } else {
                self.namespaces.insert(namespace.into(), count);
            }
        }
        let sums = |entry: Option<&ServiceEntry>| {
            let Some(entry) = entry else { return [0; 5] };
            let is_long = entry.exists() && self.longest_name(entry) > MAX_NAME;
            [
                usize::from(entry.exists()),
                entry.ignored().len(),
                usize::from(is_long),
                usize::from(!entry.disagreements().is_empty()),
                entry.unprobed(),
            ]
        };
        let (old, new) = (sums(old), sums(new));
        if old == new {
            return;
        }
        let counts = Arc::make_mut(&mut self.counts);
        let fields = [
            &mut counts.services,
            &mut counts.ignored,
            &mut counts.unpublished,
            &mut counts.disagreeing,
            &mut counts.unprobed,
        ];
        for ((field, old), new) in fields.into_iter().zip(old).zip(new) {
            *field = (*field + new).saturating_sub(old);
        }
    }

    /// The length of a service's longest name in any scope, in octets.
    fn longest_name(&self, entry: &ServiceEntry) -> usize {
        let federation = self.apexes.federation(entry.federation);
        let apex = federation.and_then(|federation| self.apexes.get(federation.apex));
        let apex = apex.map_or(1, |apex| apex.name.as_wire().len());
        entry.key.len() + self.scopes.longest + apex
    }
}

/// The wire labels `ns.fed` of a key.
fn namespace_of(key: &[u8]) -> &[u8] {
    let length = key.first().map_or(0, |length| usize::from(*length));
    key.get(length + 1..).unwrap_or_default()
}
