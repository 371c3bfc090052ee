//! Static records while the daemon runs, and the commands for master files.

use std::collections::BTreeSet;
use std::fs;

use hickory_proto::rr::{RData, RecordType};

use crate::daemon::{Daemon, eventually, query};
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
    let why = "example.com.zone:1:1: x.svc.example.com belongs to the federations of example.com (g.toml:";
    assert!(checked.contains(why), "{checked}");
}

/// What is wrong with a master file of the federation's zone, and what is said of it after the file's name.
const WRONG: &[(&str, &str)] = &[
    (
        "x.svc 60 A 192.0.2.1\n",
        ":1:1: x.svc.example.com belongs to the federations of example.com (g.toml:11)",
    ),
    (
        "$TTL 60\nx.svc.r A 192.0.2.1\n",
        ":2:1: x.svc.r.example.com belongs to the federations of example.com (g.toml:11)",
    ),
    (
        "r 60 A 192.0.2.1\n",
        ":1:1: r.example.com belongs to the federations of example.com (g.toml:11)",
    ),
    (
        "$TTL 60\nwww MX 10 mail.example.net.\nwww CNAME x\n",
        ":3:1: www.example.com: CNAME beside MX of line 2",
    ),
    (
        "$TTL 60\n@ NS ns9\n@ NS ns.example.net.\nns9 A 192.0.2.1\n",
        ":2:1: NS of example.com differ: line 2 has ns9.example.com, g.toml:12 has not",
    ),
    (
        "$TTL 60\n@ NS ns.example.org.\n",
        ":2:1: NS of example.com differ: line 2 has ns.example.org, g.toml:12 has not; \
         g.toml:12 has ns.example.net, line 2 has not",
    ),
    (
        "$TTL 60\n@ SOA a b 1 1 1 1 1\n@ SOA a b 2 1 1 1 1\n",
        ":2:1: example.com: has 2 SOA records: one may be there",
    ),
    (
        "$TTL 60\nd DNAME example.net.\nd DNAME example.org.\n",
        ":2:1: d.example.com: has 2 DNAME records: one may be there",
    ),
    (
        "@ 60 DNAME example.net.\n",
        ":1:1: example.com: hides static.second.example.com, which is served here",
    ),
    (
        "second 60 NS ns.example.net.\n",
        ":1:1: second.example.com: hides static.second.example.com, which is served here",
    ),
    (
        "second 60 DNAME example.net.\n",
        ":1:1: second.example.com: hides static.second.example.com, which is served here",
    ),
    (
        "cut 60 NS ns.cut\n",
        ":1:1: cut.example.com: NS ns.cut.example.com: has no A and no AAAA record in this zone",
    ),
    ("@ 60 DS 1 13 2 00\n", ":1:1: example.com: DS at the apex"),
    (
        "@ 60 DNSKEY 257 3 13 AAAA\n",
        ":1:6: DNSKEY: not taken from a file: zones are signed here",
    ),
    (
        "@ 60 RRSIG A\n",
        ":1:6: RRSIG: not taken from a file: zones are signed here",
    ),
    (
        "@ 60 NSEC a A\n",
        ":1:6: NSEC: not taken from a file: zones are signed here",
    ),
    (
        "@ 60 CDS 0 0 0 00\n",
        ":1:6: CDS: not taken from a file: zones are signed here",
    ),
    (
        "@ 60 CDNSKEY 0 3 0 AA==\n",
        ":1:6: CDNSKEY: not taken from a file: zones are signed here",
    ),
    (
        "$GENERATE 1-2 x$ A 192.0.2.$\n",
        ":1:1: $GENERATE is not taken: write the records out",
    ),
    ("$INCLUDE ../g.toml\n", ":1:10: $INCLUDE "),
    (
        "$INCLUDE example.com.zone\n",
        ":1:1: $INCLUDE: more than 8 files deep",
    ),
    (
        "www A 192.0.2.1\n",
        ":1:1: no TTL: write $TTL before the first record",
    ),
];

/// What is wrong with the master file of the zone alone.
const WRONG_ALONE: &[(&str, &str)] = &[
    (
        "$TTL 60\n@ NS ns.example.net.\n",
        ":1:1: zone static.second.example.com: no SOA record at the apex",
    ),
    (
        "$TTL 60\n@ SOA a b 1 1 1 1 1\n",
        ":1:1: zone static.second.example.com: no NS record at the apex",
    ),
    (
        "$TTL 60\n@ SOA a b 1 1 1 1 1\n@ NS ns\n",
        ":3:1: static.second.example.com: NS ns.static.second.example.com: has no A and no AAAA record in this zone",
    ),
];

