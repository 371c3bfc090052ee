//! The further trees of names are checked against the apexes.

use super::federation::FederationDraft;
use super::member::MemberDraft;
use super::problem::{Placed, Report};
use crate::wire::NameBuf;

/// Reports zones of cluster domains that are no names, or that reach into an apex.
pub(super) fn check(report: &Report<'_>, federations: &[FederationDraft], members: &[MemberDraft]) {
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
}

/// Reports what is wrong with the zone of one federation in a cluster domain (names: D.8).
fn check_cluster_domain(
    report: &Report<'_>,
    federation: &FederationDraft,
    federations: &[FederationDraft],
    domain: &Placed<NameBuf>,
) {
    let Some(name) = &federation.name else {
        return;
    };
    let name = name.value.as_str();
    let labels = [name, "svc"].into_iter().chain(domain.value.labels());
    let Ok(zone) = NameBuf::from_labels(labels) else {
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
