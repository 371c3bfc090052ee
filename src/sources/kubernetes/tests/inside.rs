//! Where services are reached inside their cluster.

use serde_json::{Value, json};

use super::{How, World, headless, load_balancer, slice, upserted};
use crate::model::{Change, Inside};
use crate::names::Label;

/// The cluster IPs that a Service with this `spec` has, and the warnings.
fn cluster_ips(spec: &Value) -> (Vec<String>, Vec<String>) {
    let mut world = World::synced();
    let mut object = load_balancer("web");
    object["spec"]["clusterIP"] = spec["clusterIP"].clone();
    object["spec"]["clusterIPs"] = spec["clusterIPs"].clone();
    let facts = upserted(&world.service(How::Applied, &object));
    let addresses = facts.inside.as_deref().map(|inside| {
        assert!(matches!(inside, Inside::ClusterIps(_)));
        inside
            .addresses()
            .map(|address| address.to_string())
            .collect()
    });
    (addresses.unwrap_or_default(), world.warnings())
}

#[test]
fn cluster_ips_of_both_families_are_read() {
    let check = |spec: Value, expected: &[&str]| {
        assert_eq!(cluster_ips(&spec).0, expected, "{spec}");
    };
    check(
        json!({ "clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7", "2001:db8::7"] }),
        &["10.0.0.7", "2001:db8::7"],
    );
    check(json!({ "clusterIP": "10.0.0.7" }), &["10.0.0.7"]);
    check(json!({ "clusterIP": "" }), &[]);
    check(json!({}), &[]);
    let (addresses, warnings) = cluster_ips(&json!({ "clusterIPs": ["10.0.0.7", "ten"] }));
    assert_eq!(addresses, ["10.0.0.7"]);
    assert_eq!(warnings, ["cluster IP \"ten\" ignored"]);
}

/// The pods of the one service that changed: host name, address, whether ready.
fn pods(changes: &[Change]) -> Vec<(Option<String>, String, bool)> {
    let facts = upserted(changes);
    let pods = facts
        .inside
        .as_deref()
        .map(Inside::pods)
        .unwrap_or_default();
    let pods = pods.iter();
    pods.map(|pod| {
        let hostname = pod.hostname.as_ref().map(Label::to_string);
        (hostname, pod.address.to_string(), pod.is_ready)
    })
    .collect()
}

/// A pod as [`pods`] gives it.
fn pod(hostname: &str, address: &str, is_ready: bool) -> (Option<String>, String, bool) {
    let hostname = (!hostname.is_empty()).then(|| hostname.to_owned());
    (hostname, address.to_owned(), is_ready)
}

#[test]
fn a_headless_service_has_its_pods() {
    let mut world = World::synced();
    assert_eq!(pods(&world.service(How::Applied, &headless("web"))), []);
    let mut object = slice("web-1", "web", &["10.1.0.1", "10.1.0.2", "10.1.0.3"]);
    object["endpoints"][0]["hostname"] = json!("web-0");
    object["endpoints"][1]["conditions"]["ready"] = json!(false);
    object["endpoints"][2]["hostname"] = json!("Web_2");
    let expected = [
        pod("", "10.1.0.2", false),
        pod("", "10.1.0.3", true),
        pod("web-0", "10.1.0.1", true),
    ];
    assert_eq!(pods(&world.slice(How::Applied, &object)), expected);
    let bad = "endpoint host name \"Web_2\" ignored: \
               invalid DNS label (letters, digits, and hyphens inside)";
    assert_eq!(world.warnings(), [bad]);
    let mut ipv6 = slice("web-2", "web", &["2001:db8::1"]);
    ipv6["addressType"] = json!("IPv6");
    ipv6["endpoints"][0]["hostname"] = json!("web-0");
    let both = pods(&world.slice(How::Applied, &ipv6));
    assert_eq!(
        both[2..],
        [expected[2].clone(), pod("web-0", "2001:db8::1", true)]
    );
}

#[test]
fn a_pod_of_several_ports_is_one_and_ready_if_any_copy_is() {
    let mut world = World::synced();
    world.service(How::Applied, &headless("web"));
    let mut first = slice("web-1", "web", &["10.1.0.1"]);
    first["endpoints"][0]["hostname"] = json!("web-0");
    world.slice(How::Applied, &first);
    let mut second = first.clone();
    second["metadata"]["name"] = json!("web-2");
    second["ports"][0]["port"] = json!(9090);
    second["endpoints"][0]["conditions"]["ready"] = json!(false);
    let changes = world.slice(How::Applied, &second);
    assert_eq!(pods(&changes), [pod("web-0", "10.1.0.1", true)]);
    let changes = world.slice(How::Deleted, &first);
    assert_eq!(pods(&changes), [pod("web-0", "10.1.0.1", false)]);
    assert_eq!(pods(&world.slice(How::Deleted, &second)), []);
}

#[test]
fn pods_that_are_published_not_ready_take_traffic() {
    let mut world = World::synced();
    let mut object = headless("web");
    object["spec"]["publishNotReadyAddresses"] = json!(true);
    world.service(How::Applied, &object);
    let mut endpoints = slice("web-1", "web", &["10.1.0.1"]);
    endpoints["endpoints"][0]["conditions"] = json!({ "ready": true, "terminating": true });
    let changes = world.slice(How::Applied, &endpoints);
    assert_eq!(pods(&changes), [pod("", "10.1.0.1", true)]);
}
