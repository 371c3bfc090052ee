//! What one section says is checked against the others.

use std::collections::HashMap;
use std::net::IpAddr;

use super::federation::FederationDraft;
use super::geography::CostDraft;
use super::listen::ListenDraft;
use super::member::MemberDraft;
use super::problem::{Placed, Report};
use super::topology::{NetworkDraft, Place, RegionDraft, Topology, check_places};
use super::trees;
use crate::model::{GeoCode, MemberSet, NameServer};
use crate::names::Label;
use crate::wire::NameBuf;

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
    pub(super) locality: Option<Place>,
    /// `[[cost]]`
    pub(super) costs: Vec<CostDraft>,
}

/// Reports everything that no section can see alone.
pub(super) fn check(report: &Report<'_>, drafts: &Drafts) {
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
    }
    check_member_names(report, drafts);
    check_apexes(report, &drafts.federations);
    trees::check(report, &drafts.federations, &drafts.members);
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
    let reserved = reserved(&drafts.federations);
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
    let mut networks: Vec<&Placed<ipnet::IpNet>> = Vec::new();
    for cidr in drafts.networks.iter().flat_map(|network| &network.cidrs) {
        if let Some(first) = networks.iter().find(|known| known.value == cidr.value) {
            let line = report.line(first.at);
            report.add(
                cidr.at,
                format!("network \"{}\": given already, line {line}", cidr.value),
            );
        }
        networks.push(cidr);
    }
}

/// Reports names that were used before.
fn check_unique<'a>(
    report: &Report<'_>,
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
fn check_member_names(report: &Report<'_>, drafts: &Drafts) {
    let known = |name: &str| {
        let names = drafts
            .members
            .iter()
            .filter_map(|member| member.name.as_ref());
        names.into_iter().any(|known| known.value.as_str() == name)
    };
    let unknown = |what: &str, name: &str, at| {
        if !known(name) {
            report.add(at, format!("{what} {name:?}: no such member"));
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

/// Reports countries or continents that are listed twice.
fn check_codes<'a>(
    report: &Report<'_>,
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
fn check_costs(report: &Report<'_>, costs: &[CostDraft]) {
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
            report.add(one.at, format!("between: pair given already, line {line}"));
        }
    }
}

/// Reports regions that are listed twice.
fn check_static_regions<'a>(report: &Report<'_>, places: impl Iterator<Item = &'a Place>) {
    let mut first: HashMap<&Label, usize> = HashMap::new();
    for region in places.filter_map(|place| place.region.as_ref()) {
        let earlier = *first.entry(&region.label).or_insert(region.at);
        if earlier != region.at {
            let line = report.line(earlier);
            report.add(
                region.at,
                format!("region {:?}: given already, line {line}", region.written),
            );
        }
    }
}

/// Reports apexes that disagree with, or reach into, each other.
fn check_apexes(report: &Report<'_>, federations: &[FederationDraft]) {
    let with_apex = || {
        federations
            .iter()
            .filter_map(|f| f.apex.as_ref().map(|apex| (f, apex)))
    };
    for (index, (federation, apex)) in with_apex().enumerate() {
        let same = with_apex()
            .take(index)
            .find(|(_, other)| other.value == apex.value);
        if let Some((other, first)) = same
            && name_servers(other) != name_servers(federation)
        {
            let line = report.line(first.at);
            let message = format!(
                "apex \"{}\": other name servers than the federation of line {line}, which shares it",
                apex.value
            );
            report.add(apex.at, message);
        }
        for (_, outer) in with_apex().filter(|(_, outer)| outer.value != apex.value) {
            if inside_service_tree(&apex.value, &outer.value) {
                let message = format!(
                    "apex \"{}\": inside the service names of the apex \"{}\"",
                    apex.value, outer.value
                );
                report.add(apex.at, message);
            }
        }
        for server in &federation.nameservers {
            check_name_server(report, federations, server);
        }
    }
}

/// The name servers of a federation in an order of their own.
fn name_servers(federation: &FederationDraft) -> Vec<(&NameBuf, Vec<&IpAddr>)> {
    let mut servers: Vec<_> = federation
        .nameservers
        .iter()
        .map(|server| {
            let mut addresses: Vec<_> = server.value.addresses.iter().collect();
            addresses.sort();
            (&server.value.name, addresses)
        })
        .collect();
    servers.sort();
    servers
}

/// Reports a name server whose name cannot have addresses where it stands.
fn check_name_server(
    report: &Report<'_>,
    federations: &[FederationDraft],
    server: &Placed<NameServer>,
) {
    let name = &server.value.name;
    let apexes = federations.iter().filter_map(|f| f.apex.as_ref());
    let holders = apexes.filter(|apex| name.is_within(&apex.value));
    let Some(apex) = holders.max_by_key(|apex| apex.value.labels().count()) else {
        return;
    };
    let below = labels_below(name, &apex.value);
    if inside_service_tree(name, &apex.value) || below.last() == Some(&"dns-version") {
        report.add(
            server.at,
            format!("name server \"{name}\": its place in the apex is reserved"),
        );
    }
    let same = |f: &&FederationDraft| f.apex.as_ref().is_some_and(|f| f.value == apex.value);
    let mut listed = federations.iter().filter(same).flat_map(|f| &f.nameservers);
    if !listed.any(|other| other.value.name == *name) {
        let message = format!(
            "name server \"{name}\": inside the apex \"{}\", which does not list it",
            apex.value
        );
        report.add(server.at, message);
    }
}

/// The labels of `name` left of `apex`, leftmost first; none when it is not inside.
fn labels_below<'a>(name: &'a NameBuf, apex: &NameBuf) -> Vec<&'a str> {
    if !name.is_within(apex) {
        return Vec::new();
    }
    let count = name.labels().count() - apex.labels().count();
    name.labels().take(count).collect()
}

/// Whether a name is, or lies below, `svc`, `svc.<region>` or `svc.<zone>.<region>` of an apex.
fn inside_service_tree(name: &NameBuf, apex: &NameBuf) -> bool {
    let below = labels_below(name, apex);
    below.iter().rev().take(3).any(|label| *label == "svc")
}

/// The labels that no region or zone may have, and what has them (names: D.4).
fn reserved(federations: &[FederationDraft]) -> HashMap<&str, String> {
    let mut reserved = HashMap::from([("dns-version", "the TXT record of an apex".to_owned())]);
    let apexes = || {
        federations
            .iter()
            .filter_map(|federation| federation.apex.as_ref())
    };
    for federation in federations {
        let Some(apex) = &federation.apex else {
            continue;
        };
        for server in &federation.nameservers {
            let name = &server.value.name;
            if let Some(first) = labels_below(name, &apex.value).first() {
                reserved.insert(first, format!("the name server {name}"));
            }
        }
        for outer in apexes() {
            if let Some(last) = labels_below(&apex.value, &outer.value).last() {
                reserved.insert(last, format!("the apex {}", apex.value));
            }
        }
    }
    reserved
}

/// Reports a region or zone with a reserved label.
fn check_reserved(
    report: &Report<'_>,
    reserved: &HashMap<&str, String>,
    kind: &str,
    topology: &Topology,
) {
    if let Some(owner) = reserved.get(topology.label.as_str()) {
        let message = format!("{kind} {:?}: reserved for {owner}", topology.written);
        report.add(topology.at, message);
    }
}
