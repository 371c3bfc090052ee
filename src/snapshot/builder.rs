//! The working copy of the one writer.

mod compilation;
mod compiler;
mod health_inputs;
mod locations;
mod parallel;
mod recompile;

pub use parallel::map_in_parallel;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;

use self::compilation::Compilation;
use super::apex::FederationIdx;
use super::apexes::Apexes;
use super::client_networks::ClientNetworks;
use super::facts::{Facts, PREFETCH_BATCH, ServiceRecord, of_member};
use super::generation::{Counts, Generation, Serial, Snapshot};
use super::health::{FederationContact, FleetState, unheard};
use super::health_inputs::HealthInputs;
use super::hostnames::{Hostnames, Resolved};
use super::input::Input;
use super::plans::Plans;
use super::probing::Probes;
use super::scopes::Scopes;
use super::service::ServiceEntry;
use super::settings::Settings;
use super::shadowed_namespaces::ShadowedNamespaces;
use super::signing::SigningKeys;
use crate::dnssec::ZoneKeys;
use crate::model::{
    Fleet, GeoDatabase, Joined, MemberIdx, MemberSet, MemberStatus, NamespacedName, Service,
    TopologyFacts,
};
use crate::vantage::VantageTable;
use crate::wire::NameBuf;

/// The facts of all members, and the snapshot that follows from them.
///
/// Costs: a snapshot is O(changes since the last one) and shares the rest. A changed service is
/// O(its members × federations); a member's state or topology O(members + scopes + plans).
#[derive(Debug)]
pub struct SnapshotBuilder {
    /// Known to every snapshot of it.
    token: Arc<()>,
    fleet: Arc<Fleet>,
    settings: Arc<Settings>,
    client_networks: Arc<ClientNetworks>,
    apexes: Arc<Apexes>,
    signing: SigningKeys,
    topology: Arc<Vec<TopologyFacts>>,
    scopes: Arc<Scopes>,
    state: Arc<FleetState>,
    contacts: Vec<FederationContact>,
    facts: Facts,
    /// Services whose facts changed since they were compiled. A service that several members change
    /// before a snapshot is compiled once. Before the first snapshot these are all, and not listed.
    changed: HashSet<NamespacedName, foldhash::fast::RandomState>,
    /// There was no snapshot yet.
    is_new: bool,
    hostnames: Hostnames,
    shadowed_namespaces: ShadowedNamespaces,
    health_inputs: HealthInputs,
    probes: Probes,
    plans: Plans,
    vantages: Arc<VantageTable>,
    /// What says where on the globe addresses are.
    database: Option<GeoDatabase>,
    /// The networks of each member's nodes and pods.
    learnt: Vec<Arc<[IpNet]>>,
    /// Where members stand, their networks or the database have changed since `vantages` and `nearest` were compiled.
    has_moved: bool,
    nearest: Arc<Vec<Box<[MemberSet]>>>,
    compilation: Compilation,
}

impl SnapshotBuilder {
    /// A world without facts: every member is `Syncing(AtStart)`, and stands where it is
    /// configured to.
    pub fn new(fleet: Arc<Fleet>, settings: Settings) -> Self {
        let apexes = Apexes::compile(&fleet, None);
        let seats = fleet.members.seats();
        let topology = vec![TopologyFacts::default(); seats.len()];
        let scopes = Scopes::compile(&fleet, &apexes, &topology);
        let status = seats.iter().map(|member| {
            let member = member.as_ref()?;
            Some(unheard(member, Joined::AtStart))
        });
        let status = status.collect();
        let health_inputs = HealthInputs {
            hold_left: vec![None; fleet.federations.len()],
            ..HealthInputs::default()
        };
        let state = FleetState::compile(&fleet, &apexes, status, &[], &health_inputs);
        let compilation = Compilation {
            counts: Arc::new(Counts {
                without_member: vec![0; fleet.federations.len()],
                exported: vec![0; seats.len()],
                ..Counts::default()
            }),
            ..Compilation::default()
        };
        let mut builder = Self {
            token: Arc::new(()),
            client_networks: Arc::new(ClientNetworks::compile(&settings)),
            settings: Arc::new(settings),
            apexes: Arc::new(apexes),
            signing: SigningKeys::default(),
            topology: Arc::new(topology),
            scopes: Arc::new(scopes),
            state: Arc::new(state),
            contacts: Vec::new(),
            facts: Facts::default(),
            changed: HashSet::default(),
            is_new: true,
            hostnames: Hostnames::default(),
            shadowed_namespaces: ShadowedNamespaces::default(),
            health_inputs,
            probes: Probes::compile(&fleet),
            plans: Plans::default(),
            vantages: Arc::default(),
            database: None,
            learnt: seats.iter().map(|_| Arc::default()).collect(),
            has_moved: true,
            nearest: Arc::default(),
            compilation,
            fleet,
        };
        for (index, member) in builder.fleet.clone().members.iter() {
            if member.region.is_some() {
                builder.set_topology(index, TopologyFacts::default());
            }
        }
        builder
    }

