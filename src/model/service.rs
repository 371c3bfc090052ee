//! What one member says about one service.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Policy, ProbeSettings, WhenAllDown};
use crate::names::Label;
use crate::wire::NameBuf;

/// The namespace and name of a Kubernetes object.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespacedName {
    /// The namespace; namespaces of one name are one namespace in all members.
    pub namespace: Label,
    /// The name.
    pub name: Label,
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One member's facts about one service. Services that are being deleted have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its type.
    pub kind: ServiceKind,
    /// What it says about being exported.
    pub export: Export,
    /// The federations that it takes part in; `None` is all.
    pub federations: Option<Box<[Label]>>,
    /// Its ports, in the order given.
    pub ports: Box<[Port]>,
    /// Load balancer addresses given as addresses.
    pub addresses: Box<[IpAddr]>,
    /// Load balancer host names, resolved in the background.
    pub hostnames: Box<[NameBuf]>,
    /// How many endpoints it has. Ready when one is.
    pub endpoints: Endpoints,
    /// Ready even without a ready endpoint.
    pub allow_without_endpoints: bool,
    /// How it wants to be answered.
    pub steering: Steering,
}

/// What a service says about how it is answered; `None` leaves it to the federation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steering {
    /// The share under the policy `weighted`; 0 is drained. Unset is 1.
    pub weight: Option<u32>,
    /// TTL of positive answers.
    pub ttl: Option<Duration>,
    /// How to choose among eligible members.
    pub policy: Option<Policy>,
    /// Members in the order of the policy `failover`.
    pub order: Option<Box<[Label]>>,
    /// Regions that answers may come from; an empty list lets none pass (a bad fence fails closed).
    pub fence: Option<Box<[Label]>>,
    /// What to answer when no member is eligible.
    pub when_all_down: Option<WhenAllDown>,
    /// How its addresses are probed.
    pub probe: Option<Box<ProbeSettings>>,
}

/// The type of a service, as far as answers depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceKind {
    /// Has addresses for clients outside.
    LoadBalancer,
    /// Has an address for clients inside its member only.
    ClusterIp,
    /// Has the addresses of its pods only.
    Headless,
    /// An alias of another name; never exported.
    ExternalName,
}

/// What a service says about being exported (names: decision 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// Nothing: the federation's mode decides by type.
    Unsaid,
    /// Exported, by annotation, `ServiceExport` or a facts file.
    Exported,
    /// Never exported, by the annotation `"false"`.
    Refused,
}

/// Endpoints in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Endpoints {
    /// Ready ones.
    pub ready: u32,
    /// All.
    pub total: u32,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Port {
    /// Its name; an unnamed port has no SRV record.
    pub name: Option<Label>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub port: u16,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// `_tcp`
    Tcp,
    /// `_udp`
    Udp,
    /// `_sctp`
    Sctp,
}
