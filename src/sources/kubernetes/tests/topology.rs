//! Regions and zones of nodes.

use serde_json::json;

use super::super::index::TopologySource;
use super::{How, World, learnt, node};
use crate::model::{Change, LearntTopology};

/// What is learnt from nodes.
fn from_nodes(nodes: &[(&str, &str)]) -> LearntTopology {
    let mut world = World::new(TopologySource::Nodes);
    world.list_services(&[]);
    world.list_slices(&[]);
    let nodes: Vec<_> = nodes
        .iter()
        .enumerate()
        .map(|(number, (region, zone))| node(&format!("n{number}"), region, zone))
        .collect();
    world.list_nodes(&nodes);
    match world.index.sync().unwrap().as_slice() {
        [
            Change::Topology(learnt),
            Change::Networks(_),
            Change::Synced(_),
        ] => learnt.clone(),
        other => panic!("{other:?}"),
    }
}

/// Region and zones as text.
fn texts(learnt: &LearntTopology) -> (Option<&str>, Vec<&str>) {
    let zones = learnt.zones.iter().map(crate::names::Label::as_str);
    (
        learnt.region.as_ref().map(crate::names::Label::as_str),
        zones.collect(),
    )
}

#[test]
fn a_member_is_in_the_region_and_all_zones_of_its_nodes() {
    let learnt = from_nodes(&[("r1", "r1-b"), ("r1", "r1-a"), ("r1", "r1-b")]);
    assert_eq!(texts(&learnt), (Some("r1"), vec!["r1-a", "r1-b"]));
    assert_eq!(learnt.warnings, Vec::<String>::new());
}

#[test]
fn the_most_frequent_region_wins_and_ties_go_by_name() {
    let learnt = from_nodes(&[("r1", "a"), ("r2", "b"), ("r2", "b")]);
    assert_eq!(texts(&learnt).0, Some("r2"));
    assert_eq!(
        learnt.warnings,
        ["nodes of several regions: r1 (1), r2 (2)"]
    );
    assert_eq!(
        texts(&from_nodes(&[("r2", "b"), ("r1", "a")])).0,
        Some("r1")
    );
}

#[test]
fn nodes_without_labels_say_nothing() {
    assert_eq!(from_nodes(&[("", "")]), LearntTopology::default());
    assert_eq!(from_nodes(&[]), LearntTopology::default());
}

#[test]
fn labels_that_cannot_be_names_are_not_published() {
    let learnt = from_nodes(&[("svc", "DC1.Room_2"), ("r1", &"z".repeat(64)), ("r1", "__")]);
    assert_eq!(texts(&learnt), (Some("r1"), vec!["dc1-room-2"]));
    assert_eq!(learnt.warnings.len(), 3);
}

#[test]
fn labels_that_would_share_a_name_are_not_published() {
    let learnt = from_nodes(&[("r1", "dc.1"), ("r1", "dc_1"), ("r1", "dc2")]);
    assert_eq!(texts(&learnt), (Some("r1"), vec!["dc2"]));
    assert_eq!(
        learnt.warnings,
        ["zone dc-1 not published: \"dc.1\" and \"dc_1\" would share it"]
    );
}

#[test]
fn legacy_labels_are_read_where_the_new_ones_are_missing() {
    let mut world = World::new(TopologySource::Nodes);
    world.list_services(&[]);
    world.list_slices(&[]);
    world.list_nodes(&[]);
    world.index.sync().unwrap();
    let mut old = node("n1", "ignored", "ignored");
    old["metadata"]["labels"] = json!({
        "failure-domain.beta.kubernetes.io/region": "r1",
        "failure-domain.beta.kubernetes.io/zone": "r1-a",
    });
    let first = learnt(&world.node(How::Applied, &old));
    assert_eq!(texts(&first), (Some("r1"), vec!["r1-a"]));
    old["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!("r1-b");
    let second = learnt(&world.node(How::Applied, &old));
    assert_eq!(texts(&second), (Some("r1"), vec!["r1-b"]));
    assert_eq!(
        texts(&learnt(&world.node(How::Deleted, &old))),
        (None, vec![])
    );
}

#[test]
fn node_updates_that_change_no_label_say_nothing() {
    let mut world = World::new(TopologySource::Nodes);
    world.list_services(&[]);
    world.list_slices(&[]);
    world.list_nodes(&[node("n1", "r1", "r1-a")]);
    world.index.sync().unwrap();
    assert_eq!(world.node(How::Applied, &node("n1", "r1", "r1-a")), []);
    assert_eq!(world.node(How::Applied, &node("n2", "r1", "r1-a")), []);
}

#[test]
fn configured_topology_needs_no_nodes() {
    let mut world = World::synced();
    assert_eq!(world.node(How::Applied, &node("n1", "r1", "r1-a")), []);
}

/// A node with networks of pods and addresses.
fn networked(name: &str, pods: &[&str], addresses: &[(&str, &str)]) -> serde_json::Value {
    let mut object = node(name, "r1", "r1-a");
    let address = |(kind, address): &(&str, &str)| json!({ "type": kind, "address": address });
    let addresses: Vec<_> = addresses.iter().map(address).collect();
    object["spec"] = json!({ "podCIDR": pods.first(), "podCIDRs": pods });
    object["status"] = json!({ "addresses": addresses });
    object
}

/// The networks that were said.
fn networks(changes: &[Change]) -> Vec<String> {
    let found: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Networks(networks) => Some(networks),
            _ => None,
        })
        .collect();
    let [networks] = found.as_slice() else {
        panic!("{changes:?}");
    };
    networks.iter().map(ToString::to_string).collect()
}

#[test]
fn networks_of_pods_and_addresses_of_nodes_are_learnt() {
    let mut world = World::new(TopologySource::Nodes);
    world.list_services(&[]);
    world.list_slices(&[]);
    let first = networked(
        "n1",
        &["10.244.1.0/24", "2001:db8:1::/64"],
        &[
            ("InternalIP", "192.0.2.1"),
            ("Hostname", "n1"),
            ("ExternalIP", "198.51.100.1"),
        ],
    );
    world.list_nodes(std::slice::from_ref(&first));
    let said = [
        "10.244.1.0/24",
        "192.0.2.1/32",
        "198.51.100.1/32",
        "2001:db8:1::/64",
    ];
    assert_eq!(networks(&world.index.sync().unwrap()), said);
    // Nothing new: nothing is said.
    assert_eq!(world.node(How::Applied, &first), []);
    let second = networked("n2", &["10.244.2.0/24"], &[("InternalIP", "192.0.2.1")]);
    let changes = world.node(How::Applied, &second);
    assert_eq!(changes.len(), 1);
    assert_eq!(networks(&changes).len(), 5);
    // An address that another node has too stays.
    let changes = world.node(How::Deleted, &first);
    assert_eq!(networks(&changes), ["10.244.2.0/24", "192.0.2.1/32"]);
}

#[test]
fn networks_that_cannot_be_of_one_node_are_left_out() {
    let mut world = World::new(TopologySource::Nodes);
    world.list_services(&[]);
    world.list_slices(&[]);
    let node = networked(
        "n1",
        &["0.0.0.0/0", "10.244.1.7/24", "pods", "2001::/16"],
        &[
            ("InternalIP", "127.0.0.1"),
            ("InternalIP", "::"),
            ("InternalIP", "x"),
        ],
    );
    world.list_nodes(&[node]);
    assert_eq!(networks(&world.index.sync().unwrap()), ["10.244.1.0/24"]);
    let said = world.warnings();
    assert_eq!(said.len(), 3, "{said:?}");
}
