//! What speaks for and against a member: probes, conditions, holds, drains, draws; where a client stands.

use super::recorder::Recorder;
use crate::decide::weight;
use crate::model::{
    Check, FULL_SHARE, MemberIdx, MemberList, MemberSet, MemberState, MemberStatus, ProbeTarget,
    UnixSeconds, Verdict, WayIn,
};
use crate::names::Label;
use crate::snapshot::{Disagreement, FederationIdx, ServiceEntry, Snapshot};
use crate::vantage::{Vantage, VantageSource};

/// Everything that is known of a member's shard beyond its facts, most telling first.
pub(super) fn of(snapshot: &Snapshot, entry: &ServiceEntry, member: MemberIdx) -> Vec<String> {
    let said = entry.warnings().iter().filter(|(of, _)| *of == member);
    let mut lines: Vec<String> = said.map(|(_, text)| text.to_string()).collect();
    let facts = entry.facts(member);
    if facts.is_some_and(|facts| facts.way_in == WayIn::Closed) {
        lines.push("what stands in front of it takes no traffic".to_owned());
    }
    if facts.is_some_and(|facts| facts.has_external_ips) {
        lines.push("it has externalIPs, which are not used: Kubernetes deprecates them".to_owned());
    }
    let overlay = entry.overlay();
    for (_, target, evidence) in overlay
        .iter()
        .flat_map(|overlay| &overlay.probed)
        .filter(|(of, ..)| *of == member)
    {
        let verdict = match evidence.verdict {
            Verdict::Up => "up",
            Verdict::Suspect => "suspect",
            Verdict::Down => "down",
            Verdict::Damped => "suppressed",
            Verdict::Unknown => {
                let (probe, seen) = (probe(target), &evidence.seen);
                lines.push(format!("{probe}: never passed from here: {seen}"));
                continue;
            }
        };
        let since = evidence.since;
        let seen = &evidence.seen;
        let old = evidence.unproven_since.map(|at| {
            let limit = target.probe.proof();
            format!("; proves nothing since {at}: no pass within {limit:?}")
        });
        let old = old.unwrap_or_default();
        lines.push(format!(
            "{}: {verdict} since {since}: {seen}{old}",
            probe(target)
        ));
    }
    let conditions = overlay.map(|overlay| &*overlay.conditions);
    let condition = conditions
        .iter()
        .flat_map(|all| all.iter())
        .find(|(of, _)| *of == member);
    if let Some((_, condition)) = condition {
        let since = condition.since;
        let until = condition.damped_until;
        let until = until.map_or_else(String::new, |until| format!(", suppressed until {until}"));
        lines.push(format!("{} since {since}{until}", condition.why));
    }
    let share = (snapshot.state().shares.iter())
        .find(|(of, _)| *of == member)
        .map(|(_, share)| *share);
    if let Some(share) = share.filter(|share| *share < FULL_SHARE) {
        let left = percent(u64::from(share), u64::from(FULL_SHARE));
        lines.push(format!("the operator drains the member: {left} left"));
    }
    if let Some(share) = overlay
        .map(|overlay| overlay.share)
        .filter(|s| *s < FULL_SHARE)
    {
        let left = percent(u64::from(share), u64::from(FULL_SHARE));
        lines.push(format!("the operator drains the service: {left} left"));
    }
    if let Some(status) = snapshot.member(member) {
        lines.extend(contact(status));
        lines.extend(status.outlook.clone());
    }
    let is_proven = overlay.is_some_and(|overlay| overlay.sets.proven.contains(member));
    if is_proven && snapshot.state().health.stale.contains(member) {
        lines.push("probes of its addresses pass: its hold does not withdraw it".to_owned());
    }
    lines
}

/// The name of a member.
pub(super) fn member_name(snapshot: &Snapshot, member: MemberIdx) -> String {
    let member = snapshot.fleet().members.get(member);
    member.map_or_else(String::new, |member| member.name.to_string())
}

/// Why a member's facts are not live.
fn contact(status: &MemberStatus) -> Option<String> {
    if matches!(
        status.state,
        MemberState::Ready | MemberState::Syncing(_) | MemberState::NeverSynced
    ) {
        return None;
    }
    let reason = status.reason.as_deref().unwrap_or("no reason told");
    Some(format!("{} since {}: {reason}", status.state, status.since))
}

