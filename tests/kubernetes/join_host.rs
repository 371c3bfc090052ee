//! `gazetteer join` with a host cluster, whose Secrets are the members.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb};
use crate::join::{CONTEXT, Desk, api, cluster, furnish};

/// A host cluster.
fn host() -> FakeApi {
    let host = FakeApi::start();
    furnish(&host, "uid-host");
    host
}

/// The Secret of the member `m`.
fn secret(host: &FakeApi) -> Option<Value> {
    host.read(|state| state.object(Resource::Secrets, "gazetteer", "m").cloned())
}

/// A text in a Secret.
fn value(secret: &Value, key: &str) -> Option<String> {
    let octets = STANDARD.decode(secret["data"][key].as_str()?);
    String::from_utf8(octets.expect("base64")).ok()
}

#[test]
fn a_secret_of_the_host_is_a_member() {
    let (api, host) = (api(), host());
    let desk = Desk::new(&[(CONTEXT, cluster(&api)), ("admin@host", cluster(&host))]);
    let more = ["--host-context", "admin@host", "--region", "r"];
    let ran = desk.join(&more).well();
    assert!(
        ran.text.contains("secret gazetteer/m of the host cluster"),
        "{}",
        ran.text
    );
    let made = secret(&host).expect("a Secret");
    assert_eq!(made["metadata"]["labels"]["gazetteer.dev/member"], "true");
    let kubeconfig = value(&made, "kubeconfig").expect("a kubeconfig");
    assert!(kubeconfig.contains(&api.url()), "{kubeconfig}");
    assert!(!kubeconfig.contains("operator-secret"), "{kubeconfig}");
    assert_eq!(
        value(&made, "member.toml").as_deref(),
        Some("region = \"r\"\n")
    );
    assert!(!desk.path("members.d").exists());
    let again = desk.join(&["--host-context", "admin@host"]).well();
    assert!(again.text.ends_with("m: unchanged\n"), "{}", again.text);
    assert_eq!(secret(&host), Some(made.clone()));
    // Another desk with the same host is the same installation.
    let other = Desk::new(&[(CONTEXT, cluster(&api)), ("h", cluster(&host))]);
    let again = other.join(&["--host-context", "h"]).well();
    assert!(again.text.ends_with("m: unchanged\n"), "{}", again.text);
    desk.join(&["--host-context", "admin@host", "--renew"])
        .well();
    let renewed = secret(&host).expect("a Secret");
    assert_ne!(value(&renewed, "kubeconfig"), Some(kubeconfig));
    assert_eq!(
        value(&renewed, "member.toml").as_deref(),
        Some("region = \"r\"\n")
    );
    let arguments = [
        "unjoin",
        "m",
        "--host-context",
        "admin@host",
        "--context",
        CONTEXT,
    ];
    let said = desk.run(&arguments).refused();
    assert!(said.contains("say --yes"), "{said}");
    desk.run(&[&arguments[..], &["--yes"]].concat()).well();
    assert_eq!(secret(&host), None);
    assert!(api.read(|state| state.objects(Resource::ClusterRoles).is_empty()));
}

#[test]
fn somebody_elses_secret_stays() {
    let (api, host) = (api(), host());
    let desk = Desk::new(&[(CONTEXT, cluster(&api)), ("host", cluster(&host))]);
    host.apply(
        Resource::Secrets,
        json!({"metadata": {"namespace": "gazetteer", "name": "m"}, "data": {}}),
    );
    let said = desk.join(&["--host-context", "host"]).refused();
    assert!(said.contains("join has not made it"), "{said}");
    assert_eq!(
        host.read(|state| state.count(Resource::Secrets, Verb::Patch)),
        0
    );
}

#[test]
fn a_host_that_takes_no_secrets_is_found_before_anything_is_made() {
    let (api, host) = (api(), host());
    let desk = Desk::new(&[(CONTEXT, cluster(&api)), ("host", cluster(&host))]);
    host.set(Resource::Secrets, Verb::Patch, Reply::denied());
    let said = desk.join(&["--host-context", "host"]).refused();
    assert!(said.contains("nothing was changed"), "{said}");
    assert!(api.read(|state| state.objects(Resource::ServiceAccounts).is_empty()));
}
