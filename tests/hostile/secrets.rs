//! What is secret is in no log, no reply, no metric and no file of the state.

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::api::{Api, Script};
use crate::daemon::Daemon;
use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb};
use crate::program;
use crate::stage::{NAME, Stage};
use crate::wait::{SOON, until};

/// What is planted.
const SECRET: &str = "PLANTED-SECRET";

/// Logs everything.
const TRACED: &str = "exec \"$@\" --log trace";

/// What is logged when a member does not say who it is, for which it is not lost.
const UNREADABLE: &str = "identity or version cannot be read";

/// Waits until what is wrong with the member is noticed, and looks for the secret everywhere.
fn assert_hidden(stage: &Stage, daemon: &Daemon) {
    let logged = RefCell::new(Vec::new());
    until("what is wrong is noticed", 2 * SOON, || {
        logged.borrow_mut().extend(daemon.new_logs());
        let member = daemon.member("m1")?;
        let is_unreadable = |line: &String| line.contains(UNREADABLE);
        if member["reason"].is_string() || logged.borrow().iter().any(is_unreadable) {
            Ok(())
        } else {
            Err(member.to_string())
        }
    });
    let explained = format!("/v1/explain?name={NAME}");
    for path in [
        "/v1/clusters",
        "/v1/events",
        "/v1/overrides",
        "/metrics",
        "/readyz?verbose",
        &explained,
    ] {
        let (_, body) = daemon.get(path).expect("a reply");
        assert!(!body.contains(SECRET), "{path}: {body}");
    }
    let logged = logged.into_inner();
    for line in logged.into_iter().chain(daemon.new_logs()) {
        assert!(!line.contains(SECRET), "log: {line}");
    }
    let mut folders = vec![stage.path().join("state")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(octets) = std::fs::read(&path) {
                let mut windows = octets.windows(SECRET.len());
                assert!(
                    !windows.any(|window| window == SECRET.as_bytes()),
                    "{}",
                    path.display()
                );
            }
        }
    }
    let (_, printed) = stage.run(&["check", "gazetteer.toml"]);
    assert!(!printed.contains(SECRET), "check: {printed}");
}

/// A kubeconfig whose user is this text of YAML.
fn kubeconfig(user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\n\
         clusters: [{{ name: c, cluster: {{ server: \"https://127.0.0.1:9\" }} }}]\n\
         contexts: [{{ name: fake, context: {{ cluster: c, user: u }} }}]\n\
         users:\n- name: u\n  user: {user}\n"
    )
}

#[test]
fn a_slip_in_a_kubeconfig_quotes_nothing_of_it() {
    let slips = [
        format!("\n    token: {SECRET}\n   client-key-data: {SECRET}"),
        format!("\n    token: {SECRET}: x"),
        format!("\n    token: [{SECRET}]"),
        format!("\n    client-certificate-data: {SECRET}\n    client-key-data: {SECRET}"),
        format!("\n    token: \"{SECRET}\\n\\x01\""),
        format!("\n    {SECRET}"),
    ];
    let stage = Stage::of_api();
    let mut daemon = None;
    for slip in slips {
        program::replace(&stage.path().join("kubeconfig"), &kubeconfig(&slip));
        drop(daemon.take());
        let running = stage.start_by(TRACED, &[]);
        assert_hidden(&stage, &running);
        daemon = Some(running);
    }
}

#[test]
fn an_exec_plugin_is_not_quoted() {
    let outputs = [
        format!("\"{SECRET}\""),
        format!("{{\"status\":{{\"token\":[\"{SECRET}\"]}}}}"),
        format!(
            "{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{{\"token\":\"{SECRET}\\n\\u0001\"}}}}"
        ),
        SECRET.to_owned(),
    ];
    for output in outputs {
        let stage = Stage::of_api();
        let api = Api::start(Script::new());
        let user = json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": "/bin/echo", "args": [output],
        }});
        api.kubeconfig(stage.path(), &user);
        let daemon = stage.start_by(TRACED, &[]);
        assert_hidden(&stage, &daemon);
    }
}

#[test]
fn a_token_and_the_bodies_of_a_member_are_not_logged() {
    let body = json!({"metadata": {"resourceVersion": "1"}, "items": SECRET}).to_string();
    let line = format!("{{\"metadata\": {SECRET}");
    let replies = [
        (Resource::Services, Verb::List, body),
        (Resource::Version, Verb::Get, line.clone()),
        (Resource::Services, Verb::Get, line),
    ];
    for (resource, verb, body) in replies {
        let stage = Stage::of_api();
        let api = FakeApi::start_tls();
        api.script(|script| script.token = Some(SECRET.to_owned()));
        api.set(resource, verb, Reply::Text(200, body.leak()));
        program::replace(&stage.path().join("token"), SECRET);
        api.kubeconfig(stage.path());
        let daemon = stage.start_by(TRACED, &[]);
        assert_hidden(&stage, &daemon);
    }
}

#[test]
fn control_and_bidirectional_characters_of_a_member_are_escaped() {
    let version = "v1\u{1b}[31mRED\u{1b}[0m\nFAKE   Ready\u{202e}";
    let stage = Stage::of_api();
    let script = Script::new().version(version);
    let api = Api::start(script);
    api.kubeconfig(stage.path(), &Value::Null);
    let daemon = stage.start();
    let admin = daemon.admin.to_string();
    until("the version is known", SOON, || {
        let member = daemon.member("m1")?;
        if member["version"].is_string() {
            Ok(())
        } else {
            Err(member.to_string())
        }
    });
    for output in [
        &["clusters", "--admin", &admin][..],
        &["clusters", "--admin", &admin, "-o", "json"],
    ] {
        let (_, printed) = stage.run(output);
        let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!printed.contains(bad), "{printed:?}");
        assert!(
            !printed.lines().any(|line| line.starts_with("FAKE")),
            "{printed:?}"
        );
    }
    for line in daemon.new_logs() {
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}
