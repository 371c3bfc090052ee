//! Answers of a small world, decoded by hickory-proto.
//!
//! The whole specification is in `tests/cases`; here stand the paths that are easy to get wrong.

mod awaited;
mod clusterset;
mod evidence;
mod limits;
mod many;
mod octets;
mod shares;
mod signed;
mod signed_draws;
mod signed_explained;
mod signed_times;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query as Question, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};

use super::{Client, Signatures, Transport, explain, respond};
use crate::decide::NoTrace;
use crate::model::{
    Check, Endpoints, Export, ExportMode, Federation, Fleet, HostNames, Member, MemberIdx,
    MemberState, MemberStatus, NameServer, NamespacedName, Network, Pattern, Place, Policy, Port,
    Probe, Protocol, Service, ServiceKind, Spec, SrvForm, Steering, TopologyFacts, UnixSeconds,
    WayIn, WhenAllDown,
};
use crate::names::Label;
use crate::snapshot::{Generation, Serial, Settings, Snapshot, SnapshotBuilder};

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn federation() -> Federation {
    Federation {
        name: label("fed"),
        apex: "example.com".parse().unwrap(),
        clusterset: None,
        nameservers: vec![NameServer {
            name: "ns1.example.com".parse().unwrap(),
            addresses: vec![IpAddr::from([192, 0, 2, 53])],
        }],
        hostmaster: "hostmaster.example.com".parse().unwrap(),
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
        members: vec![Pattern::new("*")],
        namespaces: vec![Pattern::new("*")],
    }
}

fn member(name: &str, region: &str, zone: &str) -> Member {
    Member {
        name: label(name),
        region: Some(label(region)),
        zones: vec![label(zone)],
        namespaces: vec![Pattern::new("*")],
        cluster_domain: None,
        gateway: None,
        addresses_from: Vec::new(),
    }
}

fn service(address: [u8; 4], ready: u32, port: u16) -> Arc<Service> {
    let spec = Spec {
        kind: ServiceKind::LoadBalancer,
        export: Export::Exported,
        allow_without_endpoints: false,
        has_external_ips: false,
        federations: None,
        ports: Box::new([Port {
            name: Some(label("http")),
            protocol: Protocol::Tcp,
            port,
            outside: port,
        }]),
        way_in: WayIn::Usual,
        steering: Steering::default(),
    };
    Arc::new(Service {
        spec: spec.into(),
        addresses: [IpAddr::from(address)].into_iter().collect(),
        hostnames: HostNames::default(),
        endpoints: Endpoints { ready, total: 1 },
        inside: None,
    })
}

/// Members `a` (zone za of region r), `b` (zone zb of region r) and `c` (zone zc of region q),
/// synced; service `s.n` in `a` and `c` at .1 and .3.
fn world() -> SnapshotBuilder {
    world_of(federation())
}

/// The same world under other rules.
fn world_of(federation: Federation) -> SnapshotBuilder {
    let members = vec![
        member("a", "r", "za"),
        member("b", "r", "zb"),
        member("c", "q", "zc"),
    ];
    let fleet = Fleet {
        federations: vec![federation],
        members: members.into(),
        networks: vec![Network {
            cidr: "198.51.100.0/24".parse().unwrap(),
            place: Place {
                region: Some(label("q")),
                ..Place::default()
            },
        }],
        ..Fleet::default()
    };
    let mut builder = SnapshotBuilder::new(Arc::new(fleet), Settings::default());
    for index in 0..3 {
        set_state(&mut builder, index, MemberState::Ready);
    }
    builder.upsert(MemberIdx(0), &name(), service([203, 0, 113, 1], 1, 80));
    builder.upsert(MemberIdx(2), &name(), service([203, 0, 113, 3], 1, 80));
    builder
}

fn name() -> NamespacedName {
    NamespacedName {
        namespace: label("n"),
        name: label("s"),
    }
}

