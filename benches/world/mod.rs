//! A federation of any size, and requests for its names.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use gazetteer::model::{
    AddressPolicy, Check, Endpoints, Export, ExportMode, Federation, Fleet, HostNames, Member,
    MemberIdx, MemberState, NameServer, NamespacedName, Network, Pattern, Place, Policy, Port,
    Probe, Protocol, Service, ServiceKind, Spec, SrvForm, StaticRegion, Steering, WayIn,
    WhenAllDown,
};
use gazetteer::names::Label;
use gazetteer::snapshot::{Settings, SnapshotBuilder};

/// How many members the federation has, each in a region of its own with two zones.
pub(crate) const MEMBERS: u8 = 10;

/// Members that have one and the same service.
pub(crate) const SHARDS: u32 = 3;

/// Networks whose clients stand in a known place.
const NETWORKS: u32 = 4096;

fn label(text: &str) -> Label {
    text.parse().expect("a label of the bench")
}

/// The lower half of a number.
fn low_half(number: u32) -> u16 {
    u16::try_from(number & 0xffff).expect("it is masked")
}

/// Name of the service `index`.
pub(crate) fn name(index: u32) -> NamespacedName {
    NamespacedName {
        namespace: label(&format!("namespace-{}", index % 97)),
        name: label(&format!("service-{index:07}")),
    }
}

/// The members of the service `index`.
pub(crate) fn members_of(index: u32) -> impl Iterator<Item = MemberIdx> {
    (0..SHARDS).map(move |shard| {
        let member = (index + shard * 3) % u32::from(MEMBERS);
        MemberIdx(u8::try_from(member).expect("fewer members than 256"))
    })
}

/// What a member says about the service `index`.
pub(crate) fn service(index: u32, member: MemberIdx, ready: u32) -> Arc<Service> {
    let last = [10 + member.0, 0, 0, 0];
    let ipv4 = Ipv4Addr::from_bits(Ipv4Addr::from(last).to_bits() + index);
    let ipv6 = Ipv6Addr::new(
        0x2001,
        0xdb8,
        0,
        0,
        0,
        u16::from(member.0),
        low_half(index >> 16),
        low_half(index),
    );
    let port = |name: &str, port| Port {
        name: Some(label(name)),
        protocol: Protocol::Tcp,
        port,
        outside: port,
    };
    let spec = Spec {
        kind: ServiceKind::LoadBalancer,
        export: Export::Exported,
        allow_without_endpoints: false,
        has_external_ips: false,
        federations: None,
        ports: Box::new([port("http", 80), port("https", 443)]),
        way_in: WayIn::Usual,
        steering: Steering::default(),
    };
    Arc::new(Service {
        spec: spec.into(),
        addresses: [IpAddr::V4(ipv4), IpAddr::V6(ipv6)].into_iter().collect(),
        hostnames: HostNames::default(),
        endpoints: Endpoints { ready, total: 3 },
        inside: None,
    })
}

/// The configured part.
pub(crate) fn fleet() -> Fleet {
    let everything = || vec![Pattern::new("*")];
    let region = |index: u8| label(&format!("region-{index}"));
    Fleet {
        federations: vec![Federation {
            name: label("federation"),
            apex: "fed.example".parse().expect("a name"),
            clusterset: None,
            nameservers: vec![NameServer {
                name: "ns1.fed.example".parse().expect("a name"),
                addresses: vec![IpAddr::from([192, 0, 2, 53])],
            }],
            hostmaster: "hostmaster.fed.example".parse().expect("a name"),
            export: ExportMode::Annotated,
            ttl: Duration::from_secs(30),
            negative_ttl: Duration::from_secs(5),
            apex_ttl: Duration::from_secs(3600),
            policy: Policy::Nearest,
            order: Vec::new(),
            fence: None,
            when_all_down: WhenAllDown::NoData,
            max_addresses: None,
            spill_over: None,
            srv: SrvForm::Shared,
            hold: Duration::from_secs(60),
            tcp_proof: Duration::from_secs(86_400),
            sync_timeout: Duration::from_secs(30),
            probe: Probe {
                check: Check::None,
                ..Probe::default()
            },
            brake: 100,
            probe_ports: Vec::new(),
            members: everything(),
            namespaces: everything(),
        }],
        members: (0..MEMBERS)
            .map(|index| Member {
                name: label(&format!("member-{index}")),
                region: Some(region(index)),
                zones: ["a", "b"]
                    .map(|zone| label(&format!("region-{index}-{zone}")))
                    .into(),
                namespaces: everything(),
                cluster_domain: None,
                gateway: None,
                addresses_from: Vec::new(),
            })
            .collect(),
        // A region that no member is in: its names fall back.
        regions: vec![StaticRegion {
            name: label("region-empty"),
            zones: vec![label("region-empty-a")],
            location: None,
            countries: Vec::new(),
            continents: Vec::new(),
        }],
        networks: networks(NETWORKS),
        locality: None,
        costs: Vec::new(),
        addresses: AddressPolicy::default(),
        awaited: BTreeSet::new(),
        statics: Vec::new(),
        aliases: Vec::new(),
    }
}

/// Networks of /20 in 10.0.0.0/8 and beyond, each in one of the regions.
pub(crate) fn networks(count: u32) -> Vec<Network> {
    let network = |index: u32| Network {
        cidr: format!("{}/20", Ipv4Addr::from_bits((10 << 24) + (index << 12)))
            .parse()
            .expect("a network"),
        place: Place {
            region: Some(label(&format!("region-{}", index % u32::from(MEMBERS)))),
            ..Place::default()
        },
    };
    (0..count).map(network).collect()
}

/// A synced federation of `services` services.
pub(crate) fn build(services: u32) -> SnapshotBuilder {
    let mut builder = SnapshotBuilder::new(Arc::new(fleet()), Settings::default());
    for member in (0..MEMBERS).map(MemberIdx) {
        let mut status = builder.status(member).expect("a member").clone();
        status.state = MemberState::Ready;
        builder.set_status(member, status);
    }
    for index in 0..services {
        for member in members_of(index) {
            builder.upsert(member, &name(index), service(index, member, 3));
        }
    }
    builder
}

/// A request for `prefix` + the name of service `index` + `.topology`, with or without a client
/// subnet.
pub(crate) fn request(
    prefix: &str,
    index: u32,
    topology: &str,
    qtype: u16,
    has_subnet: bool,
) -> Vec<u8> {
    let of = name(index);
    let text = format!(
        "{prefix}{}.{}.federation.svc.{topology}fed.example",
        of.name, of.namespace
    );
    let mut octets = low_half(index).to_be_bytes().to_vec();
    octets.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(has_subnet)]);
    octets.extend_from_slice(
        text.parse::<gazetteer::wire::NameBuf>()
            .expect("a name")
            .as_wire(),
    );
    octets.extend(qtype.to_be_bytes());
    octets.extend([0, 1]);
    if has_subnet {
        let [a, b, c, _] = Ipv4Addr::from_bits((10 << 24) + (index << 8) % (1 << 24)).octets();
        octets.extend([
            0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, a, b, c,
        ]);
    }
    octets
}
