//! Addresses that no client can reach, and forms of addresses that Kubernetes knows.

use serde_json::json;

use crate::api::{Api, Script, load_balancer};
use crate::stage::{SECOND, Stage, name, service};

/// Services at addresses as an API server may hold them, and what is published of each.
const STATUS: [(&str, &[&str], &[&str]); 8] = [
    ("zero", &["0.0.0.0", "::"], &[]),
    ("this-network", &["0.1.2.3"], &[]),
    (
        "multicast",
        &["224.0.0.9", "ff02::1", "255.255.255.255"],
        &[],
    ),
    ("link-local", &["169.254.169.254", "fe80::1"], &[]),
    ("local", &["127.0.0.1", "::1"], &[]),
    ("mapped", &["::ffff:203.0.113.5"], &["203.0.113.5"]),
    ("zeros", &["203.0.113.006"], &["203.0.113.6"]),
    ("private", &["10.1.2.3"], &["10.1.2.3"]),
];

/// A daemon that also outsiders reach, on whose first member a warning names each bad address.
fn stage() -> Stage {
    let mut stage = Stage::of_api();
    "dns = [\"0.0.0.0:0\"]".clone_into(&mut stage.listen);
    let mut other = service("my-service", &[SECOND], "");
    for (asked, ..) in STATUS {
        other += &service(asked, &[SECOND], "");
    }
    stage.put("m2.toml", &other);
    stage
}

#[test]
fn what_no_client_reaches_is_not_published_and_its_names_fall_back() {
    let stage = stage();
    let services = STATUS.map(|(asked, addresses, _)| load_balancer(asked, addresses, &json!({})));
    let api = Api::start(Script::new().services(services.to_vec()));
    api.kubeconfig(stage.path(), &json!({}));
    let daemon = stage.start();
    for (asked, _, published) in STATUS {
        let mut expected = published.to_vec();
        expected.push(SECOND);
        daemon.until_answers(&name(asked), &expected);
        let zone = name(asked).replace(".example", ".eu-1.eu.example");
        let expected = if published.is_empty() {
            vec![SECOND]
        } else {
            published.to_vec()
        };
        daemon.until_answers(&zone, &expected);
    }
    // Each service is warned of, with one address of each kind and how many there are besides.
    let bad = [
        "my-namespace/zero: addresses ignored: 0.0.0.0 is unspecified, and 1 more",
        "my-namespace/this-network: addresses ignored: 0.1.2.3",
        "my-namespace/multicast: addresses ignored: 224.0.0.9",
        "255.255.255.255 is the broadcast address",
        "my-namespace/link-local: addresses ignored: 169.254.169.254 is link-local, and 1 more",
        "my-namespace/local: addresses ignored: 127.0.0.1 is a loopback address, and 1 more",
    ];
    let member = daemon.until_member("m1", "Ready", &bad);
    let warnings = member["warnings"].as_array().expect("an array");
    assert_eq!(
        warnings.len(),
        5,
        "the good ones are not warned of: {member}"
    );
}

#[test]
fn facts_files_are_held_to_the_same_addresses() {
    let mut stage = stage();
    stage.m1 = Stage::new().m1;
    let text = STATUS.map(|(asked, addresses, _)| service(asked, addresses, ""));
    stage.put("m1.toml", &text.concat());
    let daemon = stage.start();
    for (asked, _, published) in STATUS {
        let mut expected = published.to_vec();
        expected.push(SECOND);
        daemon.until_answers(&name(asked), &expected);
    }
}

#[test]
fn a_probe_that_an_annotation_asks_for_reaches_no_address_that_is_not_published() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let stage = stage();
    let annotations =
        json!({"probe": format!("http port={port} path=/ interval=500ms timeout=500ms")});
    let services = vec![load_balancer(
        "my-service",
        &["127.0.0.1", "0.0.0.0"],
        &annotations,
    )];
    let api = Api::start(Script::new().services(services));
    api.kubeconfig(stage.path(), &json!({}));
    let daemon = stage.start();
    daemon.until_member("m1", "Ready", &[]);
    daemon.until_answers(&name("my-service"), &[SECOND]);
    listener.set_nonblocking(true).expect("nonblocking");
    crate::wait::throughout(
        "nobody probes",
        std::time::Duration::from_secs(3),
        || match listener.accept() {
            Ok((_, from)) => Err(format!("a connection of {from}")),
            Err(_) => Ok(()),
        },
    );
}
