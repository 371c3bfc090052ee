//! How long an answer of a snapshot may live in a cache.

use super::apexes::wire_labels;
use super::generation::Snapshot;
use crate::model::{MemberSet, NamespacedName};

impl Snapshot {
    /// The longest TTL of an address of any of `members` at a name that is not pinned, in seconds.
    /// Costs O(all services).
    pub fn longest_ttl(&self, members: MemberSet) -> u32 {
        let entries = self.services.entries();
        let named = entries.filter(|entry| !(entry.members() & members).is_empty());
        named.map(|entry| entry.ttl).max().unwrap_or(0)
    }

    /// The longest TTL of an address of a service, in seconds.
    pub fn longest_ttl_of(&self, name: &NamespacedName) -> u32 {
        let label = self.renamed(name).unwrap_or(&name.name);
        let federations = self.fleet.federations.iter();
        let entries = federations.filter_map(|federation| {
            self.entry(&wire_labels([
                label.as_str(),
                name.namespace.as_str(),
                federation.name.as_str(),
            ]))
        });
        entries.map(|entry| entry.ttl).max().unwrap_or(0)
    }
}
