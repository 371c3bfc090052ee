//! The admin address and the control socket against those who mean no good.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::daemon::{Daemon, eventually};
use crate::program::{beginning, clusters, command, demo, replace, run, write};

/// What a command prints for people, and for programs.
fn both(folder: &Path, verb: &[&str]) -> (String, serde_json::Value) {
    let print = |form: &[&str]| {
        let output = run(folder, &[verb, &["--state-dir", "state"], form].concat());
        assert!(output.status.success(), "{verb:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let json = print(&["-o", "json"]);
    (print(&[]), serde_json::from_str(&json).expect("JSON"))
}

/// How many files a daemon has open.
fn open_files(daemon: &Daemon) -> usize {
    let folder = format!("/proc/{}/fd", daemon.id());
    fs::read_dir(folder).expect("it runs").count()
}

#[test]
fn connections_that_ask_for_nothing_take_no_files_and_hinder_nobody() {
    let folder = demo();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let before = open_files(&daemon);
    let control = folder.path().join("state/control");
    let mut held = Vec::new();
    let mut given = Vec::new();
    for _ in 0..200 {
        held.push(TcpStream::connect(daemon.admin).expect("somebody listens"));
        given.push(UnixStream::connect(&control).expect("somebody listens"));
    }
    let metric = "gazetteer_limit_exceeded_total{limit=\"admin-connections\"} ";
    let closed = || {
        let (status, text) = daemon.get("/metrics").expect("an answer");
        assert_eq!(status, 200);
        let line = text.lines().find_map(|line| line.strip_prefix(metric));
        line.expect("it is counted").parse::<u64>().unwrap()
    };
    eventually("the others are closed", || closed() >= 2 * (200 - 64));
    eventually("their files are given back", || {
        open_files(&daemon) <= before + 2 * 64 + 4
    });
    assert_eq!(daemon.get("/livez"), Some((200, "ok\n".to_owned())));
    let (table, _) = both(folder.path(), &["clusters"]);
    assert!(table.contains("gce-us-east1"), "{table}");
    both(folder.path(), &["cordon", "gce-asia-east1"]);
}

#[test]
fn a_name_that_is_not_ours_is_not_answered() {
    let folder = demo();
    let file = folder.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    let hosts = "[listen]\nadmin-hosts = [\"Gazetteer.example.com\"]";
    write(&file, &text.replace("[listen]", hosts));
    let daemon = Daemon::start(folder.path(), "demo.toml");
    let check = |version: &str, host: &str, expected: u16| {
        for path in ["/v1/clusters", "/v1/explain?name=example.com", "/v1/events"] {
            let asked = daemon.ask(&format!("GET {path} HTTP/{version}\r\n{host}\r\n"));
            let (status, body) = asked.expect("an answer");
            assert_eq!(status, expected, "{host:?} {path}: {body}");
            let says = body.contains("is not a name of this server: add it to listen.admin-hosts");
            assert_eq!(says, expected == 421, "{body}");
        }
    };
    check("1.1", &format!("Host: {}\r\n", daemon.admin), 200);
    check("1.1", "Host: gazetteer.example.com:9153\r\n", 200);
    check("1.1", "Host: gazetteer.dns.svc\r\n", 200);
    check("1.0", "", 200);
    check("1.1", "", 400);
    check("1.1", "Host: localhost\r\nHost: evil.example\r\n", 400);
    check("1.1", "Host: evil.example:9153\r\n", 421);
    check("1.0", "Host: evil.example\r\n", 421);
    for path in ["/metrics", "/livez", "/readyz?verbose"] {
        let asked = daemon.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: scraped.example\r\n\r\n"
        ));
        assert_ne!(asked.map(|(status, _)| status), Some(421), "{path}");
    }
    let absolute = "GET http://evil.example/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(daemon.ask(absolute).map(|(status, _)| status), Some(421));
}

#[test]
fn a_command_says_who_gave_it() {
    let folder = demo();
    let folder = folder.path();
    let daemon = Daemon::start(folder, "demo.toml").ready();
    let user = fs::metadata("/proc/self").unwrap().uid();
    let arguments = ["cordon", "gce-asia-east1", "--state-dir", "state"];
    let mut process = command(folder).args(arguments).spawn().unwrap();
    let id = process.id();
    assert!(process.wait().unwrap().success());
    let (text, json) = both(folder, &["events", "-n", "1"]);
    let expected = format!("cordon, by an operator (uid {user}, pid {id})");
    assert!(text.trim_end().ends_with(&expected), "{text}");
    assert_eq!(json[0]["why"], expected);
    assert_eq!(json[0]["by"], serde_json::json!({ "uid": user, "pid": id }));
    daemon.log(&["override", "gce-asia-east1", &expected]);
}

