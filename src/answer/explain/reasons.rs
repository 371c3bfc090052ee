//! From a decision to reasons.

use std::net::IpAddr;

use super::evidence::{self, member_name};
use super::explanation::{Candidate, Explanation, LevelStep};
use super::recorder::Recorder;
use super::static_reasons;
use crate::answer::lookup::parts;
use crate::answer::subject::Subject;
use crate::model::{
    IgnoredReason, Inside, MemberIdx, MemberSet, MemberState, NamespacedName, Pod, ServiceKind,
};
use crate::names::{Below, Form, Label};
use crate::snapshot::{
    Apex, FixedName, Level, Scope, ScopeIdx, Scopes, ServiceEntry, Shard, Snapshot, Tree,
};
use crate::wire::{NameText, Qname, labels, rrtype};

/// Fills in what the name is, the levels, the candidates and the notes.
pub(super) fn fill(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    apex: &Apex,
    qname: &Qname,
    subject: &Subject<'_>,
    recorder: &Recorder,
) {
    explanation.subject = describe(snapshot, apex, subject);
    // An entry is there also when no member exports the service, to say why.
    let known = match parts(apex, qname) {
        Form::Tree {
            below: Below::Service { key, .. },
            ..
        } => snapshot.entry(&[key, &apex.key_end].concat()),
        _ => None,
    };
    let (entry, pinned) = match subject {
        Subject::Level { entry, scope, .. } => {
            explanation.levels = levels(snapshot, *scope, &recorder.levels);
            (Some(*entry), None)
        }
        Subject::Prefixed { entry } | Subject::Clusterset { entry, .. } => {
            explanation.levels = levels(snapshot, Scopes::GLOBAL, &recorder.levels);
            (Some(*entry), None)
        }
        Subject::Local { entry, .. } => {
            explanation.levels = local_levels(snapshot, recorder);
            (Some(*entry), None)
        }
        Subject::Pinned { entry, shard, .. } | Subject::Pods { entry, shard, .. } => {
            (Some(*entry), Some(shard.member))
        }
        _ => (known, None),
    };
    explanation.notes.extend(renamed(snapshot, apex, qname));
    let Some(entry) = entry else { return };
    let members = snapshot.apexes().federation(entry.federation);
    let taking = members.map_or(MemberSet::EMPTY, |federation| federation.members);
    let concerned = taking
        | entry
            .ignored()
            .iter()
            .map(|ignored| ignored.member)
            .collect();
    let meaning = match (pinned, subject) {
        (Some(member), _) => Meaning::Member(member),
        (None, Subject::Clusterset { .. }) if entry.is_headless() => Meaning::Pods,
        (None, _) => Meaning::Members,
    };
    explanation.candidates = snapshot
        .fleet()
        .members
        .iter()
        .filter(|(index, _)| concerned.contains(*index))
        .map(|(index, member)| candidate(snapshot, entry, (index, &member.name), meaning, recorder))
        .collect();
    if let Subject::Pods { shard, pods, .. } = subject {
        let name = member_name(snapshot, shard.member);
        let mut candidates = explanation.candidates.iter_mut();
        if let Some(own) = candidates.find(|candidate| candidate.member.as_str() == name) {
            tell_pods(own, pods, apex.tree, recorder.own.is_some());
        }
    }
    let asked = u16::from(explanation.qtype);
    for candidate in explanation.candidates.iter_mut().filter(|one| one.answers) {
        if !has_records(subject, asked, &candidate.addresses) {
            candidate.answers = false;
            candidate
                .reason
                .push_str(", but has no record of this type");
        }
    }
    let plan = snapshot.plan(entry.plan);
    let is_weighted = plan.is_some_and(|plan| plan.is_weighted);
    explanation
        .notes
        .extend(evidence::draw(snapshot, entry, recorder, is_weighted));
    let (_, chosen) = recorder.levels.last().copied().unwrap_or_default();
    let most = plan.and_then(|plan| plan.max_addresses);
    let notes = evidence::left_out(entry, chosen, most, recorder);
    explanation.notes.extend(notes);
    explanation.notes.extend(
        entry
            .disagreements()
            .iter()
            .copied()
            .map(evidence::disagreement),
    );
    if recorder
        .eligible
        .is_some_and(|eligible| eligible.is_last_known)
    {
        let note = "no member is eligible: answering with the last known ones";
        explanation.notes.push(note.to_owned());
    }
    let sync = snapshot.state().federation(entry.federation);
    if !sync.syncing.is_empty() {
        let names = names(snapshot, sync.syncing)
            .iter()
            .map(Label::to_string)
            .collect::<Vec<_>>();
        explanation
            .notes
            .push(format!("in their first sync: {}", names.join(", ")));
    }
    let unknown = evidence::unknown_members(snapshot, entry.federation);
    explanation.notes.extend(unknown);
}

