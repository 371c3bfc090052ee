//! Replies that do not end, services without measure, clients that never read: whoever does it pays
//! alone.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{self, Api, Script, load_balancer};
use crate::clients;
use crate::daemon::Daemon;
use crate::stage::{FIRST, NAME, SECOND, Stage, name, service};
use crate::wait::{SOON, throughout, until};

/// An address space of 4 GiB.
const LIMITED: &str = "ulimit -v 4194304; exec \"$@\"";

/// A member with one service that misbehaves so, and the daemon in an address space of 4 GiB.
fn under(script: Script, user: &Value) -> (Stage, Api, Daemon) {
    let stage = Stage::of_api();
    let services = vec![load_balancer("my-service", &[FIRST], &json!({}))];
    let api = Api::start(script.services(services));
    api.kubeconfig(stage.path(), user);
    let daemon = stage.start_by(LIMITED, &[]);
    (stage, api, daemon)
}

/// The daemon lives in little memory, the member is not `Ready` for a reason that has these words,
/// the other one is served.
fn assert_held(daemon: &mut Daemon, words: &[&str]) {
    until("the member is not Ready, with the reason", 3 * SOON, || {
        daemon.assert_runs();
        let member = daemon.member("m1")?;
        let reason = member["reason"].as_str().unwrap_or_default();
        if member["status"] != "Ready" && words.iter().all(|word| reason.contains(word)) {
            Ok(())
        } else {
            Err(member.to_string())
        }
    });
    daemon.assert_alive();
    let answer = daemon.answer(NAME).expect("an answer");
    let second = SECOND.parse().expect("an address");
    assert!(answer.addresses.contains(&second), "{answer}");
    let peak = daemon.status("VmHWM");
    let peak: u64 = peak.trim_end_matches(" kB").parse().expect("a number");
    assert!(peak < 1 << 20, "peak of {peak} KiB");
}

#[test]
fn a_list_without_an_end_holds_its_member() {
    let item = load_balancer("x", &["203.0.113.1"], &json!({})).to_string() + ",";
    let script = Script::new().reply("services", false, move |stream| {
        api::endless(stream, "{\"metadata\":{},\"items\":[", &item)
    });
    let (_stage, _api, mut daemon) = under(script, &json!({}));
    assert_held(&mut daemon, &["list", "67108864"]);
}

#[test]
fn a_line_of_a_watch_without_an_end_holds_its_member() {
    let script = Script::new().reply("services", true, |stream| {
        let begin = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"";
        api::endless(stream, begin, "a")
    });
    let (_stage, _api, mut daemon) = under(script, &json!({}));
    assert_held(&mut daemon, &["watch", "8388608"]);
}

#[test]
fn a_version_without_an_end_holds_its_member() {
    let script = Script::new().reply("version", false, |stream| {
        api::endless(stream, "{\"major\":\"", "1")
    });
    let (_stage, _api, mut daemon) = under(script, &json!({}));
    assert_held(&mut daemon, &["/version", "more than 65536 octets"]);
}

#[test]
fn an_exec_plugin_that_prints_without_an_end_holds_its_member() {
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": "/usr/bin/yes", "args": ["PLANTED-SECRET"],
    }});
    let (_stage, _api, mut daemon) = under(Script::new(), &exec);
    assert_held(&mut daemon, &["exec"]);
    let said = daemon.member("m1").expect("the member").to_string();
    assert!(!said.contains("PLANTED"), "{said}");
}

#[test]
fn a_service_with_thousands_of_addresses_is_answered_whole_messages() {
    let stage = Stage::new();
    let address = |n: u32| format!("11.0.{}.{}", n >> 8, n & 255);
    let mut text = service("my-service", &[FIRST], "");
    for count in [1000, 8000] {
        let addresses: Vec<String> = (0..count).map(address).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        text += &service(&format!("s{count}"), &addresses, "");
    }
    stage.put("m1.toml", &text);
    let daemon = stage.start();
    for (asked, least) in [("s1000", 1000), ("s8000", 2000)] {
        until("whole messages over TCP", SOON, || {
            match daemon.answer_tcp(&name(asked))? {
                answer if answer.addresses.len() >= least => Ok(()),
                answer => Err(format!("{} addresses", answer.addresses.len())),
            }
        });
    }
}

#[test]
fn clients_that_never_read_leave_room_for_a_new_one() {
    let stage = Stage::new();
    let addresses: Vec<String> = (1..60).map(|n| format!("203.0.113.{n}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    stage.put("m1.toml", &service("my-service", &addresses, ""));
    let mut stage = stage;
    stage.listen += "\ntcp-connections = 64";
    let daemon = stage.start();
    let _deaf = clients::deaf(daemon.dns, NAME, 64);
    until("a new TCP client is answered", SOON, || {
        daemon.answer_tcp(NAME).map(drop)
    });
}

#[test]
fn admin_connections_that_say_nothing_give_way() {
    let stage = Stage::new();
    let daemon = stage.start();
    let _idle = clients::idle(daemon.admin, 300);
    until("/livez is answered", SOON, || {
        let reply = daemon.get("/livez");
        reply.ok_or("none".to_owned()).map(drop)
    });
    let files = std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).expect("it runs");
    let files = files.count();
    assert!(files < 250, "{files} open files");
    assert!(daemon.answer_tcp(NAME).is_ok());
    stage.put("m1.toml", &service("my-service", &["203.0.113.111"], ""));
    daemon.until_answers(NAME, &["203.0.113.111", SECOND]);
}

#[test]
fn half_a_request_to_admin_is_not_waited_for() {
    let daemon = Stage::new().start();
    let mut stream = TcpStream::connect(daemon.admin).expect("a connection");
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nHost: ")
        .expect("half a head");
    stream.set_read_timeout(Some(SOON)).expect("a time-out");
    // Whatever it says before it closes.
    let closed = stream.read_to_end(&mut Vec::new());
    assert!(closed.is_ok(), "{closed:?}");
}

#[test]
fn a_member_cannot_have_a_port_probed_hundreds_of_times_a_second() {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let stage = Stage::of_api();
    let addresses: Vec<String> = (1..=50).map(|n| format!("127.0.10.{n}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let probe = format!("tcp port={port} interval=10ms timeout=10ms");
    let services = vec![load_balancer(
        "my-service",
        &addresses,
        &json!({"probe": probe}),
    )];
    let api = Api::start(Script::new().services(services));
    api.kubeconfig(stage.path(), &json!({}));
    let mut stage = stage;
    "probe = { kind = \"tcp\" }".clone_into(&mut stage.federation);
    let daemon = stage.start();
    daemon.until_member("m1", "Ready", &[]);
    listener.set_nonblocking(true).expect("nonblocking");
    let span = Duration::from_secs(4);
    // At most two a second of each address, with a second to spare.
    let most = 50 * 2 * 5;
    let count = Cell::new(0);
    throughout("probes are few", span, || {
        while listener.accept().is_ok() {
            count.set(count.get() + 1);
        }
        let count = count.get();
        if count <= most {
            Ok(())
        } else {
            Err(format!("{count} probes"))
        }
    });
}