    /// The configured world.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// The keys of the apexes that are signed, by their names. An apex that is not among them is not
    /// signed; one whose keys are not usable answers SERVFAIL.
    pub fn set_zone_keys(&mut self, keys: BTreeMap<NameBuf, Arc<ZoneKeys>>) {
        self.signing.set(keys, &self.apexes);
    }

    /// A service of a member is new or has changed. Returns whether anything changed.
    pub fn upsert(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        service: Arc<Service>,
    ) -> bool {
        let new = service.clone();
        let seat = (member, &self.fleet.members);
        let Ok(old) = self.facts.insert(seat, name, service) else {
            return false;
        };
        self.learn(member, name, old.as_deref(), &new);
        true
    }

    /// What follows from facts beside entries.
    fn learn(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        old: Option<&Service>,
        new: &Service,
    ) {
        if old.is_none() {
            self.shadowed_namespaces
                .add(&self.fleet, member, &name.namespace);
        }
        self.rename_hosts(member, name, old, Some(new));
        self.note(name, Some(new));
    }

    /// A service of a member is gone. Returns whether anything changed.
    pub fn remove(&mut self, member: MemberIdx, name: &NamespacedName) -> bool {
        let Some(old) = self.facts.remove(member, name) else {
            return false;
        };
        self.shadowed_namespaces
            .remove(&self.fleet, member, &name.namespace);
        self.rename_hosts(member, name, Some(&old), None);
        self.note(name, None);
        true
    }

    /// A member's service names other host names than before.
    fn rename_hosts(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        old: Option<&Service>,
        new: Option<&Service>,
    ) {
        for concerned in self.hostnames.rename(member, name, old, new) {
            self.note(&concerned, None);
        }
    }

    /// Notes that the facts of a service have changed. At first all have, and only those are noted that
    /// want to be called otherwise, since others depend on them.
    fn note(&mut self, name: &NamespacedName, facts: Option<&Service>) {
        let is_renamed = facts.is_some_and(|facts| facts.steering.external_name.is_some());
        if !self.is_new || is_renamed {
            self.changed.insert(name.clone());
        }
    }

    /// The facts held for a member, in no order. Costs O(its services).
    pub fn facts(
        &self,
        member: MemberIdx,
    ) -> impl Iterator<Item = (&NamespacedName, &Arc<Service>)> {
        self.facts.of_one(member)
    }

    /// How many services a member has facts about.
    pub fn count(&self, member: MemberIdx) -> usize {
        self.facts.count(member)
    }

    /// What a member says about one service.
    pub fn fact(&self, member: MemberIdx, name: &NamespacedName) -> Option<&Arc<Service>> {
        of_member(self.facts.of(name), member)
    }

    /// The state of a member, and what is shown of it.
    pub fn set_status(&mut self, member: MemberIdx, status: MemberStatus) {
        let mut members = self.state.members.clone();
        if let Some(place) = members.get_mut(member.get()) {
            *place = Some(status);
        }
        self.compile_state(members);
    }

    /// What is known of the contact to members beside their states, for each federation in
    /// configuration order. Returns whether anything changed.
    pub fn set_contacts(&mut self, contacts: Vec<FederationContact>) -> bool {
        let has_changed = self.contacts != contacts;
        if has_changed {
            self.contacts = contacts;
            self.compile_state(self.state.members.clone());
        }
        has_changed
    }

    /// Compiles the states of the members.
    fn compile_state(&mut self, members: Vec<Option<MemberStatus>>) {
        let state = FleetState::compile(
            &self.fleet,
            &self.apexes,
            members,
            &self.contacts,
            &self.health_inputs,
        );
        self.state = Arc::new(state);
    }