/// Says what a pod's name has for whom.
fn tell_pods(own: &mut Candidate, pods: &[Pod], tree: Tree, is_reached: bool) {
    let ready = pods.iter().filter(|pod| pod.is_ready);
    own.addresses = ready.map(|pod| pod.address).collect();
    own.answers = is_reached && !own.addresses.is_empty();
    let reason = if !is_reached {
        "the name means its pods, which are for clients inside it"
    } else if !own.answers {
        "no pod of the name is ready"
    } else if tree == Tree::Clusterset {
        "the name means its pods, for everybody in the clusterset"
    } else {
        "the name means its pods, and the client is inside it"
    };
    reason.clone_into(&mut own.reason);
}

/// Whether a name of this kind has records of a type from a shard that is chosen for it.
fn has_records(subject: &Subject<'_>, qtype: u16, addresses: &[IpAddr]) -> bool {
    let is_port = matches!(
        subject,
        Subject::Level { port: Some(_), .. }
            | Subject::Local { port: Some(_), .. }
            | Subject::Clusterset { port: Some(_), .. }
            | Subject::Pinned { port: Some(_), .. }
    );
    match qtype {
        rrtype::ANY => true,
        rrtype::SRV => is_port || matches!(subject, Subject::Clusterset { .. }),
        rrtype::A => !is_port && addresses.iter().any(IpAddr::is_ipv4),
        rrtype::AAAA => !is_port && addresses.iter().any(IpAddr::is_ipv6),
        _ => false,
    }
}

/// What a name is, in words.
fn describe(snapshot: &Snapshot, apex: &Apex, subject: &Subject<'_>) -> String {
    match subject {
        Subject::Apex => format!("the apex {}", apex.name),
        Subject::Fixed(FixedName::Version) => "the version record".to_owned(),
        Subject::Fixed(FixedName::Client) => "the record of what is seen of a client".to_owned(),
        Subject::Fixed(_) => "a name server of the apex".to_owned(),
        Subject::EmptyNonTerminal => "an empty non-terminal: names exist below it".to_owned(),
        Subject::Level { scope, port, .. } => {
            let scope = snapshot.scopes().chain(*scope).next();
            let level = scope.map_or_else(String::new, level_name);
            format!("{}, level {level}", service_or_port(port.is_some()))
        }
        Subject::Prefixed { .. } => {
            "the prefix of a service: an alias of its global name".to_owned()
        }
        Subject::Local { port, .. } => {
            let what = service_or_port(port.is_some());
            format!("{what}, the client's own member first")
        }
        Subject::Clusterset { entry, port } => {
            let what = service_or_port(port.is_some());
            if entry.is_headless() {
                format!("{what} in a clusterset: all its pods")
            } else {
                format!("{what} in a clusterset")
            }
        }
        Subject::Pinned { shard, .. } => {
            format!(
                "a service in member {} and no other",
                member_name(snapshot, shard.member)
            )
        }
        Subject::Pods { shard, .. } => {
            format!("pods in member {}", member_name(snapshot, shard.member))
        }
        Subject::Static { .. }
        | Subject::Aliased { .. }
        | Subject::Delegated { .. }
        | Subject::Renamed { .. } => static_reasons::describe(subject),
        Subject::Absent { .. } => "a name that does not exist".to_owned(),
        Subject::NotReady => {
            let mut federations = apex.federations.iter();
            let unknown =
                federations.find_map(|federation| evidence::unknown_members(snapshot, *federation));
            unknown.map_or_else(
                || "a name that a member in its first sync may have".to_owned(),
                |why| format!("a name that a member may have: {why}"),
            )
        }
    }
}

/// What the service of a name is called instead of its own name.
fn renamed(snapshot: &Snapshot, apex: &Apex, qname: &Qname) -> Option<String> {
    let Form::Tree {
        below: Below::Service { key, .. },
        ..
    } = parts(apex, qname)
    else {
        return None;
    };
    // A clusterset leaves the federation out.
    let mut labels = labels(key).map_while(|label| std::str::from_utf8(label).ok());
    let (service, namespace) = (labels.next()?, labels.next()?);
    let name = NamespacedName {
        namespace: namespace.parse().ok()?,
        name: service.parse().ok()?,
    };
    let label = snapshot.renamed(&name)?;
    Some(format!(
        "the service {name} wants the name \"{label}\" instead of its own"
    ))
}

