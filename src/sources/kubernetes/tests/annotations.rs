//! Annotations, exports and load balancers of Services.

use std::time::Duration;

use serde_json::json;

use super::super::annotations::read;
use super::{How, World, annotated, cluster_ip, load_balancer, name, service_export, upserted};
use crate::model::{Change, Export, Policy, ServiceKind, SrvForm, WhenAllDown};

/// What one annotation is read as, and the number of warnings.
fn one(key: &str, value: &str) -> (super::super::annotations::Annotations, usize) {
    let said = read(Some(
        &[(format!("gazetteer.dev/{key}"), value.to_owned())].into(),
    ));
    let warnings = said.warnings.len();
    (said, warnings)
}

/// Labels as text.
fn texts(labels: Option<&[crate::names::Label]>) -> Option<Vec<&str>> {
    labels.map(|labels| labels.iter().map(crate::names::Label::as_str).collect())
}

#[test]
fn annotations_say_what_facts_files_say() {
    let read = |key, value| {
        let (said, warnings) = one(key, value);
        assert_eq!(warnings, 0, "{key}: {value}");
        said
    };
    assert_eq!(read("export", "true").export, Some(Export::Exported));
    assert_eq!(read("export", "false").export, Some(Export::Refused));
    assert_eq!(
        read("policy", "failover").steering.policy,
        Some(Policy::Failover)
    );
    assert_eq!(read("weight", "0").steering.weight, Some(0));
    assert_eq!(
        read("ttl", "90s").steering.ttl,
        Some(Duration::from_secs(90))
    );
    assert_eq!(
        read("ttl", "2m").steering.ttl,
        Some(Duration::from_secs(120))
    );
    assert_eq!(read("max-addresses", "4").steering.max_addresses, Some(4));
    assert_eq!(read("spill-over", "80%").steering.spill_over, Some(80));
    assert_eq!(read("srv", "members").steering.srv, Some(SrvForm::Members));
    let last_known = read("when-all-down", "last-known").steering.when_all_down;
    assert_eq!(last_known, Some(WhenAllDown::LastKnown));
    assert!(read("allow-without-endpoints", "true").allow_without_endpoints);
    assert!(!read("allow-without-endpoints", "false").allow_without_endpoints);
    let federations = read("federations", "one, Two").federations;
    assert_eq!(texts(federations.as_deref()), Some(vec!["one", "two"]));
    let label = |text: &str| text.parse::<crate::names::Label>().ok();
    assert_eq!(read("dns-prefix", "Foo").steering.dns_prefix, label("foo"));
    let external = read("external-name", "bar").steering.external_name;
    assert_eq!(external, label("bar"));
    let order = read("order", "a,b").steering.order;
    assert_eq!(texts(order.as_deref()), Some(vec!["a", "b"]));
    let fence = read("fence", "Europe_West1").steering.fence;
    assert_eq!(texts(fence.as_deref()), Some(vec!["europe-west1"]));
}

#[test]
fn values_that_are_not_understood_are_ignored_with_a_warning() {
    for (key, value) in [
        ("export", "yes"),
        ("policy", "random"),
        ("weight", "-1"),
        ("ttl", "30"),
        ("ttl", "1.5s"),
        ("ttl", "-1s"),
        ("ttl", "25h"),
        ("when-all-down", "panic"),
        ("max-addresses", "0"),
        ("max-addresses", "33"),
        ("srv", "member"),
        ("spill-over", "80"),
        ("spill-over", "101%"),
        ("allow-without-endpoints", "1"),
        ("colour", "blue"),
    ] {
        let (mut said, warnings) = one(key, value);
        assert_eq!(warnings, 1, "{key}: {value}");
        said.warnings.clear();
        assert_eq!(
            said,
            super::super::annotations::Annotations::default(),
            "{key}: {value}"
        );
    }
}

#[test]
fn a_bad_fence_lets_nothing_pass() {
    for value in ["", "europe-west1, svc", "-"] {
        let (said, warnings) = one("fence", value);
        assert_eq!(
            texts(said.steering.fence.as_deref()),
            Some(vec![]),
            "{value:?}"
        );
        assert_eq!(warnings, 1, "{value:?}");
    }
}

#[test]
fn federations_that_are_no_labels_never_widen_the_export() {
    let (said, warnings) = one("federations", "a b");
    assert_eq!(texts(said.federations.as_deref()), Some(vec![]));
    assert_eq!(warnings, 1);
}

