//! The first version of the payloads of persisted facts: mirrors of the model's types that serde
//! knows, since the model itself has no serialization. New variants and fields go to the end, or
//! the version of the files changes.

mod inside;
mod labels;
mod probe;
mod quick;
mod service;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use self::inside::InsideV1;
pub(in crate::publish) use self::labels::PayloadError;
use self::labels::{Labels, texts};
use self::probe::ProbeV1;
use self::quick::Parts;
use self::service::{ServiceV1, SrvFormV1, WayInV1};
use super::fact::{Fact, Learnt};
use crate::model::{
    Identity, Inside, NamespacedName, Port, Service, Spec, Specs, UnixSeconds, WayIn,
};
use crate::names::{Label, LabelError};
use crate::snapshot::{Resolved, Serial};

/// What was decoded before and repeats.
#[derive(Debug, Default)]
pub(in crate::publish) struct Decoder {
    /// Namespaces, members, regions and names of ports.
    labels: Labels,
    /// Specs, by their octets.
    specs: HashMap<Box<[u8]>, Arc<Spec>, foldhash::fast::RandomState>,
    /// Specs of other services than the first kind of record holds.
    shared: Specs,
    /// The octets of a spec, to look for it.
    octets: Vec<u8>,
}

impl Decoder {
    /// The name of a service; what it is called in its namespace hardly repeats.
    fn name(&mut self, namespace: &str, name: &str) -> Result<NamespacedName, LabelError> {
        Ok(NamespacedName {
            namespace: self.labels.label(namespace)?,
            name: name.parse()?,
        })
    }

    /// Shares what a service says with others, how it is probed included.
    fn share(&mut self, service: &mut Service, probe: Option<ProbeV1<'_>>) {
        let mut spec = Spec::clone(&service.spec);
        spec.steering.probe = probe.map(|probe| Box::new(probe.read()));
        service.spec = self.shared.share(spec);
    }

    /// Keeps the spec of a service by the octets that were looked for last.
    fn remember(&mut self, service: &Service) {
        let octets = self.octets.as_slice().into();
        self.specs.insert(octets, Arc::clone(&service.spec));
    }

    /// A service with what [`RecordV1::Srv`] and [`RecordV1::Named`] say of it beside.
    fn extended(
        &mut self,
        names: [Option<&str>; 2],
        bounds: (Option<u8>, Option<u8>),
        inside: Option<InsideV1<'_>>,
        service: ServiceV1<'_>,
        probe: Option<ProbeV1<'_>>,
        srv: Option<SrvFormV1>,
    ) -> Result<Service, PayloadError> {
        let mut service = service.read(&mut self.labels)?;
        let names = names.map(|name| name.map(|name| self.labels.label(name)).transpose());
        let [dns_prefix, external_name] = names;
        let steering = &mut Arc::make_mut(&mut service.spec).steering;
        (steering.dns_prefix, steering.external_name) = (dns_prefix?, external_name?);
        (steering.max_addresses, steering.spill_over) = bounds;
        steering.srv = srv.map(Into::into);
        self.share(&mut service, probe);
        let inside = inside
            .map(|inside| inside.read(&mut self.labels))
            .transpose()?;
        service.inside = inside.map(Arc::new);
        Ok(service)
    }

    /// Gives a service its way in, and its ports their numbers outside.
    fn lead(&mut self, service: &mut Service, way_in: WayIn, outside: &[u16]) {
        let mut spec = Spec::clone(&service.spec);
        spec.way_in = way_in;
        for (port, outside) in spec.ports.iter_mut().zip(outside) {
            port.outside = *outside;
        }
        service.spec = self.shared.share(spec);
    }

    /// The service in a payload whose spec was decoded before.
    fn service(&mut self, parts: Parts<'_>) -> Result<Option<Fact>, LabelError> {
        self.octets.clear();
        self.octets.extend(parts.head);
        self.octets.extend(parts.tail);
        let Some(spec) = self.specs.get(&*self.octets) else {
            return Ok(None);
        };
        let service = Service {
            spec: Arc::clone(spec),
            addresses: parts.addresses,
            hostnames: parts.hostnames,
            endpoints: parts.endpoints,
            inside: parts
                .inside
                .map(|inside| Arc::new(Inside::ClusterIps(inside))),
        };
        let name = self.name(parts.namespace, parts.name)?;
        Ok(Some(Fact::Service(name, Arc::new(service))))
    }
}

/// What a payload is.
#[derive(Debug)]
pub(in crate::publish) enum Payload {
    /// A fact.
    Fact(Fact),
    /// The end of a base, after this many records.
    End(u64),
}

