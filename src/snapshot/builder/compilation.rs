//! What was compiled, and what is counted of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compiler::{CompiledService, Compiler, NewService};
use crate::model::{MemberSet, NamespacedName};
use crate::snapshot::apex::FederationIdx;
use crate::snapshot::cache_lifetime::is_superseded;
use crate::snapshot::generation::{Counts, Namespaces};
use crate::snapshot::naming::Naming;
use crate::snapshot::plans::PlanUses;
use crate::snapshot::probing::Probing;
use crate::snapshot::service::ServiceEntry;
use crate::snapshot::service_warnings::ServiceWarnings;
use crate::snapshot::table::Table;
use crate::wire::MAX_NAME;

/// What was compiled, and what is counted of it.
#[derive(Debug, Default)]
pub(super) struct Compilation {
    pub(super) services: Table<ServiceEntry>,
    pub(super) namespaces: Namespaces,
    pub(super) counts: Arc<Counts>,
    pub(super) naming: Naming,
    pub(super) probing: Probing,
    pub(super) warned: ServiceWarnings,
    pub(super) plan_uses: PlanUses,
    /// How many entries that exist have each TTL, in seconds.
    pub(super) ttls: BTreeMap<u32, usize>,
    /// Entries of which caches may hold more than those say that took their place since the last
    /// snapshot.
    pub(super) superseded: Vec<Arc<ServiceEntry>>,
}

impl Compilation {
    /// Takes in services that were not there before, under their own names. The fewer, the longer it
    /// waits for each.
    pub(super) fn add(&mut self, compiler: &Compiler<'_>, services: Vec<NewService<'_>>) {
        let compiled = services.iter().flat_map(|first| &first.compiled);
        self.services
            .prefetch(compiled.map(|(_, compiled)| &*compiled.entry.key));
        for NewService { name, compiled } in services {
            let mut members = MemberSet::EMPTY;
            for (federation, compiled) in compiled {
                let has_prefix = compiled.has_prefix;
                let entry = self.probe(federation, name, compiled);
                members = members | entry.members();
                self.tally(compiler, None, Some(&entry));
                self.warn((name, federation), None, Some(&entry));
                if has_prefix {
                    self.claim_prefix(compiler, (name, federation), None, Some(&entry));
                }
                self.services.insert(entry);
            }
            self.move_exports(MemberSet::EMPTY, members);
        }
    }

    /// Has a service probed as it is to be now.
    pub(super) fn probe(
        &mut self,
        federation: FederationIdx,
        name: &NamespacedName,
        compiled: CompiledService,
    ) -> Arc<ServiceEntry> {
        let mut entry = compiled.entry;
        let probing = &mut self.probing;
        let unprobed = probing.use_targets(federation, name, compiled.targets);
        if let Some(entry) = Arc::get_mut(&mut entry) {
            entry.set_unprobed(&unprobed);
        }
        entry
    }

    /// Keeps the sums and prefixes when an entry takes the place of another.
    pub(super) fn put(
        &mut self,
        compiler: &Compiler<'_>,
        (name, federation): (&NamespacedName, FederationIdx),
        old: Option<&ServiceEntry>,
        new: Option<&ServiceEntry>,
    ) {
        self.tally(compiler, old, new);
        self.warn((name, federation), old, new);
        self.claim_prefix(compiler, (name, federation), old, new);
    }

    /// Keeps an entry in mind of which caches may hold more than the one says that takes its place.
    pub(super) fn supersede(
        &mut self,
        old: Option<&Arc<ServiceEntry>>,
        new: Option<&ServiceEntry>,
    ) {
        let old = old.filter(|old| is_superseded(old, new));
        self.superseded.extend(old.cloned());
    }

    /// Keeps what is said of members when an entry takes the place of another.
    fn warn(
        &mut self,
        service: (&NamespacedName, FederationIdx),
        old: Option<&ServiceEntry>,
        new: Option<&ServiceEntry>,
    ) {
        let [old, new] = [old, new].map(|entry| entry.map_or(&[][..], ServiceEntry::warnings));
        self.warned.replace(service, old, new);
    }

    /// Keeps the prefixes when an entry takes the place of another.
    fn claim_prefix(
        &mut self,
        compiler: &Compiler<'_>,
        (name, federation): (&NamespacedName, FederationIdx),
        old: Option<&ServiceEntry>,
        new: Option<&ServiceEntry>,
    ) {
        if let Some(view) = compiler.apexes.federation(federation) {
            self.naming.prefix(view.apex, (name, federation), old, new);
        }
    }