fn set_state(builder: &mut SnapshotBuilder, member: u8, state: MemberState) {
    let status = MemberStatus {
        state,
        ..builder.status(MemberIdx(member)).unwrap().clone()
    };
    builder.set_status(MemberIdx(member), status);
}

fn ask(builder: &mut SnapshotBuilder, name: &str, qtype: RecordType) -> Message {
    ask_for(builder, name, qtype, None)
}

/// Asks with a client subnet.
fn ask_for(
    builder: &mut SnapshotBuilder,
    name: &str,
    qtype: RecordType,
    subnet: Option<ClientSubnet>,
) -> Message {
    let mut query = Message::query();
    if let Some(subnet) = subnet {
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Subnet(subnet));
        query.set_edns(edns);
    }
    query.add_query(Question::query(Name::from_ascii(name).unwrap(), qtype));
    let client = Client {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        listener: None,
        transport: Transport::Udp,
        cookie: None,
        now: UnixSeconds(1_800_000_000),
        elapsed: Duration::ZERO,
    };
    let snapshot = builder.snapshot(Generation(1), Serial(1));
    answered(&snapshot, &query.to_vec().unwrap(), &client)
}

/// The answer to a request, decoded.
fn answered(snapshot: &Snapshot, request: &[u8], client: &Client) -> Message {
    let mut out = vec![0; 65_535];
    let signatures = Signatures::None;
    let outcome = respond(
        snapshot,
        request,
        client,
        signatures,
        &mut NoTrace,
        &mut out,
    );
    Message::from_vec(&out[..outcome.length().unwrap()]).unwrap()
}

/// Asks, and compares the answer section, printed as `owner TTL type rdata`, lines sorted.
fn check(builder: &mut SnapshotBuilder, name: &str, qtype: RecordType, expected: &[&str]) {
    let message = ask(builder, name, qtype);
    let mut lines: Vec<_> = message
        .answers
        .iter()
        .map(|record| {
            format!(
                "{} {} {} {}",
                record.name,
                record.ttl,
                record.record_type(),
                record.data
            )
        })
        .collect();
    lines.sort();
    assert_eq!(lines, expected, "{name} {qtype}");
    assert_eq!(
        message.metadata.response_code,
        ResponseCode::NoError,
        "{name} {qtype}"
    );
}

fn check_code(builder: &mut SnapshotBuilder, name: &str, expected: ResponseCode) {
    assert_eq!(
        ask(builder, name, RecordType::A).metadata.response_code,
        expected,
        "{name}"
    );
}

const G: &str = "s.n.fed.svc.example.com.";

#[test]
fn every_level_answers_with_its_own_members() {
    let mut world = world();
    let one = |owner: &str, last: u8| format!("{owner} 30 A 203.0.113.{last}");
    check(&mut world, G, RecordType::A, &[&one(G, 1), &one(G, 3)]);
    for level in ["r", "za", "za.r"] {
        let owner = format!("s.n.fed.svc.{level}.example.com.");
        check(&mut world, &owner, RecordType::A, &[&one(&owner, 1)]);
        check(&mut world, &owner, RecordType::AAAA, &[]);
    }
}

#[test]
fn an_empty_zone_falls_back_to_its_region_and_then_to_all() {
    let mut world = world();
    check(
        &mut world,
        "s.n.fed.svc.zb.example.com.",
        RecordType::A,
        &[
            "s.n.fed.svc.r.example.com. 30 A 203.0.113.1",
            "s.n.fed.svc.zb.example.com. 30 CNAME s.n.fed.svc.r.example.com.",
        ],
    );
    world.upsert(MemberIdx(0), &name(), service([203, 0, 113, 1], 0, 80));
    check(
        &mut world,
        "S.n.fed.svc.zb.r.EXAMPLE.com.",
        RecordType::A,
        &[
            "S.n.fed.svc.zb.r.EXAMPLE.com. 30 CNAME s.n.fed.svc.r.example.com.",
            "s.n.fed.svc.example.com. 30 A 203.0.113.3",
            "s.n.fed.svc.r.example.com. 30 CNAME s.n.fed.svc.example.com.",
        ],
    );
    check(
        &mut world,
        "s.n.fed.svc.zb.example.com.",
        RecordType::CNAME,
        &["s.n.fed.svc.zb.example.com. 30 CNAME s.n.fed.svc.r.example.com."],
    );
}

