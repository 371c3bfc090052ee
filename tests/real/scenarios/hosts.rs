//! Members that objects of a host cluster name, watched by a daemon with the rights of
//! `deploy/rbac-host.yaml`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::desk::{Desk, verified};
use crate::files;
use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, global};
use crate::member::Member;
use crate::wait::{SOON, until};

/// Where the objects are.
const NAMESPACE: &str = "/api/v1/namespaces/gazetteer";

/// A desk whose operator may do everything in these members and in the host, and the configuration of a
/// daemon that follows the host by rights of its own.
pub(super) fn desk(
    fleet: &Fleet,
    members: [(&str, &Member); 2],
    host: &Member,
    keys: &str,
) -> Desk {
    let contexts = [members[0], members[1], ("host", host)];
    let desk = Desk::new(
        fleet,
        &contexts.map(|(name, member)| (name, member, verified(member))),
    );
    host.namespace("gazetteer");
    let rights = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac-host.yaml");
    let rights = rights.display().to_string();
    desk.kubectl(&["--context", "host", "apply", "-f", &rights])
        .well();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": verified(host)}],
        "users": [{"name": "u", "user": {"token": host.token("gazetteer", "gazetteer")}}],
        "contexts": [{"name": "host", "context": {"cluster": "c", "user": "u"}}],
    });
    files::write(&desk.folder.join("host.kubeconfig"), kubeconfig.to_string());
    let configuration = format!(
        "version = \"v1\"\nstate-dir = \"state\"\n\
        membership.host = {{ kubeconfig = \"host.kubeconfig\", context = \"host\" }}\n{keys}\n\
        [listen]\ndns = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n\
        [[federation]]\nname = \"fed\"\napex = \"example.com\"\nhold = \"10m\"\n\
        nameservers = [{{ name = \"ns1.example.net\" }}]\nprobe = {{ kind = \"none\" }}\n"
    );
    files::write(&desk.folder.join("gazetteer.toml"), configuration);
    desk
}

/// Secrets that joins wrote come, have other tokens, go with their label, and outlive the host and the
/// daemon.
pub(crate) fn secrets(fleet: &Fleet) {
    let [ew1b, ew1d, host] = &fleet.members;
    for member in [ew1b, ew1d] {
        member.simple_service("hosted", "web", 1);
    }
    let members = [("one", ew1b), ("two", ew1d)];
    let desk = desk(fleet, members, host, "membership.secrets = {}");
    let gazetteer = Gazetteer::run(desk.folder.clone());
    let of = |verb: &str, (context, member): (&str, &Member), more: &[&str]| {
        let arguments = [verb, member.name, "--context", context];
        let daemon = ["--host-context", "host", "--state-dir", "state"];
        desk.run(&[&arguments[..], &daemon, more].concat()).well()
    };
    let web = global("hosted", "web");
    let [b, d] = [ew1b, ew1d].map(|member| member.balancer(1));
    let is = |gazetteer: &Gazetteer, member: &Member, state: &str| {
        gazetteer.until_shown(member.name, state, SOON, |shown| shown.status == state);
    };
    let text = of("join", members[0], &[]);
    assert!(text.contains("√ the daemon watches it: Ready"), "{text}");
    of("join", members[1], &[]);
    gazetteer.until_answers(&web, &format!("A {b} {d}"));

    // Another token, and it is never held.
    let secret = |member: &Member| format!("{NAMESPACE}/secrets/{}", member.name);
    let credential = || host.api.get(&secret(ew1d)).expect("a Secret")["data"].clone();
    let before = credential();
    of("join", members[1], &["--renew"]);
    assert_ne!(credential()["kubeconfig"], before["kubeconfig"]);
    let log = desk.folder.join("gazetteer.log");
    until("the new token is used", SOON, || {
        let log = std::fs::read_to_string(&log).map_err(|error| error.to_string())?;
        log.contains("credentials renewed").then_some(()).ok_or(log)
    });
    let events = desk.run(&["events", "--state-dir", "state"]).well();
    assert!(!events.contains("Held"), "{events}");

    // The label.
    let labelled = |value: Value| {
        let patch = json!({"metadata": {"labels": {"gazetteer.dev/member": value}}});
        host.api.patch(&secret(ew1d), &patch);
    };
    labelled(json!(null));
    gazetteer.until_answers(&web, &format!("A {b}"));
    labelled(json!("true"));
    gazetteer.until_answers(&web, &format!("A {b} {d}"));

    // The host dies, and the daemon starts again meanwhile.
    host.kill_server();
    let gazetteer = gazetteer.restart_after_kill();
    for member in [ew1b, ew1d] {
        is(&gazetteer, member, "Held");
    }
    gazetteer.until_answers(&web, &format!("A {b} {d}"));
    host.start_server();
    for member in [ew1b, ew1d] {
        is(&gazetteer, member, "Ready");
    }
    gazetteer.until_answers(&web, &format!("A {b} {d}"));
    for member in members {
        of("unjoin", member, &["--yes"]);
    }
}

