//! The Helm chart and the files for kustomize, by the real Helm, kubectl and API servers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::files;
use crate::fleet::Fleet;
use crate::process::program;
use crate::wait::{SOON, until};

/// A member that is the cluster itself.
const HERE: &str = "version = \"v1\"\nname = \"here\"\nsource = { in-cluster = true }\n";

/// A configuration of one's own, with the cluster itself as a member.
const OWN: &str = "version = \"v1\"\nlisten.dns = [\"0.0.0.0:5300\"]\nlisten.admin = \"0.0.0.0:9100\"\n\
    shutdown-delay = \"1m30s\"\n[[federation]]\nname = \"fed\"\napex = \"example.com\"\n\
    nameservers = [{ name = \"ns1.example.com\", addresses = [\"192.0.2.53\"] }]\n\
    [[member]]\nname = \"here\"\nsource = { in-cluster = true }\n";

/// Sets of values that the chart takes.
fn sets() -> Vec<(&'static str, Value)> {
    let digest = format!("sha256:{}", "0".repeat(64));
    vec![
        ("default", json!({})),
        ("single", json!({"replicas": 1})),
        ("ha", ha()),
        ("split", json!({"service": {"split": true}})),
        ("host-network", json!({"hostNetwork": true})),
        ("no-volume", json!({"persistence": {"enabled": false}})),
        (
            "monitored",
            json!({
                "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
                "prometheusRule": {"enabled": true}, "dashboards": {"enabled": true},
            }),
        ),
        ("in-cluster", json!({"config": OWN, "demo": false})),
        (
            "host",
            json!({"config": host(), "demo": false, "host": all_of_host()}),
        ),
        ("node-port", json!({"service": {"type": "NodePort"}})),
        (
            "cluster-ip",
            json!({"service": {"type": "ClusterIP", "clusterIP": "10.96.0.53"}}),
        ),
        (
            "platform-user",
            json!({"runAs": null, "persistence": {"storageClass": "fast", "size": "5Gi"}}),
        ),
        (
            "members",
            json!({
                "members": {"here": HERE}, "memberSecrets": ["joined"],
                "facts": {"vm-ams": "[[service]]\n"},
            }),
        ),
        (
            "placed",
            json!({
                "nodeSelector": {"a": "b"}, "affinity": {"nodeAffinity": {}},
                "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
                "networkPolicy": {
                    "clients": ["192.0.2.0/24", "2001:db8::/32"], "scrapers": ["monitoring", "192.0.2.7/32"],
                },
                "image": {"digest": digest, "pullSecrets": ["registry"]},
                "resources": {"limits": {"memory": "1Gi"}},
            }),
        ),
        (
            "open",
            json!({
                "networkPolicy": {"enabled": false},
                "service": {"loadBalancerClass": "example.com/lb", "annotations": {"a": "b"}},
            }),
        ),
    ]
}

/// A configuration whose other members are objects of the cluster that it runs in.
fn host() -> String {
    let membership = "membership.host = { in-cluster = true }\nmembership.namespace = \"dns\"\n\
        membership.secrets = {}\nmembership.cluster-profiles = {}\n\
        membership.overrides = \"gazetteer-overrides\"\n";
    let (own, _) = OWN.split_once("[[member]]").expect("a member");
    format!("{membership}{own}")
}

/// All rights for a host cluster.
fn all_of_host() -> Value {
    json!({"secrets": true, "renewedTokens": true, "clusterProfiles": true, "overrides": true})
}

/// Values of the overlay `ha`.
fn ha() -> Value {
    json!({"replicas": 3, "priorityClassName": "system-cluster-critical"})
}

