//! What `stub` prints for each DNS server.

use std::path::Path;

use crate::program::{transcript, write};

/// Two members with DNS of their own; a listener is bound to the first.
const CONFIG: &str = r#"
version = "v1"

[listen]
dns = ["10.0.0.53:5300", { address = "10.1.0.53:53", member = "ew1" }, { address = "[fd00::53]:5353", member = "ew1" }]
trusted = ["10.0.0.0/8"]

[[federation]]
name = "my-federation"
apex = "example.com"
nameservers = [{ name = "ns1.example.net" }]

[[federation]]
name = "staging"
apex = "staging.test"
clusterset = "clusterset.local"
nameservers = [{ name = "ns1.example.net" }]

[[member]]
name = "ew1"
cluster-domain = "cluster.local"
source = { file = "ew1.toml" }

[[member]]
name = "ue1"
cluster-domain = "ue1.internal"
source = { file = "ue1.toml" }

[[member]]
name = "vm"
source = { file = "vm.toml" }
"#;

/// Asks for the snippets of some servers.
fn check(name: &str, config: &str, arguments: &[&[&str]]) {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("gazetteer.toml"), config);
    let shown: Vec<_> = arguments
        .iter()
        .map(|arguments| {
            let command = [&["stub"], *arguments, &["--config", "gazetteer.toml"]].concat();
            transcript(folder.path(), &command)
        })
        .collect();
    insta::assert_snapshot!(name, shown.join("\n"));
}

#[test]
fn every_server_has_its_snippet() {
    for server in [
        "corefile",
        "kube-dns",
        "unbound",
        "bind",
        "dnsmasq",
        "pdns-recursor",
        "systemd-resolved",
    ] {
        check(
            &format!("stub_{server}"),
            CONFIG,
            &[
                &[server, "--member", "ew1"],
                &[server, "--member", "ue1", "--address", "127.0.0.1"],
            ],
        );
    }
}

#[test]
fn what_is_missing_is_said() {
    let everywhere = CONFIG.replace("10.0.0.53:5300", "0.0.0.0:5300");
    check(
        "stub_everywhere",
        &everywhere.replace("trusted = [\"10.0.0.0/8\"]", ""),
        &[
            &["corefile", "--member", "vm"],
            &["corefile", "--member", "vm", "--address", "10.0.0.54"],
            &["corefile", "--member", "other"],
            &["corefile", "--member", "vm", "--address", "here"],
        ],
    );
    check(
        "stub_no_port",
        &CONFIG.replace("10.0.0.53:5300", "127.0.0.1:0"),
        &[&["bind", "--member", "vm"]],
    );
    check(
        "stub_other_listeners",
        &CONFIG.replace("\"10.0.0.53:5300\", ", ""),
        &[&["bind", "--member", "vm"]],
    );
    let missing = ["stub", "bind", "--config", "none.toml", "--member", "vm"];
    insta::assert_snapshot!("stub_missing", transcript(Path::new("."), &missing));
}
