//! What zones are signed with, on its way to snapshots.

use super::World;
use crate::publish::zone_keys::zone_keys;

impl World {
    /// Gives the next snapshot the keys that are told for the zones of the present configuration.
    pub(in crate::publish) fn sign(&mut self) {
        let keys = zone_keys(&self.config, &self.keys);
        self.out.builder.set_zone_keys(keys);
    }
}
