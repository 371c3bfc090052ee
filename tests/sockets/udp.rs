//! Datagrams.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gazetteer::answer::Client;
use gazetteer::snapshot::Snapshot;
use gazetteer::telemetry::Totals;
use parking_lot::Mutex;

use crate::fixture::{Service, ask_udp, listen, said, say, stand_in, udp};
use crate::world::world;

/// The loopback address.
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn a_wildcard_socket_replies_from_the_address_that_was_asked() {
    let service = Service::stand_in(&listen(&["0.0.0.0:0"]));
    let port = service.address().port();
    for host in [1, 2, 3, 2] {
        let server = SocketAddr::from(([127, 0, 0, host], port));
        // `ask_udp` asserts where the reply comes from.
        assert_eq!(
            ask_udp(&udp(LOCAL), server, &say(7, "hello")),
            said(7, "hello")
        );
    }
}

#[test]
fn a_wildcard_socket_of_ipv6_takes_ipv6_alone() {
    let service = Service::stand_in(&listen(&["[::]:0"]));
    let port = service.address().port();
    let client = udp(Ipv6Addr::LOCALHOST.into());
    let server = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    assert_eq!(ask_udp(&client, server, &say(7, "hello")), said(7, "hello"));
    // Nobody is there on IPv4, which the kernel says to a connected socket.
    let client = udp(LOCAL);
    client.connect((LOCAL, port)).unwrap();
    client.send(&say(8, "hello")).unwrap();
    let error = client.recv(&mut [0; 100]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_burst_larger_than_a_batch_is_answered_whole() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let client = udp(LOCAL);
    for id in 0..150 {
        client
            .send_to(&say(id, "burst"), service.address())
            .unwrap();
    }
    let mut reply = [0; 100];
    let ids: HashSet<u16> = (0..150)
        .map(|_| {
            let length = client.recv(&mut reply).unwrap();
            let id = u16::from_be_bytes([reply[0], reply[1]]);
            assert_eq!(reply[..length], said(id, "burst"));
            id
        })
        .collect();
    assert_eq!(ids.len(), 150);
    let totals = service.wait_for(|totals| totals.queries[0] == 150);
    assert_eq!(totals.responses[0], 150);
    assert_eq!((totals.dropped, totals.send_errors), (0, 0));
}

#[test]
fn every_worker_gets_a_share() {
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&threads);
    let respond = move |snapshot: &Snapshot, request: &[u8], client: &Client, out: &mut [u8]| {
        seen.lock().insert(std::thread::current().id());
        stand_in(snapshot, request, client, out)
    };
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.workers = 4;
    let service = Service::with(&listen, respond);
    // The kernel chooses a socket by the addresses and ports: with 400 clients, that one of four
    // is never chosen has a chance of 1 in 10^49.
    for _ in 0..400 {
        ask_udp(&udp(LOCAL), service.address(), &say(1, "a"));
    }
    assert_eq!(threads.lock().len(), 4);
}

#[test]
fn a_message_that_panics_costs_itself_alone() {
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.workers = 1;
    let service = Service::stand_in(&listen);
    let client = udp(LOCAL);
    let server = service.address();
    for words in ["panic", "silence", "panic"] {
        client.send_to(&say(1, words), server).unwrap();
    }
    client.send_to(b"short", server).unwrap();
    client.send_to(&[], server).unwrap();
    client.send_to(&[0; 1233], server).unwrap();
    assert_eq!(ask_udp(&client, server, &say(9, "alive")), said(9, "alive"));
    let totals = service.counters.totals();
    assert_eq!((totals.panics, totals.dropped), (2, 4));
    assert_eq!(totals.queries[0], 1);
}

#[test]
fn a_new_snapshot_lets_go_of_the_old_one_without_a_query() {
    let snapshots = Arc::new(arc_swap::ArcSwap::from_pointee(world()));
    let first = Arc::downgrade(&snapshots.load_full());
    let counters = gazetteer::telemetry::Counters::default();
    let sockets = gazetteer::serve::bind(&listen(&["127.0.0.1:0"])).unwrap();
    let serving = sockets.run_with(&snapshots, &counters, stand_in).unwrap();
    let server = serving.addresses()[0];
    ask_udp(&udp(LOCAL), server, &say(1, "a"));
    snapshots.store(Arc::new(world()));
    let deadline = tokio::time::Instant::now() + crate::fixture::PATIENCE;
    while first.strong_count() > 0 {
        assert!(tokio::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn the_end_answers_what_is_queued_and_ends_the_threads() {
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let respond = move |snapshot: &Snapshot, request: &[u8], client: &Client, out: &mut [u8]| {
        count.fetch_add(1, Ordering::Relaxed);
        stand_in(snapshot, request, client, out)
    };
    let service = Service::with(&listen(&["127.0.0.1:0"]), respond);
    let client = udp(LOCAL);
    for id in 0..100 {
        client.send_to(&say(id, "last"), service.address()).unwrap();
    }
    service.runtime.block_on(service.serving.shutdown());
    assert_eq!(answered.load(Ordering::Relaxed), 100);
    // The closure went with its threads and tasks.
    assert_eq!(Arc::strong_count(&answered), 1);
}

#[test]
fn what_the_kernel_drops_is_counted() {
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.workers = 1;
    listen.udp_receive_buffer = Some(4096);
    let gate = Arc::new(Mutex::new(()));
    let passed = Arc::clone(&gate);
    let service = Service::with(
        &listen,
        move |snapshot: &Snapshot, request: &[u8], client: &Client, out: &mut [u8]| {
            drop(passed.lock());
            stand_in(snapshot, request, client, out)
        },
    );
    let client = udp(LOCAL);
    let closed = gate.lock();
    // On loopback a datagram is received or dropped when `send_to` returns.
    for id in 0..1000 {
        client.send_to(&say(id, "much"), service.address()).unwrap();
    }
    drop(closed);
    let all = |totals: &Totals| totals.queries[0] + totals.kernel_drops == 1000;
    let totals = service.wait_for(all);
    // The buffer holds some ten of them.
    assert!(totals.kernel_drops > 500, "{totals:?}");
}

#[test]
fn an_idle_worker_sleeps() {
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.workers = 1;
    let thread = Arc::new(Mutex::new(std::path::PathBuf::new()));
    let seen = Arc::clone(&thread);
    let service = Service::with(
        &listen,
        move |snapshot: &Snapshot, request: &[u8], client: &Client, out: &mut [u8]| {
            *seen.lock() = std::fs::read_link("/proc/thread-self").unwrap();
            stand_in(snapshot, request, client, out)
        },
    );
    let client = udp(LOCAL);
    ask_udp(&client, service.address(), &say(1, "a"));
    let status = Path::new("/proc").join(&*thread.lock()).join("status");
    // How often the thread has waited for something.
    let waits = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary"));
        line.unwrap().to_owned()
    };
    let deadline = tokio::time::Instant::now() + crate::fixture::PATIENCE;
    loop {
        let before = waits();
        std::thread::sleep(Duration::from_secs(1));
        if waits() == before {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "it wakes up");
    }
    // It wakes up for a query all the same.
    assert_eq!(
        ask_udp(&client, service.address(), &say(2, "b")),
        said(2, "b")
    );
}
