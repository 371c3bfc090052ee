use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;

/// A server that gives one response, and its address.
fn server(response: &'static str) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut octets = [0; 4096];
        let _ = stream.read(&mut octets).unwrap();
        stream.write_all(response.as_bytes()).unwrap();
    });
    (address, served)
}

/// An address at which nothing listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// What is found at two addresses.
fn look(first: SocketAddr, second: SocketAddr) -> anyhow::Result<(u16, String)> {
    let candidates = [first, second].map(DaemonCandidate::Address);
    find(&candidates, |candidate| match candidate {
        DaemonCandidate::Address(admin) => ask(*admin, "/v1/status", &[]),
        DaemonCandidate::Folder(_) => unreachable!(),
    })
}

#[test]
fn another_server_is_no_daemon_and_one_error_says_what_was_tried() {
    // As CoreDNS answers at its metrics address.
    let response = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\nconnection: close\r\n\r\nno\r\n";
    let (other, served) = server(response);
    let nobody = nobody();
    let error = look(nobody, other).unwrap_err().to_string();
    served.join().unwrap();
    let not_ours = format!("{other}: what answers there is not gazetteer");
    assert!(error.contains(&not_ours), "{error}");
    assert!(error.contains(&format!("{nobody}: ")), "{error}");
    assert!(error.contains("--admin"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn what_speaks_no_http_is_no_daemon() {
    let (other, served) = server("220 mail.example.com ESMTP\r\n");
    let error = look(other, nobody()).unwrap_err().to_string();
    served.join().unwrap();
    assert!(error.contains(&format!("{other}: ")), "{error}");
}

#[test]
fn the_next_place_is_asked_where_nobody_listens() {
    let response =
        "HTTP/1.1 200 OK\r\nserver: gazetteer\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let (ours, served) = server(response);
    assert_eq!(look(nobody(), ours).unwrap(), (200, "{}".to_owned()));
    served.join().unwrap();
}

#[test]
fn the_answer_of_a_daemon_ends_the_search_whatever_it_is() {
    let response = "HTTP/1.1 503 Busy\r\nserver: gazetteer\r\ncontent-length: 5\r\nconnection: close\r\n\r\nbusy\n";
    let (ours, served) = server(response);
    let answer = look(ours, nobody()).unwrap();
    served.join().unwrap();
    let error = success(answer).unwrap_err().to_string();
    assert_eq!(error, "the daemon says 503: busy");
}