#[test]
fn strings_of_members_are_shown_as_they_are_and_do_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let member = "[[member]]\nname = \"m\"\nsource = { file = \"m.toml\" }\n";
    write(&folder.join("g.toml"), &(beginning("") + member));
    let right = "[[service]]\nnamespace = \"n\"\nname = \"s\"\naddresses = [\"192.0.2.1\"]\n";
    write(&folder.join("m.toml"), right);
    let daemon = Daemon::start(folder, "g.toml").ready();
    let evil = "\\u001b[31mRED\\u202e\\nFAKE   Ready";
    replace(&folder.join("m.toml"), &right.replace("192.0.2.1", evil));
    eventually("it is held", || clusters(folder)[0]["status"] == "Held");
    let mut shown = String::new();
    for verb in [
        &["clusters"][..],
        &["events"],
        &["explain", "s.n.f.svc.example.com"],
    ] {
        let (text, json) = both(folder, verb);
        // JSON has escapes of its own: what is in its strings is looked at.
        let strings = serde_json::to_string(&json).unwrap();
        for text in [&text, &strings] {
            let is_evil = |c: char| c == '\u{1b}' || c == '\u{202e}';
            assert!(!text.contains(is_evil), "{verb:?}: {text}");
            assert!(!text.contains("\\u001b"), "{verb:?}: {text}");
        }
        assert!(!text.lines().any(|line| line.starts_with("FAKE")), "{text}");
        shown += &text;
    }
    // The reason is under the table of members.
    assert!(shown.contains("\n\nm: "), "{shown}");
    let line = daemon.log(&["member", "Ready", "Held"]);
    assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line:?}");
}

#[test]
fn a_query_is_explained_as_at_a_bound_listener() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = beginning("").replace(
        "listen.dns = [\"127.0.0.1:0\"]",
        "listen.dns = [\"127.0.0.1:0\", { address = \"127.0.0.2:0\", member = \"m2\" }]",
    );
    let member = |name: &str| {
        format!(
            "[[member]]\nname = \"{name}\"\nregion = \"{name}\"\ncluster-domain = \"cluster.local\"\nsource = {{ file = \"{name}.toml\" }}\n"
        )
    };
    write(
        &folder.join("g.toml"),
        &(text + &member("m1") + &member("m2")),
    );
    for (member, host) in [("m1", 1), ("m2", 2)] {
        let facts = format!(
            "[[service]]\nnamespace = \"n\"\nname = \"s\"\naddresses = [\"203.0.113.{host}\"]\n\
             cluster-ips = [\"10.{host}.255.7\"]\nendpoints = [{{ address = \"10.{host}.0.5\" }}]\n"
        );
        write(&folder.join(format!("{member}.toml")), &facts);
    }
    let daemon = Daemon::start(folder, "g.toml").ready();
    let name = "s.n.f.svc.cluster.local";
    let (text, json) = both(folder, &["explain", name, "--listener", "m2"]);
    assert!(text.starts_with("asked at the listener of m2\n"), "{text}");
    assert!(text.contains("10.2.255.7"), "{text}");
    assert_eq!(json["listener"], "m2");
    let (text, json) = both(folder, &["explain", name]);
    assert!(!text.contains("10.2.255.7"), "{text}");
    assert!(json.get("listener").is_none(), "{json}");
    // Without a daemon the same.
    let arguments = ["explain", name, "--config", "g.toml", "--listener"];
    let output = run(folder, &[&arguments[..], &["m2"]].concat());
    assert!(String::from_utf8_lossy(&output.stdout).contains("10.2.255.7"));
    let output = run(folder, &[&arguments[..], &["m1"]].concat());
    let expected =
        "error: listener m1: no address of listen.dns is bound to it; these have one: m2\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    let asked = daemon.get(&format!("/v1/explain?name={name}&listener=m1"));
    let expected = expected.strip_prefix("error: ").unwrap();
    assert_eq!(asked, Some((400, expected.to_owned())));
}