/// What has a name of this kind.
fn service_or_port(is_port: bool) -> &'static str {
    if is_port {
        "a port of a service"
    } else {
        "a service"
    }
}

/// The member that the client is inside.
fn inside(recorder: &Recorder) -> Option<MemberIdx> {
    recorder.vantage?.inside
}

/// The steps of a name whose first level is the client's own member.
fn local_levels(snapshot: &Snapshot, recorder: &Recorder) -> Vec<LevelStep> {
    let member = inside(recorder);
    let mut steps = recorder.levels.iter();
    let own = member.zip(member.and_then(|_| steps.next()));
    let own = own.map(|(member, step)| LevelStep {
        level: format!("member {}", member_name(snapshot, member)),
        eligible: names(snapshot, step.0),
        chosen: names(snapshot, step.1),
    });
    let scope = member.map_or(Scopes::GLOBAL, |member| snapshot.scopes().narrowest(member));
    let scopes = snapshot.scopes().chain(scope).zip(steps);
    let further = scopes.map(|(scope, step)| level(snapshot, scope, step));
    own.into_iter().chain(further).collect()
}

/// A level's name: `global`, or its labels.
fn level_name(scope: &Scope) -> String {
    let labels = NameText(scope.path.get(4..).unwrap_or_default());
    match scope.level {
        Level::Global => "global".to_owned(),
        Level::Region => format!("region {labels}"),
        Level::Zone => format!("zone {labels}"),
    }
}

/// The steps from a level on.
fn levels(
    snapshot: &Snapshot,
    scope: ScopeIdx,
    steps: &[(MemberSet, MemberSet)],
) -> Vec<LevelStep> {
    let scopes = snapshot.scopes().chain(scope).zip(steps);
    scopes
        .map(|(scope, step)| level(snapshot, scope, step))
        .collect()
}

/// One step.
fn level(snapshot: &Snapshot, scope: &Scope, step: &(MemberSet, MemberSet)) -> LevelStep {
    LevelStep {
        level: level_name(scope),
        eligible: names(snapshot, step.0),
        chosen: names(snapshot, step.1),
    }
}

fn names(snapshot: &Snapshot, members: MemberSet) -> Vec<Label> {
    let all = snapshot.fleet().members.iter();
    let chosen = all.filter(|(index, _)| members.contains(*index));
    chosen.map(|(_, member)| member.name.clone()).collect()
}

/// What a name means.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// The members that are chosen.
    Members,
    /// The pods of the members that are chosen, wherever the client is.
    Pods,
    /// This member.
    Member(MemberIdx),
}

/// One member's part in the answer.
fn candidate(
    snapshot: &Snapshot,
    entry: &ServiceEntry,
    (member, name): (MemberIdx, &Label),
    meaning: Meaning,
    recorder: &Recorder,
) -> Candidate {
    let shard = entry.shard(member);
    let (answers, reason) = match (shard, meaning) {
        (None, _) => (false, absent(snapshot, entry, member)),
        (Some(_), Meaning::Member(pinned)) if pinned != member => {
            (false, "pinned to another member".to_owned())
        }
        (Some(shard), Meaning::Member(_)) if shard.has_address() => {
            (true, "pinned to this member".to_owned())
        }
        (Some(shard), _) => verdict(snapshot, entry, &shard, meaning, recorder),
    };
    let status = snapshot.member(member);
    let place = snapshot.topology(member).map(|topology| {
        let labels = topology.region.iter().chain(&topology.zones);
        labels.map(Label::as_str).collect::<Vec<_>>().join(" ")
    });
    let addresses = shard.map(|shard| {
        let is_pinned = matches!(meaning, Meaning::Member(pinned) if pinned == member);
        let whole = entry.whole(member).filter(|_| is_pinned);
        let (ipv4, ipv6) = match whole {
            Some(whole) => (&*whole.ipv4, &*whole.ipv6),
            None => (shard.ipv4, shard.ipv6),
        };
        let inside = entry.inside(member);
        if matches!(meaning, Meaning::Pods) {
            let pods = inside.map_or(&[][..], Inside::pods).iter();
            let ready = pods.filter(|pod| pod.is_ready);
            return ready.map(|pod| pod.address).collect();
        }
        if let Some(inside) = inside.filter(|_| recorder.own == Some(member)) {
            return inside.addresses().collect();
        }
        let ipv4 = ipv4.iter().copied().map(IpAddr::V4);
        ipv4.chain(ipv6.iter().copied().map(IpAddr::V6)).collect()
    });
    Candidate {
        member: name.clone(),
        state: status.map_or_else(String::new, |status| status.state.to_string()),
        place: place.unwrap_or_default(),
        addresses: addresses.unwrap_or_default(),
        answers,
        reason,
        evidence: evidence::of(snapshot, entry, member),
    }
}

