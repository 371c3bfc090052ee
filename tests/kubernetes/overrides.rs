//! `gazetteer drain` and its like with a host cluster, whose `ConfigMap` has the overrides of all replicas.

use std::thread;

use gazetteer::operate::{ContextChoice, OverridesMap, OverridesPlace};
use serde_json::{Value, json};

use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb};
use crate::join::{Desk, cluster};

/// A host cluster, and an operator's desk.
fn desk() -> (FakeApi, Desk) {
    let host = FakeApi::start();
    let desk = Desk::new(&[("admin@host", cluster(&host))]);
    (host, desk)
}

/// The `ConfigMap`.
fn map(host: &FakeApi) -> Value {
    let found = host.read(|state| {
        let found = state.object(Resource::ConfigMaps, "gazetteer", "gazetteer-overrides");
        found.cloned()
    });
    found.expect("a ConfigMap")
}

/// What it says.
fn said(host: &FakeApi) -> Value {
    let map = map(host);
    let text = map["data"]["overrides.json"].as_str().expect("the key");
    serde_json::from_str(text).expect("JSON")
}

/// What is drained.
fn targets(host: &FakeApi) -> Vec<String> {
    let said = said(host);
    let drains = said["drains"].as_array().into_iter().flatten();
    let targets = drains.map(|drain| drain["target"].as_str().unwrap_or_default().to_owned());
    targets.collect()
}

/// The arguments of a command for all replicas.
const ALL: [&str; 2] = ["--host-context", "admin@host"];

#[test]
fn every_command_is_written_down_for_all_replicas() {
    let (host, desk) = desk();
    let obey = |arguments: &[&str]| desk.run(&[arguments, &ALL].concat()).well().text;
    let text = obey(&["drain", "region/eu", "--over", "10m", "--for", "2h"]);
    assert!(
        text.starts_with("region/eu: drained over 10m, until 20"),
        "{text}"
    );
    let version = map(&host)["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let line = format!("configmap  gazetteer/gazetteer-overrides, resourceVersion {version}\n");
    assert!(text.contains(&line), "{text}");
    let first = said(&host)["drains"][0].clone();
    assert_eq!(
        (&first["from"], &first["over_seconds"]),
        (&json!(1.0), &json!(600))
    );
    assert!(
        first["begun"].is_string() && first["safe_at"].is_null(),
        "{first}"
    );
    let json = obey(&["cordon", "service/ns/web", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["drain"]["target"], "service/ns/web");
    assert_eq!(json["configmap"], "gazetteer/gazetteer-overrides");
    obey(&["uncordon", "region/eu"]);
    assert_eq!(targets(&host), ["service/ns/web"]);
    let text = obey(&["freeze", "--for", "1h"]);
    assert!(text.starts_with("answers are frozen until 20"), "{text}");
    let text = obey(&["drain", "m1"]);
    assert!(
        text.contains("it takes effect at `gazetteer thaw`"),
        "{text}"
    );
    assert!(said(&host)["frozen"].is_object() && said(&host)["drains"][1]["begun"].is_null());
    obey(&["thaw"]);
    assert!(said(&host)["frozen"].is_null() && said(&host)["drains"][1]["begun"].is_string());
    obey(&["confirm", "m1"]);
    obey(&["confirm", "members"]);
    let confirmed = said(&host)["confirmations"].clone();
    assert_eq!(confirmed[0]["member"], "m1");
    assert_eq!(confirmed[1]["member"], "*members");
    // Nothing of another key or of other labels is touched.
    let mut other = map(&host);
    other["data"]["notes"] = json!("keep me");
    host.apply(Resource::ConfigMaps, other);
    obey(&["uncordon", "m1"]);
    assert_eq!(map(&host)["data"]["notes"], "keep me");
}

#[test]
fn operators_at_once_do_not_lose_each_others_entries() {
    let (host, desk) = desk();
    let names: Vec<String> = (1..=6).map(|n| format!("m{n}")).collect();
    thread::scope(|scope| {
        for name in &names {
            let desk = &desk;
            scope.spawn(move || desk.run(&[&["cordon", name], &ALL[..]].concat()).well());
        }
    });
    let mut found = targets(&host);
    found.sort();
    assert_eq!(found, names);
}

#[tokio::test]
async fn what_was_read_is_written_over_or_nothing_is() {
    let (host, desk) = desk();
    let place = OverridesPlace {
        choice: ContextChoice {
            paths: vec![desk.path("operator")],
            context: "admin@host".to_owned(),
        },
        namespace: "gazetteer".to_owned(),
        name: "gazetteer-overrides".to_owned(),
    };
    let map = OverridesMap::open(place).await.unwrap();
    let nothing = map.read().await.unwrap();
    assert_eq!(nothing.text, None);
    assert!(map.write(&nothing, "1").await.unwrap().is_some());
    assert_eq!(
        map.write(&nothing, "2").await.unwrap(),
        None,
        "it is there now"
    );
    let (one, other) = (map.read().await.unwrap(), map.read().await.unwrap());
    assert!(map.write(&one, "3").await.unwrap().is_some());
    assert_eq!(map.write(&other, "4").await.unwrap(), None);
    let now = map.read().await.unwrap();
    assert_eq!(now.text.as_deref(), Some("3"));
    host.delete(Resource::ConfigMaps, "gazetteer", "gazetteer-overrides");
    assert_eq!(map.write(&now, "5").await.unwrap(), None, "it is gone");
}

#[test]
fn what_cannot_be_written_is_said_and_changes_nothing() {
    let (host, desk) = desk();
    let refuse = |arguments: &[&str]| desk.run(&[arguments, &ALL].concat()).refused();
    let text = refuse(&["uncordon", "m1"]);
    assert!(
        text.contains("m1 is neither drained nor cordoned; nothing is"),
        "{text}"
    );
    let text = refuse(&["thaw"]);
    assert!(text.contains("answers are not frozen"), "{text}");
    let damaged = json!({
        "metadata": {"namespace": "gazetteer", "name": "gazetteer-overrides"},
        "data": {"overrides.json": "{\"version\": 7}"},
    });
    host.apply(Resource::ConfigMaps, damaged);
    let text = refuse(&["cordon", "m1"]);
    assert!(
        text.contains("what is there is wrong") && text.contains("mend"),
        "{text}"
    );
    assert_eq!(said(&host), json!({"version": 7}));
    host.delete(Resource::ConfigMaps, "gazetteer", "gazetteer-overrides");
    host.set(Resource::ConfigMaps, Verb::Create, Reply::denied());
    let text = refuse(&["cordon", "m1"]);
    let named = "configmap gazetteer/gazetteer-overrides of the host cluster: ";
    assert!(text.contains(named), "{text}");
    let wrong = desk
        .run(&["cordon", "m1", "--host-context", "nobody"])
        .refused();
    assert!(wrong.contains("context \"nobody\" is not in"), "{wrong}");
    let alone = desk.run(&["cordon", "m1", "--host-namespace", "x"]);
    assert_eq!(alone.code, Some(2), "{}", alone.errors);
}