/// Values that the chart refuses, and a part of what it says.
fn wrong() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"replica": 2}), "replica"),
        (json!({"replicas": 0}), "/replicas"),
        (json!({"config": 5}), "/config"),
        (json!({"service": {"typ": "NodePort"}}), "typ"),
        (json!({"image": {"digest": "latest"}}), "/image/digest"),
        (json!({"members": {"A b": ""}}), "A b"),
        (json!({"config": "a = ["}), "config: toml: line 1"),
        (json!({"config": "a = 1"}), "listen.admin is missing"),
        (
            json!({"config": OWN.replace("0.0.0.0:9100", "127.0.0.1:9100")}),
            "where the kubelet cannot reach it",
        ),
        (
            json!({"config": OWN.replace("0.0.0.0:5300", "0.0.0.0:53")}),
            "takes a capability",
        ),
        (
            json!({"service": {"split": true, "clusterIP": "10.96.0.53"}}),
            "cannot have one address",
        ),
        (json!({"host": {"secret": true}}), "secret"),
        (
            json!({"config": OWN, "host": {"secrets": true}}),
            "has no membership.host = { in-cluster = true }",
        ),
        (
            json!({
                "config": host().replace("membership.overrides", "membership.folder"),
                "host": {"overrides": true},
            }),
            "has no membership.overrides",
        ),
    ]
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs Helm on the chart with these values; its own files are in `folder`.
fn helm(folder: &Path, verb: &[&str], values: &Value, more: &[&str]) -> Output {
    let file = folder.join("values.json");
    files::write(&file, values.to_string());
    let mut command = Command::new(program("helm"));
    command.args(verb).arg(repository("deploy/chart"));
    command.args(["--namespace", "dns", "--values"]).arg(&file);
    for place in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(place, folder);
    }
    if !verb.contains(&"install") {
        // Where it asks no cluster: its releases are told of a version when they are linked.
        command.args(["--kube-version", "1.35.4"]);
    }
    command.args(more).output().expect("helm runs")
}

/// What the chart makes of values, but for the Pod of `helm test`.
fn rendered(folder: &Path, values: &Value) -> String {
    let output = helm(
        folder,
        &["template", "gazetteer"],
        values,
        &["--skip-tests"],
    );
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{values}\n{complaint}");
    String::from_utf8(output.stdout).expect("text")
}

/// What `helm test` runs: the arguments of the Pod's container, and the configuration that it has.
pub(super) fn test_pod(folder: &Path, values: &Value) -> (Vec<String>, String) {
    let output = helm(folder, &["template", "gazetteer"], values, &[]);
    assert!(output.status.success(), "{values}");
    let made = objects(&String::from_utf8_lossy(&output.stdout));
    let of = |kind: &str, name: &str| made[&(kind.to_owned(), name.to_owned())].clone();
    let container = of("Pod", "gazetteer-check")["spec"]["containers"][0].clone();
    let arguments = container["args"].as_array().expect("arguments").iter();
    let arguments = arguments.map(|one| one.as_str().expect("a text").to_owned());
    let config = of("ConfigMap", "gazetteer")["data"]["gazetteer.toml"].clone();
    (
        arguments.collect(),
        config.as_str().expect("a text").to_owned(),
    )
}

/// The objects of a text, by kind and name.
fn objects(text: &str) -> BTreeMap<(String, String), Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    let all = all.into_iter().filter(|object| !object.is_null());
    all.map(|object| {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let key = (text(&object["kind"]), text(&object["metadata"]["name"]));
        (key, object)
    })
    .collect()
}

/// Helm finds no fault with the chart, and makes of each set of values what it must.
pub(crate) fn renders(folder: &Path) {
    for (name, values) in sets() {
        let linted = helm(folder, &["lint", "--strict"], &values, &[]);
        let said = String::from_utf8_lossy(&linted.stdout).into_owned();
        assert!(linted.status.success(), "{name}\n{said}");
        let objects = objects(&rendered(folder, &values));
        let replicas = values["replicas"].as_u64().unwrap_or(2);
        let has = |kind: &str| objects.keys().any(|(other, _)| other == kind);
        assert_eq!(has("PodDisruptionBudget"), replicas > 1, "{name}");
        assert_eq!(
            has("ClusterRole"),
            ["in-cluster", "members"].contains(&name),
            "{name}"
        );
    }
}

