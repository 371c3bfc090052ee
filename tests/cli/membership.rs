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
fn where_members_come_from_is_shown_in_columns_that_are_asked_for() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    fs::create_dir(folder.join("members.d")).unwrap();
    for (name, host) in [("a", 1), ("b", 2)] {
        member(folder, name, host);
    }
    let facts = folder.join("members.d/a.facts");
    let own = "[[service]]\nnamespace = \"n\"\nname = \"own\"\naddresses = [\"203.0.113.9\"]\n";
    write(&facts, &(fs::read_to_string(&facts).unwrap() + own));
    let configured = "[[member]]\nname = \"z\"\nsource = { file = \"members.d/a.facts\" }\n";
    write(&folder.join("g.toml"), &(beginning("") + configured));
    member(folder, "members", 5);
    let daemon = Daemon::start(folder, "g.toml").ready();
    daemon.log(&["members.toml:2:8", "means all of them"]);
    let shown = |arguments: &[&str]| {
        let output = run(
            folder,
            &[&["clusters", "--state-dir", "state"], arguments].concat(),
        );
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let columns = shown(&[
        "--columns",
        "name,ready,version,contact,token,origin,services",
    ]);
    let expected = "NAME   READY   KUBERNETES-VERSION   CONTACT   TOKEN   ORIGIN   SERVICES\n\
                    z      True    -                    -         -       config   2\n\
                    a      True    -                    -         -       folder   2\n\
                    b      True    -                    -         -       folder   1\n";
    assert_eq!(columns, expected);
    let wide = shown(&["-o", "wide"]);
    assert!(
        wide.lines()
            .next()
            .is_some_and(|heads| heads.ends_with("READY   CONTACT   TOKEN   ORIGIN"))
    );
    let json = clusters(folder);
    let member = &json[0];
    assert_eq!(member["origin"], "config");
    assert_eq!(member["ready"], true);
    assert!(member["contact_seconds"].is_null() && member["token_expires"].is_null());
    let (_, metrics) = daemon.get("/metrics").unwrap();
    for line in ["{origin=\"config\"} 1", "{origin=\"folder\"} 2"] {
        let line = format!("gazetteer_membership_members{line}");
        assert!(metrics.contains(&line), "{metrics}");
    }
    insta::assert_snapshot!(
        "clusters_unknown_column",
        transcript(folder, &["clusters", "--columns", "name,regon"])
    );

    // Which services one member alone has follows who has them.
    let alone = |member: &str| daemon.get(&format!("/v1/alone?member={member}")).unwrap().1;
    assert_eq!(alone("a"), r#"{"count":0,"services":[]}"#);
    write(&folder.join("g.toml"), &beginning(""));
    eventually("it is gone", || names(folder) == ["a", "b"]);
    assert_eq!(alone("a"), r#"{"count":1,"services":["own.n.f"]}"#);
    assert_eq!(alone("b"), r#"{"count":0,"services":[]}"#);
    assert_eq!(alone("nobody"), r#"{"count":0,"services":[]}"#);
    // Where a member comes from may change, and it stays who it is.
    let fragment = folder.join("members.d/a.toml");
    let configured = "[[member]]\nname = \"a\"\nsource = { file = \"members.d/a.facts\" }\n";
    write(&folder.join("g.toml"), &(beginning("") + configured));
    eventually("the first counts", || {
        clusters(folder)[0]["origin"] == "config"
    });
    fs::remove_file(fragment).unwrap();
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
