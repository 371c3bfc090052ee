//! The records of services.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::labels::{Labels, PayloadError, texts};
use crate::model::{
    Endpoints, Export, Policy, Port, Protocol, Service, ServiceKind, Spec, SrvForm, Steering,
    WayIn, WhenAllDown,
};
use crate::names::{Label, LabelError};
use crate::wire::NameError;

/// [`Service`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ServiceV1<'a> {
    /// Its type.
    kind: KindV1,
    /// What it says about being exported.
    export: ExportV1,
    /// The federations that it takes part in.
    #[serde(borrow)]
    federations: Option<Vec<&'a str>>,
    /// Its ports.
    ports: Vec<(Option<&'a str>, ProtocolV1, u16)>,
    /// Load balancer addresses.
    addresses: Vec<IpAddr>,
    /// Load balancer host names, as text.
    hostnames: Vec<String>,
    /// Endpoints: ready, all.
    endpoints: (u32, u32),
    /// Ready even without a ready endpoint.
    allow_without_endpoints: bool,
    /// How it wants to be answered.
    steering: SteeringV1<'a>,
}

/// [`Steering`].
#[derive(Debug, Serialize, Deserialize)]
struct SteeringV1<'a> {
    /// The share under `weighted`.
    weight: Option<u32>,
    /// TTL of positive answers.
    ttl: Option<Duration>,
    /// How to choose.
    policy: Option<PolicyV1>,
    /// The order of `failover`.
    #[serde(borrow)]
    order: Option<Vec<&'a str>>,
    /// Regions that answers may come from.
    fence: Option<Vec<&'a str>>,
    /// What to answer when no member is eligible.
    when_all_down: Option<WhenAllDownV1>,
}

/// Mirrors an enum without data, both ways.
macro_rules! mirror {
    ($mirror:ident, $model:ident: $($variant:ident),+) => {
        #[doc = concat!("[`", stringify!($model), "`].")]
        #[derive(Debug, Clone, Copy, Serialize, Deserialize)]
        pub(super) enum $mirror {
            $(#[doc = concat!("[`", stringify!($model), "::", stringify!($variant), "`].")] $variant,)+
        }

        impl From<$model> for $mirror {
            fn from(value: $model) -> Self {
                match value { $($model::$variant => Self::$variant,)+ }
            }
        }

        impl From<$mirror> for $model {
            fn from(value: $mirror) -> Self {
                match value { $($mirror::$variant => Self::$variant,)+ }
            }
        }
    };
}

mirror!(KindV1, ServiceKind: LoadBalancer, ClusterIp, Headless, ExternalName);
mirror!(ExportV1, Export: Unsaid, Exported, Refused);
mirror!(ProtocolV1, Protocol: Tcp, Udp, Sctp);
mirror!(PolicyV1, Policy: Nearest, Spread, Weighted, Failover);
mirror!(SrvFormV1, SrvForm: Shared, Members);
mirror!(WayInV1, WayIn: Usual, Named, Front, Closed);
mirror!(WhenAllDownV1, WhenAllDown: NoData, NxDomain, LastKnown);

impl<'a> From<&'a Service> for ServiceV1<'a> {
    fn from(service: &'a Service) -> Self {
        let Service {
            spec,
            addresses,
            hostnames,
            endpoints,
            inside: _,
        } = service;
        let Spec {
            kind,
            export,
            allow_without_endpoints,
            has_external_ips: _,
            federations,
            ports,
            way_in: _,
            steering,
        } = &**spec;
        let port = |port: &'a Port| {
            (
                port.name.as_ref().map(Label::as_str),
                port.protocol.into(),
                port.port,
            )
        };
        Self {
            kind: (*kind).into(),
            export: (*export).into(),
            federations: federations.as_deref().map(texts),
            ports: ports.iter().map(port).collect(),
            addresses: addresses.to_vec(),
            hostnames: hostnames.iter().map(ToString::to_string).collect(),
            endpoints: (endpoints.ready, endpoints.total),
            allow_without_endpoints: *allow_without_endpoints,
            steering: SteeringV1::from(steering),
        }
    }
}

impl ServiceV1<'_> {
    /// Reads it.
    pub(super) fn read(self, known: &mut Labels) -> Result<Service, PayloadError> {
        let federations = self
            .federations
            .map(|texts| known.labels(&texts))
            .transpose()?;
        let ports = self.ports.into_iter().map(|(name, protocol, port)| {
            let name = name.map(|name| known.label(name)).transpose()?;
            Ok(Port {
                name,
                protocol: protocol.into(),
                port,
                outside: port,
            })
        });
        let ports = ports.collect::<Result<_, LabelError>>()?;
        let spec = Spec {
            kind: self.kind.into(),
            export: self.export.into(),
            allow_without_endpoints: self.allow_without_endpoints,
            has_external_ips: false,
            federations,
            ports,
            way_in: WayIn::Usual,
            steering: self.steering.read(known)?,
        };
        let hostnames = self.hostnames.iter().map(|hostname| hostname.parse());
        Ok(Service {
            spec: spec.into(),
            addresses: self.addresses.into(),
            hostnames: hostnames.collect::<Result<_, NameError>>()?,
            endpoints: Endpoints {
                ready: self.endpoints.0,
                total: self.endpoints.1,
            },
            inside: None,
        })
    }
}

impl<'a> From<&'a Steering> for SteeringV1<'a> {
    fn from(steering: &'a Steering) -> Self {
        let Steering {
            weight,
            ttl,
            policy,
            order,
            fence,
            when_all_down,
            max_addresses: _,
            spill_over: _,
            srv: _,
            probe: _,
            dns_prefix: _,
            external_name: _,
        } = steering;
        Self {
            weight: *weight,
            ttl: *ttl,
            policy: policy.map(Into::into),
            order: order.as_deref().map(texts),
            fence: fence.as_deref().map(texts),
            when_all_down: when_all_down.map(Into::into),
        }
    }
}

impl SteeringV1<'_> {
    /// Reads it.
    fn read(self, known: &mut Labels) -> Result<Steering, LabelError> {
        Ok(Steering {
            weight: self.weight,
            ttl: self.ttl,
            policy: self.policy.map(Into::into),
            order: self.order.map(|texts| known.labels(&texts)).transpose()?,
            fence: self.fence.map(|texts| known.labels(&texts)).transpose()?,
            when_all_down: self.when_all_down.map(Into::into),
            max_addresses: None,
            spill_over: None,
            srv: None,
            probe: None,
            dns_prefix: None,
            external_name: None,
        })
    }
}
