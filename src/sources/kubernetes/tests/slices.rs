//! Endpoints of EndpointSlices.

use serde_json::{Value, json};

use super::{How, NAMESPACE, World, endpoints, load_balancer, slice};
use crate::model::Change;

/// A synced world with the service `web`.
fn world() -> World {
    let mut world = World::synced();
    world.service(How::Applied, &load_balancer("web"));
    world
}

/// The readiness of one endpoint with the given conditions, as (ready, total).
fn with_conditions(conditions: Value) -> (u32, u32) {
    let mut object = slice("web-1", "web", &["10.1.0.1"]);
    object["endpoints"][0]["conditions"] = conditions;
    endpoints(&world().slice(How::Applied, &object))
}

#[test]
fn no_slices_is_not_ready() {
    let mut world = World::synced();
    let changes = world.service(How::Applied, &load_balancer("web"));
    assert_eq!(endpoints(&changes), (0, 0));
}

#[test]
fn conditions_decide_readiness() {
    assert_eq!(with_conditions(json!({ "ready": true })), (1, 1));
    assert_eq!(with_conditions(json!({ "ready": false })), (0, 1));
    assert_eq!(with_conditions(json!({ "ready": null })), (1, 1));
    assert_eq!(with_conditions(json!({})), (1, 1));
    assert_eq!(with_conditions(json!(null)), (1, 1));
    assert_eq!(
        with_conditions(json!({ "ready": true, "terminating": true })),
        (0, 1)
    );
    let serving = json!({ "ready": false, "serving": true, "terminating": true });
    assert_eq!(with_conditions(serving), (0, 1));
}

#[test]
fn not_ready_addresses_count_where_they_are_published() {
    let mut world = world();
    let mut object = slice("web-1", "web", &["10.1.0.1", "10.1.0.2"]);
    object["endpoints"][0]["conditions"] = json!({ "ready": false });
    object["endpoints"][1]["conditions"] = json!({ "ready": true, "terminating": true });
    assert_eq!(endpoints(&world.slice(How::Applied, &object)), (0, 2));
    let mut service = load_balancer("web");
    service["spec"]["publishNotReadyAddresses"] = json!(true);
    assert_eq!(endpoints(&world.service(How::Applied, &service)), (2, 2));
}

#[test]
fn endpoints_are_the_union_over_slices_by_address_and_port_set() {
    let mut world = world();
    world.slice(
        How::Applied,
        &slice("web-1", "web", &["10.1.0.1", "10.1.0.2"]),
    );
    let mut copy = slice("web-2", "web", &["10.1.0.2", "10.1.0.3"]);
    copy["endpoints"][0]["conditions"]["ready"] = json!(false);
    assert_eq!(endpoints(&world.slice(How::Applied, &copy)), (3, 3));
    let mut admin = slice("web-3", "web", &["10.1.0.1"]);
    admin["ports"][0] = json!({ "name": "admin", "protocol": "TCP", "port": 9090 });
    assert_eq!(endpoints(&world.slice(How::Applied, &admin)), (4, 4));
    let mut ipv6 = slice("web-4", "web", &["2001:db8::1"]);
    ipv6["addressType"] = json!("IPv6");
    assert_eq!(endpoints(&world.slice(How::Applied, &ipv6)), (5, 5));
}

#[test]
fn an_endpoint_is_ready_while_any_copy_is() {
    let mut world = world();
    world.slice(How::Applied, &slice("web-1", "web", &["10.1.0.1"]));
    let mut copy = slice("web-2", "web", &["10.1.0.1"]);
    copy["endpoints"][0]["conditions"]["ready"] = json!(false);
    assert_eq!(world.slice(How::Applied, &copy), []);
    let gone = world.slice(How::Deleted, &slice("web-1", "web", &["10.1.0.1"]));
    assert_eq!(endpoints(&gone), (0, 1));
}

