//! From Kubernetes objects to facts. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::{self, Annotations, AskedWay, NodePorts};
use super::copies::is_copy;
use super::nodes::{self, NodeEntrances};
use super::objects::{
    EndpointObject, EndpointPort, Ingress, NodeObject, ServiceObject, ServicePort, ServiceSpec,
    SliceObject,
};
use super::sorted::sorted;
use crate::model::{
    Addresses, Export, Inside, NamespacedName, Port, Protocol, ServiceKind, Steering, kept,
    parse_address,
};
use crate::names::Label;
use crate::wire::NameBuf;

/// The label of an EndpointSlice that names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Node labels of a region, the second one legacy.
const REGION_LABELS: [&str; 2] = [
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/region",
];

/// Node labels of a zone, the second one legacy.
const ZONE_LABELS: [&str; 2] = [
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

/// The namespace and name of an object, as the API says them. Cheap to clone.
pub(super) type ObjectKey = Arc<str>;

/// One object of the API, converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConvertedObject<T> {
    /// Which object.
    pub(super) key: ObjectKey,
    /// What it says about us.
    pub(super) content: ObjectContent<T>,
    /// Things an operator should know.
    pub(super) warnings: Vec<String>,
}

/// What an object says that concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObjectContent<T> {
    /// Facts.
    Facts(T),
    /// Nothing: it is being deleted, or is no evidence.
    Nothing,
    /// It could not be read: what it said before stands.
    Unreadable,
}

/// What a Service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServiceFacts {
    /// Its name.
    pub(super) name: NamespacedName,
    /// Its type.
    pub(super) kind: ServiceKind,
    /// What it says by annotation about being exported.
    pub(super) export: Option<Export>,
    /// The federations that it takes part in.
    pub(super) federations: Option<Box<[Label]>>,
    /// Its ports.
    pub(super) ports: Box<[Port]>,
    /// Load balancer addresses, sorted.
    pub(super) addresses: Box<[IpAddr]>,
    /// Load balancer host names, sorted.
    pub(super) hostnames: Box<[NameBuf]>,
    /// Its cluster IPs; `None` when it has none.
    pub(super) cluster_ips: Option<Arc<Inside>>,
    /// What it asks of the way to it for clients outside.
    pub(super) way: Option<Box<AskedWay>>,
    /// Every endpoint counts as ready.
    pub(super) publish_not_ready: bool,
    /// Ready even without a ready endpoint.
    pub(super) allow_without_endpoints: bool,
    /// It has external IPs, which are not used.
    pub(super) has_external_ips: bool,
    /// How it wants to be answered.
    pub(super) steering: Steering,
}

/// What an EndpointSlice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SliceFacts {
    /// Its Service.
    pub(super) service: NamespacedName,
    /// A hash of its port set.
    pub(super) ports: u64,
    /// Its endpoints.
    pub(super) endpoints: Box<[Endpoint]>,
    /// The host names that some of them were given.
    pub(super) hostnames: Box<[(IpAddr, Label)]>,
}

/// An endpoint of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Its address.
    pub(super) address: IpAddr,
    /// It is ready and not terminating.
    pub(super) is_ready: bool,
    /// A hash of the name of its node: names would be a third of what an endpoint holds.
    pub(super) node: u32,
}

/// What a Node says: its labels as they are, empty ones left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeFacts {
    /// Where it stands.
    pub(super) region: Option<Arc<str>>,
    /// Where in the region it stands.
    pub(super) zone: Option<Arc<str>>,
    /// The networks of its pods, and its own addresses, each once.
    pub(super) networks: Box<[IpNet]>,
    /// Where it takes traffic for node ports.
    pub(super) entrances: NodeEntrances,
}

