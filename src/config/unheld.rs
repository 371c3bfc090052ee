//! Regions that a configuration names and nothing has: right, but most likely misspelt.

use std::collections::HashSet;

use super::settings::Config;
use crate::names::Label;

/// A region that is named and that no member and no `[[region]]` has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unheld {
    /// What names it.
    pub place: String,
    /// The region.
    pub region: Label,
}

impl Config {
    /// The regions that are named by fences, networks, costs and the locality, and that no member
    /// and no `[[region]]` has; each place that names one once. Members that learn their region
    /// from their nodes, [`Config::has_learners`], may yet have them.
    pub fn unheld_regions(&self) -> Vec<Unheld> {
        let fleet = &self.fleet;
        let members = fleet
            .members
            .iter()
            .filter_map(|(_, member)| member.region.as_ref());
        let fixed = fleet.regions.iter().map(|region| &region.name);
        let held: HashSet<&Label> = members.chain(fixed).collect();
        let mut found: Vec<Unheld> = Vec::new();
        let mut seen = HashSet::new();
        let mut name = |place: String, region: &Label| {
            if !held.contains(region) && seen.insert((place.clone(), region.clone())) {
                let region = region.clone();
                found.push(Unheld { place, region });
            }
        };
        for federation in &fleet.federations {
            for region in federation.fence.iter().flatten() {
                name(
                    format!("fence of federation \"{}\"", federation.name),
                    region,
                );
            }
        }
        for network in &fleet.networks {
            if let Some(region) = &network.place.region {
                name(format!("network {}", network.cidr), region);
            }
        }
        for region in fleet.costs.iter().flat_map(|cost| &cost.between) {
            name("cost".to_owned(), region);
        }
        if let Some(region) = fleet
            .locality
            .as_ref()
            .and_then(|place| place.region.as_ref())
        {
            name("locality".to_owned(), region);
        }
        found
    }

    /// Whether a member has its region from its nodes.
    pub fn has_learners(&self) -> bool {
        let mut members = self.fleet.members.iter();
        members.any(|(_, member)| member.region.is_none())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn regions_that_nothing_has_are_found_where_they_are_named() {
        let text = r#"
version = "v1"
state-dir = "s"
locality = { region = "there" }
[[federation]]
name = "f"
apex = "example.com"
nameservers = [{ name = "ns.example.net" }]
fence = ["eu", "eu-1"]
[[member]]
name = "m"
region = "eu"
source = { file = "m" }
[[region]]
name = "us"
[[network]]
cidrs = ["10.0.0.0/8", "10.1.0.0/16"]
region = "su"
[[cost]]
between = ["us", "uk"]
cost = 3
"#;
        let config = crate::config::parse(text, Path::new("f")).unwrap();
        let found: Vec<_> = config
            .unheld_regions()
            .into_iter()
            .map(|found| format!("{}: {}", found.place, found.region))
            .collect();
        let expected = [
            "fence of federation \"f\": eu-1",
            "network 10.0.0.0/8: su",
            "network 10.1.0.0/16: su",
            "cost: uk",
            "locality: there",
        ];
        assert_eq!(found, expected);
        assert!(!config.has_learners());
    }
}
