//! What one section says is checked against the others.

use std::collections::{HashMap, HashSet};

use super::alias::{self, AliasDraft};
use super::apexes::ApexDrafts;
use super::dnssec::{self, ZoneDraft};
use super::federation::FederationDraft;
use super::geography::CostDraft;
use super::listen::{ListenDraft, check_report_channel};
use super::member::MemberDraft;
use super::problem::{PartProblems, Placed};
use super::topology::{NetworkDraft, RegionAndZones, RegionDraft, TopologyLabel, check_places};
use super::trees;
use crate::model::limits::FEDERATIONS;
use crate::model::{GeoCode, MemberSet};
use crate::names::Label;

/// Every section of a file.
pub(super) struct Drafts {
    /// `[listen]`
    pub(super) listen: ListenDraft,
    /// `[[federation]]`
    pub(super) federations: Vec<FederationDraft>,
    /// `[[member]]`
    pub(super) members: Vec<MemberDraft>,
    /// `[[region]]`
    pub(super) regions: Vec<RegionDraft>,
    /// `[[network]]`
    pub(super) networks: Vec<NetworkDraft>,
    /// `locality`
    pub(super) locality: Option<RegionAndZones>,
    /// `[[cost]]`
    pub(super) costs: Vec<CostDraft>,
    /// `[[zone]]`
    pub(super) zones: Vec<ZoneDraft>,
    /// `[[alias]]`
    pub(super) aliases: Vec<AliasDraft>,
    /// Members may come from elsewhere, so that a name that is not known need not be a mistake.
    pub(super) has_others: bool,
}

/// Reports everything that no section can see alone.
pub(super) fn check(report: &PartProblems<'_>, drafts: &Drafts) {
    check_unique(
        report,
        "federation",
        drafts.federations.iter().filter_map(|f| f.name.as_ref()),
    );
    check_unique(
        report,
        "member",
        drafts.members.iter().filter_map(|m| m.name.as_ref()),
    );
    if let Some(over) = drafts.members.get(MemberSet::CAPACITY)
        && let Some(name) = &over.name
    {
        let message = format!(
            "member {:?}: the number {}, and there may be {}",
            name.value.as_str(),
            MemberSet::CAPACITY + 1,
            MemberSet::CAPACITY
        );
        report.add(name.at, message);
        return;
    }
    if let Some(over) = drafts.federations.get(FEDERATIONS.length()) {
        let (count, most) = (drafts.federations.len(), FEDERATIONS.most);
        let at = over.name.as_ref().map_or(0, |name| name.at);
        let message = format!("{count} federations, at most {most} are allowed");
        report.exceed(at, message, &FEDERATIONS);
        return;
    }
    if !drafts.has_others {
        check_member_names(report, drafts);
    }
    let apexes = ApexDrafts::of(&drafts.federations);
    apexes.check(report);
    trees::check(report, &drafts.federations, &drafts.members);
    dnssec::check(report, &drafts.zones, &drafts.federations, &drafts.members);
    let zones: Vec<_> = drafts
        .zones
        .iter()
        .filter_map(|draft| draft.whole.clone())
        .collect();
    let apexes_of_federations = drafts.federations.iter();
    let apexes_of_federations =
        apexes_of_federations.filter_map(|it| Some(&it.apex.as_ref()?.value));
    let channel = drafts.listen.report_channel.as_ref();
    check_report_channel(report, channel, apexes_of_federations);
    alias::check(report, &drafts.aliases, &drafts.federations, &zones);
    let regions = drafts.regions.iter().map(|draft| &draft.place);
    let members = drafts.members.iter().map(|member| &member.place);
    let clients = drafts
        .networks
        .iter()
        .map(|network| &network.place)
        .chain(&drafts.locality);
    check_static_regions(report, regions.clone());
    check_places(
        report,
        regions
            .clone()
            .chain(members.clone())
            .chain(clients.clone()),
    );
    let reserved = apexes.reserved();
    for place in regions.chain(members).chain(clients) {
        let zones = place.zones.iter().map(|zone| ("zone", zone));
        for (kind, topology) in place
            .region
            .iter()
            .map(|region| ("region", region))
            .chain(zones)
        {
            check_reserved(report, &reserved, kind, topology);
        }
    }
    check_codes(
        report,
        "country",
        drafts.regions.iter().flat_map(|draft| &draft.countries),
    );
    check_codes(
        report,
        "continent",
        drafts.regions.iter().flat_map(|draft| &draft.continents),
    );
    check_costs(report, &drafts.costs);
    let mut networks = HashMap::new();
    for cidr in drafts.networks.iter().flat_map(|network| &network.cidrs) {
        let first = *networks.entry(cidr.value).or_insert(cidr.at);
        if first != cidr.at {
            let line = report.line(first);
            report.add(
                cidr.at,
                format!("network \"{}\": already defined on line {line}", cidr.value),
            );
        }
    }
}

