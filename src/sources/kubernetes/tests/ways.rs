//! The way of clients outside: what a Service names itself, and what stands in front of it.

use super::*;
use crate::model::WayIn;

/// What a service says of the way to it, in short.
fn way(service: &Service) -> (WayIn, Vec<String>, Vec<u16>) {
    let addresses = service.addresses.iter().map(ToString::to_string);
    let hostnames = service.hostnames.iter().map(ToString::to_string);
    let ports = service.ports.iter().map(|port| port.outside);
    (
        service.way_in,
        addresses.chain(hostnames).collect(),
        ports.collect(),
    )
}

/// Expects a way.
macro_rules! leads {
    ($changes:expr, $way_in:ident, $addresses:expr, $ports:expr) => {{
        let addresses: Vec<String> = $addresses.map(|text: &str| text.to_owned()).to_vec();
        assert_eq!(
            way(&upserted(&$changes)),
            (WayIn::$way_in, addresses, $ports.to_vec())
        );
    }};
}

/// A member that allows one network, without services, and needs no nodes.
fn allowing(network: &str) -> World {
    let rules = WayRules {
        addresses_from: vec![network.parse().unwrap()],
        front: None,
    };
    synced(rules)
}

/// A member of these rules without services.
fn synced(rules: WayRules) -> World {
    let mut world = World::with(TopologySource::Configuration, rules);
    world.list_services(&[]);
    world.list_slices(&[]);
    assert_eq!(world.index.sync(), Some(vec![Change::Synced(vec![])]));
    world
}

/// A service `web` of type `ClusterIP` that is exported, with a ready endpoint.
fn exported(world: &mut World) -> Value {
    world.slice(How::Applied, &slice("web-1", "web", &["10.1.0.1"]));
    annotated(cluster_ip("web"), "export", "true")
}

/// A Gateway `infra/public`.
fn gateway(address: &str) -> Value {
    json!({
        "metadata": { "namespace": "infra", "name": "public" },
        "spec": { "listeners": [
            { "name": "http", "protocol": "HTTP", "port": 8080 },
            { "name": "https", "protocol": "HTTPS", "port": 8443 },
        ] },
        "status": { "addresses": [{ "type": "IPAddress", "value": address }] },
    })
}

#[test]
fn a_service_names_its_addresses_within_what_its_member_allows() {
    let mut world = allowing("198.51.100.0/24");
    let plain = load_balancer("web");
    let named = annotated(plain.clone(), "addresses", "198.51.100.9, 192.0.2.1, x");
    leads!(
        world.service(How::Applied, &named),
        Named,
        ["198.51.100.9"],
        [80]
    );
    let warnings = world.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("\"x\" ignored"), "{warnings:?}");
    assert!(warnings[1].contains("192.0.2.1 ignored"), "{warnings:?}");
    let foreign = annotated(plain.clone(), "addresses", "192.0.2.2");
    leads!(
        world.service(How::Applied, &foreign),
        Usual,
        ["203.0.113.11"],
        [80]
    );
    assert_eq!(world.warnings().len(), 1);
    // The same warning is said once.
    let again = annotated(foreign, "weight", "7");
    leads!(
        world.service(How::Applied, &again),
        Usual,
        ["203.0.113.11"],
        [80]
    );
    assert_eq!(world.warnings(), [""; 0]);
    leads!(
        world.service(How::Applied, &named),
        Named,
        ["198.51.100.9"],
        [80]
    );
    leads!(
        world.service(How::Applied, &plain),
        Usual,
        ["203.0.113.11"],
        [80]
    );
}

#[test]
fn host_names_need_a_member_that_allows_some_addresses() {
    let named = annotated(load_balancer("web"), "hostnames", "lb.example.net");
    leads!(
        allowing("198.51.100.0/24").service(How::Applied, &named),
        Named,
        ["lb.example.net."],
        [80]
    );
    let mut world = World::synced();
    leads!(
        world.service(How::Applied, &named),
        Usual,
        ["203.0.113.11"],
        [80]
    );
    assert!(world.warnings()[0].contains("no addresses-from"));
}

