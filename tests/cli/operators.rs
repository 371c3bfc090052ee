//! What operators decide over the configuration, from the command line to the answers.

use std::collections::BTreeSet;
use std::fs;
use std::ops::{Range, RangeInclusive};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gazetteer::telemetry::clock;
use jiff::Timestamp;

use crate::daemon::{Daemon, eventually};
use crate::program::{demo, replace, run, write};

/// A service with a shard in three members.
const WEB: &str = "my-web.my-namespace.my-federation.svc.example.com.";

/// What a command prints, which must succeed.
fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let arguments = [arguments, &["--state-dir", "state"]].concat();
    let output = run(folder, &arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The error of a command, which must fail.
fn fail(folder: &Path, arguments: &[&str]) -> String {
    let arguments = [arguments, &["--state-dir", "state"]].concat();
    let output = run(folder, &arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The same as JSON.
fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let arguments = [arguments, &["-o", "json"]].concat();
    serde_json::from_str(&succeed(folder, &arguments)).unwrap()
}

/// Checks a moment that a command has printed with its distance: that many seconds after the command
/// ran, which was in `during`, or one less: the daemon's seconds pass evenly from a start that was cut
/// to whole ones.
fn check_moment(line: &str, head: &str, during: &RangeInclusive<u64>, seconds: Range<u64>) {
    let rest = line.strip_prefix(head).expect(line);
    let (moment, distance) = rest.split_once(" (in ").expect(line);
    assert!(moment.ends_with('Z'), "{line}");
    let at = moment.parse::<Timestamp>().expect(line).as_second();
    let at = u64::try_from(at).expect(line);
    let possible = during.start() + seconds.start - 1..during.end() + seconds.end;
    assert!(
        possible.contains(&at),
        "{line}: {at} is not in {possible:?}"
    );
    let mut left = during.clone().map(|now| at - now);
    let is_right = left.any(|left| distance == format!("{}h{}m)", left / 3600, left / 60 % 60));
    assert!(is_right, "{line}: {at} from {during:?}");
}

#[test]
fn a_drain_is_said_shown_kept_over_a_restart_and_taken_back() {
    let folder = demo();
    let folder = folder.path();
    let mut daemon = Daemon::start(folder, "demo.toml").ready();
    let began = clock::now().0;
    let text = succeed(
        folder,
        &["drain", "region/us-central1", "--over", "1h", "--for", "2h"],
    );
    let during = began..=clock::now().0;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        "region/us-central1: draining, 100% left, over 1h0m"
    );
    assert_eq!(lines[1], "  members  gce-us-central1");
    check_moment(lines[2], "  ends     ", &during, 7200..7201);
    check_moment(lines[3], "  safe at  ", &during, 3600..3660);
    assert!(lines[4].starts_with("note: pinned names"), "{text}");

    let text = succeed(folder, &["cordon", "gce-asia-east1"]);
    assert!(text.starts_with("gce-asia-east1: out, 0% left\n"), "{text}");
    let before = json(folder, &["overrides"]);
    assert_eq!(before["frozen"], serde_json::Value::Null);
    assert_eq!(before["drains"][0]["target"], "region/us-central1");
    assert_eq!(before["drains"][0]["members"][0], "gce-us-central1");
    assert_eq!(before["drains"][1]["state"], "out");
    assert_eq!(before["drains"][1]["share"], 0.0);
    let table = succeed(folder, &["clusters"]);
    assert!(table.contains("Ready,Drained"), "{table}");
    assert!(table.contains("Ready,Draining"), "{table}");
    let (_, metrics) = daemon.get("/metrics").unwrap();
    assert!(
        metrics.contains("gazetteer_publish_drains 2\n"),
        "{metrics}"
    );

    daemon.signal("KILL");
    daemon.end();
    let daemon = Daemon::start(folder, "demo.toml").ready();
    let after = json(folder, &["overrides"]);
    assert_eq!(
        after["drains"][0]["safe_at"],
        before["drains"][0]["safe_at"]
    );
    assert_eq!(after["drains"][1], before["drains"][1]);

    succeed(folder, &["uncordon", "gce-asia-east1"]);
    let error = fail(folder, &["uncordon", "gce-asia-east1"]);
    assert_eq!(
        error,
        "error: gce-asia-east1 is neither drained nor cordoned; these are: region/us-central1\n"
    );
    succeed(folder, &["uncordon", "region/us-central1"]);
    assert_eq!(succeed(folder, &["overrides"]), "nothing is drained\n");
    let events = succeed(folder, &["events", "-n", "1"]);
    assert!(
        events.contains("override   region/us-central1   draining -> in"),
        "{events}"
    );
    drop(daemon);
}

/// A set of addresses.
#[expect(
    clippy::unnecessary_wraps,
    reason = "compared with what a daemon answers"
)]
fn set(addresses: &[&str]) -> Option<BTreeSet<String>> {
    let addresses = addresses.iter();
    Some(addresses.map(|address| (*address).to_owned()).collect())
}

