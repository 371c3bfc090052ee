//! A signed apex over sockets: who signs, from where it is answered, and what becomes of a query that nobody
//! signs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gazetteer::answer::{self, Client, NoTrace, Signatures, Transport};
use gazetteer::dnssec::{
    Algorithm, KeyRoles, MadeSignatures, SignatureTimes, SigningKey, SigningLimits, ZoneKey,
    ZoneKeys,
};
use gazetteer::model::{MemberIdx, NamespacedName, Service, UnixSeconds};
use gazetteer::serve::{Guard, Serving, bind};
use gazetteer::snapshot::{Generation, Serial, Snapshot, SnapshotBuilder};
use gazetteer::telemetry::{Counters, Totals, clock};
use gazetteer::wire::{CookieSecrets, NameBuf};
use hickory_proto::op::{Message, ResponseCode};
use tokio::runtime::Runtime;

use crate::fixture::{PATIENCE, ask_tcp, listen, tcp};
use crate::validate::{TrustedZone, rrsig, validate};
use crate::world::{self, A, SOA};

const MY_SERVICE: &str = "my-service.my-namespace.my-federation.svc.example.com";

/// A signed world that is served until it is stopped.
struct SignedService {
    runtime: Runtime,
    serving: Serving,
    counters: Counters,
    snapshots: Arc<ArcSwap<Snapshot>>,
    signatures: Arc<MadeSignatures>,
    zone: TrustedZone,
}

impl SignedService {
    /// Serves a world, its apex signed.
    fn start(address: &str, builder: &mut SnapshotBuilder, limits: SigningLimits) -> Self {
        Self::with_times(address, builder, limits, SignatureTimes::default())
    }

    /// The same with other times of signatures.
    fn with_times(
        address: &str,
        builder: &mut SnapshotBuilder,
        limits: SigningLimits,
        times: SignatureTimes,
    ) -> Self {
        let apex: NameBuf = "example.com".parse().unwrap();
        let key = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
        let key = ZoneKey::new(Arc::new(key), KeyRoles::ALL);
        let keys = ZoneKeys::new(apex.clone(), 3600, &[key]).with_times(times);
        let zone = TrustedZone::new("example.com.", keys.dnskey().iter().map(|key| &**key));
        builder.set_zone_keys(BTreeMap::from([(apex, Arc::new(keys))]));
        let snapshot = builder.snapshot(Generation(1), Serial(1));
        let snapshots = Arc::new(ArcSwap::from_pointee(snapshot));
        let signatures = Arc::new(MadeSignatures::new(limits, [3; 16]));
        let counters = Counters::default();
        let guard = Arc::new(Guard::new(CookieSecrets::default()));
        let sockets = bind(&listen(&[address])).unwrap();
        let guards = (&signatures, &guard);
        let serving = sockets.run(&snapshots, &counters, guards).unwrap();
        Self {
            runtime: Runtime::new().unwrap(),
            serving,
            counters,
            snapshots,
            signatures,
            zone,
        }
    }

    fn address(&self) -> SocketAddr {
        self.serving.addresses()[0]
    }

