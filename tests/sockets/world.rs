//! A small world: five members, and services that give answers of every kind.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use gazetteer::model::{
    Check, Endpoints, Export, ExportMode, Federation, Fleet, HostNames, Inside, Member, MemberIdx,
    MemberOrigin, MemberState, MemberStatus, NameServer, NamespacedName, Pattern, Pod, Policy,
    Port, Probe, Protocol, Service, ServiceKind, Spec, SrvForm, Steering, TopologyFacts,
    UnixSeconds, WayIn, WhenAllDown,
};
use gazetteer::snapshot::{Generation, Serial, Settings, Snapshot, SnapshotBuilder};
use gazetteer::wire::NameBuf;

/// Members with their region, zone and the last octet of their address.
const MEMBERS: [(&str, &str, &str, u8); 5] = [
    ("ew1d", "europe-west1", "europe-west1-d", 11),
    ("ew1b", "europe-west1", "europe-west1-b", 12),
    ("uc1a", "us-central1", "us-central1-a", 21),
    ("uc1f", "us-central1", "us-central1-f", 22),
    ("ae1a", "asia-east1", "asia-east1-a", 31),
];

/// Names and types. `ae1a` is held; `large` has 40 addresses in each member; `out` is ready nowhere
/// but in `ae1a`.
pub(crate) const QUESTIONS: &[(&str, u16)] = &[
    ("my-service.my-namespace.my-federation.svc.example.com", A),
    (
        "MY-service.my-namespace.my-federation.svc.example.com",
        AAAA,
    ),
    (
        "my-service.my-namespace.my-federation.svc.europe-west1.example.com",
        A,
    ),
    (
        "my-service.my-namespace.my-federation.svc.europe-west1-d.example.com",
        A,
    ),
    (
        "my-service.my-namespace.my-federation.svc.europe-west1-d.europe-west1.example.com",
        A,
    ),
    (
        "my-service.my-namespace.my-federation.svc.asia-east1-a.example.com",
        A,
    ),
    (
        "out.my-namespace.my-federation.svc.europe-west1-d.europe-west1.example.com",
        A,
    ),
    (
        "_http._tcp.my-service.my-namespace.my-federation.svc.example.com",
        SRV,
    ),
    (
        "_http._tcp.out.my-namespace.my-federation.svc.europe-west1-d.example.com",
        SRV,
    ),
    (
        "_tcp.my-service.my-namespace.my-federation.svc.example.com",
        A,
    ),
    (
        "ew1d.my-service.my-namespace.my-federation.svc.example.com",
        A,
    ),
    ("large.my-namespace.my-federation.svc.example.com", A),
    ("large.my-namespace.my-federation.svc.example.com", ANY),
    ("pods.my-namespace.my-federation.svc.example.com", A),
    ("pods.my-namespace.my-federation.svc.example.com", AAAA),
    (
        "_http._tcp.pods.my-namespace.my-federation.svc.example.com",
        SRV,
    ),
    (
        "web-0.ew1d.pods.my-namespace.my-federation.svc.example.com",
        A,
    ),
    (
        "10-0-0-2.ew1d.pods.my-namespace.my-federation.svc.example.com",
        A,
    ),
    ("inside.my-namespace.my-federation.svc.example.com", A),
    ("my-service.my-namespace.my-federation.svc.example.com", TXT),
    ("my-service.my-namespace.my-federation.svc.example.com", ANY),
    ("unknown.my-namespace.my-federation.svc.example.com", A),
    (
        "my-service.my-namespace.my-federation.svc.mars-north1.example.com",
        A,
    ),
    ("my-namespace.my-federation.svc.example.com", A),
    ("europe-west1.example.com", A),
    ("my-service.my-namespace.my-federation.svc.cluster.local", A),
    (
        "MY-service.my-namespace.my-federation.svc.cluster.local",
        AAAA,
    ),
    (
        "_http._tcp.my-service.my-namespace.my-federation.svc.cluster.local",
        SRV,
    ),
    ("out.my-namespace.my-federation.svc.cluster.local", A),
    (
        "_http._tcp.out.my-namespace.my-federation.svc.cluster.local",
        SRV,
    ),
    ("unknown.my-namespace.my-federation.svc.cluster.local", A),
    ("my-federation.svc.cluster.local", SOA),
    ("my-service.my-namespace.svc.clusterset.local", A),
    ("my-service.my-namespace.svc.clusterset.local", SRV),
    (
        "_http._tcp.my-service.my-namespace.svc.clusterset.local",
        SRV,
    ),
    ("out.my-namespace.svc.clusterset.local", AAAA),
    ("pods.my-namespace.svc.clusterset.local", A),
    ("pods.my-namespace.svc.clusterset.local", SRV),
    ("_http._tcp.pods.my-namespace.svc.clusterset.local", SRV),
    ("web-0.ew1d.pods.my-namespace.svc.clusterset.local", A),
    ("ew1d.pods.my-namespace.svc.clusterset.local", A),
    ("unknown.my-namespace.svc.clusterset.local", A),
    ("my-namespace.svc.clusterset.local", A),
    ("dns-version.clusterset.local", TXT),
    ("example.com", SOA),
    ("example.com", NS),
    ("example.com", A),
    ("ns1.example.com", A),
    ("dns-version.example.com", TXT),
    ("www.example.org", A),
];