#[test]
fn service_records_point_to_the_level_or_to_pinned_names() {
    let mut world = world();
    let owner = format!("_http._tcp.{G}");
    check(
        &mut world,
        &owner,
        RecordType::SRV,
        &[&format!("{owner} 30 SRV 0 100 80 {G}")],
    );
    world.upsert(MemberIdx(2), &name(), service([203, 0, 113, 3], 1, 8080));
    check(
        &mut world,
        &owner,
        RecordType::SRV,
        &[
            &format!("{owner} 30 SRV 0 100 80 a.{G}"),
            &format!("{owner} 30 SRV 0 100 8080 c.{G}"),
        ],
    );
    let message = ask(&mut world, &owner, RecordType::SRV);
    let glue: Vec<_> = message
        .additionals
        .iter()
        .map(|r| r.name.to_string())
        .collect();
    assert_eq!(glue, [format!("a.{G}"), format!("c.{G}")]);
}

#[test]
fn names_exist_whatever_the_health() {
    let mut world = world();
    check(&mut world, "svc.example.com.", RecordType::A, &[]);
    check(
        &mut world,
        "n.fed.svc.za.r.example.com.",
        RecordType::A,
        &[],
    );
    check(
        &mut world,
        "_tcp.s.n.fed.svc.q.example.com.",
        RecordType::A,
        &[],
    );
    check_code(
        &mut world,
        "s.n.fed.svc.zb.q.example.com.",
        ResponseCode::NXDomain,
    );
    check_code(
        &mut world,
        "b.s.n.fed.svc.example.com.",
        ResponseCode::NXDomain,
    );
    check_code(
        &mut world,
        "x.n.fed.svc.example.com.",
        ResponseCode::NXDomain,
    );
    check_code(&mut world, "www.example.org.", ResponseCode::Refused);
    world.upsert(MemberIdx(0), &name(), service([203, 0, 113, 1], 0, 80));
    world.remove(MemberIdx(2), &name());
    check(&mut world, G, RecordType::A, &[]);
    check(
        &mut world,
        &format!("a.{G}"),
        RecordType::A,
        &[&format!("a.{G} 30 A 203.0.113.1")],
    );
    world.remove(MemberIdx(0), &name());
    check_code(&mut world, G, ResponseCode::NXDomain);
    check_code(&mut world, "n.fed.svc.example.com.", ResponseCode::NXDomain);
}

#[test]
fn ignorance_is_not_absence() {
    let mut world = world();
    let syncing = MemberState::Syncing(crate::model::Joined::AtStart);
    set_state(&mut world, 1, syncing);
    check_code(
        &mut world,
        "x.n.fed.svc.example.com.",
        ResponseCode::ServFail,
    );
    check_code(
        &mut world,
        "x.n.other.svc.example.com.",
        ResponseCode::NXDomain,
    );
    let capped = |last: u8| format!("{G} 5 A 203.0.113.{last}");
    check(&mut world, G, RecordType::A, &[&capped(1), &capped(3)]);
    world.upsert(MemberIdx(0), &name(), service([203, 0, 113, 1], 0, 80));
    world.upsert(MemberIdx(2), &name(), service([203, 0, 113, 3], 0, 80));
    check_code(&mut world, G, ResponseCode::ServFail);
    set_state(&mut world, 1, MemberState::NeverSynced);
    check(&mut world, G, RecordType::A, &[]);
}

