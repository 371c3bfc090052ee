//! Who is a member, where members and clients stand, and what follows.

use std::sync::Arc;

use ipnet::IpNet;

use super::SnapshotBuilder;
use crate::decide::{Distances, nearest};
use crate::model::{Fleet, GeoDatabase, Joined, Member, MemberIdx, NamespacedName, TopologyFacts};
use crate::snapshot::apex::ApexIdx;
use crate::snapshot::apexes::Apexes;
use crate::snapshot::client_networks::ClientNetworks;
use crate::snapshot::health::unheard;
use crate::snapshot::scopes::Scopes;
use crate::snapshot::settings::Settings;
use crate::vantage::{Surroundings, VantageTable};

impl SnapshotBuilder {
    /// Whether this builder can go on under another fleet, whose members are seated among those of its
    /// own: what every service depends on is the same.
    pub fn can_take(&self, fleet: &Fleet) -> bool {
        self.fleet.federations == fleet.federations && self.fleet.addresses == fleet.addresses
    }

    /// Takes another fleet, one that it [can take](Self::can_take). Members that are gone are to have no
    /// facts any more; those that are new have none yet, and are `Syncing(WhileRunning)`. Where those
    /// stand that are new or configured otherwise is to be [said](Self::set_topology) next.
    ///
    /// Costs O(members² + scopes + plans + networks), and O(their services) for members that offer other
    /// namespaces, or have another gateway, cluster domain or addresses that services may name, or
    /// another place among the others. Of the
    /// last only services are compiled anew of which what members say is in another order.
    pub fn set_fleet(&mut self, fleet: &Arc<Fleet>) {
        let before = std::mem::replace(&mut self.fleet, Arc::clone(fleet));
        self.seat(&before);
        let count = |member| self.facts.count(member);
        for moved in fleet.members.moved_since(&before.members, count) {
            let reordered = self.facts.reorder(moved, &fleet.members);
            self.changed.extend(reordered);
        }
        self.set_apexes(Apexes::compile(fleet, Some(&self.apexes)));
        for (index, member) in fleet.members.iter() {
            let Some(was) = before
                .members
                .get(index)
                .filter(|was| was.name == member.name)
            else {
                continue;
            };
            let counts = |member: &Member| {
                let (namespaces, gateway) = (member.namespaces.clone(), member.gateway.clone());
                let allowed = member.addresses_from.clone();
                (namespaces, gateway, allowed, member.cluster_domain.clone())
            };
            if counts(was) != counts(member) {
                let names = self.facts.of_one(index).map(|(name, _)| name);
                let names: Vec<NamespacedName> = names.cloned().collect();
                self.shadowed_namespaces.recount(fleet, index, names.iter());
                self.changed.extend(names);
            }
        }
        self.scopes = Arc::new(Scopes::compile(fleet, &self.apexes, &self.topology));
        self.compilation.naming.scopes_changed();
        self.plans.recompile(&self.scopes, fleet);
        self.has_moved = true;
        self.compile_state(self.state.members.clone());
    }

    /// Takes other settings.
    pub fn set_settings(&mut self, settings: Settings) {
        self.client_networks = Arc::new(ClientNetworks::compile(&settings));
        self.settings = Arc::new(settings);
        self.has_moved = true;
    }

    /// Gives everything an entry for each seat, and nothing of those who were there before to those who
    /// are there now.
    fn seat(&mut self, before: &Fleet) {
        let fleet = Arc::clone(&self.fleet);
        let seats = fleet.members.seats().len();
        let mut status = self.state.members.clone();
        status.resize_with(seats, || None);
        let topology = Arc::make_mut(&mut self.topology);
        topology.resize_with(seats, TopologyFacts::default);
        self.learnt.resize_with(seats, Arc::default);
        let counts = Arc::make_mut(&mut self.compilation.counts);
        let most = counts.exported.len().max(seats);
        counts.exported.resize(most, 0);
        for ((index, member), place) in MemberIdx::all().zip(fleet.members.seats()).zip(&mut status)
        {
            let name = |fleet: &Fleet| Some(fleet.members.get(index)?.name.clone());
            if name(before) == name(&fleet) {
                continue;
            }
            *place = (member.as_ref()).map(|member| unheard(member, Joined::WhileRunning));
            if let Some(topology) = topology.get_mut(index.get()) {
                *topology = TopologyFacts::default();
            }
            if let Some(learnt) = self.learnt.get_mut(index.get()) {
                *learnt = Arc::default();
            }
        }
        let state = Arc::make_mut(&mut self.state);
        state.members = status;
    }