#[test]
fn a_load_balancer_is_sent_without_saying_anything() {
    let facts = upserted(&World::synced().service(How::Applied, &load_balancer("web")));
    assert_eq!(facts.kind, ServiceKind::LoadBalancer);
    assert_eq!(facts.export, Export::Unsaid);
    assert_eq!(
        facts.addresses.as_ref(),
        ["203.0.113.11".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[test]
fn other_types_are_sent_once_they_are_exported() {
    let mut world = World::synced();
    assert_eq!(world.service(How::Applied, &cluster_ip("web")), []);
    let facts = upserted(&world.service(
        How::Applied,
        &annotated(cluster_ip("web"), "export", "true"),
    ));
    assert_eq!(
        (facts.kind, facts.export),
        (ServiceKind::ClusterIp, Export::Exported)
    );
    let gone = world.service(How::Applied, &cluster_ip("web"));
    assert_eq!(gone, [Change::Remove(name("web"))]);
}

#[test]
fn a_service_export_exports_before_and_after_its_service() {
    let mut world = World::synced();
    assert_eq!(world.export(How::Applied, &service_export("web")), []);
    let facts = upserted(&world.service(How::Applied, &cluster_ip("web")));
    assert_eq!(facts.export, Export::Exported);
    let gone = world.export(How::Deleted, &service_export("web"));
    assert_eq!(gone, [Change::Remove(name("web"))]);
    let facts = upserted(&world.export(How::Applied, &service_export("web")));
    assert_eq!(facts.export, Export::Exported);
}

#[test]
fn the_annotation_false_wins_over_a_service_export() {
    let mut world = World::synced();
    world.export(How::Applied, &service_export("web"));
    let facts = upserted(&world.service(
        How::Applied,
        &annotated(cluster_ip("web"), "export", "false"),
    ));
    assert_eq!(facts.export, Export::Refused);
}

#[test]
fn a_service_export_being_deleted_exports_nothing() {
    let mut world = World::synced();
    world.service(How::Applied, &cluster_ip("web"));
    let mut export = service_export("web");
    assert_eq!(
        upserted(&world.export(How::Applied, &export)).export,
        Export::Exported
    );
    export["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let gone = world.export(How::Applied, &export);
    assert_eq!(gone, [Change::Remove(name("web"))]);
}

#[test]
fn an_external_name_is_never_exported() {
    let mut world = World::synced();
    let mut object = cluster_ip("web");
    object["spec"]["type"] = json!("ExternalName");
    world.export(How::Applied, &service_export("web"));
    assert_eq!(world.service(How::Applied, &object), []);
    let facts = upserted(&world.service(How::Applied, &annotated(object, "export", "true")));
    assert_eq!(
        (facts.kind, facts.export),
        (ServiceKind::ExternalName, Export::Refused)
    );
    assert_eq!(world.warnings().len(), 1);
}

#[test]
fn a_cluster_ip_of_none_is_headless() {
    let mut object = annotated(cluster_ip("web"), "export", "true");
    object["spec"]["clusterIP"] = json!("None");
    let facts = upserted(&World::synced().service(How::Applied, &object));
    assert_eq!(facts.kind, ServiceKind::Headless);
}

#[test]
fn load_balancer_ingress_is_read_by_address_and_host_name() {
    let mut world = World::synced();
    let mut object = load_balancer("web");
    object["status"]["loadBalancer"]["ingress"] = json!([
        { "ip": "203.0.113.12", "ipMode": "Proxy" },
        { "ip": "2001:db8::1", "hostname": "A9.elb.example" },
        { "ip": "203.0.113.13", "ports": [
            { "port": 80, "protocol": "TCP", "error": "MixedProtocolNotSupported" } ] },
        { "ip": "203.0.113.14", "ports": [{ "port": 80, "protocol": "TCP" }] },
        { "ip": "not an address" },
    ]);
    let facts = upserted(&world.service(How::Applied, &object));
    let addresses: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["203.0.113.12", "203.0.113.14", "2001:db8::1"]);
    let hostnames: Vec<String> = facts.hostnames.iter().map(ToString::to_string).collect();
    assert_eq!(hostnames, ["a9.elb.example."]);
    assert_eq!(
        world.warnings(),
        ["load balancer address \"not an address\" ignored"]
    );
}

#[test]
fn class_and_traffic_policy_do_not_change_the_facts() {
    let mut world = World::synced();
    let mut object = load_balancer("web");
    world.service(How::Applied, &object);
    object["spec"]["loadBalancerClass"] = json!("example.com/special");
    object["spec"]["externalTrafficPolicy"] = json!("Local");
    object["status"]["loadBalancer"]["ingress"][0]["ipMode"] = json!("Proxy");
    assert_eq!(world.service(How::Applied, &object), []);
}

#[test]
fn a_service_being_deleted_is_gone() {
    let mut world = World::synced();
    let mut object = load_balancer("web");
    world.service(How::Applied, &object);
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let gone = world.service(How::Applied, &object);
    assert_eq!(gone, [Change::Remove(name("web"))]);
    assert_eq!(world.service(How::Deleted, &object), []);
}

#[test]
fn services_copied_from_other_clusters_are_no_exports() {
    for (label, value) in [
        ("multicluster.kubernetes.io/source-cluster", "other"),
        ("multicluster.kubernetes.io/service-name", "web"),
    ] {
        let mut object = load_balancer("web");
        object["metadata"]["labels"][label] = json!(value);
        assert_eq!(
            World::synced().service(How::Applied, &object),
            [],
            "{label}"
        );
    }
    let mut object = load_balancer("web");
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport",
        "name": "web", "uid": "1",
    }]);
    assert_eq!(World::synced().service(How::Applied, &object), []);
}
