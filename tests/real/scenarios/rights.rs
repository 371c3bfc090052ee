//! What gazetteer may see, taken away and given again.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Setup, global};
use crate::member::{Member, RBAC};
use crate::wait::{SOON, throughout, until};
use crate::watcher::Watcher;

/// Each kind and verb that facts depend on is denied in turn, list and watch apart: the names of the
/// member stay, and it recovers when the right is back.
///
/// Without `watch` the member is held. Without `list` it is held too, unless it can be followed all
/// the same (a streamed list is a watch): what must not be is a view that is frozen and does not
/// say so.
pub(crate) fn denied(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("rights", "web", 1);
    ew1d.simple_service("rights", "web", 1);
    ew1b.simple_service("rights", "probe", 2);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let (web, probe) = (global("rights", "web"), global("rights", "probe"));
    let expected = format!("A {} {}", ew1b.balancer(1), ew1d.balancer(1));
    gazetteer.until_answers(&web, &expected);
    let watcher = Watcher::start(gazetteer.dns, std::slice::from_ref(&web));

    let mut address = 3;
    for resource in ["services", "endpointslices", "nodes"] {
        for verb in ["list", "watch"] {
            deny(fleet, ew1b, resource, &[verb]);
            // Open watches outlive their right. A server that starts again ends them, and has no
            // history to resume them from.
            ew1b.kill_server();
            ew1b.start_server();
            let changed = format!("A {}", ew1b.balancer(address));
            ew1b.set_ingress("rights", "probe", &json!([{"ip": ew1b.balancer(address)}]));
            until(&format!("{verb} of {resource} is missed"), 3 * SOON, || {
                let answer = gazetteer.ask(&probe, RecordType::A)?;
                let follows = verb == "list" && answer.to_string() == changed;
                if answer.held() || follows {
                    Ok(())
                } else {
                    Err(format!("{answer}, no EDE 3"))
                }
            });
            throughout("names stay", Duration::from_secs(1), || {
                gazetteer.check(&web, &expected)
            });

            ew1b.apply_rights(&fleet.rights);
            gazetteer.until_held(&probe, &changed, false);
            gazetteer.until_held(&web, &expected, false);
            address += 1;
        }
    }
    watcher.stop().assert_unchanged(1);
}

/// Takes verbs of a resource out of gazetteer's role, and waits until the API refuses them.
pub(super) fn deny(fleet: &Fleet, member: &Member, resource: &str, verbs: &[&str]) {
    let role = fleet
        .rights
        .iter()
        .find(|object| object["kind"] == "ClusterRole");
    let mut role = role.expect("a ClusterRole in deploy/rbac.yaml").clone();
    let mut rules = Vec::new();
    let mut group = None;
    for rule in role["rules"].as_array().expect("rules") {
        let Some(resources) = rule["resources"].as_array() else {
            rules.push(rule.clone());
            continue;
        };
        // One rule for each resource, so that one of them can lose a verb.
        for name in resources {
            let mut single = rule.clone();
            single["resources"] = json!([name]);
            if name == resource {
                group = rule["apiGroups"][0].as_str();
                let verbs = |verb: &Value| !verbs.iter().any(|denied| verb == denied);
                single["verbs"].as_array_mut().expect("verbs").retain(verbs);
            }
            // A rule without verbs would be invalid.
            if single["verbs"] != json!([]) {
                rules.push(single);
            }
        }
    }
    let group = group
        .unwrap_or_else(|| panic!("{resource} in deploy/rbac.yaml"))
        .to_owned();
    role["rules"] = json!(rules);
    let name = role_name(fleet);
    member
        .api
        .apply(&format!("{RBAC}/clusterroles/{name}"), &role);
    let (namespace, account) = fleet.account();
    let user = format!("system:serviceaccount:{namespace}:{account}");
    for verb in verbs {
        let attributes = json!({"group": group, "resource": resource, "verb": verb});
        until_refused(
            member,
            &json!({"user": user, "resourceAttributes": attributes}),
        );
    }
}

/// Without `/readyz` and `/version` nothing is lost: the API answers, if only with refusals.
pub(crate) fn refused_paths(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("paths", "web", 1);
    ew1d.simple_service("paths", "web", 1);
    let role = fleet
        .rights
        .iter()
        .find(|object| object["kind"] == "ClusterRole");
    let mut role = role.expect("a ClusterRole in deploy/rbac.yaml").clone();
    let rules = role["rules"].as_array_mut().expect("rules");
    rules.retain(|rule| rule["nonResourceURLs"].is_null());
    let name = role_name(fleet);
    ew1b.api
        .apply(&format!("{RBAC}/clusterroles/{name}"), &role);
    // By default every account may ask for these paths; a server that starts again restores that.
    for default in [
        "system:public-info-viewer",
        "system:discovery",
        "system:monitoring",
    ] {
        ew1b.api.patch(
            &format!("{RBAC}/clusterrolebindings/{default}"),
            &json!({"subjects": []}),
        );
    }
    let (namespace, account) = fleet.account();
    let user = format!("system:serviceaccount:{namespace}:{account}");
    for path in ["/readyz", "/version"] {
        let attributes = json!({"path": path, "verb": "get"});
        until_refused(
            ew1b,
            &json!({"user": user, "nonResourceAttributes": attributes}),
        );
    }

    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let web = global("paths", "web");
    let expected = format!("A {} {}", ew1b.balancer(1), ew1d.balancer(1));
    gazetteer.until_answers(&web, &expected);
    // Longer than three heartbeats with their time-outs.
    throughout(
        "not held for refused paths",
        Duration::from_secs(22),
        || {
            let answer = gazetteer.ask(&web, RecordType::A)?;
            if answer.held() {
                Err("EDE 3".to_owned())
            } else {
                gazetteer.check(&web, &expected)
            }
        },
    );
    ew1b.kill_server();
    ew1b.start_server();
}

/// Waits until the API refuses something, as a review of the access says.
fn until_refused(member: &Member, access: &Value) {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": access,
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    until(&format!("refused: {access}"), SOON, || {
        let answer = member.api.create(path, &review);
        if answer["status"]["allowed"] == false {
            Ok(())
        } else {
            Err(answer["status"].to_string())
        }
    });
}

/// The name of gazetteer's role.
pub(super) fn role_name(fleet: &Fleet) -> &str {
    let role = fleet
        .rights
        .iter()
        .find(|object| object["kind"] == "ClusterRole");
    let role = role.expect("a ClusterRole in deploy/rbac.yaml");
    role["metadata"]["name"].as_str().expect("name of the role")
}
