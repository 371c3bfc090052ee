//! How long answers of a snapshot may live in caches, and which entries a later one supersedes.

use std::collections::HashMap;
use std::sync::Arc;

use super::generation::Snapshot;
use super::service::ServiceEntry;
use super::wire_labels::wire_labels;
use crate::model::{Member, MemberIdx, MemberSet, NamespacedName};

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

    /// Whether another snapshot is of the same builder, so that members have the same numbers.
    pub fn is_of_builder_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.builder, &other.builder)
    }

    /// The members of this snapshot by the numbers that they have in `next`; `None` for those that are
    /// gone there.
    pub fn numbers_in(&self, next: &Self) -> Vec<Option<MemberIdx>> {
        let members = next.fleet.members.iter();
        let numbers = members.map(|(index, member)| (&member.name, index));
        let numbers: HashMap<_, _> = numbers.collect();
        let seats = self.fleet.members.seats().iter();
        let number = |member: &Option<Member>| numbers.get(&member.as_ref()?.name).copied();
        seats.map(number).collect()
    }

    /// The entries of which caches may hold more than `next`, which is of another builder, says,
    /// with their members by the numbers of `next`; all members where one is gone. Costs O(all
    /// services).
    pub fn superseded_by<'s>(
        &'s self,
        next: &'s Self,
    ) -> impl Iterator<Item = (&'s ServiceEntry, MemberSet)> {
        let numbers = self.numbers_in(next);
        let is_any_renamed = self.naming.has_renamed() || next.naming.has_renamed();
        self.services.entries().filter_map(move |old| {
            if !old.exists() {
                return None;
            }
            let members = renumbered(old.members(), &numbers);
            let new = next.entry(&old.key);
            let is_less = is_less(new, old.ttl, members);
            let is_other = || is_any_renamed && is_other(old, new);
            (is_less || is_other()).then_some((old, members))
        })
    }
}

/// Members by other numbers; all of them where one has none.
pub fn renumbered(members: MemberSet, numbers: &[Option<MemberIdx>]) -> MemberSet {
    let number = |member: MemberIdx| numbers.get(member.get()).copied().flatten();
    let members: Option<MemberSet> = members.iter().map(number).collect();
    members.unwrap_or(MemberSet::ALL)
}

/// Whether caches may hold more of an entry than the one says that takes its place.
pub(super) fn is_superseded(old: &ServiceEntry, new: Option<&ServiceEntry>) -> bool {
    old.exists() && (is_less(new, old.ttl, old.members()) || is_other(old, new))
}

/// Whether an entry has a lower TTL, or lacks one of these members.
fn is_less(entry: Option<&ServiceEntry>, ttl: u32, members: MemberSet) -> bool {
    entry.is_none_or(|entry| entry.ttl < ttl || !(members & !entry.members()).is_empty())
}

/// Whether two entries of one name may be of two services.
fn is_other(old: &ServiceEntry, new: Option<&ServiceEntry>) -> bool {
    let is_renamed = old.is_renamed() || new.is_some_and(ServiceEntry::is_renamed);
    is_renamed && new != Some(old)
}
