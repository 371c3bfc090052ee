//! Ways to be let in, and what happens when they change.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use gazetteer::sources::kubernetes::Timing;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::fake_apiserver::{FakeApi, Push, Resource, write};
use crate::member::{Member, api, fill, kubeconfig, service, short};

/// A member of the kubeconfig in `folder`.
fn member(folder: TempDir) -> Member {
    Member::start(folder, "c", &short(), Arc::new(Semaphore::new(4)))
}

/// A server of TLS with the service `web`, which wants this token.
fn api_of_token(token: &str) -> FakeApi {
    let api = FakeApi::start_tls();
    fill(&api);
    api.script(|script| script.token = Some(token.to_owned()));
    api
}

/// The cluster of `api`, whose certificate is put into `folder`.
fn cluster(api: &FakeApi, folder: &Path) -> Value {
    api.kubeconfig(folder);
    json!({ "server": api.url(), "certificate-authority": "ca.pem" })
}

/// Writes an exec plugin that gives the token in the file `token` beside it.
fn plugin(folder: &Path, more: &str) {
    let script = format!(
        "#!/bin/sh\n{more}\nprintf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\
         \"kind\":\"ExecCredential\",\"status\":{{\"token\":\"%s\"}}}}' \
         \"$(cat \"$(dirname \"$0\")/$TOKEN_FILE\")\"\n"
    );
    let path = folder.join("plugin");
    write(&path, &script);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_rotated_token_is_picked_up() {
    let api = api_of_token("one");
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("token"), "one\n");
    api.kubeconfig(folder.path());
    let mut member = Member::start(folder, "fake", &short(), Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    api.script(|script| script.token = Some("two".to_owned()));
    api.end_watches();
    member.until_said("lost client").await;
    write(&member.folder.path().join("token"), "two");
    member
        .until("contact again", |member| {
            member
                .said
                .last()
                .is_some_and(|said| said == "synced" || said == "resumed")
        })
        .await;
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
}

/// Times of the daemon itself where they say how soon a credential is used, and how long a watch may be down.
fn lifelike() -> Timing {
    let Timing { files, down, .. } = Timing::default();
    Timing {
        files,
        down,
        ..short()
    }
}

/// Makes `api` want another token, has `change` put it where it belongs, and ends a watch: what happens
/// next is seen, and the member was never lost.
async fn uses(member: &mut Member, api: &FakeApi, token: &str, change: impl FnOnce(&Path)) {
    api.script(|script| script.token = Some(token.to_owned()));
    change(member.folder.path());
    api.push(Resource::Services, Push::End);
    api.apply(Resource::Services, service(token));
    member
        .until(token, |member| {
            member.services.contains_key(&format!("shop/{token}"))
        })
        .await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn a_changed_credential_is_used_and_its_member_never_lost() {
    let api = api_of_token("one");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let cluster = cluster(&api, &path);
    // As kubelets lay out a Secret.
    let lay = |name: &str, token: &str| {
        std::fs::create_dir(path.join(name)).unwrap();
        write(&path.join(name).join("token"), token);
        std::os::unix::fs::symlink(name, path.join("..next")).unwrap();
        std::fs::rename(path.join("..next"), path.join("..data")).unwrap();
    };
    lay("..1", "one");
    std::os::unix::fs::symlink("..data/token", path.join("token")).unwrap();
    let by_file = json!({ "tokenFile": "token" });
    kubeconfig(&path, "c", &cluster, &by_file);
    let mut member = Member::start(folder, "c", &lifelike(), Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    uses(&mut member, &api, "two", |_| lay("..2", "two")).await;
    // In place, and as long.
    uses(&mut member, &api, "six", |folder| {
        write(&folder.join("..2/token"), "six");
    })
    .await;
    uses(&mut member, &api, "three", |folder| {
        kubeconfig(folder, "c", &cluster, &json!({ "token": "three" }));
    })
    .await;
    // One that cannot be used stands there for longer than pauses take to grow; then a right one.
    write(&member.folder.path().join("kubeconfig"), "clusters: [");
    api.apply(Resource::Services, service("meanwhile"));
    member
        .until("meanwhile", |member| {
            member.services.contains_key("shop/meanwhile")
        })
        .await;
    uses(&mut member, &api, "four", |folder| {
        kubeconfig(folder, "c", &cluster, &json!({ "token": "four" }));
    })
    .await;
}

#[tokio::test]
async fn a_ca_is_added_before_the_api_has_a_certificate_by_it() {
    let mut api = FakeApi::start_tls();
    fill(&api);
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let mut member = Member::start(folder, "fake", &short(), Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    let bundle = member.folder.path().join("ca.pem");
    let old = std::fs::read_to_string(&bundle).unwrap();
    write(&bundle, &format!("{old}{}", include_str!("pem/ca.crt")));
    api.kill();
    api.resume_with(
        include_str!("pem/server.crt"),
        include_str!("pem/server.key"),
    );
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
}

#[tokio::test]
async fn a_token_in_the_kubeconfig_is_sent_below_a_path() {
    let api = api_of_token("one");
    api.script(|script| script.prefix = "/k8s/clusters/c-1".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let cluster = cluster(&api, folder.path());
    kubeconfig(folder.path(), "c", &cluster, &json!({ "token": "one" }));
    member(folder).until_said("synced").await;
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_alone() {
    let api = FakeApi::start_tls();
    fill(&api);
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let mut trusting = Member::start(folder, "fake", &short(), Arc::new(Semaphore::new(4)));
    trusting.until_said("synced").await;

    let folder = tempfile::tempdir().unwrap();
    let other = FakeApi::start_tls();
    other.kubeconfig(folder.path());
    let cluster = json!({
        "server": api.url(), "certificate-authority": folder.path().join("ca.pem"),
    });
    kubeconfig(folder.path(), "c", &cluster, &json!({}));
    let mut short_ttl = member(folder);
    short_ttl.until_said("lost watch").await;
    api.kubeconfig(short_ttl.folder.path());
    kubeconfig(short_ttl.folder.path(), "c", &cluster, &json!({}));
    short_ttl.until_said("synced").await;

    let folder = tempfile::tempdir().unwrap();
    let cluster = json!({ "server": api.url(), "insecure-skip-tls-verify": true });
    kubeconfig(folder.path(), "c", &cluster, &json!({}));
    member(folder).until_said("synced").await;
}

#[tokio::test]
async fn exec_plugins_give_tokens() {
    let api = api_of_token("from-plugin");
    let folder = tempfile::tempdir().unwrap();
    plugin(folder.path(), "");
    write(&folder.path().join("secret"), "from-plugin");
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin",
        "env": [{ "name": "TOKEN_FILE", "value": "secret" }], "interactiveMode": "Never",
    });
    let cluster = cluster(&api, folder.path());
    kubeconfig(folder.path(), "c", &cluster, &json!({ "exec": exec }));
    member(folder).until_said("synced").await;
}

#[tokio::test]
async fn exec_plugins_run_again_when_their_token_is_not_accepted() {
    let api = api_of_token("one");
    let folder = tempfile::tempdir().unwrap();
    plugin(folder.path(), "");
    write(&folder.path().join("secret"), "one");
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin",
        "env": [{ "name": "TOKEN_FILE", "value": "secret" }],
    });
    let cluster = cluster(&api, folder.path());
    kubeconfig(folder.path(), "c", &cluster, &json!({ "exec": exec }));
    let mut member = member(folder);
    member.until_said("synced").await;
    write(&member.folder.path().join("secret"), "two");
    api.script(|script| script.token = Some("two".to_owned()));
    api.push(Resource::Services, Push::End);
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
}

#[tokio::test]
async fn exec_plugins_whose_token_is_refused_run_again_after_pauses() {
    let api = api_of_token("right");
    let folder = tempfile::tempdir().unwrap();
    plugin(folder.path(), "echo run >> \"$(dirname \"$0\")/runs\"");
    write(&folder.path().join("secret"), "wrong");
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin",
        "env": [{ "name": "TOKEN_FILE", "value": "secret" }],
    });
    let cluster = cluster(&api, folder.path());
    kubeconfig(folder.path(), "c", &cluster, &json!({ "exec": exec }));
    let mut timing = short();
    timing.longest_pause = std::time::Duration::from_secs(5);
    let mut member = Member::start(folder, "c", &timing, Arc::new(Semaphore::new(4)));
    member.until_said("lost client").await;
    let runs = std::fs::read_to_string(member.folder.path().join("runs")).unwrap();
    let runs = runs.lines().count();
    assert!(runs < 20, "{runs} runs in a second");
    write(&member.folder.path().join("secret"), "right");
    member.until_said("synced").await;
}

