//! Members that are one cluster under several names: each of its services would count several times.

use std::collections::BTreeMap;

use super::profile::Profile;
use crate::model::{Fleet, Member, MemberIdx};

/// What is said of each member whose cluster another member has too, told by the UID of the Service
/// `default/kubernetes`.
pub(in crate::publish) fn twins(
    fleet: &Fleet,
    profiles: &BTreeMap<MemberIdx, Profile>,
) -> BTreeMap<MemberIdx, String> {
    let uid = |index: MemberIdx| profiles.get(&index)?.kept.identity.as_ref()?.uid.as_ref();
    let mut names = BTreeMap::<_, Vec<_>>::new();
    for (index, member) in fleet.members.iter() {
        if let Some(uid) = uid(index) {
            names.entry(uid).or_default().push(member.name.as_str());
        }
    }
    let said = |(index, member): (MemberIdx, &Member)| {
        let own = member.name.as_str();
        let all = names.get(uid(index)?)?;
        let others: Vec<_> = all.iter().copied().filter(|name| *name != own).collect();
        let others = (!others.is_empty()).then(|| others.join(", "))?;
        let said =
            format!("the same cluster as {others}: their Services default/kubernetes have one UID");
        Some((index, said))
    };
    fleet.members.iter().filter_map(said).collect()
}
