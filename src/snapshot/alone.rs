//! What would be missing without a member.

use super::generation::Snapshot;
use crate::model::{MemberIdx, MemberSet};

impl Snapshot {
    /// The services that this member alone has, as `service.namespace.federation`. Costs O(all
    /// services).
    pub fn services_only_of(&self, member: MemberIdx) -> impl Iterator<Item = String> {
        let only = MemberSet::from_iter([member]);
        let entries = self.services.entries();
        let of_it = entries.filter(move |entry| entry.members() == only);
        of_it.map(|entry| text_of(&entry.key))
    }
}

/// Labels of wire form as text.
fn text_of(labels: &[u8]) -> String {
    let mut rest = labels;
    let mut text = Vec::new();
    while let Some((length, after)) = rest.split_first() {
        let label = after.split_at_checked(usize::from(*length));
        let (label, after) = label.unwrap_or((after, &[]));
        text.push(String::from_utf8_lossy(label));
        rest = after;
    }
    text.join(".")
}
