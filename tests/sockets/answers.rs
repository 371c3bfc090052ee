//! The real answers, over both transports.

use std::io::Write;

use hickory_proto::op::Message;

use crate::fixture::{Service, ask_tcp, ask_udp, framed, listen, read_message, tcp, udp};
use crate::world::{A, AAAA, CLIENT_NAMES, Edns, QUESTIONS, SRV, TXT, query, requests};

/// Whether TC is set.
fn is_truncated(response: &[u8]) -> bool {
    response[2] & 0x02 != 0
}

#[test]
fn both_transports_give_the_same_octets() {
    let service = Service::real(&listen(&["127.0.0.1:0"]));
    let client = udp(service.address().ip());
    let mut stream = tcp(service.address());
    let mut truncated = 0;
    for (edns, limit) in [(Edns::Without, 512), (Edns::Plain, 1232)] {
        for (qname, qtype) in QUESTIONS {
            let request = query(77, qname, *qtype, edns);
            let by_udp = ask_udp(&client, service.address(), &request);
            let by_tcp = ask_tcp(&mut stream, &request);
            assert_eq!(by_udp[..2], 77_u16.to_be_bytes());
            if is_truncated(&by_udp) {
                truncated += 1;
                assert!(by_udp.len() <= limit && limit < by_tcp.len(), "{qname}");
                assert!(!is_truncated(&by_tcp), "{qname}");
            } else if by_tcp.len() > limit {
                // Addresses of targets that do not fit are left out whole (docs/names.md, D.7).
                let [udp, tcp] =
                    [&by_udp, &by_tcp].map(|octets| Message::from_vec(octets).unwrap());
                assert!(!udp.answers.is_empty(), "{qname} {qtype}");
                assert_eq!(udp.answers, tcp.answers, "{qname} {qtype}");
            } else {
                assert_eq!(by_udp, by_tcp, "{qname} {qtype}");
            }
        }
    }
    assert_ne!(truncated, 0);
}

#[test]
fn a_client_is_told_what_is_seen_of_it() {
    let service = Service::real(&listen(&["127.0.0.1:0"]));
    let client = udp("127.0.0.5".parse().unwrap());
    let mut stream = tcp(service.address());
    for qname in CLIENT_NAMES {
        let request = query(9, qname, TXT, Edns::Full);
        let by_udp = ask_udp(&client, service.address(), &request);
        let by_tcp = ask_tcp(&mut stream, &request);
        for (response, source, transport) in
            [(by_udp, "127.0.0.5", "udp"), (by_tcp, "127.0.0.1", "tcp")]
        {
            let message = Message::from_vec(&response).unwrap();
            let [record] = message.answers.as_slice() else {
                panic!("{message}");
            };
            let told =
                format!("source={source} subnet=192.0.2.0/24 transport={transport} place=unknown");
            assert_eq!((record.ttl, record.data.to_string()), (0, told), "{qname}");
        }
    }
}

#[test]
fn three_pipelined_queries_get_three_answers() {
    let service = Service::real(&listen(&["127.0.0.1:0"]));
    let mut stream = tcp(service.address());
    let qname = "my-service.my-namespace.my-federation.svc.europe-west1-d.example.com";
    let questions = [(1, qname, A), (2, qname, AAAA), (3, "example.com", SRV)];
    let together: Vec<u8> = questions
        .into_iter()
        .flat_map(|(id, qname, qtype)| framed(&query(id, qname, qtype, Edns::Full)))
        .collect();
    stream.write_all(&together).unwrap();
    for (id, ..) in questions {
        let response = read_message(&mut stream).unwrap();
        assert_eq!(response[..2], u16::to_be_bytes(id));
        assert_eq!(response[2] & 0x84, 0x84, "QR and AA");
    }
}

#[test]
fn no_request_stops_the_service() {
    let service = Service::real(&listen(&["127.0.0.1:0"]));
    let client = udp(service.address().ip());
    let mut stream = tcp(service.address());
    let last = query(1, "example.com", A, Edns::Without);
    for request in requests() {
        client.send_to(&request, service.address()).unwrap();
        stream.write_all(&framed(&request)).unwrap();
    }
    stream.write_all(&framed(&last)).unwrap();
    loop {
        if read_message(&mut stream).unwrap()[..2] == [0, 1] {
            break;
        }
    }
    // A client of its own gets this one reply.
    let reply = ask_udp(&udp(service.address().ip()), service.address(), &last);
    assert_eq!(reply[..2], [0, 1]);
    assert_eq!(service.counters.totals().panics, 0);
}