#[test]
fn what_is_refused_has_its_line_and_the_old_zone_stays() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let places = "\n[[region]]\nname = \"r\"\n";
    let zones = ZONES.replace("static.test", "static.second.example.com");
    write(
        &folder.join("g.toml"),
        &format!("{}{places}{zones}", beginning("")),
    );
    fs::create_dir(folder.join("zones")).unwrap();
    let files = ["example.com.zone", "zones/static.second.example.com.zone"];
    let right = [
        "www 60 A 192.0.2.1\n".to_owned(),
        format!("{HEAD}www A 192.0.2.2\n"),
    ];
    let put_right = || {
        for (file, text) in files.iter().zip(&right) {
            replace(&folder.join(file), text);
        }
    };
    put_right();
    let daemon = Daemon::start(folder, "g.toml").ready();
    let wrong = WRONG.iter().map(|wrong| (files[0], wrong));
    let alone = WRONG_ALONE.iter().map(|wrong| (files[1], wrong));
    for (file, (text, said)) in wrong.chain(alone) {
        replace(&folder.join(file), text);
        let line = format!("{file}{said}");
        let checked = transcript(folder, &["check", "g.toml"]);
        assert!(checked.contains(&line), "{line}\n{checked}");
        daemon.log(&["invalid zone file, the zone stays as it was", &line]);
        assert!(has(&daemon, "www.example.com", "192.0.2.1"), "{text}");
        assert!(
            has(&daemon, "www.static.second.example.com", "192.0.2.2"),
            "{text}"
        );
        put_right();
    }
}

#[test]
fn a_zone_whose_serial_does_not_grow_is_named_and_served_with_one_that_does() {
    let temporary = zones();
    let folder = temporary.path();
    let daemon = Daemon::start(folder, "g.toml").ready();
    let file = folder.join("zones/static.test.zone");
    let serial = || {
        let answer = query(daemon.dns(), "static.test", RecordType::SOA)?;
        let RData::SOA(soa) = &answer.answers.first()?.data else {
            return None;
        };
        Some(soa.serial)
    };
    assert_eq!(serial(), Some(1));
    let text = |serial: &str, address: &str| {
        let head = HEAD.replace("admin 1 ", &format!("admin {serial} "));
        format!("{head}a A {address}\n")
    };
    // One that grows says nothing: the next line that is waited for is that of the next change.
    replace(&file, &text("5", "192.0.2.10"));
    eventually("it counts", || has(&daemon, "a.static.test", "192.0.2.10"));
    assert_eq!(serial(), Some(5));
    replace(&file, &text("5", "192.0.2.11"));
    let said = daemon.log(&["its serial has not grown: raise it in the file"]);
    assert!(said.contains("zone=static.test serial=5 last=5"), "{said}");
    eventually("it counts", || has(&daemon, "a.static.test", "192.0.2.11"));
    let first = serial().unwrap();
    assert!(first > 1_700_000_000, "{first}");
    replace(&file, &text("4", "192.0.2.12"));
    let said = daemon.log(&["its serial has not grown: raise it in the file"]);
    assert!(said.contains(&format!("serial=4 last={first}")), "{said}");
    eventually("it counts", || has(&daemon, "a.static.test", "192.0.2.12"));
    assert!(serial() > Some(first));
    // Beside a federation the serial is that of the snapshot.
    replace(
        &folder.join("example.com.zone"),
        "$TTL 60\n@ SOA a b 1 1 1 1 1\nwww A 192.0.2.31\n",
    );
    eventually("it counts", || {
        has(&daemon, "www.example.com", "192.0.2.31")
    });
    replace(&file, &text("4294967295", "192.0.2.13"));
    replace(&file, &text("2000000000", "192.0.2.14"));
    eventually("it counts", || has(&daemon, "a.static.test", "192.0.2.14"));
    assert_eq!(serial(), Some(2_000_000_000));
}

#[test]
fn a_thousand_zones_are_served_and_one_that_changes_is_read_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut config = beginning("");
    let file = |number: usize| folder.join(format!("z{number}.zone"));
    let text = |number: usize, address: &str| {
        format!("{HEAD}www A {address}\nn{number} TXT \"{number}\"\n")
    };
    for number in 0..1_000 {
        let table = format!("[[zone]]\napex = \"z{number}.test\"\nfile = \"z{number}.zone\"\n");
        config.push_str(&table);
        write(&file(number), &text(number, "192.0.2.1"));
    }
    write(&folder.join("g.toml"), &config);
    let daemon = Daemon::start(folder, "g.toml").ready();
    for number in 0..1_000 {
        assert!(
            has(&daemon, &format!("www.z{number}.test"), "192.0.2.1"),
            "{number}"
        );
    }
    replace(&file(500), &text(500, "192.0.2.2"));
    eventually("the file counts", || {
        has(&daemon, "www.z500.test", "192.0.2.2")
    });
    // Only this one was read anew.
    let said = daemon.log(&["zone file read"]);
    assert!(said.contains("z500.test"), "{said}");
    write(&file(501), "@ A 192.0.2.1\n");
    daemon.log(&["invalid zone file", "z501.zone:1:1: no TTL"]);
    assert!(has(&daemon, "www.z501.test", "192.0.2.1"));
}
