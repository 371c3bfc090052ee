//! Static records while the daemon runs, and the commands for master files.

use std::collections::BTreeSet;
use std::fs;

use crate::daemon::{Daemon, eventually};
use crate::program::{beginning, replace, transcript, write};

/// A zone of its own, and static records of the federation's.
const ZONES: &str = r#"
[[zone]]
apex = "example.com"
file = "example.com.zone"

[[zone]]
apex = "static.test"
file = "zones/static.test.zone"
"#;

/// The head of a zone of its own.
const HEAD: &str = "$TTL 60\n@ SOA ns.example.net. admin 1 1h 10m 1d 60\n@ NS ns.example.net.\n";

/// A folder with both.
fn zones() -> tempfile::TempDir {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    fs::create_dir(folder.join("zones")).unwrap();
    write(&folder.join("g.toml"), &format!("{}{ZONES}", beginning("")));
    write(&folder.join("example.com.zone"), "www 60 A 192.0.2.1\n");
    let text = format!("{HEAD}$INCLUDE more\na A 192.0.2.2\n");
    write(&folder.join("zones/static.test.zone"), &text);
    write(&folder.join("zones/more"), "b A 192.0.2.3\n");
    temporary
}

/// Whether a name has this address alone.
fn has(daemon: &Daemon, name: &str, address: &str) -> bool {
    daemon.addresses(name) == Some(BTreeSet::from([address.to_owned()]))
}

#[test]
fn a_changed_master_file_is_taken_and_a_wrong_one_is_not() {
    let temporary = zones();
    let folder = temporary.path();
    let daemon = Daemon::start(folder, "g.toml").ready();
    assert!(has(&daemon, "www.example.com", "192.0.2.1"));
    assert!(has(&daemon, "a.static.test", "192.0.2.2"));
    assert!(has(&daemon, "b.static.test", "192.0.2.3"));

    replace(&folder.join("example.com.zone"), "www 60 A 192.0.2.11\n");
    eventually("the file counts", || {
        has(&daemon, "www.example.com", "192.0.2.11")
    });
    replace(&folder.join("zones/more"), "b A 192.0.2.13\n");
    eventually("so does one that is included", || {
        has(&daemon, "b.static.test", "192.0.2.13")
    });

    replace(&folder.join("zones/more"), "b A 192.0.2\n");
    daemon.log(&[
        "invalid zone file",
        "zones/more:1:5: A: expected IPv4 address",
    ]);
    assert!(has(&daemon, "b.static.test", "192.0.2.13"));
    assert!(has(&daemon, "a.static.test", "192.0.2.2"));

    // Everything else goes on meanwhile.
    replace(&folder.join("example.com.zone"), "www 60 A 192.0.2.21\n");
    eventually("another file counts", || {
        has(&daemon, "www.example.com", "192.0.2.21")
    });
    replace(&folder.join("zones/more"), "b A 192.0.2.23\n");
    eventually("a mended file counts", || {
        has(&daemon, "b.static.test", "192.0.2.23")
    });

    let more = "[[zone]]\napex = \"new.test\"\nfile = \"new\"\n";
    let text = fs::read_to_string(folder.join("g.toml")).unwrap();
    replace(&folder.join("g.toml"), &format!("{text}{more}"));
    daemon.log(&["invalid configuration", "No such file"]);
    assert!(has(&daemon, "b.static.test", "192.0.2.23"));
}

#[test]
fn master_files_are_checked_listed_and_shown() {
    let temporary = zones();
    let folder = temporary.path();
    write(&folder.join("zones/bad.zone"), "x TXT a\n@ MX mail\n");
    let run = |arguments: &[&str]| transcript(folder, arguments);
    let listed = run(&["zone", "list", "--config", "g.toml"]);
    assert!(
        listed.contains("static.test   4         1                   zones/static.test.zone"),
        "{listed}"
    );
    let shown = run(&["zone", "show", "static.test", "--config", "g.toml"]);
    assert!(
        shown.contains("b.static.test. 60 IN A 192.0.2.3\n"),
        "{shown}"
    );
    let right = run(&["zone", "check", "zones/static.test.zone"]);
    assert!(
        right.contains("4 records of static.test. are right"),
        "{right}"
    );
    let wrong = run(&["zone", "check", "zones/bad.zone", "--apex", "bad.test"]);
    assert!(
        wrong.contains("zones/bad.zone:1:1: no TTL: write $TTL before the first record"),
        "{wrong}"
    );
    assert!(wrong.contains("zones/bad.zone:2:6: MX: "), "{wrong}");
    assert!(wrong.ends_with("--- exit 1\n"), "{wrong}");
    write(&folder.join("example.com.zone"), "x.svc 60 A 192.0.2.1\n");
    let checked = run(&["check", "g.toml"]);
    let why = "example.com.zone:1:1: x.svc.example.com belongs to the federations of example.com";
    assert!(checked.contains(why), "{checked}");
}