/// The rights of the chart are those of `deploy/rbac.yaml`; the Pod has a token and its grace follows
/// `shutdown-delay`.
pub(crate) fn grants(folder: &Path) {
    let values = json!({"config": OWN, "demo": false});
    let made = objects(&rendered(folder, &values));
    let of_kind = |objects: &BTreeMap<(String, String), Value>, kind: &str| {
        let found = objects.iter().find(|((other, _), _)| other == kind);
        found.expect("one of that kind").1.clone()
    };
    let text = std::fs::read_to_string(repository("deploy/rbac.yaml")).expect("rights");
    let rights = objects(&text);
    let rules = |objects| of_kind(objects, "ClusterRole")["rules"].clone();
    assert_eq!(rules(&made), rules(&rights));
    let pod = of_kind(&made, "StatefulSet")["spec"]["template"]["spec"].clone();
    assert_eq!(pod["automountServiceAccountToken"], true);
    assert_eq!(pod["terminationGracePeriodSeconds"], 120);
    let ports = &pod["containers"][0]["ports"];
    assert_eq!(ports[0]["containerPort"], 5300);
    assert_eq!(ports[2]["containerPort"], 9100);
}

/// The rights for a host cluster are those of `deploy/rbac-host.yaml`, each by its value and none else.
pub(crate) fn grants_host(folder: &Path) {
    let text = std::fs::read_to_string(repository("deploy/rbac-host.yaml")).expect("rights");
    let role = |objects: &BTreeMap<(String, String), Value>| {
        let mut roles = objects.iter().filter(|((kind, _), _)| kind == "Role");
        let role = roles.next().map(|(_, role)| role.clone());
        assert!(roles.next().is_none(), "one Role");
        role
    };
    let whole = role(&objects(&text)).expect("a Role")["rules"].clone();
    let made = |rights: &Value| {
        let values = json!({"config": host(), "demo": false, "host": rights});
        objects(&rendered(folder, &values))
    };
    let all = made(&all_of_host());
    let granted = role(&all).expect("a Role");
    assert_eq!(granted["rules"], whole);
    assert_eq!(granted["metadata"]["namespace"], "dns");
    assert!(
        !all.keys().any(|(kind, _)| kind.starts_with("ClusterRole")),
        "no right in the whole cluster"
    );
    for (values, rules) in [
        (json!({"secrets": true}), json!([whole[0]])),
        (
            json!({"secrets": true, "renewedTokens": true}),
            json!([whole[0], whole[1]]),
        ),
        (json!({"clusterProfiles": true}), json!([whole[2]])),
        (json!({"overrides": true}), json!([whole[3]])),
    ] {
        let granted = role(&made(&values)).expect("a Role");
        assert_eq!(granted["rules"], rules, "{values}");
    }
    let none = made(&json!({}));
    assert_eq!(role(&none), None);
    // The token that it asks the host with, whoever grants the rights.
    let pod = none[&("StatefulSet".to_owned(), "gazetteer".to_owned())].clone();
    let spec = &pod["spec"]["template"]["spec"];
    assert_eq!(spec["automountServiceAccountToken"], true);
}

/// A change of the configuration replaces the Pods only where a running daemon does not take it.
pub(crate) fn replaces(folder: &Path) {
    let template = |config: &str| {
        let values = json!({"config": config, "demo": false});
        let objects = objects(&rendered(folder, &values));
        let key = ("StatefulSet".to_owned(), "gazetteer".to_owned());
        objects[&key]["spec"]["template"].clone()
    };
    let before = template(OWN);
    for taken in [
        OWN.replace("192.0.2.53", "192.0.2.54"),
        format!("listen.trusted = [\"192.0.2.0/24\"]\n{OWN}"),
        format!("listen.nsid = \"a\"\n{OWN}"),
    ] {
        assert_eq!(template(&taken), before, "{taken}");
    }
    for not_taken in [
        format!("listen.workers = 2\n{OWN}"),
        OWN.replace("5300", "5301"),
        format!("state-dir = \"/state\"\n{OWN}"),
    ] {
        assert_ne!(template(&not_taken), before, "{not_taken}");
    }
}