#[test]
fn ports_have_other_numbers_outside_where_the_service_says_so() {
    let mut world = World::synced();
    let ported = annotated(load_balancer("web"), "ports", "http=40000,fed=1,http=x");
    let changes = world.service(How::Applied, &ported);
    leads!(changes, Usual, ["203.0.113.11"], [40000]);
    assert_eq!(upserted(&changes).ports[0].port, 80, "inside it stays");
    let warnings = world.warnings();
    assert!(warnings[0].contains("\"http=x\" ignored"), "{warnings:?}");
    assert!(warnings[1].contains("no port fed"), "{warnings:?}");
}

#[test]
fn a_service_behind_a_gateway_follows_it() {
    let mut world = World::synced();
    let service = exported(&mut world);
    // A second one that is not behind it is never touched.
    world.service(How::Applied, &load_balancer("other"));
    assert_eq!(world.index.wanted().count(), 0);
    let via = annotated(service, "via", "gateway/infra/public");
    leads!(world.service(How::Applied, &via), Front, [], [80]);
    assert!(world.index.wanted().eq([ObjectKind::Gateways]));
    let one = gateway("192.0.2.1");
    leads!(world.list_gateways(&[one]), Front, ["192.0.2.1"], [8080]);
    let mut other = gateway("192.0.2.2");
    leads!(
        world.gateway(How::Applied, &other),
        Front,
        ["192.0.2.2"],
        [8080]
    );
    // Unknown is not False: some controllers write none.
    for (status, way_in) in [("False", WayIn::Closed), ("Unknown", WayIn::Front)] {
        other["status"]["conditions"] = json!([
            { "type": "Accepted", "status": "True" }, { "type": "Programmed", "status": status },
        ]);
        let closed = upserted(&world.gateway(How::Applied, &other));
        assert_eq!(closed.way_in, way_in);
        assert!(closed.is_ready(), "inside it is");
        assert_eq!(closed.is_ready_outside(), way_in == WayIn::Front);
    }
    other["status"]["addresses"] = json!([
        { "type": "Hostname", "value": "gw.example.net" },
        { "type": "NamedAddress", "value": "pool" }, { "value": "192.0.2.3" },
    ]);
    leads!(
        world.gateway(How::Applied, &other),
        Front,
        ["192.0.2.3", "gw.example.net."],
        [8080]
    );
    assert!(world.warnings()[0].contains("NamedAddress"));
    leads!(world.gateway(How::Deleted, &other), Front, [], [80]);
    assert!(world.warnings()[0].contains("gateway/infra/public is not there"));
}

#[test]
fn the_port_outside_is_that_of_a_listener_or_of_its_own() {
    let mut world = World::synced();
    world.list_gateways(&[gateway("192.0.2.1")]);
    let mut service = exported(&mut world);
    service["spec"]["ports"] = json!([
        { "name": "https", "port": 443 }, { "name": "fed", "port": 9000 },
        { "name": "http", "protocol": "UDP", "port": 80 },
    ]);
    let via = annotated(service.clone(), "via", "gateway/infra/public");
    leads!(
        world.service(How::Applied, &via),
        Front,
        ["192.0.2.1"],
        [8443, 9000, 80]
    );
    let named = annotated(service.clone(), "via", "gateway/infra/public/http");
    let named = annotated(named, "ports", "https=444");
    leads!(
        world.service(How::Applied, &named),
        Front,
        ["192.0.2.1"],
        [444, 8080, 8080]
    );
    let wrong = annotated(service, "via", "gateway/infra/public/grpc");
    let _ = world.warnings();
    leads!(
        world.service(How::Applied, &wrong),
        Front,
        ["192.0.2.1"],
        [8443, 9000, 80]
    );
    assert!(world.warnings()[0].contains("no listener grpc"));
}