#[test]
fn learnt_places_stay_known() {
    let mut world = world();
    let place = |zones: &[&str]| TopologyFacts {
        region: Some(label("r")),
        zones: zones.iter().map(|zone| label(zone)).collect(),
        known: [(label("old"), Some(label("oldzone")))].into(),
    };
    world.set_topology(MemberIdx(0), place(&["za"]));
    check(
        &mut world,
        "svc.oldzone.old.example.com.",
        RecordType::A,
        &[],
    );
    check_code(
        &mut world,
        "svc.oldzone.r.example.com.",
        ResponseCode::NXDomain,
    );
    assert_eq!(world.status(MemberIdx(0)).unwrap().since, UnixSeconds(0));
}

#[test]
fn an_explanation_names_the_reasons_and_holds_the_answer() {
    let mut world = world();
    world.upsert(MemberIdx(0), &name(), service([203, 0, 113, 1], 0, 80));
    let snapshot = world.snapshot(Generation(7), Serial(1));
    let name = "s.n.fed.svc.zb.example.com".parse().unwrap();
    let explanation = explain(
        &snapshot,
        &name,
        RecordType::A,
        (IpAddr::from([192, 0, 2, 1]), None),
        UnixSeconds(1_800_000_000),
        None,
    );
    let text = explanation.to_string();
    let expected = "\
s.n.fed.svc.zb.example.com. A asked from 192.0.2.1
generation 7, serial 1
this is a service, level zone zb
the client is in no known place: every region is as near as any
  zone zb: no eligible member
  region r: no eligible member
  global: eligible c; answers c

members
  a  r za  Ready: 0 of 1 endpoints ready (203.0.113.1)
  b  r zb  Ready: does not have the service
* c  q zc  Ready: eligible 2 levels up (203.0.113.3)

;; status: NOERROR, flags: qr aa

;; ANSWER SECTION:
s.n.fed.svc.zb.example.com.\t30\tIN\tCNAME\ts.n.fed.svc.r.example.com.
s.n.fed.svc.r.example.com.\t30\tIN\tCNAME\ts.n.fed.svc.example.com.
s.n.fed.svc.example.com.\t30\tIN\tA\t203.0.113.3
";
    assert_eq!(text, expected);
}

#[test]
fn a_client_of_known_place_gets_the_nearest_at_the_global_name_only() {
    let mut world = world();
    let mut check = |name: &str, subnet: &str, scope: u8, last: &[u8]| {
        let (address, prefix) = subnet.split_once('/').unwrap();
        let subnet = ClientSubnet::new(address.parse().unwrap(), prefix.parse().unwrap(), 0);
        let message = ask_for(&mut world, name, RecordType::A, Some(subnet));
        let mut got: Vec<_> = message
            .answers
            .iter()
            .filter_map(|record| record.data.ip_addr())
            .collect();
        got.sort();
        let expected: Vec<_> = last
            .iter()
            .map(|last| IpAddr::from([203, 0, 113, *last]))
            .collect();
        assert_eq!(got, expected, "{name}");
        let options = message.edns.as_ref().unwrap().options();
        let Some(EdnsOption::Subnet(echoed)) = options.get(EdnsCode::Subnet) else {
            panic!("no client subnet");
        };
        assert_eq!(
            (echoed.addr(), echoed.source_prefix()),
            (subnet.addr(), subnet.source_prefix())
        );
        assert_eq!(echoed.scope_prefix(), scope, "{name}");
    };
    check(G, "198.51.100.0/25", 24, &[3]);
    check(G, "192.0.2.0/24", 6, &[1, 3]);
    check(G, "0.0.0.0/0", 0, &[1, 3]);
    check("s.n.fed.svc.r.example.com.", "198.51.100.0/25", 0, &[1]);
    check("x.n.fed.svc.example.com.", "198.51.100.0/25", 0, &[]);
}