    /// The state of a member.
    pub fn status(&self, member: MemberIdx) -> Option<&MemberStatus> {
        self.state.members.get(member.get())?.as_ref()
    }

    /// The addresses of a load balancer host name; `None` forgets them. Returns whether any service
    /// names it and anything changed.
    pub fn set_hostname(&mut self, hostname: &NameBuf, resolved: Option<Resolved>) -> bool {
        let users = self.hostnames.resolve(hostname, resolved);
        let names_it = !users.is_empty();
        for name in &users {
            self.note(name, None);
        }
        names_it
    }

    /// Why a load balancer host name has no address, for people; `None` takes it back. Returns whether
    /// any service names it and anything changed.
    pub fn set_unresolved(&mut self, hostname: &NameBuf, why: Option<Box<str>>) -> bool {
        let users = self.hostnames.set_unresolved(hostname, why);
        let names_it = !users.is_empty();
        for name in &users {
            self.note(name, None);
        }
        names_it
    }

    /// The load balancer host names that services name outside the apexes, with the members that have
    /// each resolved, and what it last resolved to.
    pub fn hostnames(&self) -> impl Iterator<Item = (&NameBuf, MemberSet, Option<&Resolved>)> {
        let own = |hostname: &NameBuf| self.apexes.holds(hostname);
        self.hostnames
            .iter()
            .filter(move |(hostname, _, _)| !own(hostname))
    }

    /// Whether the set of host names, or of the members that have one resolved, changed since this was
    /// last asked.
    pub fn take_hostnames_changed(&mut self) -> bool {
        self.hostnames.take_changed()
    }

    /// The entries of the snapshot before the last of which caches may hold more than the last one
    /// says: those that are gone or have a lower TTL, lack a member, or are another service now. Each
    /// is given once. What a builder before this one has had is not known here; see
    /// [`Snapshot::superseded_by`].
    pub fn take_superseded(&mut self) -> Vec<Arc<ServiceEntry>> {
        std::mem::take(&mut self.compilation.superseded)
    }

    /// The longest TTL of an address in the last snapshot, at any name that is not pinned, in seconds.
    pub fn longest_ttl(&self) -> u32 {
        let longest = self.compilation.ttls.last_key_value();
        longest.map_or(0, |(ttl, _)| *ttl)
    }

    /// The present state as a snapshot. Compiles what changed since the last one.
    pub fn snapshot(&mut self, generation: Generation, serial: Serial) -> Snapshot {
        self.compile_changed();
        if std::mem::take(&mut self.has_moved) {
            self.recompile_vantages();
        }
        let unresolved = self.hostnames.beyond();
        if self.compilation.counts.unresolved != unresolved {
            Arc::make_mut(&mut self.compilation.counts).unresolved = unresolved;
        }
        Snapshot {
            generation,
            builder: self.token.clone(),
            serial,
            fleet: self.fleet.clone(),
            settings: self.settings.clone(),
            client_networks: self.client_networks.clone(),
            apexes: self.apexes.clone(),
            signing: self.signing.clone(),
            scopes: self.scopes.clone(),
            topology: self.topology.clone(),
            state: self.state.clone(),
            plans: self.plans.compiled(),
            vantages: self.vantages.clone(),
            nearest: self.nearest.clone(),
            services: self.compilation.services.clone(),
            namespaces: self.compilation.namespaces.clone(),
            shadowed_namespaces: self.shadowed_namespaces.warnings().clone(),
            warned: self.compilation.warned.published(),
            naming: self
                .compilation
                .naming
                .published(&self.apexes, &self.scopes),
            counts: self.compilation.counts.clone(),
        }
    }

    /// Looks at all facts, in no order.
    pub fn for_each_fact(&self, mut look: impl FnMut(MemberIdx, &NamespacedName, &Arc<Service>)) {
        for batch in self.facts.in_memory_order().chunks(PREFETCH_BATCH) {
            ServiceRecord::prefetch(batch);
            for said in batch {
                for (member, facts) in &said.shards {
                    look(*member, &said.name, facts);
                }
            }
        }
    }

    /// The federations in which a member's service counts as an export
    /// (docs/names.md, decision 13), by their place in the configuration.
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