#[test]
fn an_ingress_has_the_ports_of_the_web_and_takes_traffic_once_it_has_an_address() {
    let mut world = World::synced();
    let mut service = exported(&mut world);
    service["spec"]["ports"] =
        json!([{ "name": "https", "port": 8443 }, { "name": "x", "port": 1 }]);
    let via = annotated(service, "via", "ingress/shop/web");
    world.service(How::Applied, &via);
    let mut ingress = json!({ "metadata": { "namespace": "shop", "name": "web" } });
    leads!(
        world.list_ingresses(&[ingress.clone()]),
        Closed,
        [],
        [443, 1]
    );
    ingress["status"]["loadBalancer"]["ingress"] = json!([{ "ip": "192.0.2.7" }]);
    leads!(
        world.list_ingresses(&[ingress]),
        Front,
        ["192.0.2.7"],
        [443, 1]
    );
}

#[test]
fn another_service_in_front_gives_addresses_ports_and_readiness() {
    let mut world = World::synced();
    let service = exported(&mut world);
    let via = annotated(service, "via", "service/shop/envoy");
    leads!(world.service(How::Applied, &via), Front, [], [80]);
    let mut envoy = load_balancer("envoy");
    envoy["spec"]["ports"] = json!([{ "name": "http", "port": 8080 }]);
    let of_web = |changes: Vec<Change>| -> Vec<Change> {
        let is_web =
            |change: &Change| matches!(change, Change::Upsert(of, _) if *of == name("web"));
        changes.into_iter().filter(is_web).collect()
    };
    let changes = world.service(How::Applied, &envoy);
    leads!(of_web(changes), Closed, ["203.0.113.11"], [8080]);
    let changes = world.slice(How::Applied, &slice("envoy-1", "envoy", &["10.1.0.9"]));
    leads!(of_web(changes), Front, ["203.0.113.11"], [8080]);
    let changes = world.service(How::Deleted, &envoy);
    leads!(of_web(changes), Front, [], [80]);
    assert!(
        world
            .warnings()
            .iter()
            .any(|text| text.contains("service/shop/envoy is not there"))
    );
}

#[test]
fn what_stands_in_front_of_a_member_does_so_for_services_that_say_nothing_else() {
    let rules = WayRules {
        addresses_from: vec!["198.51.100.0/24".parse().unwrap()],
        front: Some("gateway/infra/public".parse().unwrap()),
    };
    let mut world = synced(rules);
    assert!(world.index.wanted().eq([ObjectKind::Gateways]));
    world.list_gateways(&[gateway("192.0.2.1")]);
    let service = exported(&mut world);
    leads!(
        world.service(How::Applied, &service),
        Front,
        ["192.0.2.1"],
        [8080]
    );
    let named = annotated(load_balancer("named"), "addresses", "198.51.100.9");
    leads!(
        world.service(How::Applied, &named),
        Named,
        ["198.51.100.9"],
        [80]
    );
    leads!(
        world.gateway(How::Applied, &gateway("192.0.2.2")),
        Front,
        ["192.0.2.2"],
        [8080]
    );
}

#[test]
fn a_way_that_is_not_known_yet_changes_nothing() {
    let mut world = World::synced();
    let balanced = load_balancer("web");
    leads!(
        world.service(How::Applied, &balanced),
        Usual,
        ["203.0.113.11"],
        [80]
    );
    let via = annotated(balanced, "via", "gateway/infra/public");
    assert_eq!(world.service(How::Applied, &via), []);
    // That its kind is refused is known.
    let changes = world.index.refuse(ObjectKind::Gateways, "404: not found");
    leads!(changes, Front, [], [80]);
    assert!(world.warnings()[0].contains("404: not found"));
    assert_eq!(world.index.refuse(ObjectKind::Gateways, "404: again"), []);
    leads!(
        world.list_gateways(&[gateway("192.0.2.1")]),
        Front,
        ["192.0.2.1"],
        [8080]
    );
    assert_eq!(
        world.index.refuse(ObjectKind::Gateways, "403: taken away"),
        [],
        "what was there is not taken for gone"
    );
}

