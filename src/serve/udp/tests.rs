//! Batches over real sockets, and what is answered.

use super::sys::DATAGRAM;
use super::*;

/// A socket on loopback that waits for 5 s at most.
fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let timeout = Some(Duration::from_secs(5));
    socket.set_read_timeout(timeout).unwrap();
    socket
}

#[test]
fn a_reply_that_cannot_be_sent_skips_one_message() {
    let (server, client) = (socket(), socket());
    let mut batch = Batch::new(PacketInfo::None);
    for octet in 0..4 {
        client
            .send_to(&[octet], server.local_addr().unwrap())
            .unwrap();
    }
    // On loopback a datagram is in the queue of the receiver when `send_to` returns.
    assert_eq!(batch.receive(&server, Wait::Timeout).unwrap(), 4);
    let (requests, mut replies) = batch.split();
    for index in 0..4 {
        let request = requests.get(index).unwrap();
        replies.next().unwrap()[0] = request.octets.unwrap()[0];
        replies.queue(index, 1);
    }
    assert!(replies.next().is_none());
    batch.spoil(1);
    assert_eq!(batch.send(&server), 1);
    let mut octet = [0];
    for expected in [0, 2, 3] {
        client.recv(&mut octet).unwrap();
        assert_eq!(octet, [expected]);
    }
}

#[test]
fn a_datagram_that_is_too_large_has_no_request() {
    let (server, client) = (socket(), socket());
    let mut batch = Batch::new(PacketInfo::None);
    for length in [DATAGRAM, DATAGRAM + 1, 0] {
        let to = server.local_addr().unwrap();
        client.send_to(&vec![7; length], to).unwrap();
    }
    assert_eq!(batch.receive(&server, Wait::Timeout).unwrap(), 3);
    let (requests, _) = batch.split();
    let lengths = [0, 1, 2].map(|index| requests.get(index).unwrap().octets.map(<[u8]>::len));
    assert_eq!(lengths, [Some(DATAGRAM), None, Some(0)]);
    assert!(requests.get(3).is_none());
}

#[test]
fn nothing_queued_is_no_error() {
    let server = socket();
    let mut batch = Batch::new(PacketInfo::Given);
    assert_eq!(batch.receive(&server, Wait::No).unwrap(), 0);
}

#[test]
fn source_port_0_gets_no_reply() {
    let answered = |port| {
        let request = Request {
            octets: Some(&[1]),
            source: SocketAddr::from(([192, 0, 2, 1], port)),
        };
        answerable(&request).is_some()
    };
    assert!(!answered(0));
    assert!(answered(1));
}

#[test]
fn replies_follow_no_path_mtu() {
    let server = socket();
    set_options(&server, server.local_addr().unwrap()).unwrap();
    let followed = rustix::net::sockopt::ip_mtu_discover(&server).unwrap();
    assert_eq!(followed, Ipv4PathMtuDiscovery::OMIT);
}