#[test]
fn what_is_out_is_in_no_answer_but_that_of_its_pinned_name() {
    let folder = demo();
    let folder = folder.path();
    let daemon = Daemon::start(folder, "demo.toml").ready();
    let all = set(&["203.0.113.14", "203.0.113.22", "203.0.113.32"]);
    let rest = set(&["203.0.113.14", "203.0.113.32"]);
    let region = "my-web.my-namespace.my-federation.svc.us-central1.example.com.";
    assert_eq!(daemon.addresses(WEB), all);
    succeed(folder, &["cordon", "gce-us-central1"]);
    assert_eq!(
        daemon.addresses(WEB),
        rest,
        "as soon as the command returns"
    );
    assert_eq!(daemon.addresses(region), rest, "it falls back");
    let pinned = format!("gce-us-central1.{WEB}");
    assert_eq!(daemon.addresses(&pinned), set(&["203.0.113.22"]));
    succeed(folder, &["uncordon", "gce-us-central1"]);
    assert_eq!(daemon.addresses(WEB), all);

    assert_eq!(daemon.ttl(WEB), Some(30));
    succeed(folder, &["drain", "zone/us-central1-a", "--over", "1h"]);
    let ttl = daemon.ttl(region).unwrap();
    assert!(ttl <= 5, "{ttl} s while draining");
    succeed(folder, &["drain", "zone/us-central1-a", "--over", "2s"]);
    eventually("fully drained", || daemon.addresses(WEB) == rest);
    succeed(folder, &["cordon", "service/my-namespace/my-web"]);
    assert_eq!(
        daemon.addresses(WEB),
        set(&[]),
        "not even where nothing else is"
    );
    succeed(folder, &["uncordon", "service/my-namespace/my-web"]);
    assert_eq!(daemon.addresses(WEB), rest);
}

#[test]
fn safe_at_waits_for_a_longer_ttl_that_a_reload_has_lowered_also_over_a_restart() {
    let folder = demo();
    let folder = folder.path();
    let file = folder.join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    let head = "[[federation]]\n";
    let with_ttl = |ttl: &str| text.replacen(head, &format!("{head}ttl = \"{ttl}\"\n"), 1);
    write(&file, &with_ttl("300s"));
    let mut daemon = Daemon::start(folder, "demo.toml").ready();
    assert_eq!(daemon.ttl(WEB), Some(300));
    let lowered = clock::now().0;
    replace(&file, &with_ttl("30s"));
    eventually("the TTL is lower", || daemon.ttl(WEB) == Some(30));
    let safe_at = |target: &str| {
        succeed(folder, &["cordon", target]);
        let drains = json(folder, &["overrides"]);
        let drains = drains["drains"].as_array().unwrap().clone();
        let drain = drains.iter().find(|drain| drain["target"] == target);
        let at = drain.unwrap()["safe_at"].as_str().unwrap().to_owned();
        let at = at.parse::<Timestamp>().unwrap().as_second();
        u64::try_from(at).unwrap()
    };
    let latest = |now: u64| now + 300 + 5;
    for target in ["gce-us-central1", "service/my-namespace/my-web"] {
        let at = safe_at(target);
        assert!(
            (lowered + 300..latest(clock::now().0)).contains(&at),
            "{at}"
        );
    }
    daemon.signal("INT");
    assert!(daemon.end().success());
    let daemon = Daemon::start(folder, "demo.toml").ready();
    let at = safe_at("gce-asia-east1");
    assert!(
        (lowered + 300..latest(clock::now().0)).contains(&at),
        "{at}"
    );
    drop(daemon);
}

