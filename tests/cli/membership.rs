//! Members that come and go by fragments of a folder.

use std::fs;
use std::path::Path;

use crate::daemon::{Daemon, eventually};
use crate::program::{beginning, clusters, replace, run, transcript, write};

/// Writes the facts and the fragment of a member.
fn member(folder: &Path, name: &str, host: u8) {
    let facts = format!(
        "[[service]]\nnamespace = \"n\"\nname = \"s\"\naddresses = [\"203.0.113.{host}\"]\n"
    );
    write(&folder.join(format!("members.d/{name}.facts")), &facts);
    let fragment =
        format!("version = \"v1\"\nname = \"{name}\"\nsource = {{ file = \"{name}.facts\" }}\n");
    replace(&folder.join(format!("members.d/{name}.toml")), &fragment);
}

/// The members that the daemon has.
fn names(folder: &Path) -> Vec<String> {
    let shown = clusters(folder);
    let names = shown.as_array().into_iter().flatten();
    let names = names.map(|one| one["name"].as_str().unwrap_or_default().to_owned());
    names.collect()
}

#[test]
fn fragments_come_and_go_and_too_many_wait_for_a_word() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    fs::create_dir(folder.join("members.d")).unwrap();
    write(&folder.join("g.toml"), &beginning(""));
    for (name, host) in [("a", 1), ("c", 3), ("d", 4)] {
        member(folder, name, host);
    }
    let mut daemon = Daemon::start(folder, "g.toml").ready();
    assert_eq!(names(folder), ["a", "c", "d"]);
    member(folder, "b", 2);
    eventually("it has come, in its place", || {
        names(folder) == ["a", "b", "c", "d"]
    });
    let name = "s.n.f.svc.example.com.";
    eventually("it answers", || {
        daemon.addresses(name).is_some_and(|all| all.len() == 4)
    });

    // A wrong one refuses itself alone.
    let wrong = folder.join("members.d/b.toml");
    let right = fs::read_to_string(&wrong).unwrap();
    replace(&wrong, &right.replace("\"b\"", "\"x\""));
    daemon.log(&["b.toml:2:8", "in a file called"]);
    let checked = transcript(folder, &["check", "g.toml"]);
    assert!(
        checked.contains("b.toml:2:8: name: \"x\" in a file called \"b\""),
        "{checked}"
    );
    assert_eq!(names(folder), ["a", "b", "c", "d"]);
    replace(&wrong, &right);

    // One file that is gone is one member.
    fs::remove_file(&wrong).unwrap();
    eventually("it is gone", || names(folder) == ["a", "c", "d"]);

    // Nothing that the folder fails to say removes anybody, over a restart too.
    fs::rename(folder.join("members.d"), folder.join("away")).unwrap();
    daemon.log(&["members folder cannot be read"]);
    daemon.signal("TERM");
    daemon.end();
    let daemon = Daemon::start(folder, "g.toml");
    assert_eq!(names(folder), ["a", "c", "d"]);
    assert!(daemon.addresses(name).is_some_and(|all| all.len() == 3));

    fs::create_dir(folder.join("members.d")).unwrap();
    let waits = "gazetteer confirm members";
    eventually("all wait", || clusters(folder).to_string().contains(waits));
    assert_eq!(names(folder), ["a", "c", "d"]);
    let confirmed = run(folder, &["confirm", "members", "--state-dir", "state"]);
    assert!(confirmed.status.success(), "{confirmed:?}");
    eventually("they are gone", || names(folder).is_empty());
}

#[test]
fn who_was_there_at_the_start_is_kept_without_any_change() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    fs::create_dir(folder.join("members.d")).unwrap();
    write(&folder.join("g.toml"), &beginning(""));
    for (name, host) in [("a", 1), ("b", 2)] {
        member(folder, name, host);
    }
    let mut daemon = Daemon::start(folder, "g.toml").ready();
    eventually("it is kept", || folder.join("state/members.json").exists());
    daemon.signal("KILL");
    daemon.end();
    fs::rename(folder.join("members.d"), folder.join("away")).unwrap();
    let daemon = Daemon::start(folder, "g.toml");
    assert_eq!(names(folder), ["a", "b"]);
    drop(daemon);
}
