//! Members that come and go by fragments of a folder.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::daemon::{Daemon, eventually};
use crate::program::{beginning, clusters, replace, run, transcript, write};

/// Writes the facts and the fragment of a member.
pub(crate) fn member(folder: &Path, name: &str, host: u8) {
    member_in(&folder.join("members.d"), name, host);
}

/// The same, in a members folder.
fn member_in(members: &Path, name: &str, host: u8) {
    let facts = format!(
        "[[service]]\nnamespace = \"n\"\nname = \"s\"\naddresses = [\"203.0.113.{host}\"]\n"
    );
    write(&members.join(format!("{name}.facts")), &facts);
    let fragment =
        format!("version = \"v1\"\nname = \"{name}\"\nsource = {{ file = \"{name}.facts\" }}\n");
    replace(&members.join(format!("{name}.toml")), &fragment);
}

/// The name of a service of the federation `f`.
pub(crate) fn service(name: &str) -> String {
    format!("{name}.n.f.svc.example.com.")
}

/// A folder with a configuration, `more` in it, and a members folder with these members; the hosts of
/// their addresses are 1, 2 and so on.
pub(crate) fn furnished(more: &str, members: &[&str]) -> tempfile::TempDir {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    fs::create_dir(folder.join("members.d")).unwrap();
    write(&folder.join("g.toml"), &beginning(more));
    for (name, host) in members.iter().zip(1..) {
        member(folder, name, host);
    }
    temporary
}

/// The members that the daemon has.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let shown = clusters(folder);
    let names = shown.as_array().into_iter().flatten();
    let names = names.map(|one| one["name"].as_str().unwrap_or_default().to_owned());
    names.collect()
}

/// What the daemon shows of members that stay until somebody confirms that they are gone.
pub(crate) const WAITS: &str = "gazetteer confirm members";

#[test]
fn fragments_come_and_go_and_too_many_wait_for_a_word() {
    let temporary = furnished("", &["a", "c", "d"]);
    let folder = temporary.path();
    let mut daemon = Daemon::start(folder, "g.toml").ready();
    assert_eq!(names(folder), ["a", "c", "d"]);
    member(folder, "b", 9);
    eventually("it has come, in its place", || {
        names(folder) == ["a", "b", "c", "d"]
    });
    let name = &service("s");
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
    eventually("all wait", || clusters(folder).to_string().contains(WAITS));
    assert_eq!(names(folder), ["a", "c", "d"]);
    // A configuration that is wrong keeps nobody, and they are out of answers once it is answered.
    write(&folder.join("g.toml"), "version = \"v2\"");
    daemon.log(&["configuration rejected"]);
    let confirmed = run(folder, &["confirm", "members", "--state-dir", "state"]);
    assert!(confirmed.status.success(), "{confirmed:?}");
    assert_eq!(daemon.addresses(name), Some([].into()));
    assert!(names(folder).is_empty());
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
    let temporary = furnished("", &["a", "b"]);
    let folder = temporary.path();
    let mut daemon = Daemon::start(folder, "g.toml").ready();
    eventually("it is kept", || folder.join("state/members.json").exists());
    daemon.signal("KILL");
    daemon.end();
    fs::rename(folder.join("members.d"), folder.join("away")).unwrap();

    // What looks at the files sees whom a daemon would have.
    let arguments = ["explain", &service("s"), "--config", "g.toml"];
    let explained = transcript(folder, &arguments);
    assert!(
        explained.contains("note: members.d/a.toml: not there, its member stays as it was"),
        "{explained}"
    );
    let arguments = [
        "stub",
        "corefile",
        "--member",
        "a",
        "--config",
        "g.toml",
        "--address",
        "192.0.2.1",
    ];
    let stub = transcript(folder, &arguments);
    assert!(stub.contains("example.com"), "{stub}");

    let daemon = Daemon::start(folder, "g.toml");
    assert_eq!(names(folder), ["a", "b"]);
    drop(daemon);
}

