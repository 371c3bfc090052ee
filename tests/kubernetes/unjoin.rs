//! `gazetteer unjoin` against an API server with faults on demand.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use serde_json::json;

use crate::fake_apiserver::{FakeApi, Resource, write};
use crate::join::{CONTEXT, Desk, Ran, api, cluster, furnish};

/// What a join makes.
const MADE: [Resource; 5] = [
    Resource::ServiceAccounts,
    Resource::ClusterRoles,
    Resource::ClusterRoleBindings,
    Resource::Roles,
    Resource::RoleBindings,
];

/// How many objects of those that a join makes there are.
fn made(api: &FakeApi) -> usize {
    let count = |resource| api.read(|state| state.objects(resource).len());
    MADE.map(count).into_iter().sum()
}

/// `gazetteer unjoin m`
fn unjoin(desk: &Desk, more: &[&str]) -> Ran {
    desk.run(&[&["unjoin", "m", "--config", "gazetteer.toml"], more].concat())
}

#[test]
fn what_was_made_goes_and_nothing_else() {
    let api = api();
    api.apply(
        Resource::ServiceAccounts,
        json!({"metadata": {"namespace": "kube-system", "name": "another"}}),
    );
    let desk = Desk::of(&api);
    desk.join(&[]).well();
    assert_eq!(made(&api), 6);
    let dry = unjoin(&desk, &["--dry-run"]).well();
    assert!(dry.text.contains("would be removed"), "{}", dry.text);
    assert_eq!(made(&api), 6);
    // The context is found by the server.
    let ran = unjoin(&desk, &[]).well();
    assert!(ran.text.ends_with("m: has left\n"), "{}", ran.text);
    assert_eq!(made(&api), 1);
    assert!(!desk.path("members.d/m.toml").exists());
    assert!(!desk.path("members.d/m.kubeconfig").exists());
    let said = unjoin(&desk, &[]).refused();
    assert!(said.contains("member \"m\" is not in "), "{said}");
    // One that was cut short is completed by a context.
    let again = unjoin(&desk, &["--context", CONTEXT]).well();
    assert!(!again.text.contains("removed"), "{}", again.text);
}

#[test]
fn two_installations_leave_each_other_alone() {
    let api = api();
    let (first, second) = (Desk::of(&api), Desk::of(&api));
    first.join(&[]).well();
    second.join(&[]).well();
    assert_eq!(made(&api), 9, "one role for both");
    let left = second.member_file("m.kubeconfig");
    let ran = unjoin(&first, &[]).well();
    assert!(
        ran.text.contains("kept: others are bound to it"),
        "{}",
        ran.text
    );
    assert_eq!(made(&api), 5);
    let again = second.join(&[]).well();
    assert!(again.text.ends_with("m: unchanged\n"), "{}", again.text);
    assert_eq!(second.member_file("m.kubeconfig"), left);
    unjoin(&second, &[]).well();
    assert_eq!(made(&api), 0);
}

#[test]
fn a_member_that_is_down_leaves_by_force() {
    let mut api = api();
    let desk = Desk::of(&api);
    desk.join(&[]).well();
    api.kill();
    let said = unjoin(&desk, &["--context", CONTEXT]).refused();
    assert!(said.contains("--force removes the member here"), "{said}");
    assert!(desk.path("members.d/m.toml").exists());
    let ran = unjoin(&desk, &["--force"]).well();
    assert!(!desk.path("members.d/m.toml").exists());
    let quoted = "kubectl --context 'default/a:6443/kube:admin@x y' -n kube-system delete";
    assert!(ran.text.contains(quoted), "{}", ran.text);
}

#[test]
fn another_members_context_and_what_join_did_not_make_are_refused() {
    let api = api();
    let other = FakeApi::start();
    furnish(&other, "uid-2");
    let desk = Desk::new(&[(CONTEXT, cluster(&api)), ("other", cluster(&other))]);
    desk.join(&[]).well();
    let arguments = [
        "join",
        "n",
        "--context",
        "other",
        "--config",
        "gazetteer.toml",
    ];
    desk.run(&arguments).well();
    let said = unjoin(&desk, &["--context", "other"]).refused();
    assert!(
        said.contains("context \"other\" is member \"n\", not \"m\""),
        "{said}"
    );
    assert_eq!(made(&other), 5);
    let fragment = "version = \"v1\"\nname = \"m\"\nsource = { file = \"m.facts\" }\n";
    write(&desk.path("members.d/m.toml"), fragment);
    let said = unjoin(&desk, &[]).refused();
    assert!(said.contains("was not made by join"), "{said}");
}

#[test]
fn the_daemon_is_told_that_it_is_meant_once_the_files_are_gone() {
    let api = api();
    let desk = Desk::of(&api);
    desk.join(&[]).well();
    std::fs::create_dir(desk.path("state")).unwrap();
    let socket = UnixListener::bind(desk.path("state/control")).unwrap();
    let fragment = desk.path("members.d/m.toml");
    let daemon = thread::spawn(move || {
        let (stream, _) = socket.accept().unwrap();
        let mut request = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            request.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        request.read_exact(&mut body).unwrap();
        let was_there = fragment.exists();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        request.get_mut().write_all(answer.as_bytes()).unwrap();
        (head, String::from_utf8(body).unwrap(), was_there)
    });
    unjoin(&desk, &[]).well();
    let (head, body, was_there) = daemon.join().unwrap();
    assert!(head.starts_with("POST /v1/command HTTP/1.1"), "{head}");
    assert_eq!(body, "{\"command\":\"forget\",\"member\":\"m\"}");
    assert!(!was_there);
}