#[test]
fn a_wrong_annotation_harms_nothing() {
    let mut world = World::synced();
    let mut wrong = load_balancer("web");
    for (name, value) in [
        ("via", "httproute/infra/public"),
        ("addresses", ",,"),
        ("hostnames", "a..b"),
        ("ports", "http"),
        ("node-port", "yes"),
    ] {
        wrong = annotated(wrong, name, value);
    }
    leads!(
        world.service(How::Applied, &wrong),
        Usual,
        ["203.0.113.11"],
        [80]
    );
    assert_eq!(world.warnings().len(), 4);
    assert_eq!(world.index.wanted().count(), 0);
}

/// A Node that is ready, with an external and an internal address.
fn reached(name: &str, number: u8) -> Value {
    let mut node = node(name, "r1", "r1-a");
    node["status"] = json!({
        "conditions": [{ "type": "Ready", "status": "True" }],
        "addresses": [
            { "type": "ExternalIP", "address": format!("192.0.2.{number}") },
            { "type": "InternalIP", "address": format!("10.9.0.{number}") },
        ],
    });
    node
}

#[test]
fn node_ports_are_at_nodes_that_take_traffic() {
    let mut world = World::synced();
    let mut service = annotated(exported(&mut world), "node-port", "true");
    service["spec"]["type"] = json!("NodePort");
    service["spec"]["ports"] = json!([{ "name": "http", "port": 80, "nodePort": 30080 }]);
    let mut endpoints = slice("web-1", "web", &["10.1.0.1", "10.1.0.2"]);
    endpoints["endpoints"][0]["nodeName"] = json!("n1");
    endpoints["endpoints"][1]["nodeName"] = json!("n2");
    world.slice(How::Applied, &endpoints);
    leads!(world.service(How::Applied, &service), Front, [], [80]);
    assert!(world.index.wanted().eq([ObjectKind::Nodes]));
    let nodes = [reached("n1", 1), reached("n2", 2), reached("n3", 3)];
    leads!(
        world.list_nodes(&nodes),
        Front,
        ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        [30080]
    );
    let mut drained = reached("n3", 3);
    drained["spec"]["unschedulable"] = json!(true);
    leads!(
        world.node(How::Applied, &drained),
        Front,
        ["192.0.2.1", "192.0.2.2"],
        [30080]
    );
    let mut broken = reached("n2", 2);
    broken["status"]["conditions"] = json!([{ "type": "Ready", "status": "Unknown" }]);
    leads!(
        world.node(How::Applied, &broken),
        Front,
        ["192.0.2.1"],
        [30080]
    );
    world.list_nodes(&nodes);
    // Under Local, nodes without a ready endpoint take nothing.
    service["spec"]["externalTrafficPolicy"] = json!("Local");
    leads!(
        world.service(How::Applied, &service),
        Front,
        ["192.0.2.1", "192.0.2.2"],
        [30080]
    );
    endpoints["endpoints"][0]["conditions"]["ready"] = json!(false);
    leads!(
        world.slice(How::Applied, &endpoints),
        Front,
        ["192.0.2.2"],
        [30080]
    );
}

#[test]
fn of_many_nodes_every_process_chooses_the_same_32() {
    let nodes: Vec<Value> = (0..100)
        .map(|number| reached(&format!("n{number}"), number))
        .collect();
    let addresses = |nodes: &[Value]| {
        let mut world = allowing("10.9.0.0/16");
        let service = annotated(exported(&mut world), "node-port", "true");
        world.service(How::Applied, &service);
        let upserted = upserted(&world.list_nodes(nodes));
        upserted.addresses.to_vec()
    };
    let chosen = addresses(&nodes);
    assert_eq!(chosen.len(), 64, "two addresses of each");
    let reversed: Vec<Value> = nodes.iter().rev().cloned().collect();
    assert_eq!(addresses(&reversed), chosen);
}
