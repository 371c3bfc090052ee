//! What would be missing without a member.

use super::generation::Snapshot;
use crate::model::{MemberIdx, MemberSet};
use crate::wire::NameText;

impl Snapshot {
    /// The services that this member alone has, as `service.namespace.federation`. Costs O(all
    /// services).
    pub fn services_only_of(&self, member: MemberIdx) -> impl Iterator<Item = String> {
        let only = MemberSet::from_iter([member]);
        let entries = self.services.entries();
        let of_it = entries.filter(move |entry| entry.members() == only);
        of_it.map(|entry| NameText(&entry.key).to_string())
    }
}
