//! A random world as the model of the code under test.

use std::sync::Arc;
use std::time::Duration;

use gazetteer::model::{
    self, Check, Endpoints, Export, ExportMode, Federation, Fleet, HostNames, Location, Member,
    MemberIdx, NameServer, NamespacedName, Network, Pattern, Policy, Port, Probe, Protocol,
    Service, ServiceKind, Spec, SrvForm, StaticRegion, Steering, WayIn,
};
use gazetteer::names::Label;

use crate::inside::Inside;
use crate::trees::{CLUSTER_DOMAIN, clusterset};
use crate::world::{Fed, Net, Place3, Said, Shard, World};

pub(crate) fn label(text: &str) -> Label {
    text.parse().expect("a label")
}

/// The name of a member.
pub(crate) fn member_name(index: usize) -> String {
    format!("m{index}")
}

pub(crate) fn index(member: usize) -> MemberIdx {
    MemberIdx(u8::try_from(member).expect("few members"))
}

pub(crate) fn order_labels(order: &[usize]) -> Vec<Label> {
    order
        .iter()
        .map(|member| label(&member_name(*member)))
        .collect()
}

impl Fed {
    /// As the code has it.
    pub(crate) fn model(&self) -> Federation {
        let name = |text: String| text.parse().expect("a name");
        Federation {
            name: label(self.name),
            apex: name(self.apex.to_owned()),
            clusterset: Some(name(clusterset(self.name))),
            nameservers: vec![NameServer {
                name: name(format!("ns1.dns.{}", self.apex)),
                addresses: vec!["198.51.100.1".parse().expect("an address")],
            }],
            hostmaster: name(format!("hostmaster.{}", self.apex)),
            export: ExportMode::Annotated,
            ttl: Duration::from_secs(30),
            negative_ttl: Duration::from_secs(5),
            apex_ttl: Duration::from_secs(3600),
            policy: match &self.failover {
                _ if self.is_weighted => Policy::Weighted,
                Some(_) => Policy::Failover,
                None if self.is_nearest => Policy::Nearest,
                None => Policy::Spread,
            },
            order: order_labels(self.failover.as_deref().unwrap_or_default()),
            fence: (self.fence.as_ref()).map(|fence| fence.iter().map(|one| label(one)).collect()),
            when_all_down: self.all_down,
            max_addresses: None,
            spill_over: None,
            srv: SrvForm::Shared,
            hold: Duration::from_secs(60),
            tcp_proof: Duration::from_secs(86_400),
            sync_timeout: Duration::from_secs(30),
            probe: Probe {
                check: if self.is_probed {
                    Check::Tcp
                } else {
                    Check::None
                },
                ..Probe::default()
            },
            brake: 100,
            probe_ports: Vec::new(),
            members: (self.members.iter())
                .map(|member| Pattern::new(&member_name(*member)))
                .collect(),
            namespaces: vec![Pattern::new("*")],
        }
    }
}

impl Shard {
    /// As the code has it.
    pub(crate) fn model(&self) -> Service {
        let (policy, order) = match &self.steering {
            Said::Nothing => (None, None),
            Said::Spread => (Some(Policy::Spread), None),
            Said::Failover(order) => (Some(Policy::Failover), Some(order_labels(order).into())),
        };
        let spec = Spec {
            kind: match self.inside {
                Inside::ClusterIps(_) => ServiceKind::LoadBalancer,
                Inside::Pods(_) => ServiceKind::Headless,
            },
            export: Export::Exported,
            allow_without_endpoints: false,
            has_external_ips: false,
            federations: (self.federations.as_ref())
                .map(|names| names.iter().map(|name| label(name)).collect()),
            ports: self
                .port
                .iter()
                .map(|port| Port {
                    name: Some(label("http")),
                    protocol: Protocol::Tcp,
                    port: *port,
                    outside: *port,
                })
                .collect(),
            way_in: WayIn::Usual,
            steering: Steering {
                weight: self.weight,
                policy,
                order,
                when_all_down: self.all_down,
                ..Steering::default()
            },
        };
        Service {
            spec: spec.into(),
            addresses: self.addresses.clone().into(),
            hostnames: HostNames::default(),
            endpoints: Endpoints {
                ready: u32::from(self.is_ready),
                total: 1,
            },
            inside: Some(Arc::new(self.inside.model())),
        }
    }
}

pub(crate) fn key_of((namespace, name, _): Place3) -> NamespacedName {
    NamespacedName {
        namespace: label(namespace),
        name: label(name),
    }
}

impl Inside {
    /// As the code has it.
    fn model(&self) -> model::Inside {
        match self {
            Self::ClusterIps(addresses) => model::Inside::ClusterIps(addresses.clone().into()),
            Self::Pods(pods) => {
                let pods = pods.iter().map(|(hostname, address, is_ready)| model::Pod {
                    hostname: hostname.map(label),
                    address: *address,
                    is_ready: *is_ready,
                });
                model::Inside::of_pods(pods.collect())
            }
        }
    }
}

impl Net {
    /// As the code has it.
    pub(crate) fn model(&self) -> Network {
        Network {
            cidr: self.cidr.into(),
            place: model::Place {
                region: self.region.map(label),
                zone: self.zone.map(label),
                member: self.member.map(|member| label(&member_name(member))),
            },
        }
    }
}

impl World {
    /// Every configured region, those that are there for their location too.
    pub(crate) fn static_regions(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let located = self.longitudes.keys().map(|name| (*name, Vec::new()));
        self.static_regions.iter().cloned().chain(located).collect()
    }

    /// As the code has it.
    pub(crate) fn fleet(&self) -> Fleet {
        let labels = |zones: &[&str]| zones.iter().map(|zone| label(zone)).collect();
        let regions = self.static_regions().into_iter().map(|(name, zones)| {
            let longitude = self.longitudes.get(name);
            StaticRegion {
                name: label(name),
                zones: labels(&zones),
                location: longitude.map(|degrees| Location {
                    lat: 0.0,
                    lon: f64::from(*degrees),
                }),
                countries: Vec::new(),
                continents: Vec::new(),
            }
        });
        Fleet {
            federations: self.federations.iter().map(Fed::model).collect(),
            members: (self.members.iter().enumerate())
                .map(|(index, place)| Member {
                    name: label(&member_name(index)),
                    region: place.region.map(label),
                    zones: labels(&place.zones),
                    namespaces: vec![Pattern::new("*")],
                    cluster_domain: CLUSTER_DOMAIN.parse().ok(),
                    gateway: None,
                    addresses_from: Vec::new(),
                })
                .collect(),
            regions: regions.collect(),
            networks: self.networks.iter().map(Net::model).collect(),
            ..Fleet::default()
        }
    }
}