/// What a Service says.
pub(super) fn service(object: ServiceObject) -> ConvertedObject<ServiceFacts> {
    let key = object_key(&object.metadata);
    if is_gone(&object.metadata) || is_copy(&object.metadata) {
        return ConvertedObject::nothing(key);
    }
    let Some(name) = namespaced_name(&object.metadata, object.metadata.name.as_deref()) else {
        return ConvertedObject::nothing(key).warn("its name is an invalid DNS label, ignored");
    };
    let Annotations {
        mut export,
        federations,
        allow_without_endpoints,
        steering,
        mut way,
        mut warnings,
    } = annotations::read(object.metadata.annotations.as_ref());
    let spec = object.spec.unwrap_or_default();
    let kind = match (spec.kind.as_deref(), spec.cluster_ip.as_deref()) {
        (Some("LoadBalancer"), _) => ServiceKind::LoadBalancer,
        (Some("ExternalName"), _) => ServiceKind::ExternalName,
        (_, Some("None")) => ServiceKind::Headless,
        _ => ServiceKind::ClusterIp,
    };
    if kind == ServiceKind::ExternalName && export == Some(Export::Exported) {
        warnings.push("an ExternalName service is not exported".to_owned());
        export = Some(Export::Refused);
    }
    let ingress = object
        .status
        .and_then(|status| status.load_balancer)
        .and_then(|balancer| balancer.ingress)
        .filter(|_| kind == ServiceKind::LoadBalancer)
        .unwrap_or_default();
    let external_ips = spec.external_ips.as_deref().unwrap_or_default();
    let has_external_ips = !external_ips.is_empty();
    if has_external_ips {
        warnings.push(
            "spec.externalIPs is not used: give the addresses by a load balancer or a facts file"
                .to_owned(),
        );
    }
    let (addresses, hostnames) = ingress_of(&ingress, &mut warnings);
    let ports = ports_of(spec.ports.as_deref().unwrap_or_default(), &mut warnings);
    if let Some(way) = &mut way {
        note_ports(way, &spec, &ports, &mut warnings);
    }
    let facts = ServiceFacts {
        name,
        kind,
        export,
        federations,
        ports,
        addresses,
        hostnames,
        cluster_ips: cluster_ips_of(&spec, &mut warnings),
        way,
        publish_not_ready: spec.publish_not_ready_addresses == Some(true),
        allow_without_endpoints,
        has_external_ips,
        steering,
    };
    ConvertedObject {
        key,
        content: ObjectContent::Facts(facts),
        warnings,
    }
}

/// What an EndpointSlice says.
pub(super) fn slice(object: &SliceObject) -> ConvertedObject<SliceFacts> {
    let key = object_key(&object.metadata);
    let labels = object.metadata.labels.as_ref();
    let Some(service) = labels.and_then(|labels| labels.get(SERVICE_NAME)) else {
        return ConvertedObject::nothing(key);
    };
    if is_gone(&object.metadata) || is_copy(&object.metadata) {
        return ConvertedObject::nothing(key);
    }
    if object.address_type.as_deref() == Some("FQDN") {
        return ConvertedObject::nothing(key).warn("addresses of type FQDN are ignored");
    }
    let Some(service) = namespaced_name(&object.metadata, Some(service)) else {
        return ConvertedObject::nothing(key)
            .warn("the name of its service is an invalid DNS label, ignored");
    };
    let mut warnings = Vec::new();
    let (mut endpoints, mut hostnames) = (Vec::new(), Vec::new());
    for object in object.endpoints.iter().flatten() {
        let Some(endpoint) = endpoint_of(object, &mut warnings) else {
            continue;
        };
        if let Some(name) = object.hostname.as_deref().filter(|name| !name.is_empty()) {
            match name.parse() {
                Ok(name) => hostnames.push((endpoint.address, name)),
                Err(error) => {
                    warnings.push(format!("endpoint host name {name:?} ignored: {error}"));
                }
            }
        }
        endpoints.push(endpoint);
    }
    let facts = SliceFacts {
        service,
        ports: port_set(object.ports.as_deref().unwrap_or_default()),
        endpoints: endpoints.into(),
        hostnames: hostnames.into(),
    };
    ConvertedObject {
        key,
        content: ObjectContent::Facts(facts),
        warnings,
    }
}