    /// Keeps how many services members export, when those of one change.
    pub(super) fn move_exports(&mut self, before: MemberSet, after: MemberSet) {
        if before == after {
            return;
        }
        let counts = Arc::make_mut(&mut self.counts);
        for member in (before & !after).iter() {
            if let Some(count) = counts.exported.get_mut(member.get()) {
                *count -= 1;
            }
        }
        for member in (after & !before).iter() {
            if let Some(count) = counts.exported.get_mut(member.get()) {
                *count += 1;
            }
        }
    }

    /// Keeps how many entries have each TTL when an entry replaces another.
    fn count_ttls(&mut self, old: Option<&ServiceEntry>, new: Option<&ServiceEntry>) {
        let ttl = |entry: Option<&ServiceEntry>| {
            let entry = entry.filter(|entry| entry.exists());
            entry.map(|entry| entry.ttl)
        };
        let (old, new) = (ttl(old), ttl(new));
        if old == new {
            return;
        }
        if let Some(new) = new {
            *self.ttls.entry(new).or_default() += 1;
        }
        if let Some(old) = old
            && let Some(count) = self.ttls.get_mut(&old)
        {
            *count -= 1;
            if *count == 0 {
                self.ttls.remove(&old);
            }
        }
    }

    /// Keeps how many services of each federation have no member, when an entry replaces another.
    fn count_without_member(&mut self, old: Option<&ServiceEntry>, new: Option<&ServiceEntry>) {
        let of = |entry: Option<&ServiceEntry>| {
            let entry = entry.filter(|entry| entry.exists());
            let without = entry.filter(|entry| entry.health().available.is_empty());
            without.map(|entry| entry.federation)
        };
        let (old, new) = (of(old), of(new));
        if old == new {
            return;
        }
        let counts = &mut Arc::make_mut(&mut self.counts).without_member;
        if let Some(count) = old.and_then(|old| counts.get_mut(old.get())) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = new.and_then(|new| counts.get_mut(new.get())) {
            *count += 1;
        }
    }

    /// Keeps the sums when an entry replaces another.
    fn tally(
        &mut self,
        compiler: &Compiler<'_>,
        old: Option<&ServiceEntry>,
        new: Option<&ServiceEntry>,
    ) {
        let plan = |entry: Option<&ServiceEntry>| entry.map(|entry| entry.plan);
        self.plan_uses.moved(plan(old), plan(new));
        self.count_ttls(old, new);
        self.count_without_member(old, new);
        let exists = |entry: Option<&ServiceEntry>| entry.is_some_and(ServiceEntry::exists);
        if exists(old) != exists(new) {
            let namespace = old
                .or(new)
                .map(|entry| namespace_of(&entry.key))
                .unwrap_or_default();
            match self.namespaces.get_mut(namespace) {
                Some(count) if exists(new) => *count += 1,
                Some(count) if *count > 1 => *count -= 1,
                Some(_) => drop(self.namespaces.remove(namespace)),
                None if exists(new) => drop(self.namespaces.insert(namespace.into(), 1)),
                None => {}
            }
        }
        let sums = |entry: Option<&ServiceEntry>| {
            let Some(entry) = entry else { return [0; 7] };
            let is_long = entry.exists() && longest_name(compiler, entry) > MAX_NAME;
            [
                usize::from(entry.exists()),
                entry.ignored().len(),
                usize::from(is_long),
                usize::from(!entry.disagreements().is_empty()),
                entry.unprobed(),
                entry.exceeded().overfull,
                entry.exceeded().hurried,
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
            &mut counts.overfull,
            &mut counts.hurried,
        ];
        for ((field, old), new) in fields.into_iter().zip(old).zip(new) {
            *field = (*field + new).saturating_sub(old);
        }
    }
}

/// The length of a service's longest name in any scope, in octets.
fn longest_name(compiler: &Compiler<'_>, entry: &ServiceEntry) -> usize {
    let federation = compiler.apexes.federation(entry.federation);
    let apex = federation.and_then(|federation| compiler.apexes.get(federation.apex));
    let apex = apex.map_or(1, |apex| apex.name.as_wire().len());
    entry.key.len() + compiler.scopes.longest + apex
}

/// The wire labels `ns.fed` of a key.
fn namespace_of(key: &[u8]) -> &[u8] {
    let length = key.first().map_or(0, |length| usize::from(*length));
    key.get(length + 1..).unwrap_or_default()
}
