//! `gazetteer keys`, and the daemon that follows what it does.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::daemon::{Daemon, eventually};
use crate::program::{demo, run, write};

/// The zone of the example.
pub(crate) const ZONE: &str = "example.com";

/// The example with its zone to be signed, without a key.
pub(crate) fn signed() -> tempfile::TempDir {
    let folder = demo();
    let path = folder.path().join("demo.toml");
    let text = fs::read_to_string(&path).unwrap();
    write(
        &path,
        &format!("{text}\n[[zone]]\napex = \"{ZONE}\"\ndnssec = {{}}\n"),
    );
    folder
}

/// Runs `gazetteer keys` on the example: whether it succeeds, and what it says.
fn keys(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let all = [&["keys", "--config", "demo.toml"], arguments].concat();
    let output = run(folder, &all);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    (output.status.success(), said)
}

/// What `gazetteer keys` says, which succeeds.
#[track_caller]
pub(crate) fn done(folder: &Path, arguments: &[&str]) -> String {
    let (is_done, said) = keys(folder, arguments);
    assert!(is_done, "{arguments:?}: {said}");
    said
}

/// The keys as programs see them.
fn listed(folder: &Path) -> Vec<Value> {
    let text = done(folder, &["list", "-o", "json"]);
    serde_json::from_str(&text).unwrap()
}

/// The file of the only key.
pub(crate) fn only_file(folder: &Path) -> PathBuf {
    let listed = listed(folder);
    let [key] = listed.as_slice() else {
        panic!("{listed:?}");
    };
    folder.join(key["file"].as_str().unwrap())
}