/// Reports what is wrong with a member of a fragment beside the sections of the file.
pub(super) fn check_fragment(report: &PartProblems<'_>, member: &MemberDraft, drafts: &Drafts) {
    trees::check(report, &drafts.federations, std::slice::from_ref(member));
    check_places(report, std::iter::once(&member.place));
    let apexes = ApexDrafts::of(&drafts.federations);
    let reserved = apexes.reserved();
    let region = member.place.region.iter().map(|region| ("region", region));
    let zones = member.place.zones.iter().map(|zone| ("zone", zone));
    for (kind, topology) in region.chain(zones) {
        check_reserved(report, &reserved, kind, topology);
    }
}

/// Reports a member that is called as another one, or is one too many.
pub(super) fn check_new(report: &PartProblems<'_>, name: &Placed<Label>, drafts: &Drafts) {
    let own = name.value.as_str();
    let mut known = drafts.members.iter().filter_map(|it| it.name.as_ref());
    if known.any(|known| known.value == name.value) {
        let message = format!("member {own:?}: named already, and the first counts");
        report.add(name.at, message);
    } else if drafts.members.len() >= MemberSet::CAPACITY {
        let most = MemberSet::CAPACITY;
        let message = format!("member {own:?}: there may be {most} members, and there are");
        report.add(name.at, message);
    }
}

/// Reports names that were used before.
fn check_unique<'a>(
    report: &PartProblems<'_>,
    kind: &str,
    names: impl Iterator<Item = &'a Placed<Label>>,
) {
    let mut first = HashMap::new();
    for name in names {
        let earlier = *first.entry(&name.value).or_insert(name.at);
        if earlier != name.at {
            let line = report.line(earlier);
            let message = format!(
                "{kind} {:?}: named already, line {line}",
                name.value.as_str()
            );
            report.add(name.at, message);
        }
    }
}

/// Reports members that are named and do not exist.
pub(super) fn check_member_names(report: &PartProblems<'_>, drafts: &Drafts) {
    let members = drafts
        .members
        .iter()
        .filter_map(|member| member.name.as_ref());
    let known: HashSet<&str> = members.map(|name| name.value.as_str()).collect();
    let unknown = |what: &str, name: &str, at| {
        if !known.contains(name) {
            report.add(at, format!("{what} {name:?}: unknown member"));
        }
    };
    for federation in &drafts.federations {
        for name in &federation.order {
            unknown("order", name.value.as_str(), name.at);
        }
        for pattern in federation
            .members
            .iter()
            .filter(|pattern| !pattern.value.contains('*'))
        {
            unknown("members", &pattern.value, pattern.at);
        }
    }
    let networks = drafts
        .networks
        .iter()
        .filter_map(|network| network.member.as_ref());
    for name in drafts.listen.members.iter().chain(networks) {
        unknown("member", name.value.as_str(), name.at);
    }
}

/// Reports countries or continents that are listed more than once.
fn check_codes<'a>(
    report: &PartProblems<'_>,
    kind: &str,
    codes: impl Iterator<Item = &'a Placed<GeoCode>>,
) {
    let mut first = HashMap::new();
    for code in codes {
        let earlier = *first.entry(code.value).or_insert(code.at);
        if earlier != code.at {
            let line = report.line(earlier);
            let message = format!("{kind} \"{}\": listed already, line {line}", code.value);
            report.add(code.at, message);
        }
    }
}

/// Reports pairs of regions that are given twice, in whatever order.
fn check_costs(report: &PartProblems<'_>, costs: &[CostDraft]) {
    let mut first = HashMap::new();
    for cost in costs {
        let [one, other] = cost.between.as_slice() else {
            continue;
        };
        let pair = (
            (&one.label).min(&other.label),
            (&one.label).max(&other.label),
        );
        let earlier = *first.entry(pair).or_insert(one.at);
        if earlier != one.at {
            let line = report.line(earlier);
            report.add(
                one.at,
                format!("between: pair already defined on line {line}"),
            );
        }
    }
}

/// Reports regions that are listed more than once.
fn check_static_regions<'a>(
    report: &PartProblems<'_>,
    places: impl Iterator<Item = &'a RegionAndZones>,
) {
    let mut first: HashMap<&Label, usize> = HashMap::new();
    for region in places.filter_map(|place| place.region.as_ref()) {
        let earlier = *first.entry(&region.label).or_insert(region.at);
        if earlier != region.at {
            let line = report.line(earlier);
            report.add(
                region.at,
                format!(
                    "region {:?}: already defined on line {line}",
                    region.written
                ),
            );
        }
    }
}

/// Reports a region or zone with a reserved label.
fn check_reserved(
    report: &PartProblems<'_>,
    reserved: &HashMap<&str, String>,
    kind: &str,
    topology: &TopologyLabel,
) {
    if let Some(owner) = reserved.get(topology.label.as_str()) {
        let message = format!("{kind} {:?}: reserved for {owner}", topology.written);
        report.add(topology.at, message);
    }
}
