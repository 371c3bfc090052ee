//! The query path allocates nothing: neither an answer, nor the loop of a UDP worker around it.
//!
//! Allocations are counted by thread, so that other threads do not disturb.

#[path = "no_alloc/chains.rs"]
mod chains;
#[path = "mmdb/mod.rs"]
mod mmdb;
#[path = "sockets/world.rs"]
mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use gazetteer::answer::{
    Client, NoTrace, Outcome, Prepared, Signatures, Substitute, Transport, respond,
};
use gazetteer::config::{DnsListener, Listen};
use gazetteer::dnssec::{Algorithm, KeyRoles, Lane, SignatureTable, SigningKey, ZoneKey, ZoneKeys};
use gazetteer::model::{
    FULL_SHARE, GeoDatabase, ListenerIdx, MemberIdx, NamespacedName, Policy, RateLimits, Service,
    SrvForm, UnixSeconds,
};
use gazetteer::serve::{Guard, LimitVerdict, bind};
use gazetteer::snapshot::{Generation, Serial, Settings, Shares, Snapshot, SnapshotBuilder};
use gazetteer::telemetry::{Counters, Tally};
use gazetteer::wire::{CookieSecrets, NameBuf, Qname};

/// The system's allocator, with a count of its calls.
struct Counting;

thread_local! {
    /// Allocations made by this thread.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged. Counting allocates nothing: the
// thread's cell is initialized by a constant and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of this same function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this same function.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The loopback address.
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn allocations_are_counted() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get(), before + 1);
}

#[test]
fn an_answer_allocates_nothing() {
    let mut out = vec![0; 65_535];
    let mut kinds = BTreeSet::new();
    for snapshot in [
        world::world(),
        drawing(SrvForm::Shared),
        drawing(SrvForm::Members),
        located(),
        in_country(),
        crowded(),
    ] {
        answer_all(&snapshot, Signatures::None, &mut out, &mut kinds);
    }
    for kind in [
        Some((0, true)),
        Some((0, false)),
        Some((1, false)),
        Some((3, false)),
        Some((4, false)),
        Some((5, false)),
        None,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} of {kinds:?}");
    }
}

#[test]
fn a_signed_answer_allocates_nothing_when_its_signatures_are_there() {
    let mut builder = world::builder();
    builder.set_zone_keys([zone_keys("example.com")].into());
    let snapshot = builder.snapshot(Generation(1), Serial(1));
    let table = SignatureTable::new(4096, &[5; 16]);
    let (mut out, mut kinds) = (vec![0; 65_535], BTreeSet::new());
    let signatures = Signatures::Table(&table);
    answer_all(&snapshot, signatures, &mut out, &mut kinds);
    assert!(kinds.contains(&Some((0, true))) && kinds.contains(&Some((0, false))));
    assert!(table.used(Lane::Existing) > 1 && table.used(Lane::Absent) > 0);
}

#[test]
fn chains_over_static_records_allocate_nothing_signed_and_unsigned() {
    for count in 0..=chains::APEXES.len() {
        let signed = &chains::APEXES[..count];
        let mut builder = chains::builder();
        builder.set_zone_keys(signed.iter().map(|apex| zone_keys(apex)).collect());
        let snapshot = builder.snapshot(Generation(1), Serial(1));
        let table = SignatureTable::new(4096, &[5; 16]);
        let mut out = vec![0; 65_535];
        let signatures = match signed {
            [] => Signatures::None,
            _ => Signatures::Table(&table),
        };
        for (name, answers) in chains::CHAINS {
            let request = world::query(4242, name, 1, world::Edns::Plain);
            for (transport, room) in [
                (Transport::Udp, 1232),
                (Transport::Tcp { idle: 100 }, 65_535),
            ] {
                let client = Client {
                    address: LOCAL,
                    listener: None,
                    transport,
                    cookie: None,
                    now: UnixSeconds(1_800_000_000),
                    elapsed: Duration::ZERO,
                };
                let out = &mut out[..room];
                if let Signatures::Table(table) = signatures {
                    let makes = Signatures::TableAndKeys(table);
                    respond(&snapshot, &request, &client, makes, &mut NoTrace, out);
                }
                let before = ALLOCATIONS.get();
                let answered = respond(&snapshot, &request, &client, signatures, &mut NoTrace, out);
                let allocations = ALLOCATIONS.get() - before;
                assert_eq!(allocations, 0, "{name} by {transport:?}, signed {signed:?}");
                assert!(matches!(answered, Outcome::Reply(_)), "{answered:?}");
                // A signature for each set, in signed apexes.
                assert_eq!(out[7], answers[count], "{name}, signed {signed:?}");
            }
        }
    }
}