/// What a program prints.
#[track_caller]
fn printed(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The words of a record but its TTL, in capital letters.
fn words(record: &str) -> Vec<String> {
    let words = record.split_ascii_whitespace();
    words
        .filter(|word| *word != "3600")
        .map(str::to_ascii_uppercase)
        .collect()
}

/// A key file as if its key were made long ago.
fn made_long_ago(text: &str) -> String {
    text.lines()
        .map(|line| match line.split_once(" = ") {
            Some((key @ ("created" | "publish" | "ready"), _)) => {
                format!("{key} = 2026-01-01T00:00:00Z\n")
            }
            _ => format!("{line}\n"),
        })
        .collect()
}

#[test]
fn the_ds_record_is_that_of_other_programs() {
    for algorithm in ["ECDSAP256SHA256", "ED25519"] {
        let folder = signed();
        let folder = folder.path();
        done(folder, &["generate", ZONE, "--algorithm", algorithm]);
        let tag = listed(folder)[0]["tag"].to_string();
        let written = done(folder, &["export", &tag, "--format", "bind"]);
        let public = written
            .lines()
            .find(|line| line.strip_suffix(".key").is_some())
            .unwrap();
        for (digest, option) in [("sha256", "-2"), ("sha384", "-4")] {
            let ours = done(folder, &["ds", ZONE, "--digest", digest]);
            let ours = words(ours.lines().next().unwrap());
            let anchors = done(
                folder,
                &["ds", ZONE, "--digest", digest, "-o", "trust-anchors"],
            );
            let [tag, number, kind, hex] = &ours[ours.len() - 4..] else {
                panic!("{ours:?}");
            };
            let anchor = format!("    {ZONE}. static-ds {tag} {number} {kind} \"{hex}\";");
            assert_eq!(anchors, format!("trust-anchors {{\n{anchor}\n}};\n"));
            let ldns_option = if digest == "sha256" { "-2" } else { "-4" };
            let ldns = printed(folder, "ldns-key2ds", &["-n", ldns_option, public]);
            assert_eq!(ours, words(&ldns), "{algorithm} {digest}");
            let algorithm_option = if option == "-2" { "SHA-256" } else { "SHA-384" };
            let bind = printed(
                folder,
                "dnssec-dsfromkey",
                &["-a", algorithm_option, public],
            );
            assert_eq!(ours, words(&bind), "{algorithm} {digest}");
        }
    }
}

#[test]
fn a_key_of_bind_is_taken_in_and_signs_a_zone_when_it_is_given_back() {
    for algorithm in ["ECDSAP256SHA256", "ED25519"] {
        let folder = signed();
        let folder = folder.path();
        let stem = printed(
            folder,
            "dnssec-keygen",
            &["-a", algorithm, "-f", "KSK", ZONE],
        );
        let stem = stem.trim();
        let tag = stem.rsplit('+').next().unwrap().trim_start_matches('0');
        done(folder, &["import", &format!("{stem}.private"), ZONE]);
        assert_eq!(listed(folder)[0]["tag"].to_string(), tag);
        let (is_done, said) = keys(folder, &["import", &format!("{stem}.key"), ZONE]);
        assert!(
            !is_done && said.contains("has a key with the tag"),
            "{said}"
        );
        fs::create_dir(folder.join("out")).unwrap();
        done(
            folder,
            &["export", tag, "--format", "bind", "--folder", "out"],
        );
        let zone = "example.com. 3600 IN SOA ns.example.com. h.example.com. 1 2 3 4 5\n\
            example.com. 3600 IN NS ns.example.com.\nns.example.com. 3600 IN A 192.0.2.1\n";
        write(&folder.join("zone"), zone);
        let key = format!("out/{stem}");
        printed(
            folder,
            "ldns-signzone",
            &["-o", ZONE, "-f", "signed", "zone", &key],
        );
        printed(folder, "ldns-verify-zone", &["signed"]);
        // A key in PEM is the same.
        done(folder, &["export", tag, "--format", "pem"]);
        fs::remove_dir_all(folder.join("state/keys")).unwrap();
        done(folder, &["import", &format!("{ZONE}.{tag}.pem"), ZONE]);
        assert_eq!(listed(folder)[0]["tag"].to_string(), tag);
        for private in [format!("{ZONE}.{tag}.pem"), format!("out/{stem}.private")] {
            let mode = fs::metadata(folder.join(private))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[test]
fn a_roll_begins_once_the_parent_has_the_ds_record_and_one_at_a_time() {
    let folder = signed();
    let folder = folder.path();
    let (_, none) = keys(folder, &["roll", ZONE]);
    assert!(none.contains("there is no key to be replaced"), "{none}");
    let check = run(folder, &["check", "demo.toml"]);
    let said = String::from_utf8(check.stdout).unwrap();
    let zone = said
        .lines()
        .find(|line| line.contains("zone example.com"))
        .unwrap_or(&said);
    assert!(zone.starts_with("demo.toml:"), "{zone}");
    let lacks =
        ":8: zone example.com is to be signed and has no key; gazetteer keys generate example.com";
    assert!(zone.ends_with(lacks), "{zone}");

    let made = done(folder, &["generate", ZONE]);
    assert!(made.starts_with("example.com 13/"), "{made}");
    assert!(run(folder, &["check", "demo.toml"]).status.success());
    let (_, again) = keys(folder, &["generate", ZONE]);
    assert!(again.contains("is there already"), "{again}");
    let (_, early) = keys(folder, &["roll", ZONE]);
    assert!(early.contains("one roll at a time"), "{early}");

    let tag = listed(folder)[0]["tag"].to_string();
    let file = only_file(folder);
    let text = fs::read_to_string(&file).unwrap();
    let seen = text.replace(
        "private =",
        "ds-seen = 2026-01-01T00:00:00Z\nds-ttl = \"1h\"\nprivate =",
    );
    let seen = made_long_ago(&seen);
    write(&file, &seen);
    assert_eq!(listed(folder)[0]["state"], "active");
    let rolled = done(folder, &["roll", ZONE, "--algorithm", "ed25519"]);
    assert!(
        rolled.contains("example.com 15/") && rolled.contains("a successor"),
        "{rolled}"
    );
    let all = listed(folder);
    let states: Vec<_> = all
        .iter()
        .map(|key| (&key["state"], &key["next"]))
        .collect();
    assert_eq!(states[0].0, "active");
    assert_eq!(
        states[1],
        (&Value::from("generated"), &Value::from("published"))
    );
    let (_, twice) = keys(folder, &["roll", ZONE]);
    assert!(twice.contains("one roll at a time"), "{twice}");
    let (_, ready) = keys(folder, &["ds-seen", &tag, "--ttl", "1h"]);
    assert!(ready.contains("is active"), "{ready}");
    let leaves = done(folder, &["unsign", ZONE]);
    assert!(leaves.contains("asks its parent to delete"), "{leaves}");
    let table = done(folder, &["list"]);
    assert!(
        table.starts_with("ZONE") && table.contains("ED25519"),
        "{table}"
    );
}

/// Whether the daemon shows a metric with this value.
fn shows(daemon: &Daemon, metric: &str, value: &str) -> bool {
    let (_, text) = daemon.get("/metrics").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    line == Some(value)
}

/// What `/readyz?verbose` says.
fn verbose(daemon: &Daemon) -> String {
    daemon.get("/readyz?verbose").unwrap().1
}

/// What a test does to a key file that has this text.
type Spoil = fn(&Path, &str);

#[test]
fn a_wrong_change_of_keys_is_refused_and_those_in_memory_stay() {
    let folder = signed();
    let folder = folder.path();
    done(folder, &["generate", ZONE]);
    let file = only_file(folder);
    let text = fs::read_to_string(&file).unwrap();
    let daemon = Daemon::start(folder, "demo.toml").ready();
    assert!(verbose(&daemon).contains("[+]dnssec ok\n"));
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let core: Vec<_> = core.split_ascii_whitespace().skip(4).take(2).collect();
    assert_eq!(core, ["1", "1"], "no core files");

    let spoils: [(Spoil, &str); 4] = [
        (
            |file, _| fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap(),
            "readable by everyone (0644); chmod 640",
        ),
        (
            |file, text| write(file, &text.replace("-----END PRIVATE KEY-----", "")),
            "truncated PEM",
        ),
        (
            |file, text| write(file, &text.replace("tag = ", "tag = 1")),
            "tag ",
        ),
        (
            |file, _| fs::remove_file(file).unwrap(),
            "is in use and its file is gone",
        ),
    ];
    for (spoil, says) in spoils {
        spoil(&file, &text);
        eventually(says, || {
            let verbose = verbose(&daemon);
            verbose.contains("[-]dnssec ") && verbose.contains(says)
        });
        assert!(shows(&daemon, "gazetteer_dnssec_key_files_refused", "1"));
        assert!(shows(&daemon, "gazetteer_dnssec_zones_without_key", "0"));
        assert_eq!(daemon.get("/readyz").unwrap().0, 200);
        write(&file, &text);
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        eventually("what is right is taken", || {
            verbose(&daemon).contains("[+]dnssec ok\n")
        });
        assert!(shows(&daemon, "gazetteer_dnssec_key_files_refused", "0"));
    }
    let secret: Vec<_> = text.lines().filter(|line| line.len() == 64).collect();
    assert!(!secret.is_empty());
    for line in daemon.logs.try_iter() {
        assert!(!secret.iter().any(|secret| line.contains(secret)), "{line}");
    }
}

#[test]
fn a_zone_without_readable_keys_is_not_ready_alone_and_comes_with_its_key() {
    let folder = signed();
    let folder = folder.path();
    let daemon = Daemon::start(folder, "demo.toml");
    let says = "[-]dnssec zone example.com is to be signed and has no key; gazetteer keys generate example.com\n";
    eventually("it says so", || verbose(&daemon).contains(says));
    // There is no other zone.
    let (status, why) = daemon.get("/readyz").unwrap();
    assert_eq!(
        (status, &*why),
        (503, "not ready: no zone has keys to be signed with\n")
    );
    assert!(shows(&daemon, "gazetteer_dnssec_zones_without_key", "1"));
    done(folder, &["generate", ZONE]);
    eventually("it has its key", || {
        verbose(&daemon).contains("[+]dnssec ok\n")
    });
    eventually("it is ready", || daemon.get("/readyz").unwrap().0 == 200);
    assert!(shows(&daemon, "gazetteer_dnssec_zones_without_key", "0"));
}

#[test]
fn a_key_that_waits_for_its_ds_record_is_shown_for_as_long_as_it_waits() {
    let folder = signed();
    let folder = folder.path();
    done(folder, &["generate", ZONE]);
    let file = only_file(folder);
    let text = fs::read_to_string(&file).unwrap();
    let old = made_long_ago(&text);
    write(&file, &old);
    let daemon = Daemon::start(folder, "demo.toml").ready();
    let (_, metrics) = daemon.get("/metrics").unwrap();
    let metric = "gazetteer_dnssec_ds_wait_seconds ";
    let wait = metrics
        .lines()
        .find_map(|line| line.strip_prefix(metric))
        .unwrap();
    assert!(wait.parse::<u64>().unwrap() > 86_400, "{wait}");
    assert_eq!(listed(folder)[0]["state"], "ready");
}

#[test]
fn a_clock_behind_the_key_files_is_told() {
    let folder = signed();
    let folder = folder.path();
    done(folder, &["generate", ZONE]);
    let file = only_file(folder);
    let text = fs::read_to_string(&file).unwrap();
    let later = |text: &str| {
        let lines = text.lines().map(|line| match line.split_once(" = ") {
            Some((key @ ("created" | "publish" | "ready"), _)) => {
                format!("{key} = 2099-01-01T00:00:00Z\n")
            }
            _ => format!("{line}\n"),
        });
        lines.collect::<String>()
    };
    write(&file, &later(&text));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let daemon = Daemon::start(folder, "demo.toml");
    let said = daemon.log(&["the clock is behind"]);
    assert!(
        said.contains("WARN") && said.contains("example.com"),
        "{said}"
    );
    let (_, ready) = daemon.get("/readyz?verbose").unwrap();
    assert!(ready.contains("the clock is behind"), "{ready}");
    let (_, checked) = {
        let output = run(folder, &["check", "demo.toml"]);
        let said = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8(said).unwrap())
    };
    assert!(checked.contains("the clock is behind"), "{checked}");
}
