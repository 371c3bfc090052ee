//! The apexes of federations are checked against each other, and the name servers against them.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::federation::FederationDraft;
use super::problem::{PartProblems, Placed};
use crate::model::NameServer;
use crate::wire::NameBuf;

/// The federations with an apex, and the apexes: one for the federations that share it.
pub(super) struct ApexDrafts<'a> {
    /// In file order.
    federations: Vec<(&'a FederationDraft, &'a Placed<NameBuf>)>,
    /// The first federation of each apex, and the names of the name servers of all of them.
    by_name: HashMap<&'a NameBuf, (usize, HashSet<&'a NameBuf>)>,
}

impl<'a> ApexDrafts<'a> {
    /// Those of federations.
    pub(super) fn of(federations: &'a [FederationDraft]) -> Self {
        let with_apex = federations.iter();
        let federations: Vec<_> = with_apex
            .filter_map(|federation| Some((federation, federation.apex.as_ref()?)))
            .collect();
        let mut by_name: HashMap<_, (usize, HashSet<_>)> = HashMap::new();
        for (index, (federation, apex)) in federations.iter().enumerate() {
            let first = by_name
                .entry(&apex.value)
                .or_insert_with(|| (index, HashSet::new()));
            let servers = federation.nameservers.iter();
            first.1.extend(servers.map(|server| &server.value.name));
        }
        Self {
            federations,
            by_name,
        }
    }

    /// Reports apexes that disagree with, or reach into, each other.
    pub(super) fn check(&self, report: &PartProblems<'_>) {
        // Of each first federation once, however many share its apex.
        let mut servers = HashMap::new();
        for (index, (federation, apex)) in self.federations.iter().enumerate() {
            let own = name_servers(federation);
            let first = self.by_name.get(&apex.value).map_or(index, |first| first.0);
            if let Some((_, place)) = self.federations.get(first).filter(|_| first != index)
                && servers.get(&first) != Some(&own)
            {
                let line = report.line(place.at);
                let message = format!(
                    "apex \"{}\": other name servers than the federation of line {line}, which shares it",
                    apex.value
                );
                report.add(apex.at, message);
            }
            servers.entry(index).or_insert(own);
            for outer in self
                .around(&apex.value)
                .filter(|outer| **outer != apex.value)
            {
                if inside_service_tree(&apex.value, outer) {
                    let message = format!(
                        "apex \"{}\": inside the service names of the apex \"{outer}\"",
                        apex.value
                    );
                    report.add(apex.at, message);
                }
            }
            for server in &federation.nameservers {
                self.check_name_server(report, server);
            }
        }
    }

    /// The labels that no region or zone may have, and what has them (docs/names.md, D.4).
    pub(super) fn reserved(&self) -> HashMap<&'a str, String> {
        let mut reserved = HashMap::from([("dns-version", "the TXT record of an apex".to_owned())]);
        for (federation, apex) in &self.federations {
            for server in &federation.nameservers {
                let name = &server.value.name;
                if let Some(first) = labels_below(name, &apex.value).first() {
                    reserved.insert(first, format!("the name server {name}"));
                }
            }
            for outer in self.around(&apex.value) {
                if let Some(last) = labels_below(&apex.value, outer).last() {
                    reserved.insert(last, format!("the apex {}", apex.value));
                }
            }
        }
        reserved
    }

    /// The apexes that a name is at or in, the nearest first.
    fn around(&self, name: &NameBuf) -> impl Iterator<Item = &'a NameBuf> {
        let suffix = |skipped| NameBuf::from_labels(name.labels().skip(skipped)).ok();
        let suffixes = (0..=name.labels().count()).filter_map(suffix);
        suffixes.filter_map(|suffix| self.by_name.get_key_value(&suffix).map(|(apex, _)| *apex))
    }

    /// Reports a name server whose name cannot have addresses where it stands.
    fn check_name_server(&self, report: &PartProblems<'_>, server: &Placed<NameServer>) {
        let name = &server.value.name;
        let Some(apex) = self.around(name).next() else {
            return;
        };
        let below = labels_below(name, apex);
        if inside_service_tree(name, apex) || below.last() == Some(&"dns-version") {
            report.add(
                server.at,
                format!("name server \"{name}\": a reserved name of the apex"),
            );
        }
        let listed = self.by_name.get(apex);
        if !listed.is_some_and(|(_, servers)| servers.contains(name)) {
            let message = format!(
                "name server \"{name}\": inside the apex \"{apex}\", which does not list it"
            );
            report.add(server.at, message);
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
