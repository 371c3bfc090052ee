//! The way of clients outside to one service: its addresses, host names and ports. `addresses` and
//! `hostnames` that its member allows win over `via`, that over `node-port`, that over what stands in
//! front of the whole member, and that over its load balancer.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;

use super::super::annotations::{AskedWay, NodePorts};
use super::super::convert::{NodeFacts, ObjectKey, ServiceFacts, node_hash};
use super::super::front::{FrontFacts, FrontListener};
use super::endpoint_tally::EndpointTally;
use super::objects::Objects;
use super::observation::ObjectKind;
use super::ways::{KnownFront, Ways};
use crate::model::{FrontKind, FrontObject, NamespacedName, Port, Service, WayIn, allows};
use crate::wire::NameBuf;

/// The most nodes at which one service is reached.
const NODES: usize = 32;

/// The objects that a way may lead over.
pub(super) struct KnownObjects<'a> {
    /// Services.
    pub(super) services: &'a Objects<ServiceFacts>,
    /// Nodes.
    pub(super) nodes: &'a Objects<NodeFacts>,
    /// Endpoints of services.
    pub(super) tallies: &'a HashMap<NamespacedName, EndpointTally>,
}

/// The way to a service.
#[derive(Debug)]
pub(super) struct LedWay {
    /// Where it begins.
    pub(super) way_in: WayIn,
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Its host names.
    pub(super) hostnames: Vec<NameBuf>,
    /// The ports of the service, with their numbers there.
    pub(super) ports: Box<[Port]>,
}

impl Ways {
    /// The way to a service. While it is not known, since something has not been listed yet, it is the
    /// way that the service had `last`.
    pub(super) fn lead(
        &self,
        said: &ServiceFacts,
        known: &KnownObjects<'_>,
        last: Option<&Service>,
        warnings: &mut Vec<String>,
    ) -> LedWay {
        let asked = said.way.as_deref();
        if let Some(way) = asked.and_then(|asked| self.own(said, asked, warnings)) {
            return way;
        }
        let way = match asked {
            Some(AskedWay { via: Some(via), .. }) => self.via(via, said, known, warnings),
            Some(AskedWay {
                nodes: Some(nodes), ..
            }) => self.at_nodes(nodes, said, known, warnings),
            _ => match &self.rules.front {
                Some(front) if !is_itself(front, said) => self.via(front, said, known, warnings),
                _ => return usual(said),
            },
        };
        way.unwrap_or_else(|| match last {
            Some(last) => LedWay {
                way_in: last.way_in,
                addresses: last.addresses.to_vec(),
                hostnames: last.hostnames.to_vec(),
                ports: last.ports.clone(),
            },
            None => LedWay {
                way_in: WayIn::Front,
                ..nowhere(said)
            },
        })
    }

    /// The addresses and host names that a service names itself, as far as it may.
    fn own(
        &self,
        said: &ServiceFacts,
        asked: &AskedWay,
        warnings: &mut Vec<String>,
    ) -> Option<LedWay> {
        let allowed = &self.rules.addresses_from;
        let mut addresses = Vec::new();
        for address in &asked.addresses {
            if allows(allowed, *address) {
                addresses.push(*address);
            } else {
                warnings.push(format!(
                    "annotation gazetteer.dev/addresses: {address} ignored: in none of the member's addresses-from"
                ));
            }
        }
        let mut hostnames = Vec::new();
        if !asked.hostnames.is_empty() && allowed.is_empty() {
            warnings.push(
                "annotation gazetteer.dev/hostnames ignored: the member has no addresses-from"
                    .to_owned(),
            );
        } else {
            hostnames.extend(asked.hostnames.iter().cloned());
        }
        let is_any = !addresses.is_empty() || !hostnames.is_empty();
        is_any.then(|| LedWay {
            way_in: WayIn::Named,
            addresses,
            hostnames,
            ports: numbered(said, |_, port| port.outside),
        })
    }

    /// The way over what stands in front; `None` while that has not been listed.
    fn via(
        &self,
        front: &FrontObject,
        said: &ServiceFacts,
        known: &KnownObjects<'_>,
        warnings: &mut Vec<String>,
    ) -> Option<LedWay> {
        if front.kind == FrontKind::Service {
            return Some(self.via_service(front, said, known, warnings));
        }
        let facts = match self.front(front) {
            KnownFront::Facts(facts) => facts,
            KnownFront::Missing(why) => {
                warnings.push(format!("no address outside: {why}"));
                return Some(LedWay {
                    way_in: WayIn::Front,
                    ..nowhere(said)
                });
            }
            KnownFront::Awaited => return None,
        };
        if facts.addresses.is_empty() && facts.hostnames.is_empty() {
            warnings.push(format!("no address outside: {front} has none"));
        }
        let named = front.listener.as_deref().and_then(|name| {
            let mut listeners = facts.listeners.iter();
            let found = listeners.find(|listener| *listener.name == *name);
            if found.is_none() {
                warnings.push(format!("{front}: no listener {name}"));
            }
            found
        });
        Some(LedWay {
            way_in: open(facts.is_open),
            addresses: facts.addresses.to_vec(),
            hostnames: facts.hostnames.to_vec(),
            ports: numbered(said, |_, port| {
                let listener = listener_of(facts, port).or(named);
                listener.map_or(port.outside, |listener| listener.port)
            }),
        })
    }

