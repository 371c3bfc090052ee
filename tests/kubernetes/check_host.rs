//! `gazetteer check --live` of members that objects of a host cluster name.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::daemon::{Daemon, eventually};
use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb, write};
use crate::host_members::{cluster, folder, kubeconfig, secret, states};
use crate::host_profiles::profile;
use crate::join::furnish;
use crate::program::run;

/// Tokens that nothing may print.
const TOKENS: [&str; 3] = ["first-secret-token", "second-secret-token", "never-printed"];

/// What a host cluster is asked for here.
const KEYS: &str = "membership.secrets = {}\nmembership.cluster-profiles = {}";

/// An API of a member that lets in who has this token.
fn api(uid: &str, token: &str) -> FakeApi {
    let api = FakeApi::start_tls();
    furnish(&api, uid);
    api.script(|script| {
        script.token = Some(token.to_owned());
        script.denied = vec![("*", "*"), ("get", "secrets")];
    });
    api
}

/// A host with a member of a Secret, one of a `ClusterProfile`, one that is refused, and one of Argo CD.
struct World {
    host: FakeApi,
    folder: TempDir,
    apis: [FakeApi; 2],
}

impl World {
    /// The host and its members.
    fn new() -> Self {
        let (host, first, second) = (
            FakeApi::start(),
            api("uid-1", TOKENS[0]),
            api("uid-2", TOKENS[1]),
        );
        let labels = json!({"gazetteer.dev/member": "true"});
        let text = kubeconfig(&cluster(&first), &json!({"token": TOKENS[0]}));
        let wrong = json!({"exec": {"command": "/bin/false"}, "token": TOKENS[2]});
        let wrong = kubeconfig(&cluster(&first), &wrong);
        let argo = json!({
            "gazetteer.dev/member": "true", "argocd.argoproj.io/secret-type": "cluster",
        });
        for object in [
            secret("a", &labels, &[("kubeconfig", &text)]),
            secret("b", &labels, &[("kubeconfig", &wrong)]),
            secret("argo", &argo, &[("config", TOKENS[2])]),
            secret("p1", &json!({}), &[("token", TOKENS[1])]),
        ] {
            host.apply(Resource::Secrets, object);
        }
        let (at, none) = (cluster(&second), json!({}));
        let profile = profile("p1", "east", &at, "secretreader", &none);
        host.apply(Resource::ClusterProfiles, profile);
        let folder = folder(&host, KEYS);
        // One is never synced, as its credential is wrong.
        let file = folder.path().join("g.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        write(&file, &(text + "sync-timeout = \"1s\"\n"));
        Self {
            host,
            folder,
            apis: [first, second],
        }
    }

    /// The folder of the configuration.
    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What a check prints, which shows no secret, and its exit status.
    fn check(&self, more: &[&str]) -> (String, Option<i32>) {
        let command = ["check", "g.toml", "--live"];
        let output = run(self.path(), &[&command[..], more].concat());
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        for token in TOKENS {
            let encoded = STANDARD.encode(token);
            let shown = text.contains(token) || text.contains(&encoded);
            assert!(!shown, "{token}: {text}");
        }
        (text, output.status.code())
    }

    /// Subject, origin, check and state of each line, and what it says.
    fn lines(&self, more: &[&str]) -> Vec<(String, String)> {
        let (text, _) = self.check(&[&["-o", "json"], more].concat());
        let document: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let lines = document["checks"].as_array().expect("checks").iter();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let lines = lines.map(|line| {
            let parts = ["subject", "origin", "id", "state"].map(|key| text(&line[key]));
            (parts.join(" "), text(&line["says"]))
        });
        lines.collect()
    }
}

/// What a line says; it must be there.
fn says<'l>(lines: &'l [(String, String)], line: &str) -> &'l str {
    let mut found = lines.iter().filter(|(parts, _)| parts == line);
    let (_, says) = found.next().unwrap_or_else(|| panic!("{line}: {lines:#?}"));
    says
}

