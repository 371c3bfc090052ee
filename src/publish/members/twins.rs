//! Members that are one cluster under several names: each of its services would count several times.

use std::collections::BTreeMap;

use super::profile::Profile;
use crate::model::Fleet;

/// What is said of each member whose cluster another member has too, told by the UID of the Service
/// `default/kubernetes`; `None` for others. In the order of `profiles`, which is that of the
/// configuration.
pub(in crate::publish) fn twins(fleet: &Fleet, profiles: &[Profile]) -> Vec<Option<String>> {
    let uid = |profile: &Profile| profile.kept.identity.as_ref()?.uid.clone();
    let uids: Vec<_> = profiles.iter().map(uid).collect();
    let mut names = BTreeMap::<_, Vec<_>>::new();
    for (uid, member) in uids.iter().zip(&fleet.members) {
        if let Some(uid) = uid {
            names.entry(uid).or_default().push(member.name.as_str());
        }
    }
    let said = |(index, uid): (usize, &Option<String>)| {
        let own = fleet.members.get(index)?.name.as_str();
        let all = names.get(uid.as_ref()?)?;
        let others: Vec<_> = all.iter().copied().filter(|name| *name != own).collect();
        let others = (!others.is_empty()).then(|| others.join(", "))?;
        Some(format!(
            "the same cluster as {others}: their Services default/kubernetes have one UID"
        ))
    };
    uids.iter().enumerate().map(said).collect()
}
