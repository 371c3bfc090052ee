//! The fields that are read of each Kubernetes object, and no others.
//!
//! Unread fields are skipped while parsing, so a watch costs little memory; a conformance test
//! holds these types against the full ones, since a renamed field would silently yield nothing.

use k8s_openapi::api::core::v1::{Node as FullNode, Service as FullService};
use k8s_openapi::api::discovery::v1::EndpointSlice as FullSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

/// A Service.
#[derive(Resource, Debug, Clone, Default, Deserialize)]
#[resource(inherit = FullService)]
pub(super) struct ServiceObject {
    /// Name, labels, annotations.
    pub(super) metadata: ObjectMeta,
    /// What is wanted.
    pub(super) spec: Option<ServiceSpec>,
    /// What is there.
    pub(super) status: Option<ServiceStatus>,
}

/// `spec` of a Service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceSpec {
    /// `LoadBalancer`, `ClusterIP` (default), `NodePort` or `ExternalName`.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// `None`, the word, for a headless service.
    #[serde(rename = "clusterIP")]
    pub(super) cluster_ip: Option<String>,
    /// Its addresses inside the cluster, the first one that of `clusterIP`.
    #[serde(rename = "clusterIPs")]
    pub(super) cluster_ips: Option<Vec<String>>,
    /// Addresses that somebody else leads to it: deprecated, and not used.
    #[serde(rename = "externalIPs")]
    pub(super) external_ips: Option<Vec<String>>,
    /// Ports in the order given.
    pub(super) ports: Option<Vec<ServicePort>>,
    /// Every endpoint counts as ready.
    pub(super) publish_not_ready_addresses: Option<bool>,
    /// `Local` where a node takes traffic for its own endpoints alone.
    pub(super) external_traffic_policy: Option<String>,
}

/// A port of a Service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePort {
    /// Its name.
    pub(super) name: Option<String>,
    /// `TCP` (default), `UDP` or `SCTP`.
    pub(super) protocol: Option<String>,
    /// Its number.
    pub(super) port: i32,
    /// Its number on every node, where it has one.
    pub(super) node_port: Option<i32>,
}

/// `status` of a Service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceStatus {
    /// What the load balancer's controller says.
    pub(super) load_balancer: Option<LoadBalancerStatus>,
}

/// `status.loadBalancer` of a Service.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct LoadBalancerStatus {
    /// Where traffic for the service is taken.
    pub(super) ingress: Option<Vec<Ingress>>,
}

/// One place where traffic is taken.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ingress {
    /// An address.
    pub(super) ip: Option<String>,
    /// A host name.
    pub(super) hostname: Option<String>,
    /// The state of its ports.
    pub(super) ports: Option<Vec<IngressPort>>,
}

/// The state of one port of a load balancer.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct IngressPort {
    /// Why it does not work.
    pub(super) error: Option<String>,
}

/// An Ingress.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct IngressObject {
    /// Its name.
    pub(super) metadata: ObjectMeta,
    /// What is there; the same fields as those of a Service.
    pub(super) status: Option<ServiceStatus>,
}

/// A Gateway of the Gateway API.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct GatewayObject {
    /// Its name.
    pub(super) metadata: ObjectMeta,
    /// What is wanted.
    pub(super) spec: Option<GatewaySpec>,
    /// What is there.
    pub(super) status: Option<GatewayStatus>,
}

/// `spec` of a Gateway.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct GatewaySpec {
    /// Where it listens.
    pub(super) listeners: Option<Vec<GatewayListener>>,
}

/// A listener of a Gateway.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct GatewayListener {
    /// Its name.
    pub(super) name: String,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP` or one of an implementation.
    pub(super) protocol: Option<String>,
    /// Its number.
    pub(super) port: i32,
}

/// `status` of a Gateway.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct GatewayStatus {
    /// Where it is reached.
    pub(super) addresses: Option<Vec<GatewayAddress>>,
    /// What its controller says of it.
    pub(super) conditions: Option<Vec<StatusCondition>>,
}

/// An address of a Gateway.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct GatewayAddress {
    /// `IPAddress` (default), `Hostname`, `NamedAddress` or one of an implementation.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// The address.
    pub(super) value: String,
}

/// A condition in a status.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct StatusCondition {
    /// Which.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `True`, `False` or `Unknown`.
    pub(super) status: Option<String>,
}

/// A Node.
#[derive(Resource, Debug, Clone, Default, Deserialize)]
#[resource(inherit = FullNode)]
pub(super) struct NodeObject {
    /// Name and labels.
    pub(super) metadata: ObjectMeta,
    /// What is wanted.
    pub(super) spec: Option<NodeSpec>,
    /// What is there.
    pub(super) status: Option<NodeStatus>,
}

/// `spec` of a Node.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct NodeSpec {
    /// The network of its pods, of servers that know one alone.
    #[serde(rename = "podCIDR")]
    pub(super) pod_cidr: Option<String>,
    /// The networks of its pods, one for each family, the first one that of `podCIDR`.
    #[serde(rename = "podCIDRs")]
    pub(super) pod_cidrs: Option<Vec<String>>,
    /// Nothing new is put on it: it is being drained.
    pub(super) unschedulable: Option<bool>,
}

/// `status` of a Node.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct NodeStatus {
    /// Where it is reached.
    pub(super) addresses: Option<Vec<NodeAddress>>,
    /// What is said of it.
    pub(super) conditions: Option<Vec<StatusCondition>>,
}

/// An address of a Node.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `Hostname` and others.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// An address, or a name.
    pub(super) address: String,
}

/// An EndpointSlice.
#[derive(Resource, Debug, Clone, Default, Deserialize)]
#[resource(inherit = FullSlice)]
#[serde(rename_all = "camelCase")]
pub(super) struct SliceObject {
    /// Name and labels.
    pub(super) metadata: ObjectMeta,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub(super) address_type: Option<String>,
    /// Its endpoints.
    pub(super) endpoints: Option<Vec<EndpointObject>>,
    /// The ports of each of them.
    pub(super) ports: Option<Vec<EndpointPort>>,
}

/// An endpoint of an EndpointSlice.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointObject {
    /// Its addresses; all but the first are ignored, as Kubernetes itself does.
    pub(super) addresses: Option<Vec<String>>,
    /// Whether it takes traffic.
    pub(super) conditions: Option<EndpointConditions>,
    /// The host name that a pod of a headless service was given.
    pub(super) hostname: Option<String>,
    /// The node that it is on.
    pub(super) node_name: Option<String>,
}

/// Whether an endpoint takes traffic.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct EndpointConditions {
    /// Unset counts as ready.
    pub(super) ready: Option<bool>,
    /// It is being shut down.
    pub(super) terminating: Option<bool>,
}

/// A port of an EndpointSlice.
#[derive(Debug, Clone, Default, Deserialize, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndpointPort {
    /// Its name.
    pub(super) name: Option<String>,
    /// Its protocol.
    pub(super) protocol: Option<String>,
    /// Its number.
    pub(super) port: Option<i32>,
}
