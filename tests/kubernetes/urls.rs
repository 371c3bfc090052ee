//! A daemon whose member's facts a server has (docs/url-sources.md), by TLS with both certificates and
//! a token.

use crate::daemon::{Daemon, eventually};
use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb, write};
use crate::program::beginning;

/// A document.
const TOML: &str = r#"
[[service]]
namespace = "shop"
name = "web"
addresses = ["192.0.2.1"]
ports = [{ name = "http", port = 80 }]
[end]
complete = true
"#;

/// Another one, as JSON.
const JSON: &str = r#"{
    "service": [{ "namespace": "shop", "name": "web", "addresses": ["192.0.2.2"] }],
    "end": { "complete": true }
}"#;

/// SU02, and a restart while the server is away.
#[test]
fn documents_come_by_tls_with_a_token_and_are_kept() {
    let mut api = FakeApi::start_tls_with(
        include_str!("pem/server.crt"),
        include_str!("pem/server.key"),
        true,
    );
    api.script(|script| script.token = Some("right".to_owned()));
    api.set(Resource::Version, Verb::Get, Reply::Text(200, TOML));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| write(&folder.path().join(name), text);
    file("ca.crt", include_str!("pem/ca.crt"));
    file("client.crt", include_str!("pem/client.crt"));
    file("client.key", include_str!("pem/client.key"));
    file("token", "wrong\n");
    let url = format!("{}/version", api.url());
    let source = format!(
        "source = {{ url = \"{url}\", interval = \"1s\", token-file = \"token\", ca = \"ca.crt\", \
         certificate = \"client.crt\", key = \"client.key\" }}"
    );
    let member = format!("probe = {{ kind = \"none\" }}\n[[member]]\nname = \"a\"\n{source}\n");
    file("g.toml", &(beginning("") + &member));
    let daemon = Daemon::start(folder.path(), "g.toml");
    let name = "web.shop.f.svc.example.com.";
    let answers = |daemon: &Daemon, address: &str| {
        eventually(address, || {
            daemon
                .addresses(name)
                .is_some_and(|all| all.contains(address))
        });
    };
    daemon.log(&["lost", "401 Unauthorized"]);
    // The file of the token is read again.
    file("token", "right\n");
    answers(&daemon, "192.0.2.1");
    assert!(!api.client_certificates().is_empty());
    api.set(Resource::Version, Verb::Get, Reply::Text(200, JSON));
    answers(&daemon, "192.0.2.2");
    api.kill();
    drop(daemon);
    let daemon = Daemon::start(folder.path(), "g.toml");
    answers(&daemon, "192.0.2.2");
    daemon.log(&["lost"]);
    answers(&daemon, "192.0.2.2");
}
