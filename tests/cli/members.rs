//! Members that are not all well.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::thread;

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};

use crate::daemon::{Daemon, eventually};
use crate::program::{beginning, clusters, write};

/// A configuration with one file member, and these keys at its top.
fn configuration(keys: &str) -> String {
    let member = r#"
sync-timeout = "1s"

[[member]]
name = "here"
source = { file = "here.toml" }
"#;
    beginning(keys) + member
}

/// A service `s` with these keys.
fn service(keys: &str) -> String {
    format!("[[service]]\nnamespace = \"n\"\nname = \"s\"\n{keys}\n")
}

/// The name of that service.
const NAME: &str = "s.n.f.svc.example.com.";

/// A set of one address.
#[expect(
    clippy::unnecessary_wraps,
    reason = "compared with what a daemon answers"
)]
fn one(address: &str) -> Option<BTreeSet<String>> {
    Some(BTreeSet::from([address.to_owned()]))
}

#[test]
fn a_member_that_never_worked_delays_and_silences_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let dead =
        "[[member]]\nname = \"dead\"\nsource = { kubeconfig = \"none\", context = \"a@b:c/d\" }\n";
    write(&folder.path().join("fed.toml"), &(configuration("") + dead));
    write(
        &folder.path().join("here.toml"),
        &service("addresses = [\"203.0.113.7\"]"),
    );
    let daemon = Daemon::start(folder.path(), "fed.toml");
    eventually("the other member answers", || {
        daemon.addresses(NAME) == one("203.0.113.7")
    });
    let daemon = daemon.ready();
    let json = clusters(folder.path());
    assert_eq!(json[1]["status"], "NeverSynced", "{json}");
    assert!(
        json[1]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("kubeconfig")),
        "{json}"
    );
    assert_eq!(daemon.addresses(NAME), one("203.0.113.7"));
}

#[test]
fn host_names_are_resolved_by_the_configured_resolver() {
    let folder = tempfile::tempdir().unwrap();
    let resolver = resolver();
    let keys = format!("resolver = [\"{resolver}\"]");
    write(&folder.path().join("fed.toml"), &configuration(&keys));
    write(
        &folder.path().join("here.toml"),
        &service("hostnames = [\"lb.example.net\"]"),
    );
    let daemon = Daemon::start(folder.path(), "fed.toml").ready();
    eventually("the address is known", || {
        daemon.addresses(NAME) == one("203.0.113.99")
    });
}

/// A resolver that gives every name the address 203.0.113.99, as long as the test lasts.
fn resolver() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut octets) {
            let Ok(mut message) = Message::from_vec(&octets[..length]) else {
                continue;
            };
            message.metadata.message_type = MessageType::Response;
            message.metadata.recursion_available = true;
            for query in message.queries.clone() {
                if query.query_type() == RecordType::A {
                    let data = RData::A(A::new(203, 0, 113, 99));
                    message.add_answer(Record::from_rdata(query.name().clone(), 60, data));
                }
            }
            let _ = socket.send_to(&message.to_vec().unwrap(), client);
        }
    });
    address
}