/// Why a member has no shard of the service.
fn absent(snapshot: &Snapshot, entry: &ServiceEntry, member: MemberIdx) -> String {
    let ignored = entry
        .ignored()
        .iter()
        .find(|ignored| ignored.member == member);
    if let Some(ignored) = ignored {
        let reason = match ignored.reason {
            IgnoredReason::NotExported => "has the service, but does not export it",
            IgnoredReason::Refused => "has the service, and its annotation says not to export it",
            IgnoredReason::OtherFederations => "exports the service to other federations",
            IgnoredReason::Member => "exports the service, but the federation leaves it out",
            IgnoredReason::Namespace => "exports the service, but its namespace does not take part",
        };
        return reason.to_owned();
    }
    match snapshot.member(member).map(|status| status.state) {
        Some(MemberState::Syncing(_)) => "in its first sync".to_owned(),
        Some(MemberState::NeverSynced) => "never synced: counts as empty".to_owned(),
        _ => "does not have the service".to_owned(),
    }
}

/// Why a shard answers, or was left out.
fn verdict(
    snapshot: &Snapshot,
    entry: &ServiceEntry,
    shard: &Shard<'_>,
    meaning: Meaning,
    recorder: &Recorder,
) -> (bool, String) {
    let member = shard.member;
    let (at_level, chosen) = recorder.levels.last().copied().unwrap_or_default();
    let passed = recorder.levels.len().saturating_sub(1);
    if chosen.contains(member) {
        let reason = match passed {
            0 => "eligible at the level asked".to_owned(),
            1 => "eligible one level up".to_owned(),
            levels => format!("eligible {levels} levels up"),
        };
        let how = match entry
            .inside(member)
            .filter(|_| recorder.own == Some(member))
        {
            Some(Inside::ClusterIps(_)) => ", and the client is inside it: by its cluster IPs",
            Some(Inside::Pods(_)) => ", and the client is inside it: by its pods",
            None => "",
        };
        return (true, reason + how);
    }
    let Some(eligible) = recorder.eligible else {
        return (false, "not asked for".to_owned());
    };
    let Some(facts) = entry.facts(member) else {
        return (false, "not known".to_owned());
    };
    let drained = snapshot.state().health.drained;
    let overlay = entry.overlay();
    let reason = if at_level.contains(member) {
        "eligible, but the policy prefers another"
    } else if drained.contains(member) || overlay.is_some_and(|overlay| overlay.share == 0) {
        "drained by the operator"
    } else if eligible.members.contains(member) {
        "eligible, but not at this level"
    } else if eligible.withdrawn.contains(member) {
        "withdrawn: held for longer than hold, and another shard is live"
    } else if eligible.damped.contains(member) {
        "suppressed: withdrawn too often, and another shard is available"
    } else if eligible.lost_family.contains(member) {
        "suppressed: all addresses of one family fail their probes, and another shard is available"
    } else if eligible.parted.contains(member) {
        "being drained: left out for this client at this time"
    } else if eligible.fenced_off.contains(member) {
        "outside the fence"
    } else if facts.steering.weight == Some(0) {
        "drained: weight 0"
    } else if matches!(meaning, Meaning::Pods) {
        if entry.has_pod(member) {
            "no pod is ready"
        } else {
            "not headless: it has no pods with names"
        }
    } else if !shard.has_address() && facts.kind != ServiceKind::LoadBalancer {
        "no address for clients outside: not a load balancer"
    } else if !shard.has_address() && !facts.hostnames.is_empty() {
        "its load balancer's host name is not resolved"
    } else if !shard.has_address() && !facts.addresses.is_empty() {
        "no address of its load balancer counts"
    } else if !shard.has_address() {
        "its load balancer has no address yet"
    } else if overlay.is_some_and(|overlay| overlay.dead.contains(member)) {
        "every address fails its probes"
    } else if !entry.health().available.contains(member) {
        return (
            false,
            format!("0 of {} endpoints ready", facts.endpoints.total),
        );
    } else {
        "not eligible"
    };
    (false, reason.to_owned())
}
