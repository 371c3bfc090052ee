//! Services behind a Gateway and an Ingress of a real API server, whose rights and kinds come and go.

use std::path::Path;

use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Setup, global};
use crate::member::{Member, RBAC};
use crate::objects::service_path;
use crate::wait::{SOON, until};

/// The path of the kind of Gateways' definition.
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/\
                          gateways.gateway.networking.k8s.io";

/// A service follows the Gateway in front of it from the moment that its kind exists and may be read, and
/// an Ingress; without the right, once it was there, the member is held.
pub(crate) fn gateways(fleet: &Fleet) {
    let [ew1b, ..] = &fleet.members;
    grant(ew1b);
    ew1b.simple_service("gateways", "web", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let web = global("gateways", "web");
    gazetteer.until_answers(&web, &format!("A {}", ew1b.balancer(1)));

    // Without the kind nothing leads there, and the name stays.
    let via = |object: &str| {
        let annotation = json!({"metadata": {"annotations": {"gazetteer.dev/via": object}}});
        ew1b.api
            .patch(&service_path("gateways", "web"), &annotation);
    };
    via("gateway/gateways/public");
    gazetteer.until_answers(&web, "NODATA");
    ew1b.api.apply(DEFINITION, &definition());
    let group = "/apis/gateway.networking.k8s.io/v1";
    let path = format!("{group}/namespaces/gateways/gateways");
    until("Gateways are served", SOON, || {
        ew1b.api.get(&path).map_err(|refusal| refusal.to_string())
    });
    let public = format!("{path}/public");
    ew1b.api.create(
        &path,
        &json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "public"},
            "spec": {"listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
        }),
    );
    let status = |n: u8, programmed: &str| {
        let address = json!([{"type": "IPAddress", "value": ew1b.balancer(n)}]);
        let condition = json!({
            "type": "Programmed", "status": programmed, "reason": "Tried", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let status = json!({"status": {"addresses": address, "conditions": [condition]}});
        ew1b.api.patch(&format!("{public}/status"), &status);
    };
    status(2, "True");
    // The kind is looked for now and then.
    until("the Gateway counts", 6 * SOON, || {
        gazetteer.check(&web, &format!("A {}", ew1b.balancer(2)))
    });
    status(3, "True");
    gazetteer.until_answers(&web, &format!("A {}", ew1b.balancer(3)));
    status(3, "False");
    gazetteer.until_answers(&web, "NODATA");
    status(4, "True");
    let expected = format!("A {}", ew1b.balancer(4));
    gazetteer.until_answers(&web, &expected);

    // What was there and may not be read any more is not taken for gone.
    ew1b.api
        .delete(&format!("{RBAC}/clusterrolebindings/gazetteer-gateways"));
    ew1b.kill_server();
    ew1b.start_server();
    gazetteer.until_held(&web, &expected, true);
    grant(ew1b);
    gazetteer.until_held(&web, &expected, false);

    let ingresses = "/apis/networking.k8s.io/v1/namespaces/gateways/ingresses";
    let ingress = format!("{ingresses}/web");
    ew1b.api.create(
        ingresses,
        &json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
            "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
        }),
    );
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": ew1b.balancer(5)}]}}});
    ew1b.api.patch(&format!("{ingress}/status"), &status);
    via("ingress/gateways/web");
    gazetteer.until_answers(&web, &format!("A {}", ew1b.balancer(5)));
    ew1b.api.delete(&ingress);
    gazetteer.until_answers(&web, "NODATA");
    // What is left would be asked of other scenarios' members, and counts for their rights.
    ew1b.api.delete(&service_path("gateways", "web"));
    ew1b.api.delete(DEFINITION);
    for kind in ["clusterrolebindings", "clusterroles"] {
        ew1b.api
            .delete(&format!("{RBAC}/{kind}/gazetteer-gateways"));
    }
}

/// Gives the rights of `deploy/rbac-gateways.yaml`.
fn grant(member: &Member) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac-gateways.yaml");
    let text = std::fs::read_to_string(path).expect("deploy/rbac-gateways.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    member.apply_rights(&objects);
}

/// The least definition of Gateways: what is in them is whatever is written.
fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "gateways.gateway.networking.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": "gateway.networking.k8s.io", "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
            "names": {
                "plural": "gateways", "singular": "gateway", "kind": "Gateway",
                "listKind": "GatewayList",
            },
        },
    })
}
