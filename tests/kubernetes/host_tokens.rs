//! Tokens of members that a daemon renews, and Secrets of the host cluster that they go back into.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::daemon::{Daemon, eventually};
use crate::fake_apiserver::{FakeApi, Issuer, Push, Reply, Resource, Verb};
use crate::host_members::{NAME, cluster, folder, kubeconfig, secret, states, until, until_metric};
use crate::member::fill;
use crate::program::clusters;

/// Seconds that a token lives here. Nobody asks for another one more often than each 10 s.
const LIFETIME: u64 = 16;

/// An API of a member that grants no token for longer than so many seconds.
fn api(seconds: u64) -> FakeApi {
    let api = FakeApi::start_tls();
    fill(&api);
    api.script(|script| script.issuer = Some(Issuer::new(seconds)));
    api
}

/// What the issuer of an API says.
fn issuer<T>(api: &FakeApi, ask: impl FnOnce(&mut Issuer) -> T) -> T {
    let mut said = None;
    api.script(|script| said = script.issuer.as_mut().map(ask));
    said.expect("an issuer")
}

/// A kubeconfig with a token that is issued now, for so many seconds.
fn issued(api: &FakeApi, seconds: u64) -> String {
    let token = issuer(api, |issuer| issuer.issue(seconds));
    kubeconfig(&cluster(api), &json!({"token": token}))
}

/// Makes a Secret of the host a member, with this kubeconfig; something else is in it too.
fn join(host: &FakeApi, name: &str, text: &str) {
    let labels = json!({"gazetteer.dev/member": "true"});
    let data = [("kubeconfig", text), ("member.toml", "region = \"eu\"\n")];
    host.apply(Resource::Secrets, secret(name, &labels, &data));
}

/// What is under a key of a Secret of the host.
fn held(host: &FakeApi, name: &str, key: &str) -> String {
    let encoded = host.read(|state| {
        let secret = state.object(Resource::Secrets, "gazetteer", name);
        secret.expect("a Secret")["data"][key].clone()
    });
    let octets = STANDARD.decode(encoded.as_str().expect("a key"));
    String::from_utf8(octets.expect("base64")).expect("text")
}

/// The token in a kubeconfig.
fn token(text: &str) -> String {
    let kubeconfig: Value = serde_json::from_str(text).expect("JSON");
    let token = kubeconfig["users"][0]["user"]["token"].as_str();
    token.expect("a token").to_owned()
}

/// Waits until the Secret has another kubeconfig than this, and returns it.
fn after(host: &FakeApi, text: &str) -> String {
    let mut now = String::new();
    eventually("the renewed token is in the Secret", || {
        now = held(host, "m", "kubeconfig");
        now != text
    });
    now
}

#[test]
fn a_renewed_token_goes_back_into_its_secret_for_a_restart_and_other_replicas() {
    let (host, api) = (FakeApi::start(), api(LIFETIME));
    let text = issued(&api, LIFETIME);
    join(&host, "m", &text);
    let folders = [0; 2].map(|_| folder(&host, "membership.secrets = {}"));
    let mut daemons: Vec<_> = folders
        .iter()
        .map(|folder| Daemon::start(folder.path(), "g.toml").ready())
        .collect();
    // Somebody else writes the Secret meanwhile, twice.
    let conflict = Reply::status(409, "Conflict", "the object has been modified");
    host.set_next(Resource::Secrets, Verb::Patch, conflict, 2);
    let first = after(&host, &text);
    let second = after(&host, &first);
    // Nothing else is changed.
    assert_eq!(second.replace(&token(&second), &token(&text)), text);
    assert_eq!(held(&host, "m", "member.toml"), "region = \"eu\"\n");
    let label = host.read(|state| {
        let secret = state.object(Resource::Secrets, "gazetteer", "m");
        secret.expect("a Secret")["metadata"]["labels"]["gazetteer.dev/member"].clone()
    });
    assert_eq!(label, "true");
    for folder in &folders {
        until(folder.path(), &["m Ready"]);
    }
    // A restart without its state folder goes on with it, though the first token has expired.
    let mut daemon = daemons.remove(0);
    daemon.signal("TERM");
    assert!(daemon.end().success());
    drop(daemon);
    std::fs::remove_dir_all(folders[0].path().join("state")).unwrap();
    daemons.push(Daemon::start(folders[0].path(), "g.toml").ready());
    for (folder, daemon) in [(&folders[1], &daemons[0]), (&folders[0], &daemons[1])] {
        until(folder.path(), &["m Ready"]);
        let (_, events) = daemon.get("/v1/events").expect("an answer");
        assert!(!events.contains("Held"), "{events}");
    }
}

