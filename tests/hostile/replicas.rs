//! Replicas that share the overrides of a host cluster, under what that cluster may do.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::fake_apiserver::{FakeApi, Push, Reply, Resource, Verb};
use crate::stage::{FIRST, NAME, SECOND, Stage};
use crate::wait::{SOON, until};

/// The folder of a replica that watches the `ConfigMap` of `host`.
fn replica(host: &FakeApi) -> Stage {
    let mut stage = Stage::new();
    host.kubeconfig(stage.path());
    stage.top += "\nmembership.host = { kubeconfig = \"kubeconfig\", context = \"fake\" }\n\
                  membership.overrides = \"gazetteer-overrides\"";
    stage
}

/// Gives a command to all replicas; returns the `resourceVersion` of what was written.
fn order(stage: &Stage, command: &[&str]) -> String {
    let place = [
        "--host-context",
        "fake",
        "--kubeconfig",
        "kubeconfig",
        "-o",
        "json",
    ];
    let (good, printed) = stage.run(&[command, &place].concat());
    assert!(good, "{printed}");
    let written: Value = serde_json::from_str(&printed).expect("JSON");
    written["resource_version"]
        .as_str()
        .expect("a version")
        .to_owned()
}

/// What a daemon says is in force.
fn in_force(daemon: &Daemon) -> Value {
    let (_, body) = daemon.get("/v1/overrides").expect("a reply of admin");
    serde_json::from_str(&body).expect("JSON")
}

/// Waits until a daemon has a version of the `ConfigMap` in force, in contact.
fn until_version(daemon: &Daemon, version: &str) {
    until("it has this version", SOON, || {
        let host = in_force(daemon)["host"].clone();
        let is_it = host["resource_version"] == version && host["problem"].is_null();
        if is_it { Ok(()) } else { Err(host.to_string()) }
    });
}

/// Waits until a daemon says something of what is wrong with the `ConfigMap` or the host.
fn until_problem(daemon: &Daemon, words: &str) {
    until(words, SOON, || {
        let host = in_force(daemon)["host"].clone();
        let problem = host["problem"].as_str().unwrap_or_default();
        if problem.contains(words) {
            Ok(())
        } else {
            Err(host.to_string())
        }
    });
}

#[test]
fn replicas_agree_and_nothing_that_the_host_fails_to_say_takes_a_drain_back() {
    let host = FakeApi::start();
    let (one, other) = (replica(&host), replica(&host));
    let first = one.start();
    first.until_answers(NAME, &[FIRST, SECOND]);
    until_problem(&first, "not there");
    let version = order(&one, &["cordon", "m1"]);
    first.until_answers(NAME, &[SECOND]);
    until_version(&first, &version);
    // One that starts later has it too.
    let second = other.start();
    second.until_answers(NAME, &[SECOND]);
    until_version(&second, &version);
    let drains = in_force(&first)["drains"].clone();
    assert_eq!(drains[0]["origin"], "host");
    let entry =
        |drains: &Value| ["target", "origin", "since", "share"].map(|key| drains[0][key].clone());
    assert_eq!(entry(&in_force(&second)["drains"]), entry(&drains));
    let (_, shown) = one.run(&["overrides", "--state-dir", "state"]);
    let line = format!("configmap gazetteer/gazetteer-overrides: resourceVersion {version}\n");
    assert!(
        shown.starts_with(&line) && shown.contains("ORIGIN"),
        "{shown}"
    );

    // What is wrong, or gone, takes nothing back.
    let metadata = json!({"namespace": "gazetteer", "name": "gazetteer-overrides"});
    for (data, words) in [
        (json!({"overrides.json": "nonsense"}), "overrides.json: "),
        (json!({"other": "x"}), "it has no key overrides.json"),
    ] {
        host.apply(
            Resource::ConfigMaps,
            json!({"metadata": metadata, "data": data}),
        );
        for daemon in [&first, &second] {
            until_problem(daemon, words);
            daemon.check(NAME, &[SECOND]).unwrap();
        }
    }
    host.delete(Resource::ConfigMaps, "gazetteer", "gazetteer-overrides");
    until_problem(&first, "not there");
    first.check(NAME, &[SECOND]).unwrap();
    let (_, metrics) = first.get("/metrics").expect("metrics");
    assert!(
        metrics.contains("gazetteer_membership_overrides_stale 1"),
        "{metrics}"
    );

    // Nor does a host that says nothing any more, over a restart too.
    let denied = || Reply::denied();
    host.set(Resource::ConfigMaps, Verb::List, denied());
    host.set(Resource::ConfigMaps, Verb::Watch, denied());
    host.push(Resource::ConfigMaps, Push::End);
    let lost = |daemon: &Daemon| {
        until("it is out of contact", SOON, || {
            let host = in_force(daemon)["host"].clone();
            let is_lost = host["in_contact"] == false && host["age_seconds"].is_u64();
            if is_lost {
                Ok(())
            } else {
                Err(host.to_string())
            }
        });
    };
    lost(&first);
    drop(first);
    let first = one.start();
    first.check(NAME, &[SECOND]).unwrap();
    lost(&first);
    assert_eq!(in_force(&first)["host"]["resource_version"], version);

    // Both follow what was written meanwhile, once the host is back.
    let version = order(&one, &["cordon", "m2"]);
    host.heal(Resource::ConfigMaps, Verb::List);
    host.heal(Resource::ConfigMaps, Verb::Watch);
    for daemon in [&first, &second] {
        daemon.until_answers(NAME, &[FIRST]);
        until_version(daemon, &version);
    }
    // The control socket is for one daemon alone, and the smaller share wins.
    let (good, printed) = one.run(&["cordon", "m1", "--state-dir", "state"]);
    assert!(good, "{printed}");
    first.until_answers(NAME, &[]);
    second.check(NAME, &[FIRST]).unwrap();
}