/// A payload.
#[derive(Debug, Serialize, Deserialize)]
enum RecordV1<'a> {
    /// [`Fact::Service`], first as it is the most frequent.
    Service(&'a str, &'a str, #[serde(borrow)] ServiceV1<'a>),
    /// [`Fact::Gone`].
    Gone(&'a str, &'a str),
    /// [`Fact::Identity`]: origin, UID, version.
    Identity(&'a str, #[serde(borrow)] Option<&'a str>, Option<&'a str>),
    /// [`Fact::FirstSynced`].
    FirstSynced(u64),
    /// [`Fact::Seen`].
    Seen(u64),
    /// [`Fact::Learnt`].
    Learnt(#[serde(borrow)] LearntV1<'a>),
    /// [`Fact::Discarded`].
    Discarded,
    /// [`Fact::Serial`].
    Serial(u32),
    /// [`Fact::Hostname`].
    Hostname(&'a str, Option<ResolvedV1>),
    /// The end of a base, after this many records.
    End(u64),
    /// [`Fact::Service`] of one that says how it is probed.
    Probed(
        &'a str,
        &'a str,
        #[serde(borrow)] ServiceV1<'a>,
        ProbeV1<'a>,
    ),
    /// [`Fact::Service`] of one that says where it is reached inside its member.
    Inside(
        #[serde(borrow)] InsideV1<'a>,
        &'a str,
        &'a str,
        ServiceV1<'a>,
        Option<ProbeV1<'a>>,
    ),
    /// [`Fact::Service`] of one that says how many addresses there are at most, or what spills over.
    Bounded(
        (Option<u8>, Option<u8>),
        #[serde(borrow)] Option<InsideV1<'a>>,
        &'a str,
        &'a str,
        ServiceV1<'a>,
        Option<ProbeV1<'a>>,
    ),
    /// [`Fact::Service`] of one that asks for names beside or instead of its own: its prefix and its
    /// external name; then as [`RecordV1::Bounded`].
    Named(
        [Option<&'a str>; 2],
        (Option<u8>, Option<u8>),
        #[serde(borrow)] Option<InsideV1<'a>>,
        &'a str,
        &'a str,
        ServiceV1<'a>,
        Option<ProbeV1<'a>>,
    ),
    /// [`Fact::Networks`].
    Networks(Vec<(IpAddr, u8)>, Vec<(IpAddr, u8)>),
    /// [`Fact::Service`] of one that says what its SRV records lead to; then as [`RecordV1::Named`].
    Srv(
        SrvFormV1,
        [Option<&'a str>; 2],
        (Option<u8>, Option<u8>),
        #[serde(borrow)] Option<InsideV1<'a>>,
        &'a str,
        &'a str,
        ServiceV1<'a>,
        Option<ProbeV1<'a>>,
    ),
    /// [`Fact::LongestTtl`].
    LongestTtl(u32),
    /// [`Fact::Service`] of one that has a way in of its own, or other numbers of ports outside: which,
    /// and all of these numbers; then as [`RecordV1::Srv`].
    WayIn(
        (WayInV1, Vec<u16>),
        Option<SrvFormV1>,
        [Option<&'a str>; 2],
        (Option<u8>, Option<u8>),
        #[serde(borrow)] Option<InsideV1<'a>>,
        &'a str,
        &'a str,
        ServiceV1<'a>,
        Option<ProbeV1<'a>>,
    ),
}

/// [`Learnt`].
#[derive(Debug, Serialize, Deserialize)]
struct LearntV1<'a> {
    /// The region.
    #[serde(borrow)]
    region: Option<&'a str>,
    /// The zones.
    zones: Vec<&'a str>,
    /// Every region, and zone with its region.
    known: Vec<(&'a str, Option<&'a str>)>,
}

/// [`Resolved`].
#[derive(Debug, Serialize, Deserialize)]
struct ResolvedV1 {
    /// From A records.
    ipv4: Vec<Ipv4Addr>,
    /// From AAAA records.
    ipv6: Vec<Ipv6Addr>,
    /// The smallest TTL among them.
    ttl: Duration,
}

/// Appends the payload of a fact.
pub(in crate::publish) fn encode(fact: &Fact, buffer: &mut Vec<u8>) {
    let hostname;
    let record = match fact {
        Fact::Identity(Identity {
            origin,
            uid,
            version,
        }) => RecordV1::Identity(origin, uid.as_deref(), version.as_deref()),
        Fact::FirstSynced(at) => RecordV1::FirstSynced(at.0),
        Fact::Seen(at) => RecordV1::Seen(at.0),
        Fact::Learnt(learnt) => RecordV1::Learnt(LearntV1::from(learnt)),
        Fact::Networks(new, gone) => RecordV1::Networks(pairs(new), pairs(gone)),
        Fact::Service(name, service) => {
            let (namespace, label) = (name.namespace.as_str(), name.name.as_str());
            let facts = ServiceV1::from(&**service);
            let probe = service.steering.probe.as_deref().map(ProbeV1::from);
            let inside = service.inside.as_deref().map(InsideV1::from);
            let steering = &service.steering;
            let bounds = (steering.max_addresses, steering.spill_over);
            let names = [&steering.dns_prefix, &steering.external_name];
            let names = names.map(|name| name.as_ref().map(Label::as_str));
            let srv = steering.srv.map(SrvFormV1::from);
            let is_usual = |port: &Port| port.outside == port.port;
            if service.way_in != WayIn::Usual || !service.ports.iter().all(is_usual) {
                let outside = service.ports.iter().map(|port| port.outside).collect();
                let way = (service.way_in.into(), outside);
                let record = RecordV1::WayIn(
                    way, srv, names, bounds, inside, namespace, label, facts, probe,
                );
                return append(&record, buffer);
            }
            match (srv, names, bounds, inside, probe) {
                (None, [None, None], (None, None), Some(inside), probe) => {
                    RecordV1::Inside(inside, namespace, label, facts, probe)
                }
                (None, [None, None], (None, None), None, Some(probe)) => {
                    RecordV1::Probed(namespace, label, facts, probe)
                }
                (None, [None, None], (None, None), None, None) => {
                    RecordV1::Service(namespace, label, facts)
                }
                (None, [None, None], bounds, inside, probe) => {
                    RecordV1::Bounded(bounds, inside, namespace, label, facts, probe)
                }
                (Some(form), names, bounds, inside, probe) => {
                    RecordV1::Srv(form, names, bounds, inside, namespace, label, facts, probe)
                }
                (None, names, bounds, inside, probe) => {
                    RecordV1::Named(names, bounds, inside, namespace, label, facts, probe)
                }
            }
        }
        Fact::Gone(name) => RecordV1::Gone(name.namespace.as_str(), name.name.as_str()),
        Fact::Discarded => RecordV1::Discarded,
        Fact::Serial(serial) => RecordV1::Serial(serial.0),
        Fact::LongestTtl(ttl) => RecordV1::LongestTtl(*ttl),
        Fact::Hostname(name, resolved) => {
            hostname = name.to_string();
            RecordV1::Hostname(&hostname, resolved.as_ref().map(ResolvedV1::from))
        }
    };
    append(&record, buffer);
}

/// Appends the payload that ends a base.
pub(in crate::publish) fn encode_end(records: u64, buffer: &mut Vec<u8>) {
    append(&RecordV1::End(records), buffer);
}

/// Appends a record.
fn append(record: &RecordV1, buffer: &mut Vec<u8>) {
    let written = postcard::to_extend(record, std::mem::take(buffer));
    *buffer = written.expect("a vector takes everything, and every length is known");
}

/// Reads a payload.
pub(in crate::publish) fn decode(
    payload: &[u8],
    known: &mut Decoder,
) -> Result<Payload, PayloadError> {
    let parts = quick::split(payload);
    let is_service = parts.is_some();
    if let Some(parts) = parts
        && let Some(fact) = known.service(parts)?
    {
        return Ok(Payload::Fact(fact));
    }
    let fact = match postcard::from_bytes(payload)? {
        RecordV1::Service(namespace, name, service) => {
            let name = known.name(namespace, name)?;
            let service = service.read(&mut known.labels)?;
            if is_service {
                known.remember(&service);
            }
            Fact::Service(name, Arc::new(service))
        }
        RecordV1::Gone(namespace, name) => Fact::Gone(known.name(namespace, name)?),
        RecordV1::Probed(namespace, name, service, probe) => {
            let name = known.name(namespace, name)?;
            let mut service = service.read(&mut known.labels)?;
            known.share(&mut service, Some(probe));
            Fact::Service(name, Arc::new(service))
        }
        RecordV1::Bounded(bounds, inside, namespace, name, service, probe) => {
            let name = known.name(namespace, name)?;
            let service = known.extended([None; 2], bounds, inside, service, probe, None)?;
            Fact::Service(name, Arc::new(service))
        }
        RecordV1::Inside(inside, namespace, name, service, probe) => {
            let name = known.name(namespace, name)?;
            let mut service = service.read(&mut known.labels)?;
            known.share(&mut service, probe);
            if is_service {
                known.remember(&service);
            }
            service.inside = Some(Arc::new(inside.read(&mut known.labels)?));
            Fact::Service(name, Arc::new(service))
        }
        RecordV1::Named(names, bounds, inside, namespace, name, service, probe) => {
            let name = known.name(namespace, name)?;
            let service = known.extended(names, bounds, inside, service, probe, None)?;
            Fact::Service(name, Arc::new(service))
        }
        RecordV1::Srv(form, names, bounds, inside, namespace, name, service, probe) => {
            let name = known.name(namespace, name)?;
            let service = known.extended(names, bounds, inside, service, probe, Some(form))?;
            Fact::Service(name, Arc::new(service))
        }
        RecordV1::WayIn(
            (way_in, outside),
            form,
            names,
            bounds,
            inside,
            namespace,
            name,
            service,
            probe,
        ) => {
            let name = known.name(namespace, name)?;
            let mut service = known.extended(names, bounds, inside, service, probe, form)?;
            known.lead(&mut service, way_in.into(), &outside);
            Fact::Service(name, Arc::new(service))
        }
        RecordV1::Identity(origin, uid, version) => Fact::Identity(Identity {
            origin: origin.into(),
            uid: uid.map(Into::into),
            version: version.map(Into::into),
        }),
        RecordV1::FirstSynced(at) => Fact::FirstSynced(UnixSeconds(at)),
        RecordV1::Seen(at) => Fact::Seen(UnixSeconds(at)),
        RecordV1::Learnt(learnt) => Fact::Learnt(learnt.read(&mut known.labels)?),
        RecordV1::Networks(new, gone) => Fact::Networks(networks(&new), networks(&gone)),
        RecordV1::Discarded => Fact::Discarded,
        RecordV1::Serial(serial) => Fact::Serial(Serial(serial)),
        RecordV1::LongestTtl(ttl) => Fact::LongestTtl(ttl),
        RecordV1::Hostname(name, resolved) => {
            Fact::Hostname(name.parse()?, resolved.map(ResolvedV1::read))
        }
        RecordV1::End(records) => return Ok(Payload::End(records)),
    };
    Ok(Payload::Fact(fact))
}

/// Networks as pairs of an address and a length.
fn pairs(networks: &[IpNet]) -> Vec<(IpAddr, u8)> {
    let pair = |cidr: &IpNet| (cidr.addr(), cidr.prefix_len());
    networks.iter().map(pair).collect()
}

/// Networks from pairs of an address and a length; what is none was damaged, and is left out.
fn networks(pairs: &[(IpAddr, u8)]) -> Vec<IpNet> {
    let network = |(address, length): &(IpAddr, u8)| IpNet::new(*address, *length).ok();
    pairs.iter().filter_map(network).collect()
}

impl<'a> From<&'a Learnt> for LearntV1<'a> {
    fn from(learnt: &'a Learnt) -> Self {
        let Learnt {
            region,
            zones,
            known,
        } = learnt;
        let known = known.iter();
        Self {
            region: region.as_ref().map(Label::as_str),
            zones: texts(zones),
            known: known
                .map(|(region, zone)| (region.as_str(), zone.as_ref().map(Label::as_str)))
                .collect(),
        }
    }
}

impl LearntV1<'_> {
    /// Reads it.
    fn read(&self, known: &mut Labels) -> Result<Learnt, LabelError> {
        let region = self.region.map(|region| known.label(region)).transpose()?;
        let zones = known.labels(&self.zones)?;
        let places = self.known.iter().map(|(region, zone)| {
            let zone = zone.map(|zone| known.label(zone)).transpose()?;
            Ok((known.label(region)?, zone))
        });
        Ok(Learnt {
            region,
            zones,
            known: places.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Resolved> for ResolvedV1 {
    fn from(resolved: &Resolved) -> Self {
        let Resolved { ipv4, ipv6, ttl } = resolved;
        Self {
            ipv4: ipv4.to_vec(),
            ipv6: ipv6.to_vec(),
            ttl: *ttl,
        }
    }
}

impl ResolvedV1 {
    /// Reads it.
    fn read(self) -> Resolved {
        Resolved {
            ipv4: self.ipv4.into(),
            ipv6: self.ipv6.into(),
            ttl: self.ttl,
        }
    }
}
