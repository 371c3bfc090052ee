//! Connections.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use crate::fixture::{
    Service, ask_tcp, ask_udp, assert_closed, framed, listen, read_message, said, say, tcp, udp,
};

#[test]
fn three_queries_in_one_write_get_three_responses() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    let queries: Vec<u8> = (1..=3).flat_map(|id| framed(&say(id, "hello"))).collect();
    stream.write_all(&queries).unwrap();
    for id in 1..=3 {
        assert_eq!(read_message(&mut stream).unwrap(), said(id, "hello"));
    }
}

#[test]
fn a_query_may_come_octet_by_octet() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    stream.set_nodelay(true).unwrap();
    for octet in framed(&say(1, "slow")) {
        stream.write_all(&[octet]).unwrap();
    }
    assert_eq!(read_message(&mut stream).unwrap(), said(1, "slow"));
}

#[test]
fn the_largest_messages_pass_both_ways() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    let words = "x".repeat(65_535 - 12);
    assert_eq!(ask_tcp(&mut stream, &say(1, &words)), said(1, &words));
    let response = ask_tcp(&mut stream, &say(2, "size 65535"));
    assert_eq!(response.len(), 65_535);
    assert_eq!(response[..3], [0, 2, 0x84]);
}

#[test]
fn a_client_that_sent_all_its_queries_still_gets_its_responses() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    let queries: Vec<u8> = (1..=50).flat_map(|id| framed(&say(id, "last"))).collect();
    stream.write_all(&queries).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    for id in 1..=50 {
        assert_eq!(read_message(&mut stream).unwrap(), said(id, "last"));
    }
    assert_closed(&mut stream);
}

#[test]
fn a_client_that_does_not_read_gets_every_response_once_it_does() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    flood(&mut stream);
    // Others are served meanwhile.
    let mut other = tcp(service.address());
    assert_eq!(ask_tcp(&mut other, &say(1, "me too")), said(1, "me too"));
    for id in 0..200_u16 {
        let response = read_message(&mut stream).unwrap();
        assert_eq!(response.len(), 65_535);
        assert_eq!(response[..2], id.to_be_bytes());
    }
}

/// Queries for more octets than all buffers between client and server hold.
fn flood(stream: &mut std::net::TcpStream) {
    for id in 0..200 {
        stream.write_all(&framed(&say(id, "size 65535"))).unwrap();
    }
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    flood(&mut stream);
    service.wait_for(|totals| totals.send_errors == 1);
}

#[test]
fn the_end_does_not_wait_for_a_client_that_never_reads() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    flood(&mut stream);
    service.wait_for(|totals| totals.queries[1] > 0);
    let ended = service.runtime.block_on(async {
        tokio::time::timeout(Duration::from_millis(4500), service.serving.shutdown()).await
    });
    assert!(ended.is_ok());
}

#[test]
fn an_idle_connection_is_closed() {
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.tcp_idle = Duration::from_millis(300);
    let service = Service::stand_in(&listen);
    let mut silent = tcp(service.address());
    let mut used = tcp(service.address());
    assert_eq!(ask_tcp(&mut used, &say(1, "a")), said(1, "a"));
    let mut half = tcp(service.address());
    half.write_all(&[0, 20, 1]).unwrap();
    for stream in [&mut silent, &mut used, &mut half] {
        assert_closed(stream);
    }
}

#[test]
fn octets_without_a_query_do_not_prolong_a_connection() {
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.tcp_idle = Duration::from_millis(300);
    let service = Service::stand_in(&listen);
    let mut stream = tcp(service.address());
    let started = tokio::time::Instant::now();
    stream.write_all(&[0xff, 0xff]).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    while stream.write_all(&[0]).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(5));
        if matches!(stream.read(&mut [0]), Ok(0)) {
            break;
        }
    }
}

#[test]
fn a_client_has_its_own_limit() {
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.tcp_connections_per_client = 2;
    let service = Service::stand_in(&listen);
    let server = service.address();
    let mut first = tcp(server);
    let mut second = tcp(server);
    for stream in [&mut first, &mut second] {
        assert_eq!(ask_tcp(stream, &say(1, "a")), said(1, "a"));
    }
    assert_closed(&mut tcp(server));
    assert_eq!(service.counters.totals().refused, 1);
    // Another client is not concerned.
    let mut other = from([127, 0, 0, 9], server);
    assert_eq!(ask_tcp(&mut other, &say(1, "b")), said(1, "b"));
    // A place that was given back can be taken.
    drop(first);
    let deadline = tokio::time::Instant::now() + crate::fixture::PATIENCE;
    loop {
        let mut third = tcp(server);
        let sent = third.write_all(&framed(&say(1, "c")));
        if sent.is_ok() && read_message(&mut third).is_ok() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline);
    }
}

