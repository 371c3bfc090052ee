//! A daemon whose members are Secrets of a host cluster.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::daemon::{Daemon, eventually};
use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb};
use crate::member::fill;
use crate::program::{beginning, clusters, run, write};

/// A name that every member answers.
pub(crate) const NAME: &str = "web.shop.f.svc.example.com.";

/// An API of a member that lets in who has this token.
pub(crate) fn member_api(token: &str) -> FakeApi {
    let api = FakeApi::start_tls();
    fill(&api);
    api.script(|script| script.token = Some(token.to_owned()));
    api
}

/// A cluster of a kubeconfig with the CA in it.
pub(crate) fn cluster(api: &FakeApi) -> Value {
    let der = api.root_certificate().expect("a server of TLS");
    let der = STANDARD.encode(der);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    json!({"server": api.url(), "certificate-authority-data": STANDARD.encode(pem)})
}

/// A kubeconfig of this cluster and this user.
pub(crate) fn kubeconfig(cluster: &Value, user: &Value) -> String {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x@y",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x@y", "context": {"cluster": "c", "user": "u"}}],
    });
    config.to_string()
}

/// A Secret with these labels and this data.
pub(crate) fn secret(name: &str, labels: &Value, data: &[(&str, &str)]) -> Value {
    let data: BTreeMap<_, _> = data
        .iter()
        .map(|(key, text)| (*key, STANDARD.encode(text)))
        .collect();
    json!({
        "metadata": {"namespace": "gazetteer", "name": name, "labels": labels}, "data": data,
    })
}

/// Makes a Secret of the host a member, with the API of this token.
pub(crate) fn join(host: &FakeApi, name: &str, api: &FakeApi, token: &str) {
    let text = kubeconfig(&cluster(api), &json!({"token": token}));
    join_as(host, name, &text);
}

/// Makes a Secret of the host a member, with this kubeconfig.
fn join_as(host: &FakeApi, name: &str, text: &str) {
    let labels = json!({"gazetteer.dev/member": "true"});
    host.apply(
        Resource::Secrets,
        secret(name, &labels, &[("kubeconfig", text)]),
    );
}

/// A folder with a configuration whose host is `host`, and these keys of `membership`.
pub(crate) fn folder(host: &FakeApi, keys: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    host.kubeconfig(folder.path());
    let host = "membership.host = { kubeconfig = \"kubeconfig\", context = \"fake\" }";
    let federation = "export = \"load-balancers\"\nprobe = { kind = \"none\" }\nhold = \"1h\"\n";
    let text = beginning(&format!("{host}\n{keys}")) + federation;
    write(&folder.path().join("g.toml"), &text);
    folder
}

/// Name and state of each member.
pub(crate) fn states(folder: &Path) -> Vec<String> {
    let shown = clusters(folder);
    let all = shown.as_array().into_iter().flatten();
    let all = all.map(|one| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("name"), text("status"))
    });
    all.collect()
}

/// Waits until these are the members with their states.
pub(crate) fn until(folder: &Path, expected: &[&str]) {
    let mut last = Vec::new();
    let what = format!("{expected:?}");
    let is = || {
        last = states(folder);
        last == expected
    };
    eventually(&what, is);
}

/// Waits until a metric has this value.
pub(crate) fn until_metric(daemon: &Daemon, line: &str) {
    eventually(line, || {
        let metrics = daemon.get("/metrics");
        metrics.is_some_and(|(_, text)| text.lines().any(|one| one == line))
    });
}

/// The events so far.
fn events(daemon: &Daemon) -> String {
    daemon.get("/v1/events").expect("an answer").1
}

