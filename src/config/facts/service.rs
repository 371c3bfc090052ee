//! One `[[service]]` of a facts file.

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::federation::{fence, max_addresses, order};
use crate::config::probe::probe;
use crate::config::problem::Placed;
use crate::config::section::Section;
use crate::config::values;
use crate::model::{
    Endpoints, Export, Inside, NamespacedName, Pod, Port, Protocol, Service, ServiceKind, Spec,
    Specs, Steering, WayIn,
};

/// Reads one `[[service]]`; the place of its name is one of the file.
pub(super) fn service(
    section: Section<'_>,
    specs: &mut Specs,
) -> (Option<Placed<NamespacedName>>, Service) {
    for key in ["namespace", "name"] {
        section.require(key);
    }
    let namespace = section.text("namespace", "namespace", values::label);
    let name = section.text("name", "service", values::label);
    let kind = values::choice(&[
        ("LoadBalancer", ServiceKind::LoadBalancer),
        ("ClusterIP", ServiceKind::ClusterIp),
        ("Headless", ServiceKind::Headless),
    ]);
    let kind = section.text("type", "type", kind);
    let federations = section.texts("federations", values::label);
    let addresses = section.distinct("addresses", values::address);
    let hostnames = section.distinct("hostnames", values::name);
    let without = section.boolean("allow-without-endpoints");
    let kind = kind.map_or(ServiceKind::LoadBalancer, |kind| kind.value);
    let (endpoints, pods) = endpoints(&section);
    let inside = inside(&section, kind, pods);
    let spec = Spec {
        kind,
        export: Export::Exported,
        allow_without_endpoints: without.is_some_and(|allowed| allowed.value),
        has_external_ips: false,
        federations: federations
            .map(|federations| federations.into_iter().map(|name| name.value).collect()),
        ports: ports(&section),
        way_in: WayIn::Usual,
        steering: steering(&section),
    };
    let service = Service {
        spec: specs.share(spec),
        addresses: addresses.into(),
        hostnames: hostnames.into_iter().collect(),
        endpoints,
        inside: inside.map(Arc::new),
    };
    let report = section.report;
    section.finish();
    let name = namespace.zip(name).map(|(namespace, name)| Placed {
        value: NamespacedName {
            namespace: namespace.value,
            name: name.value,
        },
        at: report.place(name.at),
    });
    (name, service)
}

/// Reads `ports`.
fn ports(section: &Section<'_>) -> Box<[Port]> {
    let mut ports: Vec<Port> = Vec::new();
    let mut names = HashSet::new();
    for entry in section.tables("ports") {
        entry.require("port");
        let name = entry.text("name", "port", values::label);
        let protocol = values::choice(&[
            ("TCP", Protocol::Tcp),
            ("UDP", Protocol::Udp),
            ("SCTP", Protocol::Sctp),
        ]);
        let protocol = entry.text("protocol", "protocol", protocol);
        let number = entry.integer("port", 1..=u64::from(u16::MAX));
        let report = entry.report;
        entry.finish();
        let Some(number) = number else { continue };
        if let Some(name) = &name
            && !names.insert(name.value.clone())
        {
            report.add(
                name.at,
                format!("port {:?}: named twice", name.value.as_str()),
            );
        }
        let number = u16::try_from(number.value).unwrap_or(u16::MAX);
        ports.push(Port {
            name: name.map(|name| name.value),
            protocol: protocol.map_or(Protocol::Tcp, |protocol| protocol.value),
            port: number,
            outside: number,
        });
    }
    ports.into()
}

/// Reads `cluster-ips`: where the service is reached inside its member, unless it is headless.
fn inside(section: &Section<'_>, kind: ServiceKind, pods: Vec<Pod>) -> Option<Inside> {
    let cluster_ips = section.distinct("cluster-ips", values::address);
    if kind != ServiceKind::Headless {
        return (!cluster_ips.is_empty()).then(|| Inside::ClusterIps(cluster_ips.into()));
    }
    if let Some(value) = section.get("cluster-ips") {
        let problem = "cluster-ips: a headless service has none".to_owned();
        section.report.add(value.span().start, problem);
    }
    (!pods.is_empty()).then(|| Inside::of_pods(pods))
}

/// Reads `endpoints`: how many there are, and each of them. A service without the key counts as
/// ready, one with an empty list does not (docs/names.md, D.11.12).
fn endpoints(section: &Section<'_>) -> (Endpoints, Vec<Pod>) {
    let mut pods = Vec::new();
    if section.get("endpoints").is_none() {
        return (Endpoints { ready: 1, total: 1 }, pods);
    }
    let mut count = Endpoints::default();
    for entry in section.tables("endpoints") {
        entry.require("address");
        let address = entry.text("address", "address", values::address);
        let hostname = entry.text("hostname", "hostname", values::label);
        entry.text("zone", "zone", values::place);
        let ready = entry.boolean("ready").is_none_or(|ready| ready.value);
        entry.finish();
        count.total += 1;
        count.ready += u32::from(ready);
        pods.extend(address.map(|address| Pod {
            hostname: hostname.map(|hostname| hostname.value),
            address: address.value,
            is_ready: ready,
        }));
    }
    (count, pods)
}

/// Reads how the service wants to be answered.
fn steering(section: &Section<'_>) -> Steering {
    let order = section.has("order").then(|| order(section));
    let weight = section.integer("weight", 0..=u64::from(u32::MAX));
    let ttl = section.text("ttl", "ttl", values::ttl);
    let policy = section.text("policy", "policy", values::policy);
    let when_all_down = section.text("when-all-down", "when-all-down", values::when_all_down);
    let settings = section.table("probe").map(probe);
    let dns_prefix = section.text("dns-prefix", "dns-prefix", values::label);
    let external_name = section.text("external-name", "external-name", values::label);
    let spill_over = section.text("spill-over", "spill-over", values::percent);
    let srv = section.text("srv", "srv", values::srv);
    section.get("order");
    Steering {
        weight: weight.and_then(|weight| u32::try_from(weight.value).ok()),
        ttl: ttl.map(|ttl| ttl.value),
        policy: policy.map(|policy| policy.value),
        order: order.map(|order| order.into_iter().map(|member| member.value).collect()),
        fence: fence(section).map(Vec::into_boxed_slice),
        when_all_down: when_all_down.map(|rule| rule.value),
        max_addresses: max_addresses(section),
        spill_over: spill_over.map(|share| share.value),
        srv: srv.map(|form| form.value),
        probe: settings.map(Box::new),
        dns_prefix: dns_prefix.map(|prefix| prefix.value),
        external_name: external_name.map(|name| name.value),
    }
}
