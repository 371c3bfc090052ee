//! What is learnt of where clients are.

use std::sync::Arc;

use ipnet::IpNet;
use tracing::{info, warn};

use super::fact::Fact;
use super::world::World;
use crate::model::{GeoDatabase, MemberIdx};
use crate::snapshot::Snapshot;

impl World {
    /// A source says which networks its member's nodes and pods have.
    pub(super) fn learn_networks(&mut self, member: MemberIdx, networks: Arc<[IpNet]>) {
        let Some(profile) = self.profiles.get_mut(member.get()) else {
            return;
        };
        let known = &mut profile.kept.networks;
        let now = networks.iter().copied().collect();
        let new: Vec<IpNet> = networks
            .iter()
            .copied()
            .filter(|cidr| !known.contains(cidr))
            .collect();
        let gone: Vec<IpNet> = known.difference(&now).copied().collect();
        if new.is_empty() && gone.is_empty() {
            return;
        }
        *known = now;
        self.out.builder.set_networks(member, networks);
        self.out.is_dirty = true;
        self.out.keep(member, Fact::Networks(new, gone));
    }

    /// Another GeoIP database is there, if any is wanted.
    pub(super) fn locate(&mut self, database: Option<GeoDatabase>) {
        self.database = database.filter(|_| self.config.geoip.is_some());
        self.out.builder.set_database(self.database.clone());
        self.out.is_dirty = true;
    }

    /// Says once that several members claim the same networks, and once that it is over.
    pub(super) fn tell_contested(&mut self, snapshot: &Snapshot) {
        let contested = snapshot.vantages().contested();
        if contested.is_empty() == self.is_contested {
            self.is_contested = !self.is_contested;
            if let Some(first) = contested.first() {
                warn!(networks = contested.len(), such_as = %first.cidr,
                    "several members claim the same networks, which therefore decide nothing; \
                     `clusters -o json` says who");
            } else {
                info!("no two members claim the same network any more");
            }
        }
    }
}
