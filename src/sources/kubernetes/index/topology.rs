//! Where a member's nodes stand, from the counts of their labels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use super::super::convert::NodeFacts;
use crate::model::LearntTopology;
use crate::names::Label;

/// Values of node labels and how many nodes have each.
type Counts = BTreeMap<Arc<str>, u32>;

/// The labels of a member's nodes, counted.
#[derive(Debug, Default)]
pub(in super::super) struct Topology {
    /// Regions.
    regions: Counts,
    /// Zones.
    zones: Counts,
    /// Networks of pods and addresses of nodes, and how many nodes have each.
    networks: BTreeMap<IpNet, u32>,
    /// Whether a region or a zone of a node has changed since it was last learnt from.
    has_labels_changed: bool,
    /// Whether a network came or went since they were last listed.
    has_networks_changed: bool,
}

impl Topology {
    /// Counts a node that came, went or changed. Costs what the node says.
    pub(in super::super) fn count(&mut self, old: Option<&NodeFacts>, new: Option<&NodeFacts>) {
        let labels =
            |node: Option<&NodeFacts>| node.map(|node| (node.region.clone(), node.zone.clone()));
        self.has_labels_changed |= labels(old) != labels(new);
        if let Some(node) = new {
            increment(&mut self.regions, node.region.as_ref());
            increment(&mut self.zones, node.zone.as_ref());
            for cidr in &node.networks {
                self.has_networks_changed |= increment(&mut self.networks, Some(cidr));
            }
        }
        if let Some(node) = old {
            decrement(&mut self.regions, node.region.as_ref());
            decrement(&mut self.zones, node.zone.as_ref());
            for cidr in &node.networks {
                self.has_networks_changed |= decrement(&mut self.networks, Some(cidr));
            }
        }
    }

    /// Whether [`Topology::learn`] may say something new.
    pub(super) fn has_labels_changed(&self) -> bool {
        self.has_labels_changed
    }

    /// Whether [`Topology::networks`] are others.
    pub(super) fn has_networks_changed(&self) -> bool {
        self.has_networks_changed
    }

    /// The networks of all nodes, ascending.
    pub(in super::super) fn networks(&mut self) -> Arc<[IpNet]> {
        self.has_networks_changed = false;
        self.networks.keys().copied().collect()
    }

    /// How many nodes are in a region that was learnt.
    pub(in super::super) fn nodes_in(&self, region: &Label) -> usize {
        let published = |value: &str| Label::from_topology(value).ok();
        let mut regions = self.regions.iter();
        let found = regions.find(|(value, _)| published(value).as_ref() == Some(region));
        found.map_or(0, |(_, nodes)| *nodes as usize)
    }

    /// The region of most nodes, ties by name, and all zones (docs/names.md, D.4).
    pub(in super::super) fn learn(&mut self) -> LearntTopology {
        self.has_labels_changed = false;
        let mut warnings = Vec::new();
        let regions = labels("region", &self.regions, &mut warnings);
        let zones = labels("zone", &self.zones, &mut warnings);
        if regions.len() > 1 {
            let list: Vec<String> = regions
                .iter()
                .map(|(region, nodes)| format!("{region} ({nodes})"))
                .collect();
            warnings.push(format!("nodes of several regions: {}", list.join(", ")));
        }
        if regions.is_empty() && !zones.is_empty() {
            warnings.push("nodes with a zone and no region".to_owned());
        }
        // Regions are in the order of their names, and the first of the most frequent is kept.
        let most = regions.values().copied().max();
        let region = regions
            .iter()
            .find(|(_, nodes)| Some(**nodes) == most)
            .map(|(region, _)| region.clone());
        LearntTopology {
            region,
            zones: zones.into_keys().collect::<BTreeSet<Label>>(),
            warnings,
        }
    }
}

/// The values that can be published, as labels; those that cannot are warnings.
fn labels(what: &str, counts: &Counts, warnings: &mut Vec<String>) -> BTreeMap<Label, u32> {
    let mut values: BTreeMap<Label, Vec<(&str, u32)>> = BTreeMap::new();
    for (value, nodes) in counts {
        match Label::from_topology(value) {
            Ok(label) => values.entry(label).or_default().push((value, *nodes)),
            Err(error) => warnings.push(format!("{what} {value:?} not published: {error}")),
        }
    }
    let mut kept = BTreeMap::new();
    for (label, same) in values {
        if let [(_, nodes)] = same.as_slice() {
            kept.insert(label, *nodes);
        } else {
            let list: Vec<String> = same.iter().map(|(value, _)| format!("{value:?}")).collect();
            warnings.push(format!(
                "{what} {label} not published: {} would share it",
                list.join(" and ")
            ));
        }
    }
    kept
}

/// One node more. Whether it is the first.
fn increment<K: Ord + Clone>(counts: &mut BTreeMap<K, u32>, value: Option<&K>) -> bool {
    value.is_some_and(|value| {
        let nodes = counts.entry(value.clone()).or_default();
        *nodes += 1;
        *nodes == 1
    })
}

/// One node less. Whether it was the last.
fn decrement<K: Ord>(counts: &mut BTreeMap<K, u32>, value: Option<&K>) -> bool {
    let Some(value) = value else { return false };
    let Some(nodes) = counts.get_mut(value) else {
        return false;
    };
    *nodes -= 1;
    let is_last = *nodes == 0;
    if is_last {
        counts.remove(value);
    }
    is_last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::kubernetes::nodes::NodeEntrances;

    /// A node in a zone with a network of its own and one that all have.
    fn node(number: u8, zone: &str) -> NodeFacts {
        let networks = [format!("10.{number}.0.0/16"), "198.18.0.0/15".to_owned()];
        NodeFacts {
            region: Some("r".into()),
            zone: Some(zone.into()),
            networks: networks.iter().map(|cidr| cidr.parse().unwrap()).collect(),
            entrances: NodeEntrances::default(),
        }
    }

    #[test]
    fn only_what_a_change_touches_is_learnt_anew() {
        let mut topology = Topology::default();
        let changed = |topology: &mut Topology| {
            let changed = (
                topology.has_labels_changed(),
                topology.has_networks_changed(),
            );
            topology.learn();
            topology.networks();
            changed
        };
        for number in 0..3 {
            topology.count(None, Some(&node(number, "a")));
        }
        assert_eq!(changed(&mut topology), (true, true));
        topology.count(Some(&node(0, "a")), Some(&node(0, "b")));
        assert_eq!(changed(&mut topology), (true, false), "its networks stay");
        topology.count(Some(&node(1, "a")), Some(&node(9, "a")));
        assert_eq!(changed(&mut topology), (false, true), "its labels stay");
        assert_eq!(topology.networks().len(), 4);
        let mut fewer = node(2, "a");
        fewer.networks = fewer.networks.iter().take(1).copied().collect();
        topology.count(Some(&node(2, "a")), Some(&fewer));
        assert_eq!(changed(&mut topology), (false, false), "others have it too");
    }
}
