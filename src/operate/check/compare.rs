//! What is seen only beside other members: `api-identity`, `networks`, and the length of names.

use std::collections::BTreeMap;

use super::checker::Checker;
use super::files::{count, or_ok};
use super::finding::CheckFinding;
use super::id::CheckId;
use super::lengths::place_octets;
use super::member::SeenMember;
use super::mending::Mending;
use super::networks::{SharedNetworks, shared};
use crate::model::{Fleet, Identity, Shown};
use crate::names::Label;

/// What is known of all members.
pub(super) struct SeenFleet<'s> {
    /// All members, in the order of the configuration.
    pub(super) order: Vec<&'s Label>,
    /// What was seen of each.
    pub(super) seen: &'s BTreeMap<Label, SeenMember>,
    /// Which cluster each was when a daemon kept its facts here.
    pub(super) kept: &'s BTreeMap<Label, Identity>,
    /// Networks that members share.
    pub(super) shared: SharedNetworks<'s>,
    /// The longest region with a zone of it, in octets of a message.
    pub(super) place: usize,
}

impl<'s> SeenFleet<'s> {
    /// What was seen of members of this fleet.
    pub(super) fn new(
        fleet: &'s Fleet,
        seen: &'s BTreeMap<Label, SeenMember>,
        kept: &'s BTreeMap<Label, Identity>,
    ) -> Self {
        let nodes = seen.iter();
        let nodes = nodes.filter_map(|(name, seen)| Some((name, seen.nodes.as_ref()?)));
        let networks = nodes.clone().flat_map(|(name, nodes)| {
            let networks = nodes.networks.iter();
            networks.map(move |network| (name, *network))
        });
        let configured = fleet.members.iter().map(|(_, member)| member);
        let configured =
            configured.flat_map(|member| places(member.region.as_ref(), member.zones.iter()));
        let fixed = fleet.regions.iter();
        let fixed = fixed.flat_map(|region| places(Some(&region.name), region.zones.iter()));
        let learnt = nodes
            .flat_map(|(_, nodes)| places(nodes.learnt.region.as_ref(), nodes.learnt.zones.iter()));
        Self {
            order: fleet
                .members
                .iter()
                .map(|(_, member)| &member.name)
                .collect(),
            seen,
            kept,
            shared: shared(networks),
            place: configured
                .chain(fixed)
                .chain(learnt)
                .max()
                .unwrap_or_default(),
        }
    }
}

/// The octets of a region with each of its zones.
fn places<'p>(
    region: Option<&'p Label>,
    zones: impl Iterator<Item = &'p Label>,
) -> impl Iterator<Item = usize> {
    let zones: Vec<_> = zones.map(Some).chain([None]).collect();
    let region = region.into_iter();
    region.flat_map(move |region| {
        let zones = zones.iter().copied();
        zones
            .map(|zone| place_octets(region, zone))
            .collect::<Vec<_>>()
    })
}

/// Compares a member with what it was and with the others.
pub(super) fn compare(
    checker: &Checker<'_>,
    name: &Label,
    mending: &Mending<'_>,
    fleet: &SeenFleet<'_>,
) {
    let Some(seen) = fleet.seen.get(name) else {
        return;
    };
    if let Some(names) = &seen.names {
        checker.say(CheckId::Names, names.judge(fleet.place));
    }
    if let Some(nodes) = &seen.nodes {
        let all = count(nodes.networks.len(), "network");
        let findings = or_ok(judge_networks(name, fleet), || {
            format!("{all}, none of another member")
        });
        checker.say(CheckId::Networks, findings);
    }
    match &seen.uid {
        // That was said where it was found.
        None => {}
        Some(Err(why)) => checker.skip(CheckId::ApiIdentity, why),
        Some(Ok(uid)) => {
            let findings = vec![judge_identity(name, uid, mending, fleet)];
            checker.say(CheckId::ApiIdentity, findings);
        }
    }
}

/// Which networks it shares. That decides nothing: clients there are in the member that is asked through.
fn judge_networks(name: &Label, fleet: &SeenFleet<'_>) -> Vec<CheckFinding> {
    let shared = fleet.shared.iter();
    let shared = shared.filter_map(|((one, other), (of_one, of_other))| {
        let (own, whose, theirs) = match (*one == name, *other == name) {
            (true, _) => (of_one, other, of_other),
            (_, true) => (of_other, one, of_one),
            _ => return None,
        };
        let uid = |of: &Label| fleet.seen.get(of)?.uid.clone()?.ok();
        // One cluster under two names has the same nodes, and that is said.
        if uid(name).is_some_and(|own| Some(own) == uid(whose)) {
            return None;
        }
        let says = format!(
            "{own} and {theirs} of member {whose} overlap: addresses there say nothing of where a client is"
        );
        let hint = "kubectl --context CONTEXT get nodes -o custom-columns=NAME:.metadata.name,PODS:.spec.podCIDRs";
        Some(CheckFinding::warning(says).hint(hint))
    });
    shared.collect()
}

/// Whether its cluster is the one that it was, and no other member's.
fn judge_identity(
    name: &Label,
    uid: &str,
    mending: &Mending<'_>,
    fleet: &SeenFleet<'_>,
) -> CheckFinding {
    let shown = Shown(uid);
    let is_it = |of: &&Label| {
        let seen = fleet.seen.get(*of).and_then(|seen| seen.uid.as_ref());
        seen.is_some_and(|seen| seen.as_deref() == Ok(uid))
    };
    let all: Vec<_> = fleet.order.iter().copied().filter(is_it).collect();
    let twins = all.iter().filter(|other| **other != name);
    let twins: Vec<_> = twins.map(ToString::to_string).collect();
    // The first of them counts, as where a name is met twice.
    if let Some(last) = all.last().filter(|_| !twins.is_empty()) {
        let says = format!(
            "the same cluster as member {}: UID {shown}",
            twins.join(", ")
        );
        return CheckFinding::failure(says).hint(mending.unjoin(last));
    }
    let kept = fleet.kept.get(name).and_then(|kept| kept.uid.as_deref());
    match kept {
        None => CheckFinding::ok(format!("UID {shown}; nothing is kept of it here")),
        Some(kept) if kept == uid => CheckFinding::ok(format!("UID {shown}, as before")),
        Some(kept) => {
            let kept = Shown(kept);
            let says = format!("another cluster than before: UID {shown}, and it was {kept}");
            CheckFinding::failure(says).hint(mending.replace())
        }
    }
}
