//! What is seen only beside other members: `api-identity`.

use std::collections::BTreeMap;

use super::checker::Checker;
use super::finding::CheckFinding;
use super::id::CheckId;
use super::member::SeenMember;
use super::mending::Mending;
use crate::model::Identity;
use crate::names::Label;

/// What is known of all members.
pub(super) struct SeenFleet<'s> {
    /// What was seen of each.
    pub(super) seen: &'s BTreeMap<Label, SeenMember>,
    /// Which cluster each was when a daemon kept its facts here.
    pub(super) kept: &'s BTreeMap<Label, Identity>,
}

/// Compares a member with what it was and with the others.
pub(super) fn compare(
    checker: &Checker<'_>,
    name: &Label,
    mending: &Mending,
    fleet: &SeenFleet<'_>,
) {
    let uid = fleet.seen.get(name).and_then(|seen| seen.uid.as_ref());
    match uid {
        // That was said where it was found.
        None => {}
        Some(Err(why)) => checker.skip(CheckId::ApiIdentity, why),
        Some(Ok(uid)) => {
            let findings = vec![judge_identity(name, uid, mending, fleet)];
            checker.say(CheckId::ApiIdentity, findings);
        }
    }
}

/// Whether its cluster is the one that it was, and no other member's.
fn judge_identity(
    name: &Label,
    uid: &str,
    mending: &Mending,
    fleet: &SeenFleet<'_>,
) -> CheckFinding {
    let is_it = |(other, seen): (&Label, &SeenMember)| {
        let is_same = seen.uid.as_ref().is_some_and(|of| of.as_deref() == Ok(uid));
        (other != name && is_same).then(|| other.to_string())
    };
    let twins: Vec<_> = fleet.seen.iter().filter_map(is_it).collect();
    if !twins.is_empty() {
        let says = format!("the same cluster as member {}: UID {uid}", twins.join(", "));
        return CheckFinding::failure(says).hint(mending.unjoin());
    }
    let kept = fleet.kept.get(name).and_then(|kept| kept.uid.as_deref());
    match kept {
        None => CheckFinding::ok(format!("UID {uid}; nothing is kept of it here")),
        Some(kept) if kept == uid => CheckFinding::ok(format!("UID {uid}, as before")),
        Some(kept) => {
            let says = format!("another cluster than before: UID {uid}, and it was {kept}");
            CheckFinding::failure(says).hint(mending.join("--replace"))
        }
    }
}