/// The weights, the shares and the time slot of the draw.
pub(super) fn draw(
    snapshot: &Snapshot,
    entry: &ServiceEntry,
    recorder: &Recorder,
    is_weighted: bool,
) -> Vec<String> {
    let Some((slot, prefix)) = recorder.draw else {
        return Vec::new();
    };
    let ttl = u64::from(entry.ttl.max(1));
    let begins = UnixSeconds(slot * ttl);
    let mut lines = vec![format!(
        "the draw is for {}/{} and time slot {slot}, of {ttl} s from {begins}",
        prefix.address(),
        prefix.length
    )];
    if let Some(spill) = recorder.spill {
        lines.push(format!(
            "spill-over: {} endpoints are required in the nearest members, {} are ready; the next members carry the rest",
            spill.needed, spill.ready
        ));
    }
    let weights = entry.overlay().map(|overlay| &*overlay.weights);
    let of = |member| u64::from(weight(weights.unwrap_or_default(), member));
    let (among, _) = recorder.levels.last().copied().unwrap_or_default();
    if is_weighted && among != MemberSet::EMPTY {
        let sum: u64 = among.iter().map(of).sum();
        let shares = among.iter().map(|member| {
            let name = member_name(snapshot, member);
            format!("{name} {} ({})", of(member), percent(of(member), sum))
        });
        let shares: Vec<_> = shares.collect();
        lines.push(format!(
            "weights, and shares of the draws: {}",
            shares.join(", ")
        ));
    }
    lines
}

/// What is probed, and how.
fn probe(target: &ProbeTarget) -> String {
    let kind = match &target.probe.check {
        Check::None => "no",
        Check::Tcp => "tcp",
        Check::Http(check) if check.tls.is_some() => "https",
        Check::Http(_) => "http",
        Check::Grpc { .. } => "grpc",
    };
    format!("{kind} probe of {}", target.address)
}

/// A part of a whole, rounded down.
fn percent(part: u64, whole: u64) -> String {
    let percent = (part * 100).checked_div(whole).unwrap_or_default();
    format!("{percent} %")
}

/// What members disagree about, and what counts.
pub(super) fn disagreement(matter: Disagreement) -> String {
    let text = match matter {
        Disagreement::Ttl => "members disagree on ttl: the smallest counts",
        Disagreement::Policy => {
            "members disagree on policy: the first in configuration order counts"
        }
        Disagreement::Order => "members disagree on order: the first in configuration order counts",
        Disagreement::Fence => "members disagree on fence: the intersection counts",
        Disagreement::DnsPrefix => {
            "members disagree on dns-prefix: the first in configuration order counts"
        }
        Disagreement::ExternalName => {
            "members disagree on external-name: the first in configuration order counts"
        }
        Disagreement::WhenAllDown => {
            "members disagree on when-all-down: the first in configuration order counts"
        }
        Disagreement::MaxAddresses => {
            "members disagree on max-addresses: the smallest number counts"
        }
        Disagreement::SpillOver => {
            "members disagree on spill-over: the first in configuration order counts"
        }
        Disagreement::Srv => "members disagree on srv: the first in configuration order counts",
    };
    text.to_owned()
}

/// Where a client counts as standing, and what says so.
pub(super) fn vantage(snapshot: &Snapshot, vantage: Vantage) -> String {
    let index = vantage
        .place
        .and_then(|place| usize::try_from(place.0).ok());
    let Some(place) = index.and_then(|index| snapshot.vantages().places().get(index)) else {
        return "in no known place: every region is as near as any".to_owned();
    };
    let source = match vantage.source {
        VantageSource::Listener => "by the address asked",
        VantageSource::ZoneHint => "by its zone hint",
        VantageSource::ClientSubnet => "by its client subnet",
        VantageSource::Source => "by its source address",
        VantageSource::Database => "by the GeoIP database",
        VantageSource::Own | VantageSource::Unknown => "as this server itself is",
    };
    let labels = [&place.member, &place.region, &place.zone];
    let labels: Vec<_> = labels.into_iter().flatten().map(Label::as_str).collect();
    let inside = if vantage.inside.is_some() {
        "inside"
    } else {
        "in"
    };
    format!("{inside} {} ({source})", labels.join(" "))
}

/// That an answer has not all addresses of the chosen members.
pub(super) fn left_out(
    entry: &ServiceEntry,
    chosen: MemberSet,
    most: Option<u8>,
    recorder: &Recorder,
) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(most) = most.filter(|most| entry.has_more(chosen, *most)) {
        notes.push(format!(
            "max-addresses: {most} of each type, others at another time"
        ));
    }
    if recorder.is_over_message {
        let note = "more records than a message holds: a draw for each client says which are in it";
        notes.push(note.to_owned());
    }
    notes
}

/// Says that a federation may have members that are not known yet, and what would name them.
pub(super) fn unknown_members(snapshot: &Snapshot, federation: FederationIdx) -> Option<String> {
    let lists = snapshot.fleet().awaited.iter();
    let lists: Vec<_> = lists.map(MemberList::to_string).collect();
    let says = || {
        format!(
            "which members there are is not known yet: waiting for {}",
            lists.join(", ")
        )
    };
    let sync = snapshot.state().federation(federation);
    sync.lacks_members.then(says)
}