/// What a Node says.
pub(super) fn node(object: &NodeObject) -> ConvertedObject<NodeFacts> {
    let key = object_key(&object.metadata);
    if is_gone(&object.metadata) {
        return ConvertedObject::nothing(key);
    }
    let label = |names: [&str; 2]| {
        let labels = object.metadata.labels.as_ref()?;
        names
            .iter()
            .find_map(|name| labels.get(*name).filter(|value| !value.is_empty()))
            .map(|value| Arc::from(kept(value)))
    };
    let mut warnings = Vec::new();
    let facts = NodeFacts {
        region: label(REGION_LABELS),
        zone: label(ZONE_LABELS),
        networks: nodes::networks(object, &mut warnings),
        entrances: nodes::entrances(object),
    };
    ConvertedObject {
        key,
        content: ObjectContent::Facts(facts),
        warnings,
    }
}

/// What a ServiceExport says: that the service of its name is exported.
pub(super) fn export(metadata: &ObjectMeta) -> ConvertedObject<NamespacedName> {
    let key = object_key(metadata);
    if is_gone(metadata) {
        return ConvertedObject::nothing(key);
    }
    match namespaced_name(metadata, metadata.name.as_deref()) {
        Some(name) => ConvertedObject {
            key,
            content: ObjectContent::Facts(name),
            warnings: Vec::new(),
        },
        None => ConvertedObject::nothing(key).warn("its name is an invalid DNS label, ignored"),
    }
}

/// An object that could not be read.
pub(super) fn unreadable<T>(metadata: &ObjectMeta, error: &str) -> ConvertedObject<T> {
    ConvertedObject {
        key: object_key(metadata),
        content: ObjectContent::Unreadable,
        warnings: vec![format!("cannot be read: {error}")],
    }
}

impl<T> ConvertedObject<T> {
    /// An object that says nothing of us.
    pub(super) fn nothing(key: ObjectKey) -> Self {
        Self {
            key,
            content: ObjectContent::Nothing,
            warnings: Vec::new(),
        }
    }

    /// Adds a warning.
    fn warn(mut self, warning: &str) -> Self {
        self.warnings.push(warning.to_owned());
        self
    }
}

/// `namespace/name`, or the name alone of what has no namespace.
pub(super) fn object_key(metadata: &ObjectMeta) -> ObjectKey {
    // No name of Kubernetes is as long as what is kept.
    let name = kept(metadata.name.as_deref().unwrap_or_default());
    match metadata.namespace.as_deref() {
        Some(namespace) => format!("{}/{name}", kept(namespace)).into(),
        None => name.into(),
    }
}

/// The name of a service in an object's namespace.
fn namespaced_name(metadata: &ObjectMeta, name: Option<&str>) -> Option<NamespacedName> {
    Some(NamespacedName {
        namespace: metadata.namespace.as_deref()?.parse().ok()?,
        name: name?.parse().ok()?,
    })
}

/// Whether an object is being deleted: then it counts as gone.
pub(super) fn is_gone(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some()
}

/// Load balancer addresses and host names, sorted, so that their order never counts as a change.
pub(super) fn ingress_of(
    ingress: &[Ingress],
    warnings: &mut Vec<String>,
) -> (Box<[IpAddr]>, Box<[NameBuf]>) {
    let (mut addresses, mut hostnames) = (Vec::new(), Vec::new());
    for entry in ingress {
        if entry
            .ports
            .iter()
            .flatten()
            .any(|port| port.error.is_some())
        {
            continue;
        }
        if let Some(ip) = entry.ip.as_deref().filter(|ip| !ip.is_empty()) {
            match parse_address(ip) {
                Some(address) => addresses.push(address),
                None => warnings.push(format!("load balancer address {ip:?} ignored")),
            }
        }
        if let Some(hostname) = entry.hostname.as_deref().filter(|name| !name.is_empty()) {
            match hostname.parse() {
                Ok(hostname) => hostnames.push(hostname),
                Err(error) => warnings.push(format!(
                    "load balancer host name {hostname:?} ignored: {error}"
                )),
            }
        }
    }
    (sorted(addresses), sorted(hostnames))
}

