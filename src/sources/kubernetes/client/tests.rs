//! Ways to build a client. Whether a server lets it in is tested against one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// Writes a file.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing of a test survives a crash"
)]
fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// Writes a plugin.
fn plugin(folder: &Path, script: &str) {
    write(folder, "plugin", &format!("#!/bin/sh\n{script}\n"));
    let mode = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.join("plugin"), mode).unwrap();
}

/// Builds the client of the context `admin@c:1/x` in `folder`.
async fn built(folder: &TempDir, cluster: Value, user: Value) -> Result<Connection, ClientError> {
    let context = "admin@c:1/x";
    let config = json!({
        "clusters": [{ "name": "c", "cluster": cluster }],
        "users": [{ "name": "u", "user": user }],
        "contexts": [{ "name": context, "context": { "cluster": "c", "user": "u" } }],
    });
    write(folder.path(), "kubeconfig", &config.to_string());
    let source = Source::Kubeconfig {
        path: folder.path().join("kubeconfig"),
        context: context.to_owned(),
    };
    connect(&ClientOrigin::alone(source)).await
}

/// A cluster that nobody serves.
fn cluster() -> Value {
    json!({ "server": "https://127.0.0.1:1/k8s/c-1", "insecure-skip-tls-verify": true })
}

/// A certificate and its key, PEM.
fn certificate() -> (String, String) {
    let signed = rcgen::generate_simple_self_signed(["c".to_owned()]).unwrap();
    (signed.cert.pem(), signed.signing_key.serialize_pem())
}

/// Why no client was built.
async fn refused(cluster: Value, user: Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    match built(&folder, cluster, user).await {
        Ok(_) => panic!("built"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn client_certificates_come_from_files_and_data() {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate();
    write(folder.path(), "c.pem", &certificate);
    write(folder.path(), "k.pem", &key);
    let files = json!({ "client-certificate": "c.pem", "client-key": "k.pem" });
    let mut connection = built(&folder, cluster(), files).await.unwrap();
    assert_eq!(connection.url, "https://127.0.0.1:1/k8s/c-1");
    assert!(!connection.files.refresh());
    write(folder.path(), "k.pem", "another");
    assert!(connection.files.refresh(), "a new key is noticed");
    let data = json!({
        "client-certificate-data": encode(&certificate), "client-key-data": encode(&key),
    });
    built(&folder, cluster(), data).await.unwrap();
}

#[tokio::test]
async fn exec_plugins_may_give_certificates_that_expire() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate();
    let credential = json!({ "status": {
        "clientCertificateData": certificate, "clientKeyData": key,
        "expirationTimestamp": "2000-01-01T00:00:00Z",
    }});
    write(folder.path(), "credential", &credential.to_string());
    plugin(folder.path(), "cat \"$(dirname \"$0\")/credential\"");
    let exec = json!({ "exec": { "command": "./plugin" } });
    let connection = built(&folder, cluster(), exec).await.unwrap();
    assert!(connection.has_plugin);
    let soon = Instant::now() + Duration::from_secs(11);
    assert!(connection.renew_at.is_some_and(|at| at < soon));
}

#[tokio::test]
async fn exec_plugins_are_told_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    plugin(
        folder.path(),
        "case \"$KUBERNETES_EXEC_INFO\" in *'\"interactive\":false'*'\"kind\":\"ExecCredential\"'* | \
         *'\"kind\":\"ExecCredential\"'*'\"interactive\":false'*) ;; *) exit 1;; esac\n\
         case \"$KUBERNETES_EXEC_INFO\" in *127.0.0.1:1*) ;; *) exit 2;; esac\n\
         echo \"{\\\"status\\\":{\\\"token\\\":\\\"$1\\\"}}\"",
    );
    let exec = json!({ "exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", "args": ["t"],
        "provideClusterInfo": true,
    }});
    let connection = built(&folder, cluster(), exec).await.unwrap();
    assert_eq!(connection.renew_at, None);
}