#[test]
fn members_of_a_host_are_looked_at_and_their_origin_is_named() {
    let world = World::new();
    let lines = world.lines(&[]);
    let refused = "secret gazetteer/b: user.exec is not allowed here";
    assert_eq!(
        says(&lines, "configuration - host-members failure"),
        refused
    );
    for member in ["member/a secret/a", "member/east profile/p1"] {
        for id in [
            "api-reachable",
            "api-certificate",
            "api-identity",
            "credential",
            "rights-list",
            "rights-watch",
            "rights-least",
            "labels",
            "exports",
            "via",
        ] {
            says(&lines, &format!("{member} {id} ok"));
        }
    }
    let why = says(&lines, "member/b secret/b api-reachable failure");
    assert_eq!(why, refused);
    let others: Vec<_> = lines
        .iter()
        .filter(|(line, _)| line.ends_with("failure"))
        .collect();
    // The name server of the configuration is nobody's, so all else is right.
    assert_eq!(others.len(), 2, "{others:?}");

    world.host.delete(Resource::Secrets, "gazetteer", "b");
    let (text, code) = world.check(&[]);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "host-members: 1 member of Secrets, 1 member of ClusterProfiles; 1 object of others left alone\n",
        "\nmember a (secret/a)\n",
        "\nmember east (profile/p1)\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let (text, _) = world.check(&["--member", "east", "-o", "json"]);
    assert!(!text.contains("member/a"), "{text}");
    let (text, code) = world.check(&["--member", "zzz"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("there are: a, east"), "{text}");
    // Who is not asked for members of it asks nobody.
    let asked = || {
        let host = &world.host;
        host.read(|state| state.count(Resource::Secrets, Verb::List))
    };
    let before = asked();
    world.check(&["--only", "config"]);
    assert_eq!(asked(), before);
}

#[test]
fn a_right_that_is_missing_in_a_member_of_a_secret_is_granted_by_its_join() {
    let world = World::new();
    let [first, _] = &world.apis;
    first.set(Resource::Services, Verb::Watch, Reply::denied());
    let (text, code) = world.check(&["--member", "a"]);
    assert_eq!(code, Some(1), "{text}");
    let hint = "hint: gazetteer join a --context CONTEXT --host-context HOST --host-namespace gazetteer; \
        see docs/checks.md#rights-watch";
    assert!(text.contains(hint), "{text}");
    let (text, _) = world.check(&["--member", "b"]);
    let hint = "hint: gazetteer join b --context CONTEXT --host-context HOST --host-namespace gazetteer; \
        see docs/checks.md#api-reachable";
    assert!(text.contains(hint), "{text}");
}

#[test]
fn a_host_that_is_not_reached_is_read_by_the_operators_context_or_known_by_the_daemon() {
    let mut world = World::new();
    let path = world.path().to_owned();
    let operator = std::fs::read_to_string(path.join("kubeconfig")).unwrap();
    let daemon = Daemon::start(&path, "g.toml").ready();
    eventually("two are ready", || {
        let states = states(&path);
        let is_ready = |name: &str| states.contains(&format!("{name} Ready"));
        is_ready("a") && is_ready("east") && !states.contains(&"b Syncing".to_owned())
    });
    // The daemon's way there is closed from here, as when it is in a pod.
    let closed = operator.replace(&world.host.url(), "http://127.0.0.1:1");
    write(&path.join("kubeconfig"), &closed);
    write(&path.join("operator"), &operator);

    let lines = world.lines(&[]);
    let why = says(&lines, "configuration - host-members warning");
    assert!(why.starts_with("not read from here: "), "{why}");
    assert!(why.ends_with("the daemon knows 3 members of it"), "{why}");
    assert_eq!(
        says(&lines, "member/a secret/a api-reachable skipped"),
        "not asked from here; the daemon says Ready"
    );
    let why = says(&lines, "member/b secret/b api-reachable warning");
    assert!(why.contains("user.exec is not allowed here"), "{why}");

    // What the hint says.
    let (text, _) = world.check(&[]);
    let hint = "gazetteer check g.toml --live --host-context HOST";
    assert!(text.contains(&format!("hint: {hint}; see")), "{text}");
    let lines = world.lines(&["--host-context", "fake", "--kubeconfig", "operator"]);
    says(&lines, "configuration - host-members failure");
    says(&lines, "member/a secret/a credential ok");
    says(&lines, "member/east profile/p1 credential ok");

    drop(daemon);
    world.host.kill();
    eventually("nobody knows", || {
        let lines = world.lines(&[]);
        let is_wrong =
            |(line, _): &(String, String)| line == "configuration - host-members failure";
        lines.iter().any(is_wrong) && !lines.iter().any(|(line, _)| line.contains("secret/a"))
    });
    let (text, code) = world.check(&["--host-context", "nobody", "--kubeconfig", "operator"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("context \"nobody\" is not in"), "{text}");
}