/// Wrong values are refused by name, and a wrong configuration by the parser's words.
pub(crate) fn refuses(folder: &Path) {
    for (values, words) in wrong() {
        let output = helm(folder, &["template", "gazetteer"], &values, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{values}");
        assert!(said.contains(words), "{values}: {words}\n{said}");
    }
}

/// What kustomize makes equals what the chart makes of the same values.
pub(crate) fn equals_kustomize(folder: &Path) {
    for (path, values) in [
        ("base", json!({})),
        ("overlays/single", json!({"replicas": 1})),
        ("overlays/ha", ha()),
    ] {
        let place = repository("deploy/kustomize").join(path);
        let output = Command::new(program("kubectl"))
            .arg("kustomize")
            .arg(place)
            .output();
        let output = output.expect("kubectl runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{path}\n{said}");
        let built = objects(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(built, objects(&rendered(folder, &values)), "{path}");
    }
}

/// A real API server accepts every object of every set of values, by strict validation.
pub(crate) fn accepted(fleet: &Fleet) {
    let member = &fleet.members[0];
    let folder = fleet.daemon_folder();
    let definitions = std::fs::read_to_string(repository("tests/real/monitoring_kinds.yaml"));
    let definitions = objects(&definitions.expect("definitions"));
    member.api.apply(
        "/api/v1/namespaces/dns",
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dns"}}),
    );
    let path =
        |name: &str| format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    for ((_, name), definition) in &definitions {
        member.api.apply(&path(name), definition);
    }
    until("the kinds of the operator are served", SOON, || {
        let listed = "/apis/monitoring.coreos.com/v1/prometheusrules";
        let listed = member.api.get(listed).and_then(|_| {
            member
                .api
                .get("/apis/monitoring.coreos.com/v1/servicemonitors")
        });
        listed.map(drop).map_err(|refusal| refusal.to_string())
    });
    for (name, values) in sets() {
        let file = folder.join(format!("{name}.yaml"));
        files::write(&file, rendered(&folder, &values));
        let mut command = Command::new(program("kubectl"));
        command.arg("--kubeconfig").arg(member.kubeconfig());
        command.args(["--namespace", "dns", "apply", "--dry-run=server"]);
        let output = command
            .args(["--validate=strict", "-f"])
            .arg(&file)
            .output();
        let output = output.expect("kubectl runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{name}\n{said}");
    }
    // What is printed at the end, for which Helm wants a cluster to be there.
    let notes = |values: &Value| {
        let kubeconfig = member.kubeconfig();
        let kubeconfig = kubeconfig.to_str().expect("a path");
        let verb = [
            "install",
            "gazetteer",
            "--dry-run=client",
            "--kubeconfig",
            kubeconfig,
        ];
        let output = helm(&folder, &verb, values, &[]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{said}");
        said.split_once("NOTES:").expect("notes").1.to_owned()
    };
    let said = notes(&json!({}));
    for words in [
        "dig @$ADDRESS -p $PORT my-service.my-namespace.my-federation.svc",
        "gazetteer check /etc/gazetteer/gazetteer.toml --live",
        "helm -n dns test gazetteer",
        "forward . $ADDRESS",
        "example.com. 86400 IN NS ns1.example.com.",
        "ns1.example.com. 86400 IN A 192.0.2.53",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let host = json!({"config": host(), "demo": false, "host": {"secrets": true}});
    let said = notes(&host);
    for (key, is_told) in [
        ("secrets", false),
        ("clusterProfiles", true),
        ("overrides", true),
    ] {
        let words = format!("host.{key} is false");
        assert_eq!(said.contains(&words), is_told, "{words}\n{said}");
    }
    for (_, name) in definitions.keys() {
        member.api.delete(&path(name));
    }
    member.api.delete("/api/v1/namespaces/dns");
}
