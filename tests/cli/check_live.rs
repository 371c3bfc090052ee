//! What `check --live` says of the running daemon.

use std::path::Path;

use serde_json::Value;

use crate::daemon::{Daemon, eventually};
use crate::program::{demo, run, write};

/// The checks of the daemon.
const DAEMON: &str = "daemon-ready,daemon-state-dir,daemon-overrides";

/// What the checks of the daemon come to: each with its state, and the hints.
fn check(folder: &Path, file: &str) -> (Vec<(String, String)>, Vec<String>) {
    let output = run(
        folder,
        &["check", file, "--live", "-o", "json", "--only", DAEMON],
    );
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let lines = document["checks"].as_array().unwrap();
    let text = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
    let states = lines.iter().map(|line| {
        assert_eq!(line["subject"], "daemon");
        (text(line, "id").unwrap(), text(line, "state").unwrap())
    });
    let hints = lines.iter().filter_map(|line| text(line, "hint"));
    (states.collect(), hints.collect())
}

/// The checks of the daemon with these states.
fn states(states: [&str; 3]) -> Vec<(String, String)> {
    let ids = ["daemon-ready", "daemon-state-dir", "daemon-overrides"];
    let pairs = ids.into_iter().zip(states);
    pairs
        .map(|(id, state)| (id.to_owned(), state.to_owned()))
        .collect()
}

#[test]
fn without_a_daemon_nothing_of_it_is_wrong() {
    let folder = demo();
    let (found, _) = check(folder.path(), "demo.toml");
    assert_eq!(found, states(["skipped"; 3]));
    let output = run(
        folder.path(),
        &[
            "check",
            "demo.toml",
            "--live",
            "-o",
            "short",
            "--only",
            DAEMON,
        ],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("-- daemon-ready: no running daemon found: "),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn a_freeze_is_told_with_the_command_that_ends_it() {
    let folder = demo();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    assert_eq!(check(folder.path(), "demo.toml").0, states(["ok"; 3]));
    let output = run(folder.path(), &["freeze", "--state-dir", "state"]);
    assert!(output.status.success(), "{output:?}");
    let (found, hints) = check(folder.path(), "demo.toml");
    assert_eq!(found, states(["ok", "ok", "warning"]));
    assert_eq!(hints, ["gazetteer thaw --state-dir state"]);
    // The hint as it is printed.
    let words: Vec<_> = hints[0].split(' ').skip(1).collect();
    let output = run(folder.path(), &words);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(check(folder.path(), "demo.toml").0, states(["ok"; 3]));
    drop(daemon);
}

#[test]
fn a_state_folder_that_cannot_be_used_is_wrong() {
    let folder = demo();
    std::fs::create_dir_all(folder.path().join("state")).unwrap();
    write(&folder.path().join("state/facts"), "no folder");
    let _daemon = Daemon::start(folder.path(), "demo.toml").ready();
    eventually("it is told", || {
        let (found, _) = check(folder.path(), "demo.toml");
        found.first() == states(["ok"; 3]).first()
            && found
                .iter()
                .any(|(id, state)| id == "daemon-state-dir" && state == "failure")
            && found.last() == states(["ok"; 3]).last()
    });
}

#[test]
fn a_daemon_that_waits_for_a_member_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let config = "version = \"v1\"\nstate-dir = \"state\"\nshutdown-delay = \"0s\"\n\
        [listen]\ndns = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n\
        [[federation]]\nname = \"f\"\napex = \"example.com\"\n\
        nameservers = [{ name = \"ns.example.net\" }]\n\
        [[member]]\nname = \"m\"\nsource = { kubeconfig = \"kubeconfig\", context = \"c\" }\n";
    write(&folder.path().join("g.toml"), config);
    let kubeconfig = "apiVersion: v1\nkind: Config\n\
        clusters: [{ name: c, cluster: { server: \"https://127.0.0.1:1\" } }]\n\
        contexts: [{ name: c, context: { cluster: c, user: c } }]\n\
        users: [{ name: c, user: { token: t } }]\n";
    write(&folder.path().join("kubeconfig"), kubeconfig);
    let _daemon = Daemon::start(folder.path(), "g.toml");
    let (found, hints) = check(folder.path(), "g.toml");
    assert_eq!(found[0], ("daemon-ready".to_owned(), "failure".to_owned()));
    assert_eq!(hints, ["gazetteer clusters --state-dir state"]);
}