#[test]
fn another_folder_removes_nobody_without_a_word() {
    let temporary = furnished("", &["a", "b", "c"]);
    let folder = temporary.path();
    let file = folder.join("g.toml");
    let daemon = Daemon::start(folder, "g.toml").ready();
    let moved = |to: &str| beginning(&format!("membership.folder = \"{to}\""));
    // Who is in the other folder too has never been away, and one that is not goes by itself.
    fs::create_dir(folder.join("other")).unwrap();
    for (name, host) in [("a", 11), ("c", 13)] {
        member_in(&folder.join("other"), name, host);
    }
    replace(&file, &moved("other"));
    let addresses = || daemon.addresses(&service("s")).unwrap_or_default();
    eventually("what the other says counts", || {
        let said = addresses();
        said.contains("203.0.113.11") && said.contains("203.0.113.13")
    });
    eventually("one is gone", || names(folder) == ["a", "c"]);
    assert_eq!(addresses().len(), 2);

    // Nor does a folder that is not there, or an empty one.
    replace(&file, &moved("nowhere"));
    daemon.log(&["members folder cannot be read"]);
    assert_eq!(names(folder), ["a", "c"]);
    fs::create_dir(folder.join("empty")).unwrap();
    replace(&file, &moved("empty"));
    eventually("both wait", || clusters(folder).to_string().contains(WAITS));
    assert_eq!(names(folder), ["a", "c"]);
    assert_eq!(addresses().len(), 2);
}

#[test]
fn names_of_no_member_are_reported_and_refuse_nothing() {
    let network = "\n[[network]]\ncidrs = [\"192.0.2.0/24\"]\nmember = \"b\"\n";
    let temporary = furnished("", &["a"]);
    let folder = temporary.path();
    let order = "policy = \"failover\"\norder = [\"x\", \"a\"]\n";
    let text = beginning("") + order + network;
    write(&folder.join("g.toml"), &text);
    let checked = transcript(folder, &["check", "g.toml"]);
    let place = |of: &str| {
        let (line, text) = (text.lines().zip(1..))
            .find_map(|(text, line)| text.contains(of).then_some((line, text)))
            .unwrap();
        let column = text.find(of).unwrap() + 1;
        format!("g.toml:{line}:{column}")
    };
    let (x, b) = (place("\"x\""), place("\"b\""));
    for warning in [
        format!("warning: {x}: order \"x\": unknown member"),
        format!("warning: {b}: member \"b\": unknown member"),
    ] {
        assert!(checked.contains(&warning), "{checked}");
    }
    assert!(checked.ends_with("--- exit 0\n"), "{checked}");

    let daemon = Daemon::start(folder, "g.toml").ready();
    daemon.log(&["names a member that is not there", &x, "\"x\""]);
    daemon.log(&["names a member that is not there", &b]);
    // It is said once, and again after somebody was there.
    member(folder, "b", 2);
    eventually("it has come", || names(folder) == ["a", "b"]);
    daemon.signal("HUP");
    daemon.log(&["nothing has changed"]);
    fs::remove_file(folder.join("members.d/b.toml")).unwrap();
    loop {
        let line = daemon.log(&["names a member that is not there"]);
        assert!(!line.contains("\"x\""), "{line}");
        if line.contains(&b) {
            break;
        }
    }
}

#[test]
fn a_member_that_is_meant_to_be_gone_waits_for_nobody_and_leaves_no_token() {
    let temporary = furnished("", &["a", "b"]);
    let folder = temporary.path();
    let daemon = Daemon::start(folder, "g.toml").ready();
    let forget = |member: &str| {
        let body = format!("{{\"command\":\"forget\",\"member\":\"{member}\"}}");
        let mut stream = UnixStream::connect(folder.join("state/control")).unwrap();
        let head = "POST /v1/command HTTP/1.0\r\nHost: control\r\nContent-Type: application/json";
        write!(
            stream,
            "{head}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let credentials = folder.join("state/credentials");
    fs::create_dir(&credentials).unwrap();
    for name in ["a", "b"] {
        write(&credentials.join(format!("{name}.token")), "t");
    }
    // By itself each would be the last of all, or too many.
    for name in ["a", "b"] {
        let said = forget(name);
        assert!(said.contains("goes as soon as its file is gone"), "{said}");
        fs::remove_file(folder.join(format!("members.d/{name}.toml"))).unwrap();
    }
    eventually("both are gone", || names(folder).is_empty());
    eventually("their tokens are", || {
        fs::read_dir(&credentials).unwrap().count() == 0
    });
    assert!(forget("a").contains("unknown member"));

    let own = "\n[[member]]\nname = \"own\"\nsource = { file = \"own.facts\" }\n";
    replace(&folder.join("g.toml"), &(beginning("") + own));
    eventually("it has come", || names(folder) == ["own"]);
    let said = forget("own");
    assert!(said.contains("in the configuration itself"), "{said}");
    drop(daemon);
}