    /// Takes other apexes: those of federations stay, but cluster domains may come and go.
    fn set_apexes(&mut self, apexes: Apexes) {
        let before = std::mem::replace(&mut self.apexes, Arc::new(apexes));
        if before.names().eq(self.apexes.names()) {
            return;
        }
        self.signing.place(&self.apexes);
        let hostnames = self.hostnames.iter();
        let concerned = hostnames.map(|(hostname, ..)| hostname);
        let concerned = concerned.filter(|it| before.holds(it) != self.apexes.holds(it));
        let concerned: Vec<_> = concerned.cloned().collect();
        let users = concerned.iter().flat_map(|it| self.hostnames.users(it));
        self.changed.extend(users);
        self.hostnames.note_zones();
        let after = Arc::clone(&self.apexes);
        self.compilation.naming.move_apexes(|apex| {
            let name = &before.get(apex)?.name;
            let place = after.names().position(|other| other == name)?;
            Some(ApexIdx::new(place))
        });
    }

    /// Where a member stands; what is configured wins over `facts`.
    pub fn set_topology(&mut self, member: MemberIdx, mut facts: TopologyFacts) {
        if let Some(configured) = self.fleet.members.get(member) {
            if let Some(region) = &configured.region {
                facts.region = Some(region.clone());
            }
            if !configured.zones.is_empty() {
                facts.zones = configured.zones.iter().cloned().collect();
            }
        }
        if let Some(region) = facts.region.clone() {
            facts.known.insert((region.clone(), None));
            let zones = facts.zones.iter().cloned();
            facts
                .known
                .extend(zones.map(|zone| (region.clone(), Some(zone))));
        }
        let Some(place) = Arc::make_mut(&mut self.topology).get_mut(member.get()) else {
            return;
        };
        if *place == facts {
            return;
        }
        *place = facts;
        self.scopes = Arc::new(Scopes::compile(&self.fleet, &self.apexes, &self.topology));
        self.compilation.naming.scopes_changed();
        self.plans.recompile(&self.scopes, &self.fleet);
        self.has_moved = true;
    }

    /// What says where on the globe addresses are.
    pub fn set_database(&mut self, database: Option<GeoDatabase>) {
        if self.database != database {
            self.database = database;
            self.has_moved = true;
        }
    }

    /// The networks of a member's nodes and pods.
    pub fn set_networks(&mut self, member: MemberIdx, networks: Arc<[IpNet]>) {
        if let Some(known) = self.learnt.get_mut(member.get())
            && *known != networks
        {
            *known = networks;
            self.has_moved = true;
        }
    }

    /// Where a member stands.
    pub fn topology(&self, member: MemberIdx) -> Option<&TopologyFacts> {
        self.topology.get(member.get())
    }

    /// Compiles where clients stand anew, and the tiers of every place: both follow where the
    /// members stand. Once for a snapshot, however much has changed.
    pub(super) fn recompile_vantages(&mut self) {
        self.vantages = Arc::new(VantageTable::compile(&Surroundings {
            fleet: &self.fleet,
            topology: &self.topology,
            learnt: &self.learnt,
            trusted: &self.settings.trusted,
            listeners: &self.settings.listeners,
            database: self.database.as_ref(),
        }));
        let places = self.vantages.places().iter();
        let named = places.clone().filter_map(|place| place.region.as_ref());
        let regions = self
            .topology
            .iter()
            .filter_map(|facts| facts.region.as_ref());
        let distances = Distances::compile(&self.fleet, named.chain(regions));
        let tiers = places.map(|place| nearest(&self.fleet, &self.topology, &distances, place));
        self.nearest = Arc::new(tiers.collect());
    }
}