    /// A client that takes replies from this address alone.
    fn client(&self) -> UdpSocket {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(self.address()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// Asks over UDP; what comes verifies.
    fn ask(&self, client: &UdpSocket, request: &[u8]) -> Message {
        client.send(request).unwrap();
        let mut reply = [0; 1232];
        let length = client.recv(&mut reply).unwrap();
        self.verified(&reply[..length])
    }

    /// A reply, verified.
    fn verified(&self, reply: &[u8]) -> Message {
        let message = Message::from_vec(reply).unwrap();
        let now = u32::try_from(clock::now().0).unwrap();
        validate(&message, std::slice::from_ref(&self.zone), now).unwrap();
        message
    }

    /// Waits until all that was counted is added.
    fn wait_for(&self, wanted: impl Fn(&Totals) -> bool) -> Totals {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let totals = self.counters.totals();
            if wanted(&totals) {
                return totals;
            }
            assert!(tokio::time::Instant::now() < deadline, "{totals:?}");
            std::thread::yield_now();
        }
    }

    fn stop(self) -> Totals {
        self.runtime.block_on(self.serving.shutdown());
        self.counters.totals()
    }
}

/// A query with DO.
fn request(id: u16, name: &str, qtype: u16) -> Vec<u8> {
    world::query(id, name, qtype, world::Edns::Plain)
}

/// The addresses of an answer, in its order, and whether they are signed.
fn addresses(message: &Message) -> (Vec<IpAddr>, bool) {
    let records = message.answers.iter();
    let addresses = records.filter_map(|record| record.data.ip_addr()).collect();
    let is_signed = message.answers.iter().any(|record| rrsig(record).is_some());
    (addresses, is_signed)
}

/// The extended error of a reply, with its text.
fn extended_error(reply: &[u8]) -> Option<(u16, String)> {
    let marker = b"signer busy";
    let place = reply
        .windows(marker.len())
        .position(|text| text == marker)?;
    let code = reply.get(place - 2..place)?;
    let code = u16::from_be_bytes([code[0], code[1]]);
    Some((code, String::from_utf8_lossy(marker).into_owned()))
}

#[test]
fn a_signed_reply_leaves_from_the_address_asked_and_is_found_afterwards() {
    for address in ["0.0.0.0:0", "127.0.0.1:0"] {
        let mut builder = world::builder();
        let service = SignedService::start(address, &mut builder, SigningLimits::of_cores(1));
        let asked = match address {
            "0.0.0.0:0" => Ipv4Addr::new(127, 0, 0, 2),
            _ => Ipv4Addr::LOCALHOST,
        };
        let client = service.client();
        client.connect((asked, service.address().port())).unwrap();
        let names = ["example.com", "absent.example.com", "example.com"];
        let replies = names.map(|name| service.ask(&client, &request(7, name, SOA)));
        let records = |message: &Message| [message.answers.len(), message.authorities.len()];
        assert_eq!(replies.each_ref().map(records), [[2, 0], [0, 4], [2, 0]]);
        assert_eq!(replies[0].answers, replies[2].answers);
        let totals = service.stop();
        assert!(totals.signatures_made[0] >= 1 && totals.signatures_made[1] >= 1);
        assert_eq!(totals.signatures_refused, [0, 0]);
        assert_eq!(totals.queries, [3, 0]);
    }
}

#[test]
fn an_rrset_that_is_rotated_has_one_signature() {
    let mut builder = world::builder();
    let service = SignedService::start("127.0.0.1:0", &mut builder, SigningLimits::of_cores(1));
    let client = service.client();
    let mut orders = BTreeSet::new();
    for id in 0..10 {
        let (addresses, is_signed) = addresses(&service.ask(&client, &request(id, MY_SERVICE, A)));
        assert!(is_signed && addresses.len() == 5);
        orders.insert(addresses);
    }
    assert!(orders.len() > 1, "{orders:?}");
    let totals = service.wait_for(|totals| totals.queries[0] == 10);
    assert_eq!(totals.signatures_made, [1, 0]);
    assert_eq!(totals.signatures_found, [9, 0, 1]);
    service.stop();
}

#[test]
fn a_full_lane_gives_tc_over_udp_and_busy_over_tcp_and_hinders_nobody_else() {
    let limits = SigningLimits {
        // Nobody ever takes an absent name out of its lane.
        absent_signatures: 0,
        ..SigningLimits::of_cores(1)
    };
    let mut builder = world::builder();
    let service = SignedService::start("127.0.0.1:0", &mut builder, limits);
    let client = service.client();
    client
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let mut reply = [0; 1232];
    let refused = (0..u16::MAX).find_map(|id| {
        client
            .send(&request(id, &format!("n{id}.example.com"), A))
            .unwrap();
        let is_due = id > 2000 && id % 16 == 0;
        let length = is_due.then(|| client.recv(&mut reply).ok()).flatten()?;
        Some(Message::from_vec(&reply[..length]).unwrap())
    });
    let refused = refused.unwrap();
    assert!(refused.metadata.truncation);
    assert_eq!(refused.metadata.response_code, ResponseCode::NoError);
    assert!(refused.answers.is_empty() && refused.authorities.is_empty());
    let mut stream = tcp(service.address());
    let busy = ask_tcp(&mut stream, &request(7, "absent.example.com", A));
    let message = Message::from_vec(&busy).unwrap();
    assert_eq!(message.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(extended_error(&busy), Some((0, "signer busy".to_owned())));
    // Names that exist do not wait behind them.
    let other = service.client();
    let (addresses, is_signed) = addresses(&service.ask(&other, &request(8, MY_SERVICE, A)));
    assert!(is_signed && addresses.len() == 5);
    let totals = service.wait_for(|totals| totals.signatures_made[0] > 0);
    assert_eq!(totals.signatures_refused[0], 0);
    assert!(totals.signatures_refused[1] >= 2, "{totals:?}");
    service.stop();
}

#[test]
fn a_query_over_tcp_that_nobody_signs_is_told_so_after_a_time() {
    let limits = SigningLimits {
        absent_signatures: 0,
        ..SigningLimits::of_cores(1)
    };
    let mut builder = world::builder();
    let service = SignedService::start("127.0.0.1:0", &mut builder, limits);
    let mut stream = tcp(service.address());
    let began = clock::monotonic();
    let busy = ask_tcp(&mut stream, &request(7, "absent.example.com", A));
    assert!(clock::monotonic() - began >= Duration::from_secs(2));
    let message = Message::from_vec(&busy).unwrap();
    assert_eq!(message.metadata.response_code, ResponseCode::ServFail);
    assert!(message.answers.is_empty() && message.authorities.is_empty());
    assert_eq!(extended_error(&busy), Some((0, "signer busy".to_owned())));
    // The connection goes on.
    let signed = ask_tcp(&mut stream, &request(8, MY_SERVICE, A));
    assert!(addresses(&service.verified(&signed)).1);
    let totals = service.wait_for(|totals| totals.queries[1] == 2);
    assert_eq!(totals.signatures_refused, [0, 1]);
    service.stop();
}

#[test]
fn the_signature_of_the_last_slot_is_sent_at_once_and_then_the_new_one() {
    // So that it is always the first hour of a slot.
    let times = SignatureTimes {
        refresh: 3_600,
        validity: 3 * 3_600,
    };
    let mut builder = world::builder();
    let limits = SigningLimits::of_cores(1);
    let service = SignedService::with_times("127.0.0.1:0", &mut builder, limits, times);
    let asked = request(7, MY_SERVICE, A);
    // As if it had been asked for an hour ago.
    let client = Client {
        address: Ipv4Addr::LOCALHOST.into(),
        listener: None,
        transport: Transport::Udp,
        cookie: None,
        now: UnixSeconds(clock::now().0 - 3_600),
        elapsed: Duration::ZERO,
    };
    let signs = Signatures::TableAndKeys(service.signatures.table());
    let snapshot = service.snapshots.load_full();
    let mut out = [0; 1232];
    answer::respond(&snapshot, &asked, &client, signs, &mut NoTrace, &mut out);
    let client = service.client();
    let expiration = || {
        let message = service.ask(&client, &asked);
        let signature = message.answers.iter().find_map(rrsig).unwrap().clone();
        signature.input().sig_expiration.get()
    };
    let old = expiration();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let new = loop {
        let new = expiration();
        if new != old {
            break new;
        }
        assert!(tokio::time::Instant::now() < deadline);
    };
    assert_eq!(new, old + 3_600);
    let totals = service.wait_for(|totals| totals.signatures_made[0] >= 1);
    assert!(totals.signatures_found[1] >= 1, "{totals:?}");
    // Nobody waited.
    assert_eq!(totals.signatures_found[2], 0);
    service.stop();
}

/// Names of a service each.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("s{number}")).collect()
}

#[test]
fn a_thousand_names_are_answered_and_signed_at_once_after_a_failover() {
    let all = names(1_000);
    let mut builder = world::builder();
    let like = NamespacedName {
        namespace: "my-namespace".parse().unwrap(),
        name: "my-service".parse().unwrap(),
    };
    let named = |name: &str| NamespacedName {
        name: name.parse().unwrap(),
        ..like.clone()
    };
    for member in [0, 1].map(MemberIdx) {
        let service = Arc::clone(builder.fact(member, &like).unwrap());
        for name in &all {
            builder.upsert(member, &named(name), service.clone());
        }
    }
    let service = SignedService::start("127.0.0.1:0", &mut builder, SigningLimits::of_cores(1));
    let asks: Vec<_> = (0..)
        .zip(&all)
        .map(|(id, name)| {
            let name = format!("{name}.my-namespace.my-federation.svc.example.com");
            request(id, &name, A)
        })
        .collect();
    // All names are hot.
    let client = service.client();
    for ask in &asks {
        let (addresses, is_signed) = addresses(&service.ask(&client, ask));
        assert!(is_signed && addresses.len() == 2);
    }
    for name in &all {
        builder.remove(MemberIdx(0), &named(name));
    }
    let after = builder.snapshot(Generation(2), Serial(2));
    service.snapshots.store(Arc::new(after));
    // All at once, from many clients; who hears nothing asks again, as resolvers do.
    let clients: Vec<_> = (0..50).map(|_| service.client()).collect();
    let mut waiting: BTreeSet<usize> = (0..asks.len()).collect();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !waiting.is_empty() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} unanswered",
            waiting.len()
        );
        for place in &waiting {
            clients[place % clients.len()].send(&asks[*place]).unwrap();
        }
        for client in &clients {
            client
                .set_read_timeout(Some(Duration::from_millis(200)))
                .unwrap();
            let mut reply = [0; 1232];
            let mine = |place: &usize| clients[*place % clients.len()].local_addr().unwrap();
            let address = client.local_addr().unwrap();
            while waiting.iter().any(|place| mine(place) == address)
                && let Ok(length) = client.recv(&mut reply)
            {
                let message = service.verified(&reply[..length]);
                let (addresses, is_signed) = addresses(&message);
                // None of the old set, and nothing unsigned.
                assert_eq!(addresses, [IpAddr::from([203, 0, 113, 12])]);
                assert!(is_signed && !message.metadata.truncation);
                waiting.remove(&usize::from(message.metadata.id));
            }
        }
    }
    let totals = service.stop();
    assert_eq!(totals.signatures_refused, [0, 0]);
    // One of both sets of each name; who asked again before it was made may have made it twice.
    assert!(totals.signatures_made[0] >= 2_000, "{totals:?}");
}

