//! Daemons that sign: what two with the same key file answer, what `explain` and `/metrics` say of it.

use std::fs::{self, DirBuilder, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RecordType};

use crate::daemon::{DEADLINE, Daemon};
use crate::keys::{ZONE, done, only_file, signed};
use crate::program::write;

const SERVICE: &str = "my-service.my-namespace.my-federation.svc.example.com";

/// The octets of an answer with DO.
fn ask(daemon: &Daemon, name: &str, rrtype: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = 7;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), rrtype));
    let mut edns = Edns::new();
    edns.set_dnssec_ok(true);
    message.set_edns(edns);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let octets = message.to_vec().unwrap();
    socket.send_to(&octets, daemon.dns).unwrap();
    let mut octets = vec![0; 4096];
    let length = socket.recv(&mut octets).unwrap();
    octets.truncate(length);
    octets
}

/// What a metric shows.
fn shown(daemon: &Daemon, metric: &str) -> Option<f64> {
    let (_, text) = daemon.get("/metrics").unwrap();
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn two_daemons_with_one_key_file_answer_alike_and_say_what_they_sign() {
    let [first, second] = [signed(), signed()];
    done(first.path(), &["generate", ZONE, "--algorithm", "ED25519"]);
    let file = only_file(first.path());
    let copy = second.path().join(file.strip_prefix(first.path()).unwrap());
    let folder = copy.parent().unwrap();
    let mut private = DirBuilder::new();
    private.recursive(true).mode(0o700).create(folder).unwrap();
    write(&copy, &fs::read_to_string(&file).unwrap());
    fs::set_permissions(&copy, Permissions::from_mode(0o600)).unwrap();
    let daemons =
        [first.path(), second.path()].map(|folder| Daemon::start(folder, "demo.toml").ready());
    for (name, rrtype) in [
        (SERVICE, RecordType::A),
        (SERVICE, RecordType::TXT),
        (ZONE, RecordType::DNSKEY),
        ("nope.example.com", RecordType::A),
    ] {
        let [one, other] = daemons.each_ref().map(|daemon| {
            let mut message = Message::from_vec(&ask(daemon, name, rrtype)).unwrap();
            // The serial of the SOA record is the time of a publication.
            let apex = Name::from_ascii("example.com.").unwrap();
            message.authorities.retain(|record| record.name != apex);
            message
        });
        assert!(!one.answers.is_empty() || !one.authorities.is_empty());
        assert_eq!(one.answers, other.answers, "{name} {rrtype}");
        assert_eq!(one.authorities, other.authorities, "{name} {rrtype}");
    }

    let [daemon, _] = &daemons;
    let explain = |name: &str| {
        let path = format!("/v1/explain?name={name}&type=A");
        let (status, text) = daemon.get(&path).unwrap();
        assert_eq!(status, 200, "{text}");
        let said: serde_json::Value = serde_json::from_str(&text).unwrap();
        let lines = said["signatures"].as_array().unwrap().iter();
        let lines: Vec<_> = lines
            .map(|line| line.as_str().unwrap().to_owned())
            .collect();
        assert!(
            lines
                .iter()
                .all(|line| said["text"].as_str().unwrap().contains(line))
        );
        lines
    };
    let [line] = &explain(SERVICE)[..] else {
        panic!("one RRset");
    };
    assert!(
        line.starts_with(&format!("signed  A {SERVICE}. by 15/"))
            && line.contains(" until ")
            && line.ends_with(", original TTL 30, found"),
        "{line}"
    );
    let lines = explain("never.example.com");
    assert!(
        lines.iter().any(|line| line.contains(", made in ")),
        "{lines:?}"
    );
    let denied = "denies  NSEC never.example.com. [RRSIG NSEC NXNAME], absent";
    assert!(lines.iter().any(|line| line == denied), "{lines:?}");

    // DNSKEY, CDS and CDNSKEY ahead; and what was asked for.
    let used = |lane: &str| {
        shown(
            daemon,
            &format!("gazetteer_dnssec_slots_used{{lane=\"{lane}\"}}"),
        )
    };
    assert!(used("existing").unwrap() >= 5.0);
    assert!(used("absent").unwrap() >= 2.0);
    let waited = shown(daemon, "gazetteer_dnssec_sign_seconds_count").unwrap();
    assert!(waited >= 3.0, "{waited}");
    for lane in ["existing", "absent"] {
        let depth = format!("gazetteer_dnssec_queue_depth{{lane=\"{lane}\"}}");
        assert_eq!(shown(daemon, &depth), Some(0.0));
    }
    let least = shown(daemon, "gazetteer_dnssec_signature_least_left_seconds").unwrap();
    assert!(
        (2.0 * 86_400.0..=4.0 * 86_400.0).contains(&least),
        "{least}"
    );
}
