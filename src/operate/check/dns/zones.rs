//! The zones that a configuration serves.

use std::net::IpAddr;

use crate::config::Config;
use crate::model::Member;

/// A zone that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServedZone {
    /// Its name in letters, without a dot at the end.
    pub(super) name: String,
    /// Its name servers, with their addresses.
    pub(super) servers: Vec<(String, Vec<IpAddr>)>,
}

/// The apexes of federations, each once.
pub(super) fn apexes(config: &Config) -> Vec<ServedZone> {
    let mut zones: Vec<ServedZone> = Vec::new();
    for federation in &config.fleet.federations {
        let name = without_dot(&federation.apex.to_string());
        if zones.iter().any(|zone| zone.name == name) {
            continue;
        }
        let servers = federation.nameservers.iter();
        let servers = servers.map(|server| {
            let name = without_dot(&server.name.to_string());
            (name, server.addresses.clone())
        });
        zones.push(ServedZone {
            name,
            servers: servers.collect(),
        });
    }
    zones
}

/// Those of them that lie in no other.
pub(super) fn outermost(apexes: &[ServedZone]) -> impl Iterator<Item = &ServedZone> {
    let is_inside = |zone: &ServedZone| {
        let mut others = apexes.iter();
        others.any(|other| is_below(&zone.name, &other.name))
    };
    apexes.iter().filter(move |zone| !is_inside(zone))
}

/// The zones that the DNS server of a member is to forward: the apexes, the domains of clustersets, and
/// the zones of federations in its cluster domain.
pub(super) fn forwarded(config: &Config, member: &Member) -> Vec<String> {
    let federations = || config.fleet.federations.iter();
    let apexes = federations().map(|federation| federation.apex.clone());
    let clustersets = federations().filter_map(|federation| federation.clusterset.clone());
    let domain = member.cluster_domain.iter();
    let local = domain.flat_map(|domain| federations().filter_map(|it| it.local_apex(domain)));
    unique(
        apexes
            .chain(clustersets)
            .chain(local)
            .map(|name| name.to_string()),
    )
}

/// All zones.
pub(super) fn all(config: &Config) -> Vec<String> {
    let members = config.fleet.members.iter();
    unique(members.flat_map(|(_, member)| forwarded(config, member)))
}

/// Each name once, without a dot at the end.
fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut all = Vec::new();
    for name in names {
        let name = without_dot(&name);
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Whether a name lies below another.
pub(super) fn is_below(name: &str, other: &str) -> bool {
    let above = name.strip_suffix(other);
    above.is_some_and(|labels| labels.ends_with('.'))
}

/// A name without a dot at its end.
pub(super) fn without_dot(name: &str) -> String {
    name.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_inside_another_needs_no_delegation() {
        let names = [
            "example.com",
            "a.b.example.com",
            "notexample.com",
            "example.net",
        ];
        let zones = names.map(|name| ServedZone {
            name: name.to_owned(),
            servers: Vec::new(),
        });
        let outermost: Vec<_> = outermost(&zones).map(|zone| zone.name.as_str()).collect();
        assert_eq!(outermost, ["example.com", "notexample.com", "example.net"]);
        assert!(!is_below("example.com", "example.com"));
    }
}
