//! What members hold that is not theirs, not used, or not theirs alone.

use serde_json::{Value, json};

use crate::api::{Api, Script, json_reply, load_balancer, slice};
use crate::stage::{FIRST, Stage, name};

/// A service of type `ClusterIP` that is exported, with more keys of its metadata and its spec.
fn cluster_ip(name: &str, metadata: &Value, spec: &Value) -> Value {
    let mut service = load_balancer(name, &[], &json!({}));
    service["spec"]["type"] = json!("ClusterIP");
    for (place, more) in [("metadata", metadata), ("spec", spec)] {
        for (key, value) in more.as_object().into_iter().flatten() {
            service[place][key] = value.clone();
        }
    }
    service
}

/// The slice of a service that Kubernetes itself has written from hand-made Endpoints.
fn mirrored(service: &str) -> Value {
    let mut slice = slice(service);
    slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] =
        json!("endpointslicemirroring-controller.k8s.io");
    slice
}

#[test]
fn the_mirror_of_another_clusters_service_is_no_export() {
    let mut stage = Stage::of_api();
    stage.m1 += "\ngateway = { addresses = [\"203.0.113.99\"] }";
    let labels = json!({"labels": {
        "mirror.linkerd.io/mirrored-service": "true", "mirror.linkerd.io/cluster-name": "east",
    }});
    let services = vec![
        cluster_ip("web-east", &labels, &json!({})),
        cluster_ip("by-hand", &json!({}), &json!({})),
    ];
    let slices = json!({
        "metadata": {"resourceVersion": "1"},
        "items": [mirrored("web-east"), mirrored("by-hand")],
    });
    let slices = slices.to_string();
    let script = Script::new()
        .services(services)
        .reply("endpointslices", false, move |stream| {
            json_reply(stream, &slices)
        });
    let api = Api::start(script);
    api.kubeconfig(stage.path(), &json!({}));
    let daemon = stage.start();
    // Endpoints by hand are evidence, and what is evidence has been read.
    daemon.until_answers(&name("by-hand"), &["203.0.113.99"]);
    let answer = daemon.answer(&name("web-east")).expect("an answer");
    assert_eq!(answer.to_string(), "NXDOMAIN");
}

#[test]
fn external_ips_are_not_used_and_explain_says_so() {
    let stage = Stage::of_api();
    let spec = json!({"externalIPs": ["203.0.113.21"]});
    let services = vec![
        cluster_ip("ext", &json!({}), &spec),
        load_balancer("plain", &[FIRST], &json!({})),
    ];
    let api = Api::start(Script::new().services(services));
    api.kubeconfig(stage.path(), &json!({}));
    let daemon = stage.start();
    daemon.until_answers(&name("plain"), &[FIRST]);
    let answer = daemon.answer(&name("ext")).expect("an answer");
    assert!(answer.addresses.is_empty() && answer.soa, "{answer}");
    let explain = |service| {
        let (good, printed) = stage.run(&["explain", &name(service), "--state-dir", "state"]);
        assert!(good, "{printed}");
        printed
    };
    let printed = explain("ext");
    assert!(
        printed.contains("it has externalIPs, which are not used"),
        "{printed}"
    );
    let printed = explain("plain");
    assert!(!printed.contains("externalIPs"), "{printed}");
}

#[test]
fn one_cluster_under_two_names_is_a_warning_on_both() {
    let mut stage = Stage::new();
    let member = |context: &str, place: &str| {
        format!("source = {{ kubeconfig = \"kubeconfig\", context = \"{context}\" }}\n{place}")
    };
    stage.m1 = member("internal", "region = \"eu\"\nzones = [\"eu-1\"]");
    stage.m2 = member("public", "region = \"us\"\nzones = [\"us-1\"]");
    let api = Api::start(Script::new().services(vec![load_balancer("web", &[FIRST], &json!({}))]));
    let contexts = [("internal", "127.0.0.1"), ("public", "localhost")];
    api.kubeconfig_of(stage.path(), contexts);
    let daemon = stage.start();
    let said = |other: &str| format!("the same cluster as {other}");
    daemon.until_member("m1", "Ready", &[&said("m2")]);
    daemon.until_member("m2", "Ready", &[&said("m1")]);
    // That of the first member is told first.
    for other in ["m2", "m1"] {
        let line = daemon.log(&[&said(other)]);
        assert!(line.contains("WARN"), "{line}");
    }
    let (_, printed) = stage.run(&["clusters", "--state-dir", "state", "-o", "json"]);
    for other in ["m1", "m2"] {
        assert!(printed.contains(&said(other)), "{printed}");
    }
    let member = daemon.member("m1").expect("it is there");
    assert_eq!(
        (&member["ready"], &member["origin"]),
        (&json!(true), &json!("config"))
    );
    assert!(member["contact_seconds"].is_u64(), "{member}");
    // It is told, and takes nothing away.
    daemon.until_answers(&name("web"), &[FIRST]);
}
