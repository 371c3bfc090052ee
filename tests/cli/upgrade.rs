//! A state folder that the build before this one has written: `before` was made by the build of
//! commit 3c4841d, of a Kubernetes member with one service of every kind and a member with a facts
//! file, neither of which is there any more.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::daemon::{Daemon, eventually};
use crate::program::run;

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn what_the_build_before_has_kept_is_answered_alike() {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("tests/cli/before"), folder.path());
    let mut daemon = Daemon::start(folder.path(), "gazetteer.toml").ready();
    let addresses = |daemon: &Daemon, name: &str| {
        let name = format!("{name}.example.com.");
        daemon.addresses(&name).expect("a reply")
    };
    let check = |daemon: &Daemon, name: &str, expected: &[&str]| {
        let expected: BTreeSet<_> = expected.iter().map(|at| (*at).to_owned()).collect();
        assert_eq!(addresses(daemon, name), expected, "{name}");
    };
    for round in 0..2 {
        // As the build before answered, from the same folder.
        check(&daemon, "plain.ns.f.svc", &["198.51.100.1", "203.0.113.11"]);
        check(&daemon, "plain.ns.f.svc.eu-1.eu", &["203.0.113.11"]);
        check(&daemon, "plain.ns.f.svc.us", &["198.51.100.1"]);
        check(&daemon, "steered.ns.f.svc", &[]);
        check(&daemon, "kube.steered.ns.f.svc", &["203.0.113.2"]);
        check(&daemon, "front.ns.f.svc", &["203.0.113.3"]);
        check(&daemon, "shop", &["203.0.113.3"]);
        check(&daemon, "probed.ns.f.svc", &["203.0.113.6"]);
        check(&daemon, "hosted.ns.f.svc", &["203.0.113.77"]);
        check(&daemon, "late.ns.f.svc", &[]);
        check(&daemon, "kube.late.ns.f.svc", &["203.0.113.12"]);
        for name in ["named", "gone", "inner", "headless"] {
            check(&daemon, &format!("{name}.ns.f.svc"), &[]);
        }
        let drawn = addresses(&daemon, "bounded.ns.f.svc");
        let both = ["203.0.113.4", "203.0.113.5"];
        assert!(drawn.len() == 1 && both.contains(&&**drawn.first().unwrap()));
        if round == 0 {
            // A command is kept in the form of this build, which the next start reads.
            let uncordon = ["uncordon", "service/ns/steered", "--state-dir", "state"];
            assert!(run(folder.path(), &uncordon).status.success());
            let is_back = || addresses(&daemon, "steered.ns.f.svc").len() == 1;
            eventually("it is back", is_back);
            let cordon = ["cordon", "service/ns/steered", "--state-dir", "state"];
            assert!(run(folder.path(), &cordon).status.success());
            daemon.signal("KILL");
            daemon.end();
            daemon = Daemon::start(folder.path(), "gazetteer.toml").ready();
        }
    }
}
