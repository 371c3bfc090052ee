//! A state folder that cannot be used stops nothing.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::daemon::{Daemon, eventually};
use crate::program::{demo, run, write};

/// A name of the example.
const NAME: &str = "my-service.my-namespace.my-federation.svc.example.com.";

/// Checks that the daemon serves and says that its folder cannot be used.
fn check(daemon: &Daemon) {
    eventually("it answers", || {
        daemon
            .addresses(NAME)
            .is_some_and(|answer| !answer.is_empty())
    });
    let (status, _) = daemon.get("/readyz").unwrap();
    assert_eq!(status, 200);
    eventually("it says so", || {
        let (_, text) = daemon.get("/readyz?verbose").unwrap();
        text.starts_with("[+]members ok\n") && text.contains("[-]state-dir ")
    });
    let (_, metrics) = daemon.get("/metrics").unwrap();
    let metric = "gazetteer_publish_state_dir_errors ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(metric));
    assert_ne!(line, Some("0"));
    let (_, clusters) = daemon.get("/v1/clusters").unwrap();
    assert!(clusters.contains("state-dir: "), "{clusters}");
    let clusters: serde_json::Value = serde_json::from_str(&clusters).unwrap();
    for cluster in clusters.as_array().unwrap() {
        let warnings = cluster["warnings"].as_array().unwrap();
        let once: std::collections::HashSet<_> = warnings.iter().collect();
        assert_eq!(once.len(), warnings.len(), "each is said once: {cluster}");
    }
}

/// The outcome of a command, and what it says.
fn cordon(folder: &Path, state_dir: &Path) -> (bool, String) {
    let state_dir = state_dir.to_str().unwrap();
    let output = run(
        folder,
        &["cordon", "gce-asia-east1", "--state-dir", state_dir],
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

/// What a test does to a state folder.
type Spoil = fn(&Path);

#[test]
fn strange_things_in_the_place_of_the_folder_or_its_files_stop_nothing() {
    let spoils: [Spoil; 4] = [
        |state| write(state, "no folder"),
        |state| fs::create_dir_all(state.join("lock/x")).unwrap(),
        |state| {
            fs::create_dir_all(state.join("control/x")).unwrap();
            fs::create_dir_all(state.join("control.new")).unwrap();
            fs::create_dir_all(state.join("admin.address/x")).unwrap();
        },
        |state| {
            fs::create_dir_all(state).unwrap();
            write(&state.join("facts"), "no folder");
        },
    ];
    for spoil in spoils {
        let folder = demo();
        spoil(&folder.path().join("state"));
        let daemon = Daemon::start(folder.path(), "demo.toml").ready();
        check(&daemon);
    }
}

#[test]
fn overrides_that_cannot_be_read_stop_nothing() {
    let folder = demo();
    let state = folder.path().join("state");
    let mut daemon = Daemon::start(folder.path(), "demo.toml").ready();
    assert!(cordon(folder.path(), &state).0);
    let without = daemon.addresses(NAME);
    daemon.signal("KILL");
    daemon.end();
    for damage in [0, 1] {
        let file = state.join("overrides.json");
        if damage == 0 {
            write(&file, "{\"version\": 7}");
        } else {
            // No regular file, and nobody writes into it.
            fs::remove_file(&file).unwrap();
            let made = Command::new("mkfifo").arg(&file).status().unwrap();
            assert!(made.success());
        }
        let daemon = Daemon::start(folder.path(), "demo.toml").ready();
        check(&daemon);
        assert_eq!(daemon.addresses(NAME), without, "the last good form");
    }
    write(&state.join("overrides.json.last"), "nonsense");
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    check(&daemon);
    assert_ne!(daemon.addresses(NAME), without);
    let (_, text) = daemon.get("/readyz?verbose").unwrap();
    assert!(text.contains("nothing is in force"), "{text}");
    assert!(cordon(folder.path(), &state).0, "a command puts it right");
    eventually("it says so", || {
        let (_, text) = daemon.get("/readyz?verbose").unwrap();
        text == "[+]members ok\n[+]state-dir ok\n"
    });
}

#[test]
fn a_disk_that_is_full_or_takes_nothing_stops_no_start() {
    for options in [
        "ro,size=1m",
        "size=4k",
        "size=1m,nr_inodes=1",
        "size=1m,nr_inodes=4",
    ] {
        let folder = demo();
        let daemon = Daemon::start_mounted(folder.path(), options).ready();
        if options == "size=4k" {
            let state = state(&daemon, folder.path());
            fill(&state.join("filler"));
        }
        let state = state(&daemon, folder.path());
        let (is_obeyed, _) = cordon(folder.path(), &state);
        assert!(!is_obeyed, "{options}");
        check(&daemon);
    }
}

#[test]
fn a_disk_that_fills_refuses_commands_until_there_is_room() {
    let folder = demo();
    let daemon = Daemon::start_mounted(folder.path(), "size=1m").ready();
    let state = state(&daemon, folder.path());
    fill(&state.join("filler"));
    let before = daemon.addresses(NAME);
    let (is_obeyed, said) = cordon(folder.path(), &state);
    assert!(!is_obeyed && said.contains("cannot write "), "{said}");
    assert_eq!(daemon.addresses(NAME), before);
    check(&daemon);
    fs::remove_file(state.join("filler")).unwrap();
    assert!(cordon(folder.path(), &state).0);
    eventually("it says so", || {
        let (_, text) = daemon.get("/readyz?verbose").unwrap();
        !text.contains("overrides.json")
    });
    let mode = fs::metadata(state.join("lock"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0);
}

/// The state folder of a daemon that has it mounted for itself alone.
fn state(daemon: &Daemon, folder: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", daemon.pid()));
    let folder = folder.canonicalize().unwrap();
    root.join(folder.strip_prefix("/").unwrap()).join("state")
}

/// Writes into a file until the disk takes no more.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).unwrap();
    let written = file.write_all(&vec![0; 4 << 20]);
    assert!(written.is_err(), "the disk is small");
}
