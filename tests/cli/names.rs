//! Names that services ask for beside or instead of their own.

use crate::daemon::{Daemon, eventually};
use crate::program::{beginning, clusters, transcript, write};

/// One member, in the region `r`.
const MEMBER: &str = r#"
[[member]]
name = "m"
region = "r"
source = { file = "m.toml" }
"#;

/// A service with more keys.
fn service(name: &str, keys: &str) -> String {
    format!(
        "[[service]]\nnamespace = \"n\"\nname = \"{name}\"\naddresses = [\"203.0.113.1\"]\n{keys}\n"
    )
}

#[test]
fn names_that_are_taken_are_warnings_of_their_members() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("fed.toml"), &(beginning("") + MEMBER));
    let facts = [
        service("a", "external-name = \"b\"\ndns-prefix = \"www\""),
        service("b", ""),
        service("c", "dns-prefix = \"r\""),
        service("d", "dns-prefix = \"www\""),
        service("e", "dns-prefix = \"www\""),
    ];
    write(&folder.path().join("m.toml"), &facts.concat());
    // Before there is a state, with a serial of its own.
    let explain = |name| transcript(folder.path(), &["explain", name, "--config", "fed.toml"]);
    insta::assert_snapshot!("names_renamed", explain("a.n.f.svc.example.com"));
    insta::assert_snapshot!("names_prefix", explain("www.example.com"));
    let daemon = Daemon::start(folder.path(), "fed.toml").ready();
    let warnings = || clusters(folder.path())[0]["warnings"].clone();
    let expected = serde_json::json!([
        "service n/a is not published: its external-name \"b\" belongs to n/b",
        "service n/c: its dns-prefix \"r\" is the name of something else",
        "service n/e: its dns-prefix \"www\" belongs to n/d",
    ]);
    eventually("all is said", || warnings() == expected);
    write(&folder.path().join("m.toml"), &facts[..1].concat());
    eventually("nothing is said any more", || {
        warnings() == serde_json::json!([])
    });
    assert_eq!(
        daemon.addresses("b.n.f.svc.example.com."),
        Some(["203.0.113.1".to_owned()].into())
    );
}