/// Names that tell a client what is seen of it, which by TCP is something else than by UDP.
pub(crate) const CLIENT_NAMES: [&str; 3] = [
    "_client.example.com",
    "_client.my-federation.svc.cluster.local",
    "_client.clusterset.local",
];

pub(crate) const A: u16 = 1;
pub(crate) const NS: u16 = 2;
pub(crate) const SOA: u16 = 6;
pub(crate) const TXT: u16 = 16;
pub(crate) const AAAA: u16 = 28;
pub(crate) const SRV: u16 = 33;
pub(crate) const ANY: u16 = 255;

/// A snapshot of the world.
pub(crate) fn world() -> Snapshot {
    builder().snapshot(Generation(1), Serial(2_026_112_100))
}

/// The world before it is a snapshot.
pub(crate) fn builder() -> SnapshotBuilder {
    builder_of(fleet())
}

/// The same with another configuration for the same members.
pub(crate) fn builder_of(fleet: Fleet) -> SnapshotBuilder {
    let settings = Settings {
        nsid: Some("ams1".into()),
        has_client_name: true,
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        listeners: vec![None, None, None, Some("ew1d".parse().unwrap())],
        ..Settings::default()
    };
    let mut builder = SnapshotBuilder::new(Arc::new(fleet), settings);
    for (index, (name, region, zone, host)) in MEMBERS.into_iter().enumerate() {
        let member = MemberIdx(u8::try_from(index).unwrap());
        let zone = zone.parse().unwrap();
        builder.set_topology(
            member,
            TopologyFacts {
                region: Some(region.parse().unwrap()),
                zones: [zone].into(),
                known: [].into(),
            },
        );
        let state = match name {
            "ae1a" => MemberState::Held,
            _ => MemberState::Ready,
        };
        builder.set_status(
            member,
            MemberStatus {
                name: name.parse().unwrap(),
                origin: MemberOrigin::default(),
                state,
                reason: None,
                outlook: None,
                since: UnixSeconds(1),
                version: None,
                first_synced: Some(UnixSeconds(1)),
                warnings: Vec::new(),
            },
        );
        let mut publish = |name: &str, service| {
            let name = NamespacedName {
                namespace: "my-namespace".parse().unwrap(),
                name: name.parse().unwrap(),
            };
            builder.upsert(member, &name, Arc::new(service));
        };
        let address = IpAddr::from([203, 0, 113, host]);
        let ready = u32::from(name == "ae1a");
        publish("my-service", service(vec![address], 1));
        publish("out", service(vec![address], ready));
        let mut pods = service(Vec::new(), 1);
        let spec = Arc::make_mut(&mut pods.spec);
        (spec.kind, spec.export) = (ServiceKind::Headless, Export::Exported);
        let pod = |hostname: Option<&str>, address: [u8; 4]| Pod {
            hostname: hostname.map(|name| name.parse().unwrap()),
            address: address.into(),
            is_ready: true,
        };
        pods.inside = Some(Arc::new(Inside::of_pods(vec![
            pod(Some("web-0"), [10, 0, 0, 1]),
            pod(None, [10, 0, 0, 2]),
        ])));
        publish("pods", pods);
        let mut inside = service(vec![address], 1);
        let cluster_ip = IpAddr::from([10, 0, 0, 7]);
        inside.inside = Some(Arc::new(Inside::ClusterIps(
            [cluster_ip].into_iter().collect(),
        )));
        publish("inside", inside);
        let many = (1..=40).map(|last| Ipv4Addr::new(198, 51, host, last).into());
        publish("large", service(many.collect(), 1));
    }
    builder
}