    /// The way over another Service: to its own addresses or those of its load balancer.
    fn via_service(
        &self,
        front: &FrontObject,
        said: &ServiceFacts,
        known: &KnownObjects<'_>,
        warnings: &mut Vec<String>,
    ) -> LedWay {
        let Some(other) = known
            .services
            .get(&front.key)
            .filter(|_| !is_itself(front, said))
        else {
            warnings.push(format!("no address outside: {front} is not there"));
            return LedWay {
                way_in: WayIn::Front,
                ..nowhere(said)
            };
        };
        let own = other.way.as_deref();
        let way = own.and_then(|asked| self.own(other, asked, &mut Vec::new()));
        let way = way.unwrap_or_else(|| usual(other));
        if way.addresses.is_empty() && way.hostnames.is_empty() {
            warnings.push(format!("no address outside: {front} has none of its own"));
        }
        let tally = known.tallies.get(&other.name);
        let ready = tally.map(EndpointTally::endpoints).unwrap_or_default();
        let is_ready = ready.ready > 0
            || other.allow_without_endpoints
            || other.publish_not_ready && ready.total > 0;
        LedWay {
            way_in: open(is_ready),
            ports: numbered(said, |_, port| {
                let mut others = way.ports.iter();
                let same = others.find(|other| {
                    port.name.is_some()
                        && other.name == port.name
                        && other.protocol == port.protocol
                });
                same.map_or(port.outside, |other| other.outside)
            }),
            addresses: way.addresses,
            hostnames: way.hostnames,
        }
    }

    /// The way to the nodes of a member; `None` while they have not been listed.
    fn at_nodes(
        &self,
        asked: &NodePorts,
        said: &ServiceFacts,
        known: &KnownObjects<'_>,
        warnings: &mut Vec<String>,
    ) -> Option<LedWay> {
        if !known.nodes.is_complete() {
            let why = self.refusal(ObjectKind::Nodes)?;
            warnings.push(format!(
                "no address outside: nodes cannot be watched: {why}"
            ));
            return Some(LedWay {
                way_in: WayIn::Front,
                ..nowhere(said)
            });
        }
        if asked.numbers.contains(&0) || asked.numbers.is_empty() {
            warnings.push("annotation gazetteer.dev/node-port: ports without node port".to_owned());
        }
        let tally = known.tallies.get(&said.name);
        let holders = asked
            .is_local
            .then(|| tally.map(EndpointTally::ready_nodes).unwrap_or_default());
        let nodes = known.nodes.entries().filter(|(name, node)| {
            let holds = holders
                .as_ref()
                .is_none_or(|holders| holders.contains(&node_hash(name)));
            node.entrances.is_open && holds
        });
        let mut nodes: Vec<_> = nodes
            .map(|(name, node)| (self.node_addresses(node), draw(&said.name, name), name))
            .filter(|(addresses, ..)| !addresses.is_empty())
            .collect();
        // Whoever sees the same nodes chooses the same ones.
        nodes.sort_unstable_by(|(_, a, one), (_, b, other)| (a, one).cmp(&(b, other)));
        nodes.truncate(NODES);
        let mut addresses: Vec<_> = nodes.into_iter().flat_map(|(all, ..)| all).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Some(LedWay {
            way_in: WayIn::Front,
            addresses,
            hostnames: Vec::new(),
            ports: numbered(said, |place, port| {
                let number = asked.numbers.get(place).copied();
                number.filter(|number| *number > 0).unwrap_or(port.outside)
            }),
        })
    }

    /// The addresses of a node for clients outside.
    fn node_addresses(&self, node: &NodeFacts) -> Vec<IpAddr> {
        let internal = node.entrances.internal.iter();
        let allowed = internal.filter(|address| allows(&self.rules.addresses_from, **address));
        let external = node.entrances.external.iter();
        external.chain(allowed).copied().collect()
    }
}

/// Where a service stands in the order of nodes: alike in all processes.
fn draw(service: &NamespacedName, node: &ObjectKey) -> u64 {
    let hasher = foldhash::quality::FixedState::with_seed(0);
    hasher.hash_one((&service.namespace, &service.name, &**node))
}

/// The way to a load balancer, or to the gateway that the configuration has.
fn usual(said: &ServiceFacts) -> LedWay {
    LedWay {
        way_in: WayIn::Usual,
        addresses: said.addresses.to_vec(),
        hostnames: said.hostnames.to_vec(),
        ports: numbered(said, |_, port| port.outside),
    }
}

/// No way.
fn nowhere(said: &ServiceFacts) -> LedWay {
    LedWay {
        addresses: Vec::new(),
        hostnames: Vec::new(),
        ..usual(said)
    }
}

/// Whether what stands in front takes traffic.
fn open(is_open: bool) -> WayIn {
    if is_open { WayIn::Front } else { WayIn::Closed }
}

/// Whether a Service would stand in front of itself.
fn is_itself(front: &FrontObject, said: &ServiceFacts) -> bool {
    front.kind == FrontKind::Service && *front.key == *said.name.to_string()
}

/// The listener that is called as a port.
fn listener_of<'f>(facts: &'f FrontFacts, port: &Port) -> Option<&'f FrontListener> {
    let name = port.name.as_ref()?;
    let mut listeners = facts.listeners.iter();
    listeners
        .find(|listener| *listener.name == *name.as_str() && listener.protocol == port.protocol)
}

/// The ports of a service with their numbers outside: those that it names itself, else what `number`
/// says of the port at a place.
fn numbered(said: &ServiceFacts, number: impl Fn(usize, &Port) -> u16) -> Box<[Port]> {
    let named = said.way.as_deref().map_or(&[][..], |way| &way.ports);
    let ports = said.ports.iter().enumerate().map(|(place, port)| {
        let name = port.name.as_ref();
        let own = named.iter().find(|(named, _)| Some(named) == name);
        let outside = own.map_or_else(|| number(place, port), |(_, number)| *number);
        Port {
            outside,
            ..port.clone()
        }
    });
    ports.collect()
}
