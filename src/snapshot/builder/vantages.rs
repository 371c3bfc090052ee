//! Where clients stand, and who is near to them.

use std::sync::Arc;

use ipnet::IpNet;

use super::SnapshotBuilder;
use crate::decide::{Distances, nearest};
use crate::model::{GeoDatabase, MemberIdx};
use crate::vantage::{Surroundings, VantageTable};

impl SnapshotBuilder {
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

    /// Compiles where clients stand anew, and the tiers of every place: both follow where the
    /// members stand. Once for a snapshot, however much has changed.
    pub(super) fn recompile_vantages(&mut self) {
        let vantages = VantageTable::compile(&Surroundings {
            fleet: &self.fleet,
            topology: &self.topology,
            learnt: &self.learnt,
            trusted: &self.settings.trusted,
            listeners: &self.settings.listeners,
            database: self.database.as_ref(),
        });
        let places = vantages.places().iter();
        let named = places.clone().filter_map(|place| place.region.as_ref());
        let stood_in = self
            .topology
            .iter()
            .filter_map(|facts| facts.region.as_ref());
        let distances = Distances::compile(&self.fleet, named.chain(stood_in));
        let tiers = places.map(|place| nearest(&self.fleet, &self.topology, &distances, place));
        self.nearest = Arc::new(tiers.collect());
        self.vantages = Arc::new(vantages);
    }
}
