//! Replicas that share the overrides of a host cluster.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::desk::{Desk, verified};
use crate::files;
use crate::fleet::Fleet;
use crate::gate::Gate;
use crate::gazetteer::{Gazetteer, Seat, Setup, global};
use crate::member::{Member, RBAC};
use crate::wait::{SOON, throughout, until};

/// The account of the replicas in the host cluster.
const ACCOUNT: &str = "gazetteer-replicas";

/// Gives the replicas the rights to the one `ConfigMap`, and no others; returns a token.
fn rights(host: &Member) -> String {
    host.namespace("gazetteer");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": ACCOUNT, "namespace": "gazetteer"},
        "rules": [{
            "apiGroups": [""], "resources": ["configmaps"],
            "resourceNames": ["gazetteer-overrides"], "verbs": ["get", "list", "watch"],
        }],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": ACCOUNT, "namespace": "gazetteer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "namespace": "gazetteer", "name": ACCOUNT}],
    });
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": "gazetteer"},
    });
    let in_namespace = "/api/v1/namespaces/gazetteer";
    let bound = format!("{RBAC}/namespaces/gazetteer");
    host.api.apply(
        &format!("{in_namespace}/serviceaccounts/{ACCOUNT}"),
        &account,
    );
    host.api.apply(&format!("{bound}/roles/{ACCOUNT}"), &role);
    host.api
        .apply(&format!("{bound}/rolebindings/{ACCOUNT}"), &binding);
    host.token("gazetteer", ACCOUNT)
}

/// The kubeconfig by which a replica watches the host cluster at a URL.
fn kubeconfig(fleet: &Fleet, name: &str, host: &Member, url: &str, token: &str) -> PathBuf {
    let cluster = json!({"server": url, "certificate-authority": host.pki().authority});
    let text = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "host", "cluster": cluster}],
        "users": [{"name": "host", "user": {"token": token}}],
        "contexts": [{"name": "host", "context": {"cluster": "host", "user": "host"}}],
    });
    let path = fleet.folder.join(format!("{name}.kubeconfig"));
    files::write(&path, text.to_string());
    path
}

/// A replica that watches the host cluster by a kubeconfig.
fn setup(fleet: &Fleet, host: &Path) -> Setup {
    let members = &fleet.members[..2];
    let seats = members.iter().map(|member| Seat::of(fleet, member));
    let host = host.display();
    Setup::with(seats.collect()).top(&format!(
        "membership.host = {{ kubeconfig = \"{host}\", context = \"host\" }}\n\
         membership.overrides = \"gazetteer-overrides\"\n"
    ))
}

/// What a replica says is in force.
fn overrides(replica: &Gazetteer) -> Result<Value, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
        .args(["overrides", "-o", "json", "--state-dir"])
        .arg(replica.folder.join("state"))
        .output()
        .map_err(|error| error.to_string())?;
    let wrong = |_| String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).map_err(wrong)
}

/// What replicas have to agree about: the entries, and the version.
fn agreed(overrides: &Value) -> Value {
    let drains = overrides["drains"].as_array().into_iter().flatten();
    let entry = |drain: &Value| {
        let keys = [
            "target",
            "origin",
            "since",
            "over_seconds",
            "ends",
            "members",
        ];
        keys.map(|key| drain[key].clone())
    };
    let entries: Vec<_> = drains.map(entry).collect();
    json!({"entries": entries, "version": overrides["host"]["resource_version"]})
}

/// Waits until a replica has a version of the `ConfigMap` in force.
fn until_version(replica: &Gazetteer, version: &str) -> Value {
    until(&format!("version {version} is in force"), SOON, || {
        let found = overrides(replica)?;
        let host = &found["host"];
        if host["resource_version"] == version && host["in_contact"] == true {
            Ok(found)
        } else {
            Err(found.to_string())
        }
    })
}

