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
pub(super) struct Topology {
    /// Regions.
    regions: Counts,
    /// Zones.
    zones: Counts,
    /// Networks of pods and addresses of nodes, and how many nodes have each.
    networks: BTreeMap<IpNet, u32>,
    /// Whether a count came or went since it was last learnt from.
    has_changed: bool,
}

impl Topology {
    /// Counts a node that came, went or changed.
    pub(super) fn count(&mut self, old: Option<&NodeFacts>, new: Option<&NodeFacts>) {
        self.has_changed = true;
        if let Some(node) = new {
            increment(&mut self.regions, node.region.as_ref());
            increment(&mut self.zones, node.zone.as_ref());
            for cidr in &node.networks {
                increment(&mut self.networks, Some(cidr));
            }
        }
        if let Some(node) = old {
            decrement(&mut self.regions, node.region.as_ref());
            decrement(&mut self.zones, node.zone.as_ref());
            for cidr in &node.networks {
                decrement(&mut self.networks, Some(cidr));
            }
        }
    }

    /// Whether anything was counted since [`Topology::learn`].
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// The networks of all nodes, ascending.
    pub(super) fn networks(&self) -> Arc<[IpNet]> {
        self.networks.keys().copied().collect()
    }

    /// The region of most nodes, ties by name, and all zones (docs/names.md, D.4).
    pub(super) fn learn(&mut self) -> LearntTopology {
        self.has_changed = false;
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

/// One node more.
fn increment<K: Ord + Clone>(counts: &mut BTreeMap<K, u32>, value: Option<&K>) {
    if let Some(value) = value {
        *counts.entry(value.clone()).or_default() += 1;
    }
}

/// One node less.
fn decrement<K: Ord>(counts: &mut BTreeMap<K, u32>, value: Option<&K>) {
    if let Some(value) = value
        && let Some(nodes) = counts.get_mut(value)
    {
        *nodes -= 1;
        if *nodes == 0 {
            counts.remove(value);
        }
    }
}