#[tokio::test]
async fn exec_plugins_that_fail_say_why() {
    let folder = tempfile::tempdir().unwrap();
    plugin(folder.path(), "echo 'please log in' >&2; exit 3");
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin",
    });
    let cluster = json!({ "server": "https://127.0.0.1:1", "insecure-skip-tls-verify": true });
    kubeconfig(folder.path(), "c", &cluster, &json!({ "exec": exec }));
    let mut member = member(folder);
    member.until_said("lost client").await;
    assert!(
        member.said[0].contains("plugin: exit status: 3, with 14 octets of diagnostics"),
        "{:?}",
        member.said
    );
}

#[tokio::test]
async fn credentials_that_cannot_be_used_leave_the_old_ones() {
    let api = api();
    let folder = tempfile::tempdir().unwrap();
    let path = api.kubeconfig(folder.path());
    let good = std::fs::read_to_string(&path).unwrap();
    let mut member = Member::start(folder, "fake", &short(), Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    write(&path, "clusters: [");
    api.push(Resource::Services, Push::End);
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
    write(&path, &good);
    api.apply(Resource::Services, service("next"));
    member.until_services(&["api", "next", "web"]).await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn a_member_that_moves_is_listed_anew_and_never_empty() {
    let (old, new) = (api(), api());
    new.apply(Resource::Services, service("api"));
    let folder = tempfile::tempdir().unwrap();
    kubeconfig(
        folder.path(),
        "c",
        &json!({ "server": old.url() }),
        &json!({}),
    );
    let mut member = member(folder);
    member.until_said("synced").await;
    let moved = json!({ "server": new.url() });
    kubeconfig(member.folder.path(), "c", &moved, &json!({}));
    member.until_services(&["api", "web"]).await;
    assert_eq!(member.said, ["synced", "synced"]);
    assert_eq!(
        member.identity.as_ref().unwrap().origin,
        format!("{}/", new.url())
    );
}

#[tokio::test]
async fn contexts_may_be_called_anything() {
    let api = FakeApi::start_tls();
    fill(&api);
    for name in [
        "default/a:6443/kube:admin@x y",
        "arn:aws:eks:eu:1:cluster/a",
        "\u{e9}",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cluster = cluster(&api, folder.path());
        kubeconfig(folder.path(), name, &cluster, &json!({}));
        let mut member = Member::start(folder, name, &short(), Arc::new(Semaphore::new(4)));
        member.until_said("synced").await;
    }
}
