//! RRsets that do not fit: over UDP (docs/names.md, decision 18), and in any message.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::RData;

use super::{federation, label, name, service, world_of};
use crate::answer::{Client, Signatures, Trace, Transport, respond};
use crate::model::{
    Endpoints, Federation, Inside, MemberIdx, Pod, Policy, Port, Protocol, Service, ServiceKind,
    UnixSeconds,
};
use crate::snapshot::{Generation, Serial, Snapshot, SnapshotBuilder};
use crate::wire::NameBuf;

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;

/// How often an answer had not all records.
#[derive(Default)]
struct Counted(usize);

impl Trace for Counted {
    fn over_message(&mut self) {
        self.0 += 1;
    }
}

/// A world that answers with all members, in a clusterset too.
fn world() -> SnapshotBuilder {
    world_of(Federation {
        policy: Policy::Spread,
        clusterset: Some("clusterset.local".parse().unwrap()),
        ..federation()
    })
}

/// A member's service `s.n` with so many addresses of both families from `first` on.
fn put(builder: &mut SnapshotBuilder, member: u8, first: u32, count: u32) {
    let mut facts = Service::clone(&service([203, 0, 113, 1], 1, 80));
    let numbers = first..first + count;
    let addresses = numbers.flat_map(|n| {
        let low = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n));
        [Ipv4Addr::from_bits(0x0b00_0000 + n).into(), low.into()]
    });
    facts.addresses = addresses.collect::<Vec<IpAddr>>().into();
    builder.upsert(MemberIdx(member), &name(), facts.into());
}

/// A member's headless service `s.n` with these pods and ports.
fn put_pods(
    builder: &mut SnapshotBuilder,
    member: u8,
    pods: impl Iterator<Item = (Option<String>, u32)>,
    ports: impl Iterator<Item = u16>,
) {
    let mut facts = Service::clone(&service([203, 0, 113, 1], 1, 80));
    let pods = pods.map(|(hostname, n)| Pod {
        hostname: hostname.map(|hostname| label(&hostname)),
        address: Ipv4Addr::from_bits(0x0a00_0000 + n).into(),
        is_ready: true,
    });
    facts.inside = Some(Arc::new(Inside::of_pods(pods.collect())));
    facts.endpoints = Endpoints { ready: 1, total: 1 };
    let spec = Arc::make_mut(&mut facts.spec);
    spec.kind = ServiceKind::Headless;
    spec.ports = numbered(ports);
    builder.upsert(MemberIdx(member), &name(), facts.into());
}

/// Ports with names, the first `http`.
fn numbered(numbers: impl Iterator<Item = u16>) -> Box<[Port]> {
    let port = |(place, port)| Port {
        name: Some(match place {
            0 => label("http"),
            _ => label(&format!("p{place}")),
        }),
        protocol: Protocol::Tcp,
        port,
        outside: port,
    };
    numbers.enumerate().map(port).collect()
}

/// Asks as a client network at a time: the answer and whether a draw left records out.
fn ask(
    snapshot: &Snapshot,
    (name, qtype, id): (&str, u16, u16),
    transport: Transport,
    (network, now): (u8, u64),
) -> (Message, bool) {
    let mut request = id.to_be_bytes().to_vec();
    request.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    request.extend_from_slice(name.parse::<NameBuf>().unwrap().as_wire());
    request.extend(qtype.to_be_bytes());
    request.extend([0, 1]);
    let client = Client {
        address: [192, 0, network, 1].into(),
        listener: None,
        transport,
        cookie: None,
        now: UnixSeconds(1_800_000_000 + now),
        elapsed: Duration::ZERO,
    };
    let (mut out, mut counted) = (vec![0; 65_535], Counted::default());
    let length = respond(
        snapshot,
        &request,
        &client,
        Signatures::None,
        &mut counted,
        &mut out,
    )
    .length()
    .unwrap();
    (Message::from_vec(&out[..length]).unwrap(), counted.0 > 0)
}

/// The addresses of an answer, each once.
fn addresses(message: &Message) -> BTreeSet<IpAddr> {
    let all = message
        .answers
        .iter()
        .filter_map(|record| record.data.ip_addr());
    let all: Vec<_> = all.collect();
    let set: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!(set.len(), all.len(), "an address comes twice");
    set
}

const TCP: Transport = Transport::Tcp { idle: 0 };
const NAME: &str = "s.n.fed.svc.example.com";

fn snapshot(builder: &mut SnapshotBuilder) -> Snapshot {
    builder.snapshot(Generation(1), Serial(1))
}