/// The configured part.
pub(crate) fn fleet() -> Fleet {
    let everything = || vec![Pattern::new("*")];
    Fleet {
        federations: vec![Federation {
            name: "my-federation".parse().unwrap(),
            apex: name("example.com"),
            clusterset: Some(name("clusterset.local")),
            nameservers: vec![NameServer {
                name: name("ns1.example.com"),
                addresses: vec!["192.0.2.53".parse().unwrap()],
            }],
            hostmaster: name("hostmaster.example.com"),
            export: ExportMode::LoadBalancers,
            ttl: Duration::from_secs(30),
            apex_ttl: Duration::from_secs(3600),
            negative_ttl: Duration::from_secs(5),
            policy: Policy::Spread,
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
        members: MEMBERS
            .into_iter()
            .map(|(name, ..)| Member {
                name: name.parse().unwrap(),
                region: None,
                zones: Vec::new(),
                namespaces: everything(),
                cluster_domain: Some(self::name("cluster.local")),
                gateway: None,
                addresses_from: Vec::new(),
            })
            .collect(),
        ..Fleet::default()
    }
}

/// A load balancer with a port `http`, and `ready` endpoints out of one.
fn service(addresses: Vec<IpAddr>, ready: u32) -> Service {
    let spec = Spec {
        kind: ServiceKind::LoadBalancer,
        export: Export::Unsaid,
        allow_without_endpoints: false,
        has_external_ips: false,
        federations: None,
        ports: [Port {
            name: Some("http".parse().unwrap()),
            protocol: Protocol::Tcp,
            port: 80,
            outside: 80,
        }]
        .into(),
        way_in: WayIn::Usual,
        steering: Steering::default(),
    };
    Service {
        spec: spec.into(),
        addresses: addresses.into(),
        hostnames: HostNames::default(),
        endpoints: Endpoints { ready, total: 1 },
        inside: Some(Arc::new(Inside::ClusterIps(
            [Ipv4Addr::new(10, 0, 0, 7).into()].into_iter().collect(),
        ))),
    }
}

/// A name from its text.
fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

/// EDNS of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edns {
    /// None.
    Without,
    /// Version 0, 1,232 octets, DO, without options.
    Plain,
    /// The same with the options NSID, client subnet and keepalive.
    Full,
    /// The same with a zone hint.
    Hint,
    /// The same with the client's part of a DNS cookie.
    Cookie,
    /// Version 1.
    Unknown,
}

impl Edns {
    /// Every kind.
    const ALL: [Self; 6] = [
        Self::Without,
        Self::Plain,
        Self::Full,
        Self::Hint,
        Self::Cookie,
        Self::Unknown,
    ];
}

/// A request in octets.
pub(crate) fn query(id: u16, qname: &str, qtype: u16, edns: Edns) -> Vec<u8> {
    let mut octets = id.to_be_bytes().to_vec();
    let additional = u8::from(edns != Edns::Without);
    octets.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, additional]);
    for label in qname.split('.') {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets.extend(qtype.to_be_bytes());
    octets.extend([0, 1]);
    let (version, options): (u8, &[u8]) = match edns {
        Edns::Without => return octets,
        Edns::Plain => (0, &[]),
        Edns::Full => (
            0,
            &[
                0, 3, 0, 0, // NSID
                0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2, // client subnet 192.0.2.0/24
                0, 11, 0, 0, // keepalive
            ],
        ),
        Edns::Hint => (0, b"\xff\xee\0\x04ew1d"),
        Edns::Cookie => (0, b"\0\x0a\0\x08cookie!!"),
        Edns::Unknown => (1, &[]),
    };
    octets.extend([0, 0, 41, 0x04, 0xd0, 0, version, 0x80, 0]);
    octets.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
    octets.extend(options);
    octets
}

/// Requests of every kind: each question with and without EDNS, and what is no proper query.
pub(crate) fn requests() -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    let client_names = CLIENT_NAMES.map(|qname| (qname, TXT));
    for (qname, qtype) in QUESTIONS.iter().chain(&client_names) {
        for edns in Edns::ALL {
            requests.push(query(4242, qname, *qtype, edns));
        }
    }
    let usual = query(4242, "example.com", SOA, Edns::Full);
    let changed = |place: usize, octet: u8| {
        let mut request = usual.clone();
        request[place] = octet;
        request
    };
    requests.push(changed(2, 0x29)); // opcode UPDATE
    requests.push(changed(2, 0x80)); // a response
    requests.push(changed(5, 0)); // no question
    requests.push(changed(5, 2)); // two questions
    requests.push(changed(12, 0xc0)); // a pointer in the question
    requests.push(changed(28, 3)); // class CH
    requests.extend((0..usual.len()).map(|length| usual[..length].to_vec()));
    requests
}