#[test]
fn secrets_come_change_and_go() {
    let (host, api) = (FakeApi::start(), member_api("t1"));
    for name in ["a", "b"] {
        join(&host, name, &api, "t1");
    }
    let folder = folder(&host, "membership.secrets = {}");
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    until(folder.path(), &["a Ready", "b Ready"]);
    let other = member_api("t1");
    join(&host, "c", &other, "t1");
    until(folder.path(), &["a Ready", "b Ready", "c Ready"]);
    let shown = clusters(folder.path());
    assert_eq!(shown[2]["origin"], "secret/c", "{shown}");
    until_metric(&daemon, "gazetteer_membership_members{origin=\"secret\"} 3");
    eventually("it answers", || {
        daemon.addresses(NAME).is_some_and(|all| !all.is_empty())
    });

    // Another token, and the old one is let in no more.
    other.script(|script| script.token = Some("t2".to_owned()));
    join(&host, "c", &other, "t2");
    daemon.log(&["credentials renewed", "member=c"]);
    other.end_watches();
    let before = other.read(|state| state.count(Resource::Services, Verb::Watch));
    eventually("watches go on", || {
        other.read(|state| state.count(Resource::Services, Verb::Watch) > before)
    });
    until(folder.path(), &["a Ready", "b Ready", "c Ready"]);
    let said = events(&daemon);
    assert!(!said.contains("Held"), "{said}");

    // A label that is taken away, and an object that is deleted.
    host.apply(Resource::Secrets, secret("c", &json!({}), &[]));
    until(folder.path(), &["a Ready", "b Ready"]);
    // The last one is never believed to be meant.
    host.delete(Resource::Secrets, "gazetteer", "a");
    host.delete(Resource::Secrets, "gazetteer", "b");
    until_metric(&daemon, "gazetteer_membership_held_back 2");
    until(folder.path(), &["a Ready", "b Ready"]);
    let confirmed = run(
        folder.path(),
        &["confirm", "members", "--state-dir", "state"],
    );
    assert!(confirmed.status.success(), "{confirmed:?}");
    until(folder.path(), &[]);
}

#[test]
#[expect(clippy::print_stderr, reason = "it says how long things take")]
fn a_changed_credential_is_used_soon_and_nobody_is_held() {
    let (host, api) = (FakeApi::start(), member_api("t0"));
    api.script(|script| script.token = None);
    join(&host, "a", &api, "t0");
    let folder = folder(&host, "membership.secrets = {}");
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    until(folder.path(), &["a Ready"]);
    let rounds = 1..=8;
    let took = rounds.map(|round| {
        let begin = Instant::now();
        join(&host, "a", &api, &format!("t{round}"));
        daemon.log(&["credentials renewed", "member=a"]);
        begin.elapsed()
    });
    let took: Vec<_> = took.collect();
    eprintln!("a changed credential is used after {took:?}");
    // It is meant to be a second; the machine may have other things to do.
    let most = took.iter().max();
    assert!(
        most.is_some_and(|most| *most < Duration::from_secs(5)),
        "{took:?}"
    );
    until(folder.path(), &["a Ready"]);
    let said = events(&daemon);
    assert!(!said.contains("Held"), "{said}");
}

#[test]
fn keys_beside_a_kubeconfig_are_those_of_a_member() {
    let (host, api) = (FakeApi::start(), member_api("t"));
    let text = kubeconfig(&cluster(&api), &json!({"token": "t"}));
    let labels = json!({"gazetteer.dev/member": "true"});
    let with = |keys: &str| {
        let data = [("kubeconfig", &*text), ("member.toml", keys)];
        host.apply(Resource::Secrets, secret("m", &labels, &data));
    };
    with("region = \"eu\"\nzones = [\"eu-1\"]\nsource = { renew = false }\n");
    let folder = folder(&host, "membership.secrets = {}");
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    until(folder.path(), &["m Ready"]);
    assert_eq!(clusters(folder.path())[0]["region"], "eu");
    // What it said before stays.
    with("region = 5\n");
    daemon.log(&["secret gazetteer/m/member.toml:1:10", "expected a string"]);
    until_metric(&daemon, "gazetteer_membership_refused{origin=\"secret\"} 1");
    assert_eq!(clusters(folder.path())[0]["region"], "eu");
    with("region = \"us\"\n");
    eventually("it has moved", || {
        clusters(folder.path())[0]["region"] == "us"
    });
    until_metric(&daemon, "gazetteer_membership_refused{origin=\"secret\"} 0");
}