#[test]
fn each_address_is_in_as_many_truncated_answers() {
    let mut builder = world();
    // The second member has ten of the addresses of the first.
    put(&mut builder, 0, 0, 30);
    put(&mut builder, 1, 20, 40);
    let snapshot = snapshot(&mut builder);
    let mut counts = std::collections::BTreeMap::<IpAddr, u32>::new();
    for id in 0..4000 {
        let (message, _) = ask(&snapshot, (NAME, A, id), Transport::Udp, (2, 0));
        let got = addresses(&message);
        assert_eq!((got.len(), message.metadata.truncation), (29, true));
        for address in got {
            *counts.entry(address).or_default() += 1;
        }
    }
    // With the one of the third member; 29 of 61 are 1,902 of 4,000.
    assert_eq!(counts.len(), 61);
    for (address, count) in counts {
        assert!((1400..2600).contains(&count), "{address}: {count}");
    }
}

#[test]
fn what_no_message_holds_is_drawn_for_a_client_and_a_slot() {
    let mut builder = world();
    for (member, first) in [(0, 0), (1, 2000), (2, 4000)] {
        put(&mut builder, member, first, 4096);
    }
    let world = snapshot(&mut builder);
    for (qtype, most) in [(A, 4000), (AAAA, 2285)] {
        let of = |id, at| ask(&world, (NAME, qtype, id), TCP, at);
        let (message, is_drawn) = of(1, (2, 0));
        assert!(is_drawn && !message.metadata.truncation);
        let first = addresses(&message);
        assert_eq!(first.len(), most);
        assert_eq!(addresses(&of(2, (2, 29)).0), first);
        assert_ne!(addresses(&of(1, (2, 31)).0), first);
        assert_ne!(addresses(&of(1, (3, 0)).0), first);
        // Every place is drawn.
        let mut seen = BTreeSet::new();
        for network in 0..60 {
            seen.extend(addresses(&of(1, (network, 0)).0));
        }
        assert_eq!(seen.len(), 8096);
        let (message, _) = ask(&world, (NAME, qtype, 1), Transport::Udp, (2, 0));
        let part = addresses(&message);
        assert!(message.metadata.truncation && !part.is_empty());
        assert!(part.is_subset(&first));
    }
    // As many as a message holds are not drawn.
    put(&mut builder, 0, 0, 2000);
    put(&mut builder, 1, 2000, 2000);
    builder.remove(MemberIdx(2), &name());
    let (message, is_drawn) = ask(&snapshot(&mut builder), (NAME, A, 1), TCP, (2, 0));
    assert_eq!((addresses(&message).len(), is_drawn), (4000, false));
}

#[test]
fn pods_and_their_ports_are_as_many_as_a_message_holds() {
    let mut builder = world();
    let pods = || (0..5000).map(|n| (None, n));
    put_pods(&mut builder, 0, pods(), 80..82);
    // The same address under many names.
    let names = (0..100).map(|n| (Some(format!("web-{n}")), 7));
    put_pods(&mut builder, 1, names, 80..82);
    let world = snapshot(&mut builder);
    let name = "s.n.svc.clusterset.local";
    let (message, is_drawn) = ask(&world, (name, A, 1), TCP, (2, 0));
    assert_eq!((addresses(&message).len(), is_drawn), (4000, true));
    let owner = format!("_http._tcp.{name}");
    for owner in [name, &owner] {
        let (message, is_drawn) = ask(&world, (owner, SRV, 1), TCP, (2, 0));
        assert!(is_drawn && !message.metadata.truncation);
        assert!(message.answers.len() > 234, "{}", message.answers.len());
        let (message, _) = ask(&world, (owner, SRV, 1), Transport::Udp, (2, 0));
        assert!(message.metadata.truncation && message.answers.is_empty());
    }
}

#[test]
fn thousands_of_ports_are_answered_in_linear_time() {
    let mut builder = world();
    for member in 0..3u8 {
        let mut facts = Service::clone(&service([203, 0, 113, member], 1, 80));
        let ports = (1..=20_000).map(|port| port + u16::from(member / 2));
        Arc::make_mut(&mut facts.spec).ports = numbered(ports);
        builder.upsert(MemberIdx(member), &name(), facts.into());
    }
    let world = snapshot(&mut builder);
    // By comparing each with each this took hours.
    let (message, is_drawn) = ask(&world, ("s.n.svc.clusterset.local", SRV, 1), TCP, (2, 0));
    assert!(is_drawn && message.answers.len() > 234);
    let is_srv = |data: &RData| matches!(data, RData::SRV(_));
    assert!(message.answers.iter().all(|record| is_srv(&record.data)));
}