/// Whether a replica has a version in force, without its host, and says how old it is.
fn check_old(replica: &Gazetteer, version: &str) -> Result<(), String> {
    let found = overrides(replica)?;
    let host = &found["host"];
    let is_old = host["in_contact"] == false && host["age_seconds"].is_u64();
    if is_old && host["resource_version"] == version && host["last_seen"].is_string() {
        Ok(())
    } else {
        Err(found.to_string())
    }
}

/// A drain by the host cluster is in force on three replicas, one of which starts later; one that has lost
/// its host keeps its last, over a restart too, and says how old it is.
pub(crate) fn agree(fleet: &Fleet) {
    let [ew1b, ew1d, host] = &fleet.members;
    ew1b.simple_service("replicas", "web", 1);
    ew1d.simple_service("replicas", "web", 1);
    let web = global("replicas", "web");
    let (b, d) = (ew1b.balancer(1), ew1d.balancer(1));
    let map = "/api/v1/namespaces/gazetteer/configmaps/gazetteer-overrides";
    host.api.delete(map);
    let token = rights(host);
    let gate = Gate::new((host.address, Member::PORT).into());
    let straight = kubeconfig(fleet, "straight", host, &host.url(), &token);
    let gated = kubeconfig(fleet, "gated", host, &gate.url(), &token);
    let first = Gazetteer::start(fleet, &setup(fleet, &straight));
    let mut cut_off = Gazetteer::start(fleet, &setup(fleet, &gated));
    for replica in [&first, &cut_off] {
        replica.until_answers(&web, &format!("A {b} {d}"));
    }
    let desk = Desk::new(fleet, &[("admin@host", host, verified(host))]);
    let order = |command: &[&str]| {
        let place = ["--host-context", "admin@host", "-o", "json"];
        let written = desk.run(&[command, &place].concat()).well();
        let written: Value = serde_json::from_str(&written).expect("JSON");
        written["resource_version"]
            .as_str()
            .expect("a version")
            .to_owned()
    };
    let version = order(&["drain", "ew1b", "--over", "1s", "--for", "2h"]);
    let found = host.api.get(map).expect("the ConfigMap");
    assert_eq!(found["metadata"]["resourceVersion"], version.as_str());
    let later = Gazetteer::start(fleet, &setup(fleet, &straight));
    let replicas = [&first, &cut_off, &later];
    let all = replicas.map(|replica| agreed(&until_version(replica, &version)));
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    assert_eq!(all[0]["entries"][0][0], "ew1b");
    assert_eq!(all[0]["entries"][0][1], "host");
    for replica in replicas {
        replica.until_answers(&web, &format!("A {d}"));
    }

    // One is cut off, and what is decided meanwhile reaches the others.
    gate.set_open(false);
    until("it is out of contact", SOON, || {
        check_old(&cut_off, &version)
    });
    order(&["uncordon", "ew1b"]);
    let newer = order(&["cordon", "ew1d"]);
    for replica in [&first, &later] {
        until_version(replica, &newer);
        replica.until_answers(&web, &format!("A {b}"));
    }
    cut_off.kill();
    cut_off.launch_again();
    cut_off.until_ready();
    throughout("it keeps its last", Duration::from_secs(3), || {
        check_old(&cut_off, &version)?;
        cut_off.check(&web, &format!("A {d}"))
    });
    // A ConfigMap that is gone takes nothing back, and one that is wrong neither.
    host.api.delete(map);
    until("it is missed", SOON, || {
        let found = overrides(&first)?;
        match found["host"]["problem"].as_str() {
            Some("it is not there") => Ok(()),
            _ => Err(found.to_string()),
        }
    });
    first.check(&web, &format!("A {b}")).expect("as before");

    // They agree again, once all can.
    gate.set_open(true);
    let last = order(&["cordon", "region/europe-west1"]);
    let replicas = [&first, &cut_off, &later];
    let all = replicas.map(|replica| agreed(&until_version(replica, &last)));
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    host.api.delete(map);
}