/// The group and version of `ClusterProfile`s.
const PROFILES: &str = "/apis/multicluster.x-k8s.io/v1alpha1/namespaces/gazetteer/clusterprofiles";

/// What serves `ClusterProfile`s, as far as they are read.
fn definition() -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "clusterprofiles.multicluster.x-k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, of a test"},
        },
        "spec": {
            "group": "multicluster.x-k8s.io", "scope": "Namespaced",
            "names": {
                "kind": "ClusterProfile", "listKind": "ClusterProfileList",
                "plural": "clusterprofiles", "singular": "clusterprofile",
            },
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object", "properties": {"spec": any, "status": any},
                }},
            }],
        },
    })
}

/// A `ClusterProfile` whose cluster is `member`, by this access provider.
fn profile(host: &Member, member: &Member, provider: &str) {
    let authority = std::fs::read(&member.pki().authority).expect("a CA");
    let cluster = json!({
        "server": member.url(), "certificate-authority-data": STANDARD.encode(authority),
    });
    let path = format!("{PROFILES}/{}", member.name);
    let object = json!({
        "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ClusterProfile",
        "metadata": {"name": member.name, "namespace": "gazetteer"},
        "spec": {"displayName": member.name, "clusterManager": {"name": "tests"}},
    });
    host.api.apply(&path, &object);
    let offers = json!([{"name": provider, "cluster": cluster}]);
    let status = json!({"status": {"accessProviders": offers}});
    host.api.patch(&format!("{path}/status"), &status);
}

/// `ClusterProfile`s are members by a Secret's token and by a program, also where their kind is served only
/// after the start.
pub(crate) fn profiles(fleet: &Fleet) {
    let [ew1b, ew1d, host] = &fleet.members;
    for member in [ew1b, ew1d] {
        member.simple_service("hosted", "web", 1);
    }
    let (namespace, account) = fleet.account();
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let definitions = format!("{definitions}/clusterprofiles.multicluster.x-k8s.io");
    host.api.delete(&definitions);
    let keys = "membership.cluster-profiles = { access = [\"secretreader\", \"tests\"] }\n\
        [[membership.access-provider]]\nname = \"tests\"\ncommand = \"./plugin\"\n";
    let desk = desk(fleet, [("one", ew1b), ("two", ew1d)], host, keys);
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": ew1d.token(namespace, account)},
    });
    let plugin = desk.folder.join("plugin");
    let url = ew1d.url();
    let script = format!(
        "#!/bin/sh\ncase \"$KUBERNETES_EXEC_INFO\" in *'{url}'*) echo '{credential}' ;; *) exit 1 ;; esac\n"
    );
    files::write(&plugin, script);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&plugin, executable).expect("a file of ours");
    let gazetteer = Gazetteer::run(desk.folder.clone());
    gazetteer.until_ready();
    let token = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": ew1b.name, "namespace": "gazetteer"},
        "data": {"token": STANDARD.encode(ew1b.token(namespace, account))},
    });
    let secret = format!("{NAMESPACE}/secrets/{}", ew1b.name);
    host.api.apply(&secret, &token);
    host.api.apply(&definitions, &definition());
    until("profiles are served", SOON, || {
        host.api
            .get(PROFILES)
            .map(drop)
            .map_err(|it| it.to_string())
    });
    profile(host, ew1b, "secretreader");
    profile(host, ew1d, "tests");
    // Asked for again once a minute.
    let minute = Duration::from_secs(75);
    for member in [ew1b, ew1d] {
        gazetteer.until_shown(member.name, "Ready", minute, |shown| {
            shown.status == "Ready"
        });
    }
    let [b, d] = [ew1b, ew1d].map(|member| member.balancer(1));
    gazetteer.until_answers(&global("hosted", "web"), &format!("A {b} {d}"));
    drop(gazetteer);
    host.api.delete(&secret);
    host.api.delete(&definitions);
}