#[test]
fn an_endpoint_that_moves_between_slices_is_counted_once() {
    let mut added_first = world();
    added_first.slice(How::Applied, &slice("web-1", "web", &["10.1.0.1"]));
    assert_eq!(
        added_first.slice(How::Applied, &slice("web-2", "web", &["10.1.0.1"])),
        []
    );
    assert_eq!(
        added_first.slice(How::Applied, &slice("web-1", "web", &[])),
        []
    );

    let mut removed_first = world();
    removed_first.slice(How::Applied, &slice("web-1", "web", &["10.1.0.1"]));
    let gone = removed_first.slice(How::Applied, &slice("web-1", "web", &[]));
    assert_eq!(endpoints(&gone), (0, 0));
    let back = removed_first.slice(How::Applied, &slice("web-2", "web", &["10.1.0.1"]));
    assert_eq!(endpoints(&back), (1, 1));
}

#[test]
fn a_slice_that_moves_to_another_service_leaves_the_first() {
    let mut world = world();
    world.service(How::Applied, &load_balancer("api"));
    world.slice(How::Applied, &slice("web-1", "web", &["10.1.0.1"]));
    let changes = world.slice(How::Applied, &slice("web-1", "api", &["10.1.0.1"]));
    let numbers: Vec<(String, u32)> = changes
        .iter()
        .map(|change| match change {
            Change::Upsert(name, facts) => (name.to_string(), facts.endpoints.ready),
            other => panic!("{other:?}"),
        })
        .collect();
    let shop = |name: &str, ready| (format!("{NAMESPACE}/{name}"), ready);
    assert_eq!(numbers, [shop("api", 1), shop("web", 0)]);
}

#[test]
fn slices_may_come_before_their_service() {
    let mut world = World::synced();
    let early = world.slice(How::Applied, &slice("web-1", "web", &["10.1.0.1"]));
    assert_eq!(early, []);
    let changes = world.service(How::Applied, &load_balancer("web"));
    assert_eq!(endpoints(&changes), (1, 1));
}

#[test]
fn hand_made_slices_count() {
    let mut world = world();
    let mut object = slice("by-hand", "web", &["192.0.2.1"]);
    object["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] =
        json!("cluster-admins");
    assert_eq!(endpoints(&world.slice(How::Applied, &object)), (1, 1));
}

#[test]
fn slices_without_a_service_name_do_not_count() {
    let mut object = slice("web-1", "web", &["10.1.0.1"]);
    object["metadata"]["labels"] = json!({});
    assert_eq!(world().slice(How::Applied, &object), []);
}

#[test]
fn slices_copied_from_other_clusters_are_no_evidence() {
    for (label, value) in [
        ("multicluster.kubernetes.io/source-cluster", "other"),
        ("multicluster.kubernetes.io/service-name", "web"),
        (
            "endpointslice.kubernetes.io/managed-by",
            "endpointslice-mesh-controller.cilium.io",
        ),
        (
            "endpointslice.kubernetes.io/managed-by",
            "lighthouse-agent.submariner.io",
        ),
    ] {
        let mut object = slice("web-1", "web", &["10.1.0.1"]);
        object["metadata"]["labels"][label] = json!(value);
        assert_eq!(world().slice(How::Applied, &object), [], "{label}: {value}");
    }
}

#[test]
fn fqdn_slices_are_ignored_with_one_warning() {
    let mut world = world();
    let mut object = slice("web-1", "web", &["a.example"]);
    object["addressType"] = json!("FQDN");
    assert_eq!(world.slice(How::Applied, &object), []);
    assert_eq!(world.warnings().len(), 1);
    object["endpoints"] = json!(null);
    assert_eq!(world.slice(How::Applied, &object), []);
    assert_eq!(world.warnings(), Vec::<String>::new());
}

#[test]
fn a_slice_being_deleted_is_gone() {
    let mut world = world();
    let mut object = slice("web-1", "web", &["10.1.0.1"]);
    world.slice(How::Applied, &object);
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(endpoints(&world.slice(How::Applied, &object)), (0, 0));
}
