//! Kubeconfigs, certificates and keys as people have them: what kubectl takes is taken, and what is
//! refused is refused with a line that says what to change (docs/credentials.md).

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gazetteer::config::Source;
use gazetteer::sources::kubernetes::check;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::fake_apiserver::{FakeApi, write};
use crate::member::{Member, fill, kubeconfig, short};

/// Declares the files of the folder `pem`.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Certificates and keys, made by `pem/make.sh`: name and content.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("pem/", $name)))),*];
    };
}

files! {
    "by-v1.crt", "by-v1.key", "ca-v1.crt", "ca.crt", "client-ec.crt", "client-ec.key", "client.crt",
    "client.encrypted-pkcs1.key", "client.encrypted.key", "client.key", "client.pkcs1.key", "self.crt",
    "self.key", "server-ca.crt", "server-ca.key", "server-cn.crt", "server-cn.key", "server-v1.crt",
    "server-v1.key", "server.crt", "server.key",
}

/// What is in a file of the folder `pem`.
pub(crate) fn pem(name: &str) -> &'static str {
    let found = FILES.iter().find(|(file, _)| *file == name);
    found.expect("a file of the folder").1
}

/// What is in it, as data of a kubeconfig.
pub(crate) fn data(name: &str) -> String {
    STANDARD.encode(pem(name))
}

/// A folder with all files of the folder `pem`.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        write(&folder.path().join(name), text);
    }
    folder
}

/// An API with this certificate and the service `web`.
pub(crate) fn api_of(certificate: &str, key: &str, asks_clients: bool) -> FakeApi {
    let api = FakeApi::start_tls_with(pem(certificate), pem(key), asks_clients);
    fill(&api);
    api
}

/// An API with a certificate by the CA.
pub(crate) fn api() -> FakeApi {
    api_of("server.crt", "server.key", false)
}

/// A cluster at `api` with its CA in a file.
pub(crate) fn cluster(api: &FakeApi) -> Value {
    json!({ "server": api.url(), "certificate-authority": "ca.crt" })
}

/// Runs a member of the context `c` of the kubeconfig in `folder`.
pub(crate) fn member(folder: TempDir) -> Member {
    Member::start(folder, "c", &short(), Arc::new(Semaphore::new(4)))
}

/// Waits until a member of this cluster and user is in contact.
pub(crate) async fn is_let_in(cluster: &Value, user: &Value) {
    let folder = folder();
    kubeconfig(folder.path(), "c", cluster, user);
    let mut member = member(folder);
    member.until_said("synced").await;
    member.stop().await;
}

/// Waits until a member whose kubeconfig has this text is in contact.
pub(crate) async fn text_is_let_in(text: &[u8]) {
    let folder = folder();
    write_octets(&folder.path().join("kubeconfig"), text);
    let mut member = member(folder);
    member.until_said("synced").await;
    member.stop().await;
}

/// Writes a file of a test.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing of a test survives a crash"
)]
fn write_octets(path: &Path, octets: &[u8]) {
    std::fs::write(path, octets).unwrap();
}

/// Why a kubeconfig with this cluster and user cannot be used.
pub(crate) async fn refused(cluster: &Value, user: &Value) -> String {
    let folder = folder();
    kubeconfig(folder.path(), "c", cluster, user);
    refused_in(&folder).await
}

/// Why the kubeconfig in this folder cannot be used.
pub(crate) async fn refused_in(folder: &TempDir) -> String {
    let source = Source::Kubeconfig {
        path: folder.path().join("kubeconfig"),
        context: "c".to_owned(),
    };
    check(&source).await.expect_err("it is refused")
}

/// What a member of this cluster and user is lost by.
async fn lost(cluster: &Value, user: &Value) -> String {
    let folder = folder();
    kubeconfig(folder.path(), "c", cluster, user);
    let mut member = member(folder);
    member.until_said("lost").await;
    let said = member.said.last().cloned().unwrap();
    member.stop().await;
    said
}

