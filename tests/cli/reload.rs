//! Another configuration while the daemon runs.

use std::fs;

use crate::daemon::{Daemon, eventually};
use crate::program::{demo, replace, transcript, write_octets};

/// A name that four members answer.
const WEB: &str = "my-web.my-namespace.my-federation.svc.example.com.";

#[test]
fn a_right_file_is_taken_and_a_wrong_one_is_not() {
    let folder = demo();
    let file = folder.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let count = || daemon.addresses(WEB).map(|addresses| addresses.len());
    assert_eq!(count(), Some(3));

    let without = text.replacen(
        "[[member]]\nname = \"gce-asia-east1\"",
        "[[member]]\nname = \"x\"",
        1,
    );
    let without = without.replace("gce-asia-east1.toml", "none.toml");
    replace(&file, &without);
    eventually("the member is gone", || count() == Some(2));

    replace(
        &file,
        &text
            .replace("policy", "")
            .replace("version = \"v1\"", "version = \"v2\""),
    );
    let line = daemon.log(&["invalid configuration"]);
    assert!(
        line.contains("demo.toml:") && line.contains("expected one of v1"),
        "{line}"
    );
    daemon.log(&["configuration rejected"]);
    assert_eq!(count(), Some(2));

    // As at the start and in `check`: a comment, but no text.
    write_octets(&file, &[text.as_bytes(), b"# caf\xe9\n"].concat());
    let line = daemon.log(&["invalid configuration"]);
    assert!(line.contains("not UTF-8"), "{line}");
    let checked = transcript(folder.path(), &["check", "demo.toml"]);
    assert!(checked.contains("not UTF-8"), "{checked}");

    replace(&file, &text);
    eventually("the member is back", || count() == Some(3));
}

#[test]
fn hangup_reads_the_file_again_and_listeners_need_a_restart() {
    let folder = demo();
    let file = folder.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    daemon.signal("HUP");
    daemon.log(&["nothing has changed"]);
    replace(
        &file,
        &text.replace("dns = [\"127.0.0.1:0\"]", "dns = [\"127.0.0.2:0\"]"),
    );
    daemon.log(&["listeners have changed", "restart"]);
    assert!(daemon.addresses(WEB).is_some());
}

#[test]
fn a_client_is_told_what_is_seen_of_it_from_a_reload_on() {
    let folder = demo();
    let file = folder.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    let daemon = Daemon::start(folder.path(), "demo.toml").ready();
    let told = || daemon.texts("_client.example.com.").unwrap();
    assert_eq!(told(), Vec::<String>::new());
    replace(
        &file,
        &text.replace("[listen]\n", "[listen]\nclient-name = true\n"),
    );
    eventually("it is told", || !told().is_empty());
    assert!(told()[0].starts_with("source=127.0.0.1 subnet=none transport=udp place="));
    replace(&file, &text);
    eventually("nobody is told", || told().is_empty());
}