#[test]
fn random_client_subnets_do_not_hinder_names_that_are_drawn_for_none() {
    let mut builder = world::builder();
    let like = NamespacedName {
        namespace: "my-namespace".parse().unwrap(),
        name: "my-service".parse().unwrap(),
    };
    for member in (0..5).map(MemberIdx) {
        let mut service = Service::clone(builder.fact(member, &like).unwrap());
        let last = 100 + member.0;
        let many = (1..=12).map(|host| IpAddr::from([203, 0, last, host]));
        service.addresses = many.collect();
        Arc::make_mut(&mut service.spec).steering.max_addresses = Some(8);
        builder.upsert(member, &like, Arc::new(service));
    }
    let service = SignedService::start("127.0.0.1:0", &mut builder, SigningLimits::of_cores(1));
    let client = service.client();
    let mut state = 7_u32;
    for id in 0..3_000_u16 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [a, b, c, _] = state.to_be_bytes();
        let mut ask = request(id, MY_SERVICE, A);
        ask.truncate(ask.len() - 2);
        ask.extend([0, 11, 0, 8, 0, 7, 0, 1, 24, 0, a, b, c]);
        client.send(&ask).unwrap();
        let mut reply = [0; 1232];
        let length = client.recv(&mut reply).unwrap();
        assert_eq!(reply[2] & 2, 0, "it is not truncated");
        assert_eq!(reply[7], 9, "eight addresses and a signature");
        if id % 100 == 0 {
            service.verified(&reply[..length]);
            let name = "out.my-namespace.my-federation.svc.example.com";
            assert!(addresses(&service.ask(&client, &request(id, name, A))).1);
        }
    }
    let totals = service.stop();
    assert_eq!(totals.signatures_refused, [0, 0]);
    // A draw holds for as long as the TTL, so that some may have come of a second one.
    assert!(totals.signatures_made[0] <= 3 * 256 + 1, "{totals:?}");
}
