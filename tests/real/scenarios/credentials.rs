//! Ways for gazetteer to say who it is.

use serde_json::json;

use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Seat, Setup, global};
use crate::member::RBAC;
use crate::pki::CERTIFIED;
use crate::scenarios::rights::role_name;
use crate::wait::{SOON, until};
use crate::watcher::Watcher;

/// A client certificate, a plugin that prints a token, and a token in the kubeconfig itself before
/// an API whose certificate is not verified: all of them are followed.
pub(crate) fn every_kind(fleet: &Fleet) {
    let [ew1b, ew1d, ue1b] = &fleet.members;
    for member in &fleet.members {
        member.simple_service("credentials", "web", 1);
    }
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": CERTIFIED},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
            "name": role_name(fleet),
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": CERTIFIED,
        }],
    });
    ew1b.api
        .apply(&format!("{RBAC}/clusterrolebindings/{CERTIFIED}"), &binding);
    let pki = ew1b.pki();
    let certificate = json!({"client-certificate": pki.client, "client-key": pki.client_key});

    let (namespace, account) = fleet.account();
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": ew1d.token(namespace, account)},
    });
    let plugin = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": "/bin/echo", "args": [credential.to_string()],
    }});
    let token = json!({"token": ue1b.token(namespace, account)});
    let gazetteer = Gazetteer::start(
        fleet,
        &Setup::with(vec![
            Seat::of(fleet, ew1b).with_user(certificate),
            Seat::of(fleet, ew1d).with_user(plugin),
            Seat::of(fleet, ue1b).unverified().with_user(token),
        ]),
    );
    let all = global("credentials", "web");
    let [b, d, u] = fleet.members.each_ref().map(|member| member.balancer(1));
    gazetteer.until_held(&all, &format!("A {b} {d} {u}"), false);
    for (member, left) in [(ew1b, format!("{d} {u}")), (ew1d, u.clone())] {
        member.set_slice("credentials", "web", false);
        gazetteer.until_answers(&all, &format!("A {left}"));
    }
    ue1b.set_slice("credentials", "web", false);
    gazetteer.until_answers(&all, "NODATA");
}

/// A token is refused from one moment on; the file of the kubeconfig then gets a new one.
pub(crate) fn rotated_token(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("token", "web", 1);
    ew1d.simple_service("token", "web", 1);
    let (namespace, account) = fleet.account();
    let old = ew1b.token(namespace, account);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let web = global("token", "web");
    let expected = format!("A {} {}", ew1b.balancer(1), ew1d.balancer(1));
    gazetteer.until_answers(&web, &expected);
    let watcher = Watcher::start(gazetteer.dns, std::slice::from_ref(&web));

    // A token belongs to one account object: its successor of the same name has others.
    ew1b.api.delete(&format!(
        "/api/v1/namespaces/{namespace}/serviceaccounts/{account}"
    ));
    ew1b.apply_rights(&fleet.rights);
    ew1b.kill_server();
    ew1b.start_server();
    until("the old token is refused", SOON, || {
        match ew1b.status_with(&old) {
            401 => Ok(()),
            status => Err(format!("status {status}")),
        }
    });
    gazetteer.until_held(&web, &expected, true);

    gazetteer.set_token(ew1b.name, &ew1b.token(namespace, account));
    gazetteer.until_held(&web, &expected, false);
    watcher.stop().assert_unchanged(1);
    ew1b.set_slice("token", "web", false);
    gazetteer.until_answers(&web, &format!("A {}", ew1d.balancer(1)));
}
