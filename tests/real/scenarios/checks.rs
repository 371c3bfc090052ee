//! `gazetteer check --live` on a real control plane: faults of rights, credentials and identity, and what
//! is contacted.

use std::process::Command;

use serde_json::{Value, json};

use super::joins::bare;
use crate::desk::{CONTEXT, Desk, installed, verified};
use crate::files;
use crate::fleet::Fleet;
use crate::gate::Gate;
use crate::member::{Member, RBAC};
use crate::wait::{SOON, until};

/// The lines of a check of the whole federation.
pub(super) fn lines(desk: &Desk) -> Vec<Value> {
    let ran = desk.run(&["check", "gazetteer.toml", "--live", "-o", "json"]);
    let document: Value = serde_json::from_str(&ran.text)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.text, ran.errors));
    document["checks"].as_array().expect("checks").clone()
}

/// The checks with this state, each once.
fn with_state(lines: &[Value], state: &str) -> Vec<String> {
    let these = lines.iter().filter(|line| line["state"] == state);
    let ids = these.map(|line| line["id"].as_str().expect("an id").to_owned());
    let mut ids: Vec<_> = ids.collect();
    ids.dedup();
    ids
}

/// Waits until exactly these checks have this state: rights and tokens are known to an API a while after
/// they are changed. The lines.
fn until_state(desk: &Desk, state: &str, ids: &[&str]) -> Vec<Value> {
    until(&format!("{state}: {ids:?}"), 4 * SOON, || {
        let lines = lines(desk);
        if with_state(&lines, state) == ids {
            Ok(lines)
        } else {
            Err(format!("{lines:#?}"))
        }
    })
}

/// Runs the hint of a check, as an operator does.
fn mend(desk: &Desk, lines: &[Value], id: &str) {
    let mut these = lines.iter().filter(|line| line["id"] == id);
    let hint = these.find_map(|line| line["hint"].as_str());
    let hint = hint
        .expect("a hint")
        .replace("CONTEXT", &format!("'{CONTEXT}'"));
    desk.shell(&hint).well();
}

/// Takes a verb on EndpointSlices out of the role.
pub(super) fn without(member: &Member, verb: &str) {
    let path = format!("{RBAC}/clusterroles/gazetteer");
    let mut rules = member.api.get(&path).expect("the role")["rules"].clone();
    for rule in rules.as_array_mut().expect("rules") {
        let of_slices = rule["resources"]
            .as_array()
            .is_some_and(|all| all.contains(&json!("endpointslices")));
        if of_slices {
            let verbs = rule["verbs"].as_array_mut().expect("verbs");
            verbs.retain(|of| of != verb);
        }
    }
    member.api.patch(&path, &json!({ "rules": rules }));
}

/// A missing right, a token that is void, and a cluster under two names are one line each, and what the
/// hints say mends them. Nothing is contacted but the member.
pub(crate) fn faults(fleet: &Fleet) {
    let member = &fleet.members[0];
    bare(member);
    let desk = Desk::of(fleet, member);
    desk.join(&[]).well();
    until_state(&desk, "failure", &[]);

    let watch = {
        without(member, "watch");
        until_state(&desk, "failure", &["rights-watch"])
    };
    let listed = watch.iter().find(|line| line["id"] == "rights-list");
    assert_eq!(listed.expect("a line")["state"], "ok", "{watch:#?}");
    mend(&desk, &watch, "rights-watch");
    until_state(&desk, "failure", &[]);

    without(member, "list");
    let list = until_state(&desk, "failure", &["rights-list"]);
    mend(&desk, &list, "rights-list");
    until_state(&desk, "failure", &[]);

    let base = installed(member).pop().expect("a binding");
    member.api.delete(&format!(
        "/api/v1/namespaces/kube-system/serviceaccounts/{base}"
    ));
    let void = until_state(&desk, "failure", &["credential"]);
    mend(&desk, &void, "credential");
    until_state(&desk, "failure", &[]);

    let folder = desk.folder.join("members.d");
    let copied = desk.member_file("m.kubeconfig").expect("a kubeconfig");
    files::write(&folder.join("n.kubeconfig"), copied);
    let fragment = "version = \"v1\"\nname = \"n\"\n\
        source = { kubeconfig = \"n.kubeconfig\", context = \"gazetteer\" }\n";
    files::write(&folder.join("n.toml"), fragment);
    let twins = until_state(&desk, "failure", &["api-identity"]);
    mend(&desk, &twins, "api-identity");
    assert_eq!(desk.member_file("n.toml"), None);
    until_state(&desk, "failure", &[]);

    contacts_members_alone(&desk, member);
    desk.unjoin(&[]).well();
}

/// An API that takes connections and never answers: one line says so, after one limit.
pub(crate) fn silent(fleet: &Fleet) {
    let member = &fleet.members[0];
    bare(member);
    let gate = Gate::new((member.address, Member::PORT).into());
    let mut cluster = verified(member);
    cluster["server"] = json!(gate.url());
    let desk = Desk::new(fleet, &[(CONTEXT, member, cluster)]);
    desk.join(&[]).well();
    gate.set_silent(true);
    let ran = desk.run(&[
        "check",
        "gazetteer.toml",
        "--live",
        "--timeout",
        "2s",
        "-o",
        "json",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.text);
    let document: Value = serde_json::from_str(&ran.text).expect("a document");
    let lines = document["checks"].as_array().expect("checks");
    assert_eq!(with_state(lines, "failure"), ["api-reachable"]);
    let failure = lines.iter().find(|line| line["state"] == "failure");
    let says = failure.and_then(|line| line["says"].as_str());
    let expected = format!("timed out after 2s: {}: ", gate.url());
    assert!(
        says.is_some_and(|says| says.starts_with(&expected)),
        "{says:?}"
    );
    let waited = lines.iter().filter_map(|line| line["ms"].as_u64());
    assert_eq!(waited.filter(|ms| *ms >= 2_000).count(), 1, "{lines:#?}");
    gate.set_silent(false);
    desk.unjoin(&[]).well();
}

/// Looks at what is connected to: the member, and nothing else.
fn contacts_members_alone(desk: &Desk, member: &Member) {
    let trace = desk.folder.join("connects");
    let output = Command::new("strace")
        .args(["-f", "-e", "trace=connect", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_gazetteer"))
        .args(["check", "gazetteer.toml", "--live"])
        .current_dir(&desk.folder)
        .output()
        .expect("strace runs");
    assert!(output.status.success(), "{output:?}");
    let trace = std::fs::read_to_string(&trace).expect("a trace");
    let connects = trace.lines().filter(|line| line.contains("AF_INET"));
    let connects: Vec<_> = connects.collect();
    let (address, port) = (member.address, Member::PORT);
    let (address, port) = (format!("\"{address}\""), format!("htons({port})"));
    let is_member = |line: &&&str| line.contains(&address) && line.contains(&port);
    let others: Vec<_> = connects.iter().filter(|line| !is_member(line)).collect();
    assert!(!connects.is_empty(), "{trace}");
    assert_eq!(others, Vec::<&&str>::new());
}
