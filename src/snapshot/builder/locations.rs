//! The locations of members and clients, and what follows from them.

use std::sync::Arc;

use ipnet::IpNet;

use super::SnapshotBuilder;
use crate::decide::{Distances, nearest};
use crate::model::{GeoDatabase, MemberIdx, TopologyFacts};
use crate::snapshot::scopes::Scopes;
use crate::vantage::{Surroundings, VantageTable};

impl SnapshotBuilder {
    /// Where a member stands; what is configured wins over `facts`.
    pub fn set_topology(&mut self, member: MemberIdx, mut facts: TopologyFacts) {
        if let Some(configured) = self.fleet.members.get(member.get()) {
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