#[test]
fn nothing_that_a_host_fails_to_say_removes_a_member() {
    let (mut host, api) = (FakeApi::start(), member_api("t"));
    for name in ["a", "b", "c"] {
        join(&host, name, &api, "t");
    }
    let folder = folder(&host, "membership.secrets = {}");
    let path = folder.path();
    let mut daemon = Daemon::start(path, "g.toml").ready();
    let ready = ["a Ready", "b Ready", "c Ready"];
    until(path, &ready);
    let fails = |reply: Reply| {
        host.set(Resource::Secrets, Verb::List, reply.clone());
        host.set(Resource::Secrets, Verb::Watch, reply);
        host.push(Resource::Secrets, crate::fake_apiserver::Push::CutMidObject);
    };
    for (reply, words) in [
        (Reply::denied(), "403"),
        (Reply::status(500, "InternalError", "boom"), "boom"),
        (Reply::Cut, "the host cluster does not say"),
    ] {
        fails(reply);
        daemon.log(&[
            "the host cluster does not say which members there are",
            words,
        ]);
        until(path, &ready);
    }
    // A list that is empty, again and again.
    let empty = "{\"kind\":\"SecretList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}";
    fails(Reply::Text(200, empty));
    until_metric(&daemon, "gazetteer_membership_held_back 3");
    until(path, &ready);
    let shown = clusters(path).to_string();
    assert!(shown.contains("gazetteer confirm members"), "{shown}");
    // It dies, the members too, and the daemon starts again.
    host.kill();
    daemon.signal("TERM");
    assert!(daemon.end().success());
    drop(daemon);
    let daemon = Daemon::start(path, "g.toml").ready();
    until(path, &["a Held", "b Held", "c Held"]);
    eventually("it answers from facts", || {
        daemon.addresses(NAME).is_some_and(|all| !all.is_empty())
    });
    eventually("its credential is said to be missing", || {
        let shown = clusters(path).to_string();
        shown.contains("secret gazetteer/a: not read yet")
    });
    let kept = std::fs::read_to_string(path.join("state/members.json")).unwrap();
    assert!(!kept.contains("token") && kept.contains("\"a\""), "{kept}");
    host.heal(Resource::Secrets, Verb::List);
    host.heal(Resource::Secrets, Verb::Watch);
    host.resume();
    until(path, &ready);
    until_metric(&daemon, "gazetteer_membership_held_back 0");
}

#[test]
fn one_that_a_list_lacks_goes_after_a_second_one() {
    let (mut host, api) = (FakeApi::start(), member_api("t"));
    for name in ["a", "b", "c"] {
        join(&host, name, &api, "t");
    }
    let folder = folder(&host, "membership.secrets = {}");
    let _daemon = Daemon::start(folder.path(), "g.toml").ready();
    until(folder.path(), &["a Ready", "b Ready", "c Ready"]);
    host.kill();
    host.delete(Resource::Secrets, "gazetteer", "b");
    host.compact();
    let lists = || host.read(|state| state.count(Resource::Secrets, Verb::List));
    let before = lists();
    host.resume();
    until(folder.path(), &["a Ready", "c Ready"]);
    let lists = host.read(|state| state.count(Resource::Secrets, Verb::List));
    assert!(lists >= before + 2, "{before} lists, {lists}");
}

