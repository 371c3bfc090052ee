//! The further trees of names are checked against the apexes.

use super::federation::FederationDraft;
use super::member::MemberDraft;
use super::problem::{PartProblems, Placed};
use crate::model::local_apex;
use crate::wire::NameBuf;

/// Reports zones of cluster domains and domains of clustersets that are no names, or that reach into
/// another zone.
pub(super) fn check(
    report: &PartProblems<'_>,
    federations: &[FederationDraft],
    members: &[MemberDraft],
) {
    let mut seen: Vec<&NameBuf> = Vec::new();
    for domain in members.iter().filter_map(|m| m.cluster_domain.as_ref()) {
        // What many members share is reported once.
        if seen.contains(&&domain.value) {
            continue;
        }
        seen.push(&domain.value);
        for federation in federations {
            check_cluster_domain(report, federation, federations, domain);
        }
    }
    for (index, federation) in federations.iter().enumerate() {
        if let Some(domain) = &federation.clusterset {
            let earlier = federations.iter().take(index);
            check_clusterset(report, domain, federations, &seen, earlier);
        }
    }
}

/// Reports what is wrong with the domain of a clusterset (docs/names.md, D.3, N8). `local` are the
/// cluster domains, and `earlier` the federations before its own.
fn check_clusterset<'a>(
    report: &PartProblems<'_>,
    domain: &Placed<NameBuf>,
    federations: &[FederationDraft],
    local: &[&NameBuf],
    earlier: impl Iterator<Item = &'a FederationDraft>,
) {
    let clusterset = &domain.value;
    let overlaps = |zone: &NameBuf| zone.is_within(clusterset) || clusterset.is_within(zone);
    let add = |what: &str| {
        let message = format!("clusterset \"{clusterset}\": {what}");
        report.add(domain.at, message);
    };
    let mut apexes = federations.iter().filter_map(|f| f.apex.as_ref());
    if let Some(apex) = apexes.find(|apex| overlaps(&apex.value)) {
        add(&format!("overlaps the apex \"{}\"", apex.value));
    }
    let mut others = earlier.filter_map(|other| other.clusterset.as_ref());
    if let Some(other) = others.find(|other| overlaps(&other.value)) {
        let line = report.line(other.at);
        add(&format!("overlaps the clusterset of line {line}"));
    }
    let names = federations.iter().filter_map(|f| f.name.as_ref());
    let zones = names.flat_map(|name| {
        let zone = |domain: &&NameBuf| local_apex(&name.value, domain);
        local.iter().filter_map(zone)
    });
    if let Some(zone) = zones.into_iter().find(overlaps) {
        add(&format!("overlaps the zone \"{zone}\""));
    }
    let servers = federations.iter().flat_map(|f| &f.nameservers);
    for server in servers.filter(|server| server.value.name.is_within(clusterset)) {
        let name = &server.value.name;
        let left = name.labels().count() - clusterset.labels().count();
        let last = left.checked_sub(1).and_then(|at| name.labels().nth(at));
        if last.is_none_or(|label| matches!(label, "svc" | "dns-version")) {
            add(&format!(
                "the name server \"{name}\" has a reserved name in it"
            ));
        }
    }
}

/// Reports what is wrong with the zone of one federation in a cluster domain (docs/names.md, D.8).
fn check_cluster_domain(
    report: &PartProblems<'_>,
    federation: &FederationDraft,
    federations: &[FederationDraft],
    domain: &Placed<NameBuf>,
) {
    let Some(name) = &federation.name else {
        return;
    };
    let name = &name.value;
    let Some(zone) = local_apex(name, &domain.value) else {
        let message = format!(
            "cluster-domain \"{}\": no room for {name}.svc before it",
            domain.value
        );
        return report.add(domain.at, message);
    };
    let mut apexes = federations.iter().filter_map(|f| f.apex.as_ref());
    let reached = apexes.find(|apex| zone.is_within(&apex.value) || apex.value.is_within(&zone));
    if let Some(apex) = reached {
        let message = format!(
            "cluster-domain \"{}\": its zone \"{zone}\" and the apex \"{}\" overlap",
            domain.value, apex.value
        );
        report.add(domain.at, message);
    }
}