#[test]
fn connections_at_rest_keep_nobody_out() {
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.tcp_connections = 5;
    let service = Service::stand_in(&listen);
    // They stay open on this side.
    let mut resting = Vec::new();
    for id in 0..30 {
        let mut stream = tcp(service.address());
        let sent = stream.write_all(&framed(&say(id, "a")));
        if sent.is_ok() && read_message(&mut stream).is_ok() {
            resting.push(stream);
        }
    }
    // Each took the place of another, but for the few that came while that one was not yet at rest.
    assert!(resting.len() > 20, "{}", resting.len());
    let mut first = resting.remove(0);
    assert_closed(&mut first);
}

#[test]
fn connections_that_do_not_read_keep_nobody_out() {
    let mut listen = listen(&["127.0.0.1:0"]);
    listen.tcp_connections = 3;
    let service = Service::stand_in(&listen);
    let server = service.address();
    let mut unread: Vec<_> = (0..3).map(|_| tcp(server)).collect();
    for stream in &mut unread {
        flood(stream);
    }
    service.wait_for(|totals| totals.queries[1] >= 6);
    // Until one counts as at rest, a new client may be refused.
    let deadline = tokio::time::Instant::now() + crate::fixture::PATIENCE;
    let mut new = loop {
        let mut stream = tcp(server);
        let sent = stream.write_all(&framed(&say(1, "a")));
        if sent.is_ok() && read_message(&mut stream).is_ok() {
            break stream;
        }
        assert!(tokio::time::Instant::now() < deadline);
    };
    assert_eq!(ask_tcp(&mut new, &say(2, "b")), said(2, "b"));
    service.wait_for(|totals| totals.unread > 0);
    // UDP goes on.
    let client = udp(server.ip());
    assert_eq!(ask_udp(&client, server, &say(2, "b")), said(2, "b"));
}

#[test]
fn the_kernel_holds_little_for_a_client_that_does_not_read() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    let receives = socket2::SockRef::from(&stream).recv_buffer_size().unwrap();
    flood(&mut stream);
    let totals = service.wait_for(|totals| totals.unread > 0);
    let octets = usize::try_from(totals.queries[1]).unwrap() * 65_537;
    // The last response made was not written whole, and the client's own buffer is none of ours;
    // it grows as more comes.
    let most = (256 << 10) + 65_537 + 4 * receives;
    assert!(octets <= most, "{octets} > {most}");
}

#[test]
fn a_message_that_panics_or_gets_no_response_leaves_the_connection() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    for words in ["panic", "silence"] {
        stream.write_all(&framed(&say(1, words))).unwrap();
    }
    stream.write_all(&framed(&[])).unwrap();
    assert_eq!(ask_tcp(&mut stream, &say(2, "a")), said(2, "a"));
    let totals = service.counters.totals();
    assert_eq!((totals.panics, totals.dropped), (1, 2));
    assert_eq!(totals.queries[1], 1);
}

#[test]
fn the_end_answers_what_was_sent_and_closes() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let server = service.address();
    let mut idle = tcp(server);
    assert_eq!(ask_tcp(&mut idle, &say(1, "a")), said(1, "a"));
    let mut busy = tcp(server);
    assert_eq!(ask_tcp(&mut busy, &say(2, "b")), said(2, "b"));
    busy.write_all(&framed(&say(3, "c"))).unwrap();
    service.runtime.block_on(service.serving.shutdown());
    assert_eq!(read_message(&mut busy).unwrap(), said(3, "c"));
    assert_closed(&mut busy);
    assert_closed(&mut idle);
    assert!(std::net::TcpStream::connect(server).is_err());
}

/// A connection from a given address.
fn from(address: [u8; 4], server: SocketAddr) -> std::net::TcpStream {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    socket
        .set_read_timeout(Some(crate::fixture::PATIENCE))
        .unwrap();
    socket.into()
}
