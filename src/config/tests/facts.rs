//! Facts files.

use std::path::Path;
use std::time::Duration;

use crate::config::facts::parse;
use crate::model::{
    Endpoints, Export, Inside, Policy, Port, Protocol, Service, ServiceKind, Spec, SrvForm,
    Steering, WayIn, WhenAllDown,
};
use crate::names::Label;

/// Every key of a facts file.
pub(super) const EVERY_KEY: &str = r#"
[[service]]
namespace = "my-namespace"
name = "my-service"
type = "ClusterIP"
federations = ["my-federation"]
ports = [{ name = "http", protocol = "UDP", port = 80 }, { port = 443 }]
addresses = ["203.0.113.11", "2001:db8::11"]
hostnames = ["A9.elb.example"]
cluster-ips = ["10.0.0.7"]
endpoints = [
  { address = "10.1.0.5", ready = false, hostname = "web-0", zone = "europe-west4-a" },
  { address = "10.1.0.6" },
]
allow-without-endpoints = true
weight = 0
policy = "failover"
order = ["b", "a"]
fence = ["Europe_West4"]
when-all-down = "nxdomain"
max-addresses = 4
spill-over = "80%"
srv = "members"
ttl = "10s"
dns-prefix = "Foo"
external-name = "bar"
"#;

/// The services of a text that must be right.
fn good(text: &str) -> Vec<(String, Service)> {
    let services = parse(text, Path::new("m.toml")).unwrap_or_else(|found| panic!("{found:#?}"));
    services
        .into_iter()
        .map(|(name, service)| (name.to_string(), service))
        .collect()
}

#[test]
fn every_key_reaches_the_service() {
    let label = |text: &str| text.parse().unwrap();
    let spec = Spec {
        kind: ServiceKind::ClusterIp,
        export: Export::Exported,
        allow_without_endpoints: true,
        has_external_ips: false,
        federations: Some([label("my-federation")].into()),
        ports: [
            Port {
                name: Some(label("http")),
                protocol: Protocol::Udp,
                port: 80,
                outside: 80,
            },
            Port {
                name: None,
                protocol: Protocol::Tcp,
                port: 443,
                outside: 443,
            },
        ]
        .into(),
        way_in: WayIn::Usual,
        steering: Steering {
            weight: Some(0),
            ttl: Some(Duration::from_secs(10)),
            policy: Some(Policy::Failover),
            order: Some([label("b"), label("a")].into()),
            fence: Some([label("europe-west4")].into()),
            when_all_down: Some(WhenAllDown::NxDomain),
            max_addresses: Some(4),
            spill_over: Some(80),
            srv: Some(SrvForm::Members),
            probe: None,
            dns_prefix: Some(label("foo")),
            external_name: Some(label("bar")),
        },
    };
    let expected = Service {
        spec: spec.into(),
        addresses: ["203.0.113.11", "2001:db8::11"]
            .map(|a| a.parse().unwrap())
            .into(),
        hostnames: ["a9.elb.example".parse().unwrap()].into_iter().collect(),
        endpoints: Endpoints { ready: 1, total: 2 },
        inside: Some(
            Inside::ClusterIps(["10.0.0.7".parse().unwrap()].into_iter().collect()).into(),
        ),
    };
    assert_eq!(
        good(EVERY_KEY),
        [("my-namespace/my-service".to_owned(), expected)]
    );
}

#[test]
fn readiness_follows_from_the_endpoints_key() {
    let check = |key: &str, ready, total| {
        let text = format!("[[service]]\nnamespace = \"n\"\nname = \"s\"\n{key}\n");
        let (_, service) = good(&text).remove(0);
        assert_eq!(service.endpoints, Endpoints { ready, total }, "{key}");
        assert_eq!(service.kind, ServiceKind::LoadBalancer);
        assert_eq!(service.steering, Steering::default());
    };
    check("", 1, 1);
    check("endpoints = []", 0, 0);
    check("endpoints = [{ address = \"10.0.0.1\" }]", 1, 1);
    check(
        "endpoints = [{ address = \"10.0.0.1\", ready = false }]",
        0,
        1,
    );
    assert!(good("# None.").is_empty());
}

