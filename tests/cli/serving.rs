//! The daemon from its start to its end.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::daemon::{Daemon, eventually};
use crate::program::{demo, run, transcript, write};

/// A service that is out in all of europe-west1.
const SERVICE: &str = "my-service.my-namespace.my-federation.svc";

/// A service that is out in zone europe-west1-d alone.
const WEB: &str = "my-web.my-namespace.my-federation.svc";

/// The members of the example.
const MEMBERS: [&str; 6] = [
    "gce-asia-east1",
    "gce-europe-west1",
    "gce-europe-west1-b",
    "gce-us-central1",
    "gce-us-east1",
    "on-premises",
];

/// A set of addresses.
#[expect(
    clippy::unnecessary_wraps,
    reason = "compared with what a daemon answers"
)]
fn set(addresses: &[&str]) -> Option<BTreeSet<String>> {
    Some(
        addresses
            .iter()
            .map(|address| (*address).to_owned())
            .collect(),
    )
}

#[test]
fn the_example_falls_back_from_zone_to_region_to_the_world() {
    let folder = demo();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let zone = format!("{SERVICE}.europe-west1-d.example.com.");
    let region = format!("{SERVICE}.europe-west1.example.com.");
    let world = format!("{SERVICE}.example.com.");
    let up = set(&[
        "203.0.113.31",
        "203.0.113.21",
        "203.0.113.41",
        "198.51.100.7",
    ]);
    assert_eq!(daemon.addresses(&zone), up);
    assert_eq!(daemon.owners(&zone), [zone, region, world]);
    let web = format!("{WEB}.europe-west1-d.example.com.");
    assert_eq!(daemon.addresses(&web), set(&["203.0.113.14"]));
    assert_eq!(
        daemon.owners(&web),
        [web, format!("{WEB}.europe-west1.example.com.")]
    );
}

