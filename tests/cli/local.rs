//! The zone of a federation in a cluster domain.

use crate::daemon::{Daemon, eventually};
use crate::program::{beginning, clusters, transcript, write};

/// Two members with DNS of their own; clients of the first are known by their network.
const MEMBERS: &str = r#"
[[member]]
name = "m1"
region = "r"
zones = ["z"]
cidrs = ["10.1.0.0/16"]
cluster-domain = "cluster.local"
source = { file = "m1.toml" }

[[member]]
name = "m2"
source = { file = "m2.toml" }
"#;

/// The configuration.
fn configuration() -> String {
    beginning("listen.trusted = [\"10.0.0.0/8\"]") + MEMBERS
}

/// A service `s` of a namespace, with these endpoints.
fn service(namespace: &str, host: u8, endpoints: &str) -> String {
    format!(
        "[[service]]\nnamespace = \"{namespace}\"\nname = \"s\"\naddresses = [\"203.0.113.{host}\"]\n\
         cluster-ips = [\"10.1.255.7\"]\nendpoints = [{endpoints}]\n"
    )
}

#[test]
fn explain_says_which_member_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("fed.toml"), &configuration());
    let ready = "{ address = \"10.1.0.5\" }";
    write(&folder.path().join("m1.toml"), &service("n", 1, ready));
    write(&folder.path().join("m2.toml"), &service("n", 2, ready));
    let ask = |from| {
        let name = "s.n.f.svc.cluster.local";
        let arguments = ["explain", name, "--from", from, "--config", "fed.toml"];
        transcript(folder.path(), &arguments)
    };
    insta::assert_snapshot!("local_own", ask("10.1.0.9"));
    write(&folder.path().join("m1.toml"), &service("n", 1, ""));
    insta::assert_snapshot!("local_away", ask("10.1.0.9"));
    insta::assert_snapshot!("local_outside", ask("198.51.100.9"));
}

#[test]
fn a_namespace_that_is_called_as_a_federation_is_a_warning_of_its_member() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("fed.toml"), &configuration());
    write(&folder.path().join("m1.toml"), &service("f", 1, ""));
    write(&folder.path().join("m2.toml"), &service("f", 2, ""));
    let _daemon = Daemon::start(folder.path(), "fed.toml").ready();
    let warnings = || {
        let json = clusters(folder.path());
        assert_eq!(json[1]["warnings"], serde_json::json!([]), "{json}");
        json[0]["warnings"].to_string()
    };
    let expected = "[\"namespace \\\"f\\\" is called as a federation: pods do not find its services \
                    below f.svc.cluster.local.\"]";
    eventually("it is said", || warnings() == expected);
    write(&folder.path().join("m1.toml"), &service("g", 1, ""));
    eventually("it is not said any more", || warnings() == "[]");
}