/// The addresses of a Service inside its cluster; `clusterIP` alone is that of an older API server.
fn cluster_ips_of(spec: &ServiceSpec, warnings: &mut Vec<String>) -> Option<Arc<Inside>> {
    let all = spec.cluster_ips.as_deref();
    let texts = all.unwrap_or(spec.cluster_ip.as_slice()).iter();
    let mut addresses = Addresses::new();
    for text in texts.filter(|text| !matches!(text.as_str(), "" | "None")) {
        match parse_address(text) {
            Some(address) => addresses.push(address),
            None => warnings.push(format!("cluster IP {text:?} ignored")),
        }
    }
    (!addresses.is_empty()).then(|| Arc::new(Inside::ClusterIps(addresses)))
}

/// The ports of a Service; those that no DNS record could carry are left out with a warning.
fn ports_of(ports: &[ServicePort], warnings: &mut Vec<String>) -> Box<[Port]> {
    let read = |port: &ServicePort| {
        let protocol = match port.protocol.as_deref() {
            None | Some("TCP") => Protocol::Tcp,
            Some("UDP") => Protocol::Udp,
            Some("SCTP") => Protocol::Sctp,
            Some(_) => return None,
        };
        let number = u16::try_from(port.port).ok()?;
        Some(Port {
            name: port.name.as_deref().and_then(|name| name.parse().ok()),
            protocol,
            port: number,
            outside: number,
        })
    };
    let mut kept = Vec::with_capacity(ports.len());
    for port in ports {
        match read(port) {
            Some(port) => kept.push(port),
            None => warnings.push(format!("port {port:?} ignored")),
        }
    }
    kept.into()
}

/// Notes what a Service says of the ports that its annotations name, and on its nodes.
fn note_ports(way: &mut AskedWay, spec: &ServiceSpec, ports: &[Port], warnings: &mut Vec<String>) {
    for (name, _) in &way.ports {
        if ports.iter().all(|port| port.name.as_ref() != Some(name)) {
            warnings.push(format!("annotation gazetteer.dev/ports: no port {name}"));
        }
    }
    if way.nodes.is_none() {
        return;
    }
    let number = |port: &Port| {
        let same = spec.ports.iter().flatten().find(|one| {
            let protocol = one.protocol.as_deref().unwrap_or("TCP");
            one.port == i32::from(port.port)
                && protocol.eq_ignore_ascii_case(&port.protocol.label()[1..])
        });
        same.and_then(|one| one.node_port)
            .and_then(|number| u16::try_from(number).ok())
            .unwrap_or_default()
    };
    way.nodes = Some(NodePorts {
        numbers: ports.iter().map(number).collect(),
        is_local: spec.external_traffic_policy.as_deref() == Some("Local"),
    });
}

/// A hash of the name of a node, the same in all processes.
pub(super) fn node_hash(name: &str) -> u32 {
    // FNV-1a: what is hashed is no secret, and a collision counts a node that has no endpoint.
    name.bytes().fold(0x811c_9dc5, |hash, octet| {
        (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193)
    })
}

/// An endpoint of a slice: by its first address, as kube-proxy does.
fn endpoint_of(endpoint: &EndpointObject, warnings: &mut Vec<String>) -> Option<Endpoint> {
    let first = endpoint.addresses.as_ref()?.first()?;
    let Some(address) = parse_address(first) else {
        warnings.push(format!("endpoint address {first:?} ignored"));
        return None;
    };
    let conditions = endpoint.conditions.as_ref();
    let ready = conditions
        .and_then(|conditions| conditions.ready)
        .unwrap_or(true);
    let terminating = conditions.and_then(|conditions| conditions.terminating) == Some(true);
    Some(Endpoint {
        address,
        is_ready: ready && !terminating,
        node: endpoint.node_name.as_deref().map_or(0, node_hash),
    })
}

/// A hash of a port set that does not depend on its order.
fn port_set(ports: &[EndpointPort]) -> u64 {
    let mut ports: Vec<&EndpointPort> = ports.iter().collect();
    ports.sort_unstable();
    let mut hasher = DefaultHasher::new();
    ports.hash(&mut hasher);
    hasher.finish()
}