#[test]
fn clusters_and_explain_find_the_daemon_by_its_state_folder() {
    let folder = demo();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let output = run(folder.path(), &["clusters", "--state-dir", "state"]);
    let table = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 7, "{table}");
    let heads = [
        "NAME", "STATUS", "VERSION", "AGE", "REGION", "ZONES", "SERVICES",
    ];
    assert_eq!(rows[0], heads);
    assert_eq!(rows[2][..3], ["gce-europe-west1", "Ready", "-"]);
    assert_eq!(rows[2][4..], ["europe-west1", "europe-west1-d", "2"]);
    assert_eq!(rows[4][5], "us-central1-a,us-central1-f");
    assert_eq!(rows[6][5], "dc1-room-2");

    let admin = daemon.admin.to_string();
    let output = run(
        folder.path(),
        &["clusters", "--admin", &admin, "-o", "json"],
    );
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json[4]["name"], "gce-us-east1");
    assert_eq!(json[4]["services"], 1);

    let name = format!("{WEB}.europe-west1-d.example.com");
    let arguments = [
        "explain",
        &name,
        "a",
        "--from",
        "203.0.113.9",
        "--state-dir",
        "state",
    ];
    let output = run(folder.path(), &arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    for words in [
        "203.0.113.14",
        "0 of 1 endpoints ready",
        "asked from 203.0.113.9",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (status, body) = daemon.get("/v1/explain?name=a..b").unwrap();
    assert_eq!(
        (status, body.contains("empty label")),
        (400, true),
        "{body}"
    );
}

#[test]
fn a_facts_file_is_served_when_it_changes_and_held_when_it_is_wrong() {
    let folder = demo();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let zone = format!("{WEB}.europe-west1-d.example.com.");
    let facts = folder.path().join("gce-europe-west1.toml");
    let text = fs::read_to_string(&facts).unwrap();
    write(&facts, &text.replace("ready = false", "ready = true"));
    eventually("the zone answers itself", || {
        daemon.addresses(&zone) == set(&["203.0.113.13"])
    });
    write(&facts, "[[service]]\n");
    daemon.log(&["gce-europe-west1", "lost"]);
    assert_eq!(daemon.addresses(&zone), set(&["203.0.113.13"]));
}

#[test]
fn a_second_daemon_is_refused_by_state_folder_and_by_address() {
    let folder = demo();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let refused = transcript(folder.path(), &["serve", "demo.toml", "--log", "off"]);
    assert!(
        refused.contains("already running") && refused.ends_with("exit 1\n"),
        "{refused}"
    );

    let other = demo();
    let file = other.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    write(
        &file,
        &text.replace(
            "dns = [\"127.0.0.1:0\"]",
            &format!("dns = [\"{}\"]", daemon.dns),
        ),
    );
    let refused = transcript(other.path(), &["serve", "demo.toml", "--log", "off"]);
    assert!(
        refused.contains("already served") && refused.ends_with("exit 1\n"),
        "{refused}"
    );
    assert!(
        refused.contains("--- stderr\nerror:"),
        "nothing on standard output: {refused}"
    );
    assert_eq!(
        daemon
            .addresses(&format!("{WEB}.example.com."))
            .map(|set| set.len()),
        Some(3)
    );
}

#[test]
fn the_end_is_announced_before_it_comes() {
    let folder = demo();
    let mut daemon = Daemon::start(folder.path(), "demo.toml").ready();
    assert_eq!(daemon.get("/readyz"), Some((200, "ok\n".to_owned())));
    assert!(folder.path().join("state/admin.address").exists());
    daemon.signal("TERM");
    eventually("not ready", || {
        daemon
            .get("/readyz")
            .is_some_and(|(status, _)| status == 503)
    });
    assert_eq!(daemon.get("/livez").map(|(status, _)| status), Some(200));
    assert!(
        daemon
            .addresses(&format!("{WEB}.example.com."))
            .is_some_and(|set| set.len() == 3)
    );
    assert!(daemon.end().success());
    assert!(!folder.path().join("state/admin.address").exists());
    assert_eq!(daemon.addresses(&format!("{WEB}.example.com.")), None);
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = demo();
    let file = folder.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    write(
        &file,
        &text.replace(
            "version = \"v1\"",
            "version = \"v1\"\nshutdown-delay = \"1h\"",
        ),
    );
    let mut daemon = Daemon::start(folder.path(), "demo.toml").ready();
    daemon.signal("TERM");
    daemon.log(&["shutting down"]);
    daemon.signal("TERM");
    assert_eq!(daemon.end().code(), Some(1));
}

#[test]
fn after_a_kill_the_last_answers_are_served_without_the_members() {
    let folder = demo();
    let mut daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let name = format!("{SERVICE}.europe-west1-d.example.com.");
    let before = daemon.addresses(&name);
    assert_eq!(before.as_ref().map(BTreeSet::len), Some(4));
    for member in MEMBERS {
        let files =
            ["base", "log"].map(|kind| folder.path().join(format!("state/facts/{member}.{kind}")));
        let holds = |file: &PathBuf| {
            let octets = fs::read(file).unwrap_or_default();
            octets.windows(10).any(|window| window == b"my-service")
        };
        eventually("facts are persisted", || files.iter().any(holds));
    }
    daemon.signal("KILL");
    daemon.end();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with("demo.toml") {
            fs::remove_file(path).unwrap();
        }
    }
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    assert_eq!(daemon.addresses(&name), before);
    let output = run(folder.path(), &["clusters", "--state-dir", "state"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.matches("Held").count(), 6, "{table}");
}

#[test]
fn explain_without_a_daemon_tells_the_age_of_persisted_facts() {
    let folder = demo();
    let mut daemon = Daemon::start(folder.path(), "demo.toml").ready();
    daemon.signal("INT");
    assert!(daemon.end().success());
    fs::remove_file(folder.path().join("on-premises.toml")).unwrap();
    let name = format!("{SERVICE}.dc1.example.com");
    let output = run(folder.path(), &["explain", &name, "--config", "demo.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let note = text
        .lines()
        .find(|line| line.starts_with("note: on-premises: from state, "));
    assert!(note.is_some_and(|note| note.ends_with("s old")), "{text}");
    assert!(
        text.contains("note: gce-us-east1: from gce-us-east1.toml\n"),
        "{text}"
    );
    assert!(
        text.contains("EDE: 3") && text.contains("A\t198.51.100.7"),
        "{text}"
    );
}

#[test]
fn logs_can_be_json_lines() {
    let folder = demo();
    let daemon = Daemon::start_with(
        folder.path(),
        &["serve", "demo.toml", "--log-format", "json"],
    );
    let line = daemon.ready().log(&["serving"]);
    let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(event["fields"]["members"], 6, "{line}");
}

#[test]
fn the_limit_of_open_files_is_raised_and_complained_about_when_too_low() {
    let folder = demo();
    for (hard, is_enough) in [(2000, true), (1500, false)] {
        let daemon = Daemon::start_limited(folder.path(), 256, hard);
        assert_eq!(daemon.open_files(), hard);
        if !is_enough {
            // 512 connections, and what else there is.
            daemon.log(&["open files", "tcp-connections", "limit=1500", "needed=1536"]);
        }
    }
}