#[test]
fn a_token_that_another_replica_has_renewed_is_taken_instead_of_a_new_one() {
    let (host, api) = (FakeApi::start(), api(600));
    // No new one is to be had.
    issuer(&api, |issuer| issuer.is_denied = true);
    let text = issued(&api, 30);
    join(&host, "m", &text);
    let folder = folder(&host, "membership.secrets = {}");
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    // The daemon hears nothing of the host any more, unless it asks for the object.
    for verb in [Verb::List, Verb::Watch] {
        host.set(Resource::Secrets, verb, Reply::denied());
    }
    host.push(Resource::Secrets, Push::CutMidObject);
    daemon.log(&["the host cluster does not say which members there are"]);
    join(&host, "m", &issued(&api, 600));
    daemon.log(&["token renewed by another replica", "member=m"]);
    daemon.log(&["credentials renewed", "member=m"]);
    assert_eq!(states(folder.path()), ["m Ready"]);
}

#[test]
fn without_the_right_it_is_said_once_and_the_token_goes_on_here() {
    let (host, api) = (FakeApi::start(), api(LIFETIME));
    let text = issued(&api, LIFETIME);
    join(&host, "m", &text);
    host.set(Resource::Secrets, Verb::Patch, Reply::denied());
    let folder = folder(&host, "membership.secrets = {}");
    let path = folder.path();
    let daemon = Daemon::start(path, "g.toml").ready();
    let words = [
        "its renewed token is known here alone",
        "secret gazetteer/m",
    ];
    daemon.log(&words);
    let why = "renewed token not written back to secret gazetteer/m: 403: forbidden";
    let warns = || clusters(path).to_string().contains(why);
    eventually("it is shown", warns);
    until_metric(&daemon, "gazetteer_publish_member_warnings{member=\"m\"} 1");
    let asked = || issuer(&api, |issuer| issuer.asked.len());
    eventually("it is renewed again and again", || asked() >= 2);
    assert_eq!(held(&host, "m", "kubeconfig"), text);
    let said = daemon.logs.try_iter();
    let said: Vec<_> = said.filter(|line| line.contains(words[0])).collect();
    assert!(said.is_empty(), "{said:?}");
    until(path, &["m Ready"]);
    assert!(daemon.addresses(NAME).is_some_and(|all| !all.is_empty()));
    // The right comes.
    host.heal(Resource::Secrets, Verb::Patch);
    after(&host, &text);
    eventually("nothing is to be said any more", || !warns());
    let (_, events) = daemon.get("/v1/events").expect("an answer");
    assert!(!events.contains("Held"), "{events}");
}

#[test]
fn the_token_of_a_cluster_profile_goes_back_into_the_secret_that_it_names() {
    let (host, api) = (FakeApi::start(), api(LIFETIME));
    let token = issuer(&api, |issuer| issuer.issue(LIFETIME));
    let none = json!({});
    host.apply(Resource::Secrets, secret("m", &none, &[("token", &token)]));
    let providers = json!([{"name": "secretreader", "cluster": cluster(&api)}]);
    host.apply(
        Resource::ClusterProfiles,
        json!({
            "metadata": {"namespace": "gazetteer", "name": "m"},
            "status": {"accessProviders": providers},
        }),
    );
    let folder = folder(&host, "membership.cluster-profiles = {}");
    let _daemon = Daemon::start(folder.path(), "g.toml").ready();
    eventually("the renewed token is in the Secret", || {
        held(&host, "m", "token") != token
    });
    until(folder.path(), &["m Ready"]);
}