#[test]
fn a_restart_leaves_out_what_is_out() {
    let folder = demo();
    let folder = folder.path();
    let mut daemon = Daemon::start(folder, "demo.toml").ready();
    succeed(folder, &["cordon", "region/us-central1", "--for", "1h"]);
    let rest = daemon.addresses(WEB);
    assert_eq!(rest, set(&["203.0.113.14", "203.0.113.32"]));
    daemon.signal("KILL");
    daemon.end();
    let daemon = Daemon::start(folder, "demo.toml").ready();
    assert_eq!(daemon.addresses(WEB), rest);
    let output = run(folder, &["explain", WEB, "--config", "demo.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("A\t203.0.113.22"), "{text}");
}

#[test]
fn commands_that_mean_nothing_here_are_refused_by_name() {
    let folder = demo();
    let folder = folder.path();
    let daemon = Daemon::start(folder, "demo.toml").ready();
    let error = fail(folder, &["drain", "gce-asia-east2"]);
    assert!(
        error.starts_with("error: unknown member \"gce-asia-east2\"; near it: gce-asia-east1, "),
        "{error}"
    );
    let error = fail(folder, &["cordon", "service/my-namespace/my-serivce"]);
    assert!(
        error.contains("near it: my-namespace/my-service, "),
        "{error}"
    );
    assert_eq!(fail(folder, &["thaw"]), "error: answers are not frozen\n");
    let error = fail(folder, &["confirm", "gce-asia-east1"]);
    assert!(error.contains("gce-asia-east1 are held back"), "{error}");
    assert_eq!(
        json(folder, &["overrides"])["drains"],
        serde_json::json!([])
    );
    drop(daemon);
}

#[test]
fn a_disk_that_takes_nothing_fails_the_command_and_changes_nothing() {
    let folder = demo();
    let folder = folder.path();
    let daemon = Daemon::start(folder, "demo.toml").ready();
    fs::create_dir(folder.join("state/overrides.json.new")).unwrap();
    let error = fail(folder, &["cordon", "gce-asia-east1"]);
    assert!(
        error.contains("cannot write ") && error.contains("overrides.json"),
        "{error}"
    );
    assert_eq!(succeed(folder, &["overrides"]), "nothing is drained\n");
    daemon.log(&["cannot write overrides"]);
}

#[test]
fn frozen_answers_stay_over_a_kill_until_they_are_thawed() {
    let folder = demo();
    let folder = folder.path();
    let mut daemon = Daemon::start(folder, "demo.toml").ready();
    let before = daemon.addresses(WEB);
    assert_eq!(before.as_ref().map(BTreeSet::len), Some(3));
    eventually("facts are persisted", || {
        ["gce-us-central1", "gce-europe-west1-b", "gce-asia-east1"]
            .iter()
            .all(|member| {
                ["base", "log"].iter().any(|kind| {
                    let file = folder.join(format!("state/facts/{member}.{kind}"));
                    let octets = fs::read(file).unwrap_or_default();
                    octets.windows(6).any(|window| window == b"my-web")
                })
            })
    });
    let text = succeed(folder, &["freeze"]);
    assert!(text.starts_with("answers are frozen since 2"), "{text}");
    let facts = folder.join("gce-asia-east1.toml");
    let text = fs::read_to_string(&facts).unwrap();
    let folded = |daemon: &Daemon| {
        let (_, text) = daemon.get("/metrics").unwrap();
        let head = "gazetteer_publish_deltas_total{outcome=\"folded\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(head));
        line.map(str::to_owned)
    };
    let before_change = folded(&daemon);
    write(&facts, &text.replace("203.0.113.", "198.18.0."));
    eventually("the change is folded", || folded(&daemon) != before_change);
    assert_eq!(daemon.addresses(WEB), before);
    let (_, metrics) = daemon.get("/metrics").unwrap();
    assert!(
        metrics.contains("gazetteer_publish_frozen 1\n"),
        "{metrics}"
    );
    let table = succeed(folder, &["clusters"]);
    assert!(table.starts_with("answers are frozen since 2"), "{table}");

    daemon.signal("KILL");
    daemon.end();
    let daemon = Daemon::start(folder, "demo.toml");
    daemon.log(&["WARN", "answers are frozen"]);
    assert_eq!(daemon.addresses(WEB), before);
    let daemon = daemon.ready();
    daemon.log(&["synced", "gce-asia-east1"]);
    assert_eq!(daemon.addresses(WEB), before);
    succeed(folder, &["thaw"]);
    let after = daemon.addresses(WEB);
    assert!(after.is_some_and(|after| after.contains("198.18.0.32")));
    assert_eq!(
        json(folder, &["overrides"])["frozen"],
        serde_json::Value::Null
    );
    let events = json(folder, &["events"]);
    assert_eq!(events.as_array().unwrap().last().unwrap()["to"], "live");
}

#[test]
fn the_control_socket_is_for_the_daemons_user_and_goes_with_it() {
    let folder = demo();
    let mut daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let socket = folder.path().join("state/control");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    daemon.signal("KILL");
    daemon.end();
    assert!(socket.exists(), "nobody removes it");
    let mut daemon = Daemon::start(folder.path(), "demo.toml").ready();
    succeed(folder.path(), &["cordon", "gce-asia-east1"]);
    daemon.signal("INT");
    assert!(daemon.end().success());
    assert!(!socket.exists());
    let error = fail(folder.path(), &["thaw"]);
    assert!(error.contains("no running daemon found"), "{error}");
}