#[test]
fn secrets_of_others_serve_as_they_are() {
    let (host, api) = (FakeApi::start(), member_api("t"));
    let text = kubeconfig(&cluster(&api), &json!({"token": "t"}));
    let istio = json!({"istio/multiCluster": "true"});
    let data = [("east", &*text), ("west", &*text)];
    host.apply(Resource::Secrets, secret("istio-remote", &istio, &data));
    let mut argo = istio.clone();
    argo["argocd.argoproj.io/secret-type"] = json!("cluster");
    let data = [
        ("name", "n"),
        ("server", "https://192.0.2.1"),
        ("config", "{}"),
    ];
    host.apply(Resource::Secrets, secret("argo", &argo, &data));
    let capi = json!({"cluster.x-k8s.io/cluster-name": "prod"});
    host.apply(
        Resource::Secrets,
        secret("prod-kubeconfig", &capi, &[("value", &text)]),
    );
    let runtime = json!({"sigs.k8s.io/multicluster-runtime-kubeconfig": "true"});
    host.apply(
        Resource::Secrets,
        secret("fleet", &runtime, &[("kubeconfig", &text)]),
    );
    for (selector, key, expected) in [
        (
            "istio/multiCluster=true",
            "*",
            &["east Ready", "west Ready"][..],
        ),
        (
            "cluster.x-k8s.io/cluster-name",
            "value",
            &["prod-kubeconfig Ready"],
        ),
        (
            "sigs.k8s.io/multicluster-runtime-kubeconfig=true",
            "kubeconfig",
            &["fleet Ready"],
        ),
    ] {
        let keys = format!("membership.secrets = {{ selector = \"{selector}\", key = \"{key}\" }}");
        let folder = folder(&host, &keys);
        let daemon = Daemon::start(folder.path(), "g.toml").ready();
        until(folder.path(), expected);
        let ignored = u8::from(key == "*");
        let line = format!("gazetteer_membership_ignored{{origin=\"secret\"}} {ignored}");
        until_metric(&daemon, &line);
        until_metric(&daemon, "gazetteer_membership_refused{origin=\"secret\"} 0");
    }
}

#[test]
fn a_kubeconfig_of_an_object_runs_and_reads_nothing_here() {
    let (host, api) = (FakeApi::start(), member_api("t"));
    let folder = folder(&host, "membership.secrets = {}");
    let path = folder.path();
    let trap = path.join("trap");
    let token = path.join("token-file");
    write(&token, "t");
    let good = cluster(&api);
    let mut skipping = json!({"server": api.url()});
    skipping["insecure-skip-tls-verify"] = json!(true);
    let mut proxied = good.clone();
    proxied["proxy-url"] = json!(format!("http://{}", api.address));
    let mut reading = good.clone();
    reading["certificate-authority"] = json!(token);
    let user = json!({"token": "t"});
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh",
        "args": ["-c", format!("touch {}", trap.display())], "interactiveMode": "Never",
    });
    let key = json!({"client-certificate": token, "client-key": token});
    let wrong = [
        (
            "auth",
            &good,
            json!({"auth-provider": {"name": "oidc", "config": {"id-token": "t"}}}),
            "user.auth-provider",
        ),
        (
            "ca",
            &reading,
            user.clone(),
            "cluster.certificate-authority",
        ),
        ("exec", &good, json!({"exec": exec}), "user.exec"),
        ("key", &good, key, "user.client-certificate"),
        ("proxy", &proxied, user.clone(), "this cluster.proxy-url"),
        ("skip", &skipping, user, "cluster.insecure-skip-tls-verify"),
        (
            "token",
            &good,
            json!({"tokenFile": token}),
            "user.tokenFile",
        ),
    ];
    for (name, cluster, user, _) in &wrong {
        join_as(&host, name, &kubeconfig(cluster, user));
    }
    let daemon = Daemon::start(path, "g.toml");
    until_metric(&daemon, "gazetteer_membership_refused{origin=\"secret\"} 7");
    for (index, (name, .., what)) in wrong.iter().enumerate() {
        let expected = format!("secret gazetteer/{name}: {what} is not allowed here");
        eventually(&expected, || {
            clusters(path)[index].to_string().contains(&expected)
        });
    }
    assert!(!trap.exists());
    let asked = api.read(|state| {
        [Resource::Services, Resource::Version, Resource::Ready]
            .map(|it| state.count(it, Verb::Get) + state.count(it, Verb::List))
    });
    assert_eq!(asked, [0; 3]);
}
