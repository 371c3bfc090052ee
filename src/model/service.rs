//! What one member says about one service.

use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::{Addresses, Inside, Policy, ProbeSettings, SrvForm, WayIn, WhenAllDown};
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

/// Host names. Most services have none, and pay a pointer for that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNames(Option<Box<Box<[NameBuf]>>>);

impl Deref for HostNames {
    type Target = [NameBuf];

    fn deref(&self) -> &[NameBuf] {
        self.0.as_deref().map_or(&[], |names| names)
    }
}

impl FromIterator<NameBuf> for HostNames {
    fn from_iter<I: IntoIterator<Item = NameBuf>>(names: I) -> Self {
        let names: Box<[NameBuf]> = names.into_iter().collect();
        Self((!names.is_empty()).then(|| Box::new(names)))
    }
}

/// One member's facts about one service. Services that are being deleted have none.
///
/// There is one for every service of every member, so that what services say alike is apart and
/// shared; it reads as if it were here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What many services say alike.
    pub spec: Arc<Spec>,
    /// Addresses for clients outside: of its load balancer, or of its [way in](Spec::way_in).
    pub addresses: Addresses,
    /// Host names for clients outside, resolved in the background.
    pub hostnames: HostNames,
    /// How many endpoints it has. Ready when one is.
    pub endpoints: Endpoints,
    /// Where it is reached inside its member; `None` where that is not known.
    pub inside: Option<Arc<Inside>>,
}

impl Service {
    /// Whether it is ready, as far as its endpoints say.
    pub fn is_ready(&self) -> bool {
        self.endpoints.ready > 0 || self.allow_without_endpoints
    }

    /// Whether it is ready for clients outside: what stands in front of it takes traffic, too.
    pub fn is_ready_outside(&self) -> bool {
        self.is_ready() && self.way_in != WayIn::Closed
    }
}

impl Deref for Service {
    type Target = Spec;

    fn deref(&self) -> &Spec {
        &self.spec
    }
}

/// What a service says that others are likely to say too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Its type.
    pub kind: ServiceKind,
    /// What it says about being exported.
    pub export: Export,
    /// Ready even without a ready endpoint.
    pub allow_without_endpoints: bool,
    /// It has addresses that are not used, as they are deprecated: `spec.externalIPs` of Kubernetes.
    /// Only said to people, and not kept over a restart.
    pub has_external_ips: bool,
    /// The federations that it takes part in; `None` is all.
    pub federations: Option<Box<[Label]>>,
    /// Its ports, in the order given.
    pub ports: Box<[Port]>,
    /// Where clients outside reach it.
    pub way_in: WayIn,
    /// How it wants to be answered.
    pub steering: Steering,
}

impl Spec {
    /// The number of its first TCP port, for clients outside: what is probed where nothing else is
    /// said.
    pub fn first_tcp_port(&self) -> Option<u16> {
        let mut ports = self.ports.iter();
        let first = ports.find(|port| port.protocol == Protocol::Tcp);
        first.map(|port| port.outside)
    }
}

/// Specs of which there is one in memory for all services that say it.
#[derive(Debug, Default)]
pub struct Specs {
    /// Those that were in use when they were last looked through, and newer ones.
    shared: HashSet<Arc<Spec>>,
    /// When there are as many, those that nobody uses are dropped.
    limit: usize,
}

impl Specs {
    /// The spec, shared with whoever gave an equal one before.
    pub fn share(&mut self, spec: Spec) -> Arc<Spec> {
        if let Some(shared) = self.shared.get(&spec) {
            return Arc::clone(shared);
        }
        if self.shared.len() >= self.limit {
            self.shared.retain(|spec| Arc::strong_count(spec) > 1);
            self.limit = (2 * self.shared.len()).max(64);
        }
        let spec = Arc::new(spec);
        self.shared.insert(Arc::clone(&spec));
        spec
    }
}

/// The most addresses of a type that an answer can be limited to.
pub const MOST_ADDRESSES: u8 = 32;

/// What a service says about how it is answered; `None` leaves it to the federation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Steering {
    /// The share under the policy `weighted` and in SRV records of members; 0 is drained. Unset is 1.
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
    /// How many addresses of a type an answer has at most, 1 to [`MOST_ADDRESSES`].
    pub max_addresses: Option<u8>,
    /// The share, in percent, of the endpoints nearest to a client that are to be ready; what is
    /// missing of it is carried elsewhere.
    pub spill_over: Option<u8>,
    /// What its SRV records lead to.
    pub srv: Option<SrvForm>,
    /// How its addresses are probed.
    pub probe: Option<Box<ProbeSettings>>,
    /// The first label of one more name, in the apex itself (docs/names.md, N9).
    pub dns_prefix: Option<Label>,
    /// What it is called in names instead of its own name (docs/names.md, N10).
    pub external_name: Option<Label>,
}

/// The type of a service, as far as answers depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// What a service says about being exported (docs/names.md, decision 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Its number inside its member.
    pub port: u16,
    /// Its number for clients outside, unless its member has a gateway with one port for all.
    pub outside: u16,
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

impl Protocol {
    /// Its label in names.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tcp => "_tcp",
            Self::Udp => "_udp",
            Self::Sctp => "_sctp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_inside_costs_a_service_that_has_none_eight_octets() {
        assert_eq!(size_of::<Option<Arc<Inside>>>(), 8);
        // With the counts of an `Arc` this is 96 octets, a size that allocators have.
        assert!(size_of::<Service>() <= 80, "{}", size_of::<Service>());
    }

    #[test]
    fn equal_specs_are_one_and_unused_ones_are_dropped() {
        let mut specs = Specs::default();
        let spec = |weight| Spec {
            kind: ServiceKind::LoadBalancer,
            export: Export::Unsaid,
            allow_without_endpoints: false,
            has_external_ips: false,
            federations: None,
            ports: Box::default(),
            way_in: WayIn::Usual,
            steering: Steering {
                weight: Some(weight),
                ..Steering::default()
            },
        };
        let kept = specs.share(spec(0));
        assert!(Arc::ptr_eq(&kept, &specs.share(spec(0))));
        for weight in 1..1000 {
            specs.share(spec(weight));
        }
        assert!(specs.shared.len() <= 64, "{}", specs.shared.len());
        assert!(Arc::ptr_eq(&kept, &specs.share(spec(0))));
    }
}