/// An apex with a key.
fn zone_keys(apex: &str) -> (NameBuf, Arc<ZoneKeys>) {
    let apex: NameBuf = apex.parse().unwrap();
    let key = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    let key = ZoneKey::new(Arc::new(key), KeyRoles::ALL);
    let keys = ZoneKeys::new(apex.clone(), 3600, &[key]);
    (apex, Arc::new(keys))
}

/// The request with an OPT record that has DO set, if it has none and is whole.
fn wanting_signatures(mut request: Vec<u8>) -> Vec<u8> {
    if let Some(additional @ 0) = request.get_mut(11) {
        *additional = 1;
        request.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    }
    request
}

/// The world with a weighted service, and a member that is being drained.
fn drawing(srv: SrvForm) -> Snapshot {
    let mut builder = world::builder();
    let name = NamespacedName {
        namespace: "my-namespace".parse().unwrap(),
        name: "my-service".parse().unwrap(),
    };
    for member in [0, 1].map(MemberIdx) {
        let mut service = Service::clone(builder.fact(member, &name).unwrap());
        let spec = Arc::make_mut(&mut service.spec);
        spec.steering.policy = Some(Policy::Weighted);
        spec.steering.weight = Some(7);
        spec.steering.srv = Some(srv);
        builder.upsert(member, &name, Arc::new(service));
    }
    builder.set_shares(Shares {
        members: vec![(MemberIdx(2), FULL_SHARE / 2)],
        ..Shares::default()
    });
    builder.snapshot(Generation(1), Serial(1))
}

/// The world with more addresses and ports of its services than a message holds.
fn crowded() -> Snapshot {
    let mut builder = world::builder();
    for (member, number) in (0..5).map(MemberIdx).zip(0..) {
        for name in ["my-service", "large", "out"] {
            let name = NamespacedName {
                namespace: "my-namespace".parse().unwrap(),
                name: name.parse().unwrap(),
            };
            let Some(service) = builder.fact(member, &name) else {
                continue;
            };
            let mut service = Service::clone(service);
            let first = 0x0b00_0000 + number * 1000;
            let addresses = first..first + 2000;
            service.addresses = addresses
                .map(|bits| Ipv4Addr::from_bits(bits).into())
                .collect();
            builder.upsert(member, &name, Arc::new(service));
        }
    }
    builder.snapshot(Generation(1), Serial(1))
}

/// The world with a database that has a location for the client.
fn located() -> Snapshot {
    let says = &[("country", "JP"), ("lat", "35.7"), ("lon", "139.7")];
    with_database(world::builder(), says)
}

/// The world with a database that has nothing but codes.
fn in_country() -> Snapshot {
    with_database(world::builder(), &[("country", "XX"), ("continent", "?")])
}

/// A snapshot with a database that says something of the client subnet of requests, and of clients
/// of the loopback network.
fn with_database(mut builder: SnapshotBuilder, says: &[(&str, &str)]) -> Snapshot {
    let networks = ["192.0.2.0/24", "127.0.0.0/8"].map(|cidr| cidr.parse().unwrap());
    let octets = mmdb::write(&networks.map(|cidr| (cidr, says.to_vec())));
    builder.set_database(Some(GeoDatabase::read(octets).unwrap()));
    builder.snapshot(Generation(1), Serial(1))
}

/// Answers every request over both transports.
fn answer_all(
    snapshot: &Snapshot,
    signatures: Signatures<'_>,
    out: &mut [u8],
    kinds: &mut BTreeSet<Option<(u8, bool)>>,
) {
    for request in world::requests() {
        let request = match signatures {
            Signatures::None => request,
            _ => wanting_signatures(request),
        };
        for (transport, room, listener) in [
            (Transport::Udp, 1232, None),
            (Transport::Tcp { idle: 100 }, 65_535, None),
            (Transport::Udp, 1232, Some(ListenerIdx(3))),
        ] {
            let client = Client {
                address: LOCAL,
                listener,
                transport,
                cookie: None,
                now: UnixSeconds(1_800_000_000),
                elapsed: Duration::ZERO,
            };
            if let Signatures::Table(table) = signatures {
                let makes = Signatures::TableAndKeys(table);
                respond(
                    snapshot,
                    &request,
                    &client,
                    makes,
                    &mut NoTrace,
                    &mut out[..room],
                );
            }
            let before = ALLOCATIONS.get();
            let answered = respond(
                snapshot,
                &request,
                &client,
                signatures,
                &mut NoTrace,
                &mut out[..room],
            );
            let allocations = ALLOCATIONS.get() - before;
            assert_eq!(allocations, 0, "{request:?} by {transport:?}: {answered:?}");
            // Response code, and whether there are answers.
            if let Outcome::NeedsSignature(_) = answered {
                // RRsets of more than 64 records are hashed by those who sign alone.
                let is_large = request.windows(5).any(|labels| labels == b"large");
                assert!(is_large && room > 1232, "{request:?} by {transport:?}");
                continue;
            }
            let length = answered.length();
            kinds.insert(length.map(|_| (out[3] & 15, out[7] > 0)));
        }
    }
}

