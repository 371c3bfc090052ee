//! What the targets of operators mean in the present world.

use std::collections::BTreeMap;

use crate::model::{
    FULL_SHARE, Fleet, MemberIdx, MemberSet, OverrideTarget, Overrides, TopologyFacts, UnixSeconds,
};
use crate::names::Label;
use crate::publish::command::{ActiveOverrides, OperatorCommand, OverrideOrigin};
use crate::publish::outbox::Outbox;
use crate::snapshot::{Shares, Snapshot, SnapshotBuilder};

/// The members that a target means now; none for a service.
pub(in crate::publish) fn meant(
    target: &OverrideTarget,
    fleet: &Fleet,
    builder: &SnapshotBuilder,
) -> MemberSet {
    meant_where(target, fleet, |index| builder.topology(index))
}

/// The members that a target means by the answers that are published, numbered as there; none for a
/// service. Frozen answers may have members that are not configured any more.
pub(in crate::publish) fn meant_as_published(
    target: &OverrideTarget,
    published: &Snapshot,
) -> MemberSet {
    meant_where(target, published.fleet(), |index| published.topology(index))
}

/// The members of a fleet that a target means, by where each stands.
fn meant_where<'t>(
    target: &OverrideTarget,
    fleet: &Fleet,
    topology: impl Fn(MemberIdx) -> Option<&'t TopologyFacts>,
) -> MemberSet {
    let stands = |index: MemberIdx, is_there: &dyn Fn(&TopologyFacts) -> bool| {
        topology(index).is_some_and(is_there)
    };
    let is_meant = |index: MemberIdx, name: &Label| match target {
        OverrideTarget::Member(member) => name == member,
        OverrideTarget::Region(region) => {
            stands(index, &|place| place.region.as_ref() == Some(region))
        }
        OverrideTarget::Zone(zone) => stands(index, &|place| place.zones.contains(zone)),
        OverrideTarget::Service(_) => false,
    };
    let members = fleet.members.iter();
    let those = members.filter(|(index, member)| is_meant(*index, &member.name));
    those.map(|(index, _)| index).collect()
}

/// The shares that are left at a moment: of what several drains mean, the least.
pub(in crate::publish) fn shares(
    overrides: &Overrides,
    at: UnixSeconds,
    fleet: &Fleet,
    builder: &SnapshotBuilder,
) -> Shares {
    let mut shares = Shares::default();
    let mut members = BTreeMap::new();
    for drain in &overrides.drains {
        if drain.begun.is_none() {
            continue;
        }
        // From its first second something that is drained has less than all: TTLs are short then.
        let share = drain.share(at).min(FULL_SHARE - 1);
        if let OverrideTarget::Service(name) = &drain.target {
            let least = shares.services.entry(name.clone()).or_insert(share);
            *least = share.min(*least);
        }
        for member in meant(&drain.target, fleet, builder).iter() {
            let least = members.entry(member).or_insert(share);
            *least = share.min(*least);
        }
    }
    shares.members = members.into_iter().collect();
    shares
}

/// What an operator should know of a command that was obeyed.
pub(in crate::publish) fn notes(
    command: &OperatorCommand,
    standing: &ActiveOverrides,
    out: &Outbox,
) -> Vec<String> {
    let mut notes = Vec::new();
    let is_frozen = standing.frozen.is_some();
    match command {
        OperatorCommand::Drain { target, .. } => {
            if is_frozen {
                notes.push("answers are frozen: it takes effect at `gazetteer thaw`".to_owned());
            }
            let is_place = matches!(target, OverrideTarget::Region(_) | OverrideTarget::Zone(_));
            if is_place && meant(target, out.builder.fleet(), &out.builder).is_empty() {
                notes.push("no member is there now; future members will be drained".to_owned());
            }
            let pinned = match target {
                OverrideTarget::Service(_) => "its members".to_owned(),
                OverrideTarget::Member(member) => member.to_string(),
                _ => "these members".to_owned(),
            };
            notes.push(format!(
                "pinned names of {pinned} still give their addresses"
            ));
        }
        OperatorCommand::Uncordon(target) => {
            if is_frozen {
                notes.push("answers are frozen: it takes effect at `gazetteer thaw`".to_owned());
            }
            let freed = meant(target, out.builder.fleet(), &out.builder);
            for other in &standing.drains {
                let others = meant(&other.drain.target, out.builder.fleet(), &out.builder);
                for member in (freed & others).iter().filter(|_| !is_frozen) {
                    if let Some(member) = out.name(member) {
                        let by = match other.origin {
                            OverrideOrigin::Local => "",
                            OverrideOrigin::Host => " of the host cluster's ConfigMap",
                        };
                        let other = &other.drain.target;
                        notes.push(format!("{member} is still drained, by {other}{by}"));
                    }
                }
            }
        }
        OperatorCommand::Freeze { .. } => {
            notes.push(
                "members, configuration and drains take effect at `gazetteer thaw`".to_owned(),
            );
        }
        OperatorCommand::Thaw
        | OperatorCommand::Confirm(_)
        | OperatorCommand::ConfirmMembers
        | OperatorCommand::Forget(_) => {}
    }
    notes
}
