//! ServiceExports, whose kind comes and goes.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use serde_json::json;

use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Setup, global};
use crate::objects::service_path;
use crate::scenarios::rights::deny;
use crate::wait::{SOON, throughout, until};

/// The path of the kind of ServiceExports' definition.
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/\
                          serviceexports.multicluster.x-k8s.io";

/// ServiceExports count from the moment that their kind exists, and annotations do so without them.
pub(crate) fn service_exports(fleet: &Fleet) {
    let [ew1b, ..] = &fleet.members;
    ew1b.simple_service("exports", "annotated", 1);
    ew1b.simple_service("exports", "plain", 2);
    let annotation = json!({"metadata": {"annotations": {"gazetteer.dev/export": null}}});
    ew1b.api
        .patch(&service_path("exports", "plain"), &annotation);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let (annotated, plain) = (global("exports", "annotated"), global("exports", "plain"));
    let expected = format!("A {}", ew1b.balancer(1));
    gazetteer.until_held(&annotated, &expected, false);
    gazetteer.until_answers(&plain, "NXDOMAIN");

    let group = "/apis/multicluster.x-k8s.io/v1alpha1";
    let path = format!("{group}/namespaces/exports/serviceexports");
    let versions = ["v1alpha1", "v1beta1"].map(|version| {
        json!({
            "name": version, "served": true, "storage": version == "v1alpha1",
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }},
        })
    });
    ew1b.api.apply(
        DEFINITION,
        &json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "serviceexports.multicluster.x-k8s.io"},
            "spec": {
                "group": "multicluster.x-k8s.io", "scope": "Namespaced", "versions": versions,
                "names": {
                    "plural": "serviceexports", "singular": "serviceexport",
                    "kind": "ServiceExport", "listKind": "ServiceExportList",
                },
            },
        }),
    );
    until("ServiceExports are served", SOON, || {
        ew1b.api.get(&path).map_err(|refusal| refusal.to_string())
    });
    ew1b.api.create(
        &path,
        &json!({
            "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport",
            "metadata": {"name": "plain"},
        }),
    );
    // The kind is looked for now and then.
    until("the ServiceExport counts", 6 * SOON, || {
        gazetteer.check(&plain, &format!("A {}", ew1b.balancer(2)))
    });
    ew1b.api.delete(&format!("{path}/plain"));
    gazetteer.until_answers(&plain, "NXDOMAIN");

    // Without the right to see them, annotations alone count, and the member is not held for it.
    deny(fleet, ew1b, "serviceexports", &["get", "list", "watch"]);
    ew1b.kill_server();
    ew1b.start_server();
    gazetteer.until_held(&annotated, &expected, false);
    ew1b.set_ingress("exports", "annotated", &json!([{"ip": ew1b.balancer(3)}]));
    let expected = format!("A {}", ew1b.balancer(3));
    gazetteer.until_held(&annotated, &expected, false);
    throughout(
        "not held for want of ServiceExports",
        Duration::from_secs(8),
        || {
            let answer = gazetteer.ask(&annotated, RecordType::A)?;
            if answer.held() {
                Err("EDE 3".to_owned())
            } else {
                gazetteer.check(&annotated, &expected)
            }
        },
    );
    ew1b.api.delete(DEFINITION);
}