#[test]
fn a_headless_service_is_reached_at_its_pods() {
    let check = |keys: &str, expected: &[(Option<&str>, &str, bool)]| {
        let text = format!("[[service]]\nnamespace = \"n\"\nname = \"s\"\n{keys}\n");
        let (_, service) = good(&text).remove(0);
        let pods = service
            .inside
            .as_deref()
            .map(Inside::pods)
            .unwrap_or_default();
        let pods: Vec<_> = (pods.iter())
            .map(|pod| {
                (
                    pod.hostname.as_ref().map(Label::as_str),
                    pod.address.to_string(),
                    pod.is_ready,
                )
            })
            .collect();
        let pods: Vec<_> = pods
            .iter()
            .map(|(name, ip, ready)| (*name, &**ip, *ready))
            .collect();
        assert_eq!(pods, expected, "{keys}");
    };
    let endpoints = r#"endpoints = [
        { address = "10.1.0.6", hostname = "web-1", ready = false },
        { address = "10.1.0.5", hostname = "Web-0" },
        { address = "2001:db8::5", hostname = "web-0" },
        { address = "10.1.0.7" },
    ]"#;
    check(
        &format!("type = \"Headless\"\n{endpoints}"),
        &[
            (None, "10.1.0.7", true),
            (Some("web-0"), "10.1.0.5", true),
            (Some("web-0"), "2001:db8::5", true),
            (Some("web-1"), "10.1.0.6", false),
        ],
    );
    check("type = \"Headless\"", &[]);
    // Others are reached at their cluster IPs.
    check(endpoints, &[]);
}

#[test]
fn a_wrong_facts_file_is_refused_with_every_problem() {
    let text = r#"
[[service]]
namespace = "n"
name = "s"
type = "NodePort"
ports = [{ name = "http", port = 0 }, { port = 1, protocol = "tcp" }]
addresses = ["203.0.113.1", "203.0.113.1", "x"]
policy = "geo"
fence = []
weight = -1
[[service]]
namespace = "n"
name = "S"
endpoints = [{ ready = "yes" }]
[[service]]
nmae = "x"
[[service]]
namespace = "n"
name = "h"
type = "Headless"
cluster-ips = ["10.0.0.7", "0.0.0.0"]
endpoints = [{ address = "10.0.0.300", hostname = "a_b" }]
"#;
    let found = parse(text, Path::new("m.toml")).expect_err("it is wrong");
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "m.toml:2:1: fence: an empty list lets no region pass; leave it out to let all pass",
            "m.toml:5:8: type \"NodePort\": expected one of LoadBalancer, ClusterIP, Headless",
            "m.toml:6:34: port 0: must be between 1 and 65535",
            "m.toml:6:62: protocol \"tcp\": expected one of TCP, UDP, SCTP",
            "m.toml:7:29: addresses \"203.0.113.1\": listed more than once",
            "m.toml:7:44: addresses \"x\": expected an IP address",
            "m.toml:8:10: policy \"geo\": expected one of nearest, spread, weighted, failover",
            "m.toml:10:10: weight -1: must be between 0 and 4294967295",
            "m.toml:13:8: service \"n/s\": already defined on line 4",
            "m.toml:14:14: address: required",
            "m.toml:14:24: ready: expected true or false, found a string",
            "m.toml:15:1: name: required",
            "m.toml:15:1: namespace: required",
            "m.toml:16:1: unknown key \"nmae\"; did you mean \"name\"?",
            "m.toml:21:15: cluster-ips: a headless service has none",
            "m.toml:22:26: address \"10.0.0.300\": expected an IP address",
            "m.toml:22:51: hostname \"a_b\": invalid DNS label (letters, digits, and hyphens inside)",
        ]
    );
}