#[tokio::test]
async fn client_certificates_are_the_apis_to_judge() {
    let api = api_of("server.crt", "server.key", true);
    // X.509 version 1, with its key in each form, and one by a curve with its parameters before it.
    for (certificate, key) in [
        ("client.crt", "client.key"),
        ("client.crt", "client.pkcs1.key"),
        ("client-ec.crt", "client-ec.key"),
    ] {
        let files = json!({ "client-certificate": certificate, "client-key": key });
        is_let_in(&cluster(&api), &files).await;
        let inline = json!({
            "client-certificate-data": data(certificate), "client-key-data": data(key),
        });
        is_let_in(&cluster(&api), &inline).await;
    }
    let shown = api.client_certificates();
    assert!(!shown.is_empty());
    // One file for both, as a kubelet has it.
    let folder = folder();
    let both = format!("{}{}", pem("client.key"), pem("client.crt"));
    write(&folder.path().join("both.pem"), &both);
    let user = json!({ "client-certificate": "both.pem", "client-key": "both.pem" });
    kubeconfig(folder.path(), "c", &cluster(&api), &user);
    member(folder).until_said("synced").await;
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_refused_by_name() {
    let api = api();
    for (certificate, key, words) in [
        (
            "client.crt",
            "client.encrypted.key",
            "client-key: encrypted",
        ),
        (
            "client.crt",
            "client.encrypted-pkcs1.key",
            "client-key: encrypted",
        ),
        (
            "client.crt",
            "client-ec.key",
            "client-key: not the key of client-certificate",
        ),
        (
            "client-ec.crt",
            "client.key",
            "client-key: not the key of client-certificate",
        ),
        ("client.crt", "client.crt", "client-key: no private key"),
        (
            "client.key",
            "client.key",
            "client-certificate: no certificate",
        ),
        ("client.crt", "", "client-key: missing"),
    ] {
        let user = json!({ "client-certificate": certificate, "client-key": key });
        let said = refused(&cluster(&api), &user).await;
        assert!(said.contains(words), "{certificate}, {key}: {said}");
    }
    // Nobody is said to be whom a key alone is of.
    is_let_in(&cluster(&api), &json!({ "client-key": "client.key" })).await;
}

#[tokio::test]
async fn certificates_of_apis_are_judged_as_kubectl_does() {
    for (certificate, key, authority) in [
        ("server.crt", "server.key", "ca.crt"),
        // A CA of X.509 version 1.
        ("by-v1.crt", "by-v1.key", "ca-v1.crt"),
        // Its own root, and a CA besides: what `openssl req -x509` makes.
        ("self.crt", "self.key", "self.crt"),
        ("server-ca.crt", "server-ca.key", "server-ca.crt"),
    ] {
        let api = api_of(certificate, key, false);
        let cluster = json!({ "server": api.url(), "certificate-authority": authority });
        is_let_in(&cluster, &json!({})).await;
    }
    for (certificate, key, words) in [
        ("server-v1.crt", "server-v1.key", "X.509 version 1"),
        ("server-cn.crt", "server-cn.key", "no subjectAltName"),
        ("server-ca.crt", "server-ca.key", "that of a CA"),
        ("self.crt", "self.key", "that of a CA"),
    ] {
        let api = api_of(certificate, key, false);
        let said = lost(&cluster(&api), &json!({})).await;
        assert!(said.contains(words), "{certificate}: {said}");
        // Who does not look sees nothing wrong.
        let blind = json!({ "server": api.url(), "insecure-skip-tls-verify": true });
        is_let_in(&blind, &json!({})).await;
    }
    let api = api_of("self.crt", "self.key", false);
    let other = json!({
        "server": api.url(), "certificate-authority": "self.crt", "tls-server-name": "api.example",
    });
    let said = lost(&other, &json!({})).await;
    assert!(said.contains("not valid for name"), "{said}");
}

#[tokio::test]
async fn authorities_are_found_among_other_things() {
    let api = api();
    let folder = folder();
    let blocks = format!(
        "Bundle of many:\n{}{}-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n{}",
        pem("self.crt"),
        pem("client.key"),
        pem("ca.crt")
    );
    let path = folder.path().join("bundle.crt");
    write(&path, &blocks);
    let bundle = json!({ "server": api.url(), "certificate-authority": "bundle.crt" });
    kubeconfig(folder.path(), "c", &bundle, &json!({}));
    let mut member = member(folder);
    member.until_said("synced").await;
    for text in [
        blocks.replace('\n', "\r\n"),
        pem("ca.crt").replace('\n', "\r\n"),
    ] {
        let inline = json!({
            "server": api.url(), "certificate-authority-data": STANDARD.encode(text),
        });
        is_let_in(&inline, &json!({})).await;
    }
    // As `base64` prints it, in lines.
    let encoded = data("ca.crt");
    let mut lines = String::new();
    for (index, letter) in encoded.chars().enumerate() {
        if index > 0 && index % 76 == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    let inline = json!({ "server": api.url(), "certificate-authority-data": lines });
    is_let_in(&inline, &json!({})).await;
    for (key, value, words) in [
        (
            "certificate-authority",
            "client.key",
            "no certificate in PEM",
        ),
        (
            "certificate-authority-data",
            "e30K",
            "no certificate in PEM",
        ),
        ("certificate-authority-data", "no base64", "not base64"),
    ] {
        let cluster = json!({ "server": api.url(), key: value });
        let said = refused(&cluster, &json!({})).await;
        assert!(said.contains(words), "{key}: {said}");
    }
}

#[tokio::test]
async fn names_and_urls_of_servers_are_read_as_kubectl_reads_them() {
    let api = api();
    let port = api.address.port();
    // The certificate has no such name.
    let named = json!({
        "server": format!("https://localhost:{port}"), "certificate-authority": "ca.crt",
        "tls-server-name": "api.example",
    });
    is_let_in(&named, &json!({})).await;
    let by_address = json!({
        "server": format!("HTTPS://localhost:{port}/"), "certificate-authority": "ca.crt",
        "tls-server-name": "127.0.0.1",
    });
    is_let_in(&by_address, &json!({})).await;
    api.script(|script| script.prefix = "/k8s/clusters/c-1".to_owned());
    let below = json!({
        "server": format!("{}/?a=b", api.url()), "certificate-authority": "ca.crt",
    });
    is_let_in(&below, &json!({})).await;
    let plain = crate::member::api();
    let bare = json!({ "server": plain.address.to_string() });
    is_let_in(&bare, &json!({})).await;
    for (cluster, words) in [
        (
            json!({ "server": api.address.to_string(), "certificate-authority": "ca.crt" }),
            "server: no scheme",
        ),
        (json!({ "server": "" }), "server: missing"),
        (json!({ "server": "ftp://a" }), "server: neither https://"),
        (
            json!({
                "server": api.url(), "certificate-authority": "ca.crt",
                "insecure-skip-tls-verify": true,
            }),
            "insecure-skip-tls-verify beside a certificate-authority",
        ),
        (
            json!({ "server": api.url(), "tls-server-name": "a b" }),
            "tls-server-name: neither",
        ),
    ] {
        let said = refused(&cluster, &json!({})).await;
        assert!(said.contains(words), "{cluster}: {said}");
    }
}

#[tokio::test]
async fn tokens_and_users_are_sent_as_kubectl_sends_them() {
    let api = api();
    let folder = folder();
    write(&folder.path().join("token"), "from-file\r\n");
    write(&folder.path().join("empty"), "\n");
    let of = |user: &Value| kubeconfig(folder.path(), "c", &cluster(&api), user);
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    for (user, authorization) in [
        (json!({ "tokenFile": "token" }), bearer("from-file")),
        (
            json!({ "token": "inline", "tokenFile": "token" }),
            bearer("from-file"),
        ),
        (
            json!({ "token": "inline", "tokenFile": "empty" }),
            bearer("inline"),
        ),
        (
            json!({ "token": "inline", "tokenFile": "none" }),
            bearer("inline"),
        ),
        (
            json!({ "token": "", "tokenFile": "token" }),
            bearer("from-file"),
        ),
        (
            json!({ "token": "inline", "exec": { "command": "/nowhere/plugin" } }),
            bearer("inline"),
        ),
        (
            json!({ "username": "me", "password": "word" }),
            Some("Basic bWU6d29yZA==".to_owned()),
        ),
        (json!({ "username": "me" }), Some("Basic bWU6".to_owned())),
    ] {
        api.script(|script| script.authorization.clone_from(&authorization));
        of(&user);
        let copy = self::folder();
        for file in ["kubeconfig", "token", "empty"] {
            std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
        }
        let mut member = member(copy);
        member
            .until(&format!("{user}"), |member| member.count("synced") > 0)
            .await;
        member.stop().await;
    }
    let in_url = api.url().replace("https://", "https://me:word@");
    let in_url = json!({ "server": in_url, "certificate-authority": "ca.crt" });
    api.script(|script| script.authorization = Some("Basic bWU6d29yZA==".to_owned()));
    is_let_in(&in_url, &json!({})).await;
    for (user, words) in [
        (json!({ "tokenFile": "ca.key" }), "the file of tokenFile"),
        (
            json!({ "token": "t", "username": "me" }),
            "username beside token",
        ),
        (
            json!({ "tokenFile": "ca.crt", "username": "me" }),
            "username beside token",
        ),
        (json!({ "token": "two words" }), "not one word"),
        (json!({ "as-groups": ["admins"] }), "need as"),
        (
            json!({ "exec": { "command": "a" }, "auth-provider": { "name": "oidc" } }),
            "exec beside auth-provider",
        ),
    ] {
        let said = refused(&cluster(&api), &user).await;
        assert!(said.contains(words), "{user}: {said}");
    }
}

#[tokio::test]
async fn nothing_that_proves_who_we_are_goes_over_plain_http() {
    let api = crate::member::api();
    api.script(|script| script.token = Some("one".to_owned()));
    let cluster = json!({ "server": api.url() });
    let said = lost(&cluster, &json!({ "token": "one" })).await;
    assert!(said.contains("not sent over http://"), "{said}");
    // Who needs nothing is not asked for it: so does `kubectl proxy`.
    api.script(|script| script.token = None);
    let user = json!({ "token": "one", "exec": { "command": "/nowhere/plugin" } });
    is_let_in(&cluster, &user).await;
}

#[tokio::test]
async fn kubeconfigs_come_in_many_encodings() {
    let api = api();
    let yaml = format!(
        "apiVersion: v1\nkind: Config\npreferences: {{}}\ncurrent-context: other\nfoo: bar\n\
         clusters:\n- name: k\n  cluster:\n    server: {}\n    certificate-authority: ca.crt\n    \
         proxy-url: \"\"\n    tls-server-name: \"\"\n    certificate-authority-data: \"\"\n\
         contexts:\n- name: c\n  context: {{ cluster: k, user: nobody }}\nusers: null\n",
        api.url()
    );
    text_is_let_in(yaml.as_bytes()).await;
    text_is_let_in(yaml.replace('\n', "\r\n").as_bytes()).await;
    text_is_let_in(format!("\u{feff}{yaml}").as_bytes()).await;
    let wide: Vec<u16> = format!("\u{feff}{yaml}").encode_utf16().collect();
    let little: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    text_is_let_in(&little).await;
    let big: Vec<u8> = wide.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    text_is_let_in(&big).await;
    let json = json!({
        "clusters": [{ "name": "k", "cluster": cluster(&api) }],
        "contexts": [{ "name": "c", "context": { "cluster": "k" } }],
    });
    let json = serde_json::to_string_pretty(&json).unwrap();
    text_is_let_in(json.replace("  ", "\t").as_bytes()).await;
    let documents = format!("apiVersion: v1\nkind: Config\n---\n{yaml}");
    text_is_let_in(documents.as_bytes()).await;
}

#[tokio::test]
async fn what_is_named_twice_is_not_guessed() {
    let api = api();
    let named = |name: &str, key: &str, value: &Value| json!({ "name": name, key: value });
    let cluster = named("k", "cluster", &cluster(&api));
    let user = named("u", "user", &json!({}));
    let context = named("c", "context", &json!({ "cluster": "k", "user": "u" }));
    let folder = folder();
    let of = |clusters: Value, users: Value, contexts: Value| {
        let config = json!({ "clusters": clusters, "users": users, "contexts": contexts });
        write(&folder.path().join("kubeconfig"), &config.to_string());
    };
    of(json!([cluster, cluster]), json!([user]), json!([context]));
    assert!(
        refused_in(&folder)
            .await
            .contains("the cluster of context c is there twice")
    );
    of(json!([cluster]), json!([user, user]), json!([context]));
    assert!(
        refused_in(&folder)
            .await
            .contains("the user of context c is there twice")
    );
    of(json!([cluster]), json!([user]), json!([context, context]));
    assert!(
        refused_in(&folder)
            .await
            .contains("two contexts are called c")
    );
    of(json!([cluster]), json!([user]), json!([]));
    assert!(refused_in(&folder).await.contains("no context c"));
    of(json!([]), json!([user]), json!([context]));
    assert!(
        refused_in(&folder)
            .await
            .contains("the cluster of context c is not there")
    );
}