#[test]
fn cookies_and_rate_limits_allocate_nothing() {
    let mut builder = world::builder();
    let limits = RateLimits {
        each: [1; 4],
        slip: 2,
        ..RateLimits::default()
    };
    builder.set_settings(Settings {
        rate_limits: limits,
        ..Settings::default()
    });
    let snapshot = builder.snapshot(Generation(1), Serial(1));
    let guard = Guard::new(CookieSecrets::new([[1; 16], [2; 16]]));
    let (mut tally, mut out) = (Tally::default(), vec![0; 1232]);
    let mut verdicts = Vec::with_capacity(8);
    // What a thread allocates at its first look at what is shared is none of the query's.
    drop(guard.secrets());
    for request in world::requests().iter().flat_map(|request| [request; 8]) {
        let client = Client {
            address: LOCAL,
            listener: None,
            transport: Transport::Udp,
            cookie: None,
            now: UnixSeconds(1_800_000_000),
            elapsed: Duration::ZERO,
        };
        let before = ALLOCATIONS.get();
        let mut qname = Qname::new();
        let mut prepared = Prepared::new(&snapshot, request, &mut qname);
        let client = client.with_cookie(guard.judge(&prepared, &client, &mut tally));
        let answered = prepared.complete(&client, Signatures::None, &mut NoTrace, &mut out);
        let verdict = guard.count(&prepared, &answered, &client, &mut tally);
        if let LimitVerdict::Refuse(refusal) = verdict {
            // What is no query has no substitute.
            let refused = prepared.refuse(&client, refusal, &mut out);
            std::hint::black_box((answered, refused));
        }
        let allocations = ALLOCATIONS.get() - before;
        assert_eq!(allocations, 0, "{request:?}: {verdict:?}");
        if !verdicts.contains(&verdict) {
            verdicts.push(verdict);
        }
    }
    for wanted in [
        LimitVerdict::Send,
        LimitVerdict::Drop,
        LimitVerdict::Refuse(Substitute::Truncated),
        LimitVerdict::Refuse(Substitute::BadCookie),
    ] {
        assert!(verdicts.contains(&wanted), "{wanted:?} of {verdicts:?}");
    }
}

#[test]
fn a_udp_worker_allocates_nothing_between_queries() {
    // What the worker had allocated at its first query, and at its last one.
    let first = Arc::new(AtomicU64::new(u64::MAX));
    let last = Arc::new(AtomicU64::new(0));
    let (at_first, at_last) = (Arc::clone(&first), Arc::clone(&last));
    let echo = move |_: &Snapshot, request: &[u8], _: &Client, out: &mut [u8]| {
        at_first.fetch_min(ALLOCATIONS.get(), Ordering::Relaxed);
        at_last.store(ALLOCATIONS.get(), Ordering::Relaxed);
        out.get_mut(..request.len())?.copy_from_slice(request);
        Some(request.len())
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let snapshots = Arc::new(ArcSwap::from_pointee(world::world()));
    let counters = Counters::default();
    // A wildcard, for the packet information.
    let sockets = bind(&listen("0.0.0.0:0")).unwrap();
    let serving = sockets.run_with(&snapshots, &counters, echo).unwrap();
    let server = (LOCAL, serving.addresses()[0].port());
    let client = UdpSocket::bind((LOCAL, 0)).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut reply = [0; 100];
    for burst in 0..10 {
        for _ in 0..50 {
            client.send_to(&[7; 40], server).unwrap();
        }
        for _ in 0..50 {
            assert_eq!(client.recv(&mut reply).unwrap(), 40);
        }
        // The second half sees another generation.
        if burst == 5 {
            snapshots.store(Arc::new(world::world()));
        }
    }
    let (first, last) = (first.load(Ordering::Relaxed), last.load(Ordering::Relaxed));
    assert_ne!(first, u64::MAX);
    assert_eq!(last - first, 0);
    runtime.block_on(serving.shutdown());
}

/// One worker on one address.
fn listen(address: &str) -> Listen {
    Listen {
        dns: vec![DnsListener {
            address: address.parse().unwrap(),
            member: None,
            allow: None,
            is_optional: false,
        }],
        admin: None,
        admin_hosts: Vec::new(),
        trusted: Vec::new(),
        nsid: None,
        has_client_name: false,
        workers: 1,
        tcp_connections: 1,
        tcp_connections_per_client: 1,
        tcp_idle: Duration::from_secs(1),
        udp_receive_buffer: None,
    }
}
