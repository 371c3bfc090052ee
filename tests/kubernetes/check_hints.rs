//! Hints of `gazetteer check --live` that are commands, run as they are printed.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::check::{World, bad};
use crate::fake_apiserver::Resource;
use crate::join::CONTEXT;

/// Obeys the hint of a check, as it is printed.
fn obey(world: &World, id: &str) {
    let (lines, _) = world.check(&[]);
    let mut these = lines.iter().filter(|line| line["id"] == id);
    let hint = these.find_map(|line| line["hint"].as_str());
    let hint = hint
        .expect("a hint")
        .replace("CONTEXT", &format!("'{CONTEXT}'"));
    let program = Path::new(env!("CARGO_BIN_EXE_gazetteer"));
    let folder = program.parent().expect("a folder");
    let output = Command::new("/bin/sh")
        .args(["-c", &hint])
        .current_dir(world.desk.folder.path())
        .env("KUBECONFIG", world.desk.path("operator"))
        .env("PATH", folder)
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{hint}: {output:?}");
}

#[test]
fn a_hint_that_is_a_command_mends() {
    let world = World::new();
    // The one that came last goes, and the other keeps what both have.
    world.second(&world.api.url());
    obey(&world, "api-identity");
    let (lines, _) = world.check(&[]);
    assert_eq!(bad(&lines), [], "{lines:#?}");
    assert!(!world.desk.path("members.d/n.toml").exists());

    let all: Vec<_> = world.pairs.iter().map(|(pem, _)| pem.as_str()).collect();
    world.write("CA.pem", &all.concat());
    world.desk.join(&["--insecure-skip-tls-verify"]).well();
    let (lines, _) = world.check(&[]);
    assert_eq!(bad(&lines), [("api-certificate", "failure")], "{lines:#?}");
    obey(&world, "api-certificate");
    let (lines, _) = world.check(&[]);
    assert_eq!(bad(&lines), [], "{lines:#?}");

    world.api.apply(
        Resource::ClusterProperties,
        json!({"metadata": {"name": "cluster.clusterset.k8s.io"}, "spec": {"value": "other"}}),
    );
    obey(&world, "clusterset-id");
    let (lines, _) = world.check(&[]);
    assert_eq!(bad(&lines), [], "{lines:#?}");
    let is_other = |line: &Value| line["subject"] == "member/other";
    assert!(lines.iter().any(is_other), "{lines:#?}");
}