#[tokio::test(start_paused = true)]
async fn exec_plugins_have_half_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    plugin(folder.path(), "exec sleep 600");
    let exec = json!({ "exec": { "command": "./plugin" } });
    let began = Instant::now();
    let error = built(&folder, cluster(), exec).await.err().unwrap();
    assert!(matches!(error, ClientError::Slow), "{error}");
    assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_its_reason() {
    let check = |said: String, expected: &str| assert!(said.contains(expected), "{said}");
    let none = || json!({});
    check(refused(json!({}), none()).await, "kubeconfig");
    let proxy = json!({ "server": "https://127.0.0.1:1", "proxy-url": "127.0.0.1:2" });
    check(refused(proxy, none()).await, "proxy-url: expected");
    let provider = json!({ "auth-provider": { "name": "gcp", "config": {} } });
    check(refused(cluster(), provider).await, "auth-provider");
    check(
        refused(cluster(), json!({ "tokenFile": "/none" })).await,
        "tokenFile",
    );
    let authority = json!({ "server": "https://127.0.0.1:1", "certificate-authority": "/none" });
    check(refused(authority, none()).await, "certificate-authority");
    let missing = json!({ "exec": { "command": "./none" } });
    check(refused(cluster(), missing).await, "cannot be started");
    let person = json!({ "exec": { "command": "true", "interactiveMode": "Always" } });
    check(refused(cluster(), person).await, "terminal");
    let empty = json!({ "exec": { "command": "echo", "args": ["{\"status\":{}}"] } });
    check(refused(cluster(), empty).await, "without credentials");
    let garbage = json!({ "exec": { "command": "echo", "args": ["hello"] } });
    check(refused(cluster(), garbage).await, "not an ExecCredential");
}

#[tokio::test]
async fn nothing_that_is_written_in_credentials_is_told() {
    let users = [
        json!({ "tokenFile": "TOKEN-SECRET" }),
        json!({ "token": "TOKEN-SECRET with space" }),
        json!({ "token": ["TOKEN-SECRET"] }),
        json!({ "client-certificate-data": "TOKEN-SECRET", "client-key-data": "TOKEN-SECRET" }),
        json!({ "client-certificate": "TOKEN-SECRET", "client-key": "TOKEN-SECRET" }),
        json!({ "as": "TOKEN-SECRET\n" }),
        json!({ "auth-provider": { "name": "TOKEN-SECRET", "config": {} } }),
        json!({ "exec": { "command": "TOKEN-SECRET" } }),
        json!({ "exec": { "command": "./TOKEN-SECRET" } }),
        json!({ "exec": { "command": "echo", "args": ["\"TOKEN-SECRET\""] } }),
        json!({ "exec": { "command": "echo", "args": ["{\"status\":\"TOKEN-SECRET\"}"] } }),
        json!({ "exec": { "command": "sh", "args": ["-c", "echo TOKEN-SECRET >&2; exit 1"] } }),
    ];
    for user in users {
        let said = refused(cluster(), user.clone()).await;
        assert!(!said.contains("SECRET"), "{user}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let source = Source::Kubeconfig {
        path: folder.path().join("kubeconfig"),
        context: "c".to_owned(),
    };
    for text in [
        "users:\n- name: u\n  user:\n    token: TOKEN-SECRET\n   client-key-data: KEY-SECRET\n",
        "users:\n- name: u\n  user:\n    token: TOKEN-SECRET: x\n",
        "TOKEN-SECRET",
    ] {
        write(folder.path(), "kubeconfig", text);
        let connected = connect(&ClientOrigin::alone(source.clone())).await;
        let error = connected.err().unwrap().to_string();
        assert!(!error.contains("SECRET"), "{error}");
        assert!(error.contains("kubeconfig:"), "{error}");
    }
}

#[tokio::test]
async fn exec_plugins_that_print_without_end_are_ended() {
    for stream in ["1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        plugin(folder.path(), &format!("exec yes >&{stream}"));
        let exec = json!({ "exec": { "command": "./plugin" } });
        let error = built(&folder, cluster(), exec).await.err().unwrap();
        assert!(error.limit().is_some(), "{error}");
    }
}

#[tokio::test]
async fn files_that_a_kubeconfig_names_are_read_within_limits() {
    // A device without end, and a FIFO that nobody writes.
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    for path in [Path::new("/dev/zero"), &fifo] {
        for key in ["tokenFile", "client-certificate", "client-key"] {
            let said = refused(cluster(), json!({ key: path })).await;
            assert!(said.contains("expected a regular file"), "{key}: {said}");
        }
    }
}
