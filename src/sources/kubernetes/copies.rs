//! Objects that something else copied from other clusters: they are no evidence of local health and
//! no exports, whatever their annotations say (docs/names.md, decision 21).
//!
//! What `Karmada`, `KubeFed` or `GitOps` *propagate* is no copy: it runs where it is. Nor is a service
//! that follows its pods with `Admiralty`, though its annotation is `multicluster.admiralty.io/is-delegate`:
//! it selects the pods that run beside it (`pkg/controllers/follow/service` of its source). Neither are
//! slices of Kubernetes' own mirroring controller, which writes down hand-made Endpoints, and services
//! that Cilium, Istio or Submariner merely export, such as those with `service.cilium.io/global`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// What tells a copy.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// A label, whatever its value.
    Label(&'static str),
    /// A label with this value.
    LabelIs(&'static str, &'static str),
    /// An annotation with this value.
    AnnotationIs(&'static str, &'static str),
    /// An EndpointSlice of this writer.
    Writer(&'static str),
    /// An owner of this kind.
    Owner(&'static str),
}

/// The label that names the writer of an EndpointSlice.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// The tools that copy, and how their copies are told. `multicluster.kubernetes.io` and
/// `ServiceImport` are those of the Multi-Cluster Services API, which GKE, AWS Cloud Map, Submariner, Cilium and
/// `Karmada` implement: what they derive from an import has the one or the other.
const SIGNS: [(&str, Sign); 12] = [
    (
        "MCS API",
        Sign::Label("multicluster.kubernetes.io/source-cluster"),
    ),
    (
        "MCS API",
        Sign::Label("multicluster.kubernetes.io/service-name"),
    ),
    ("MCS API", Sign::Owner("ServiceImport")),
    (
        "AWS Cloud Map",
        Sign::Writer("aws-cloud-map-mcs-controller-for-k8s"),
    ),
    (
        "Cilium",
        Sign::Writer("endpointslice-mesh-controller.cilium.io"),
    ),
    (
        "Karmada",
        Sign::Writer("endpointslice-dispatch-controller.karmada.io"),
    ),
    (
        "Linkerd",
        Sign::LabelIs("mirror.linkerd.io/mirrored-service", "true"),
    ),
    ("Linkerd", Sign::Label("mirror.linkerd.io/cluster-name")),
    ("Liqo", Sign::Writer("endpointslice.reflection.liqo.io")),
    ("Liqo", Sign::Label("offloading.liqo.io/origin")),
    (
        "Skupper",
        Sign::AnnotationIs("internal.skupper.io/controlled", "true"),
    ),
    ("Submariner", Sign::Writer("lighthouse-agent.submariner.io")),
];

/// Whether an object was copied from another cluster.
pub(super) fn is_copy(metadata: &ObjectMeta) -> bool {
    SIGNS.iter().any(|(_, sign)| sign.is_on(metadata))
}

impl Sign {
    /// Whether an object has it.
    fn is_on(self, metadata: &ObjectMeta) -> bool {
        match self {
            Self::Label(name) => value(metadata.labels.as_ref(), name).is_some(),
            Self::LabelIs(name, expected) => {
                value(metadata.labels.as_ref(), name) == Some(expected)
            }
            Self::Writer(writer) => value(metadata.labels.as_ref(), MANAGED_BY) == Some(writer),
            Self::AnnotationIs(name, expected) => {
                value(metadata.annotations.as_ref(), name) == Some(expected)
            }
            Self::Owner(kind) => metadata
                .owner_references
                .iter()
                .flatten()
                .any(|owner| owner.kind == kind),
        }
    }
}

/// The value of a label or an annotation.
fn value<'a>(texts: Option<&'a BTreeMap<String, String>>, name: &str) -> Option<&'a str> {
    texts?.get(name).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Metadata that a cluster would give, with `more`.
    fn metadata(more: &serde_json::Value) -> ObjectMeta {
        let mut metadata = json!({ "name": "web", "namespace": "shop" });
        for (key, value) in more.as_object().unwrap() {
            metadata[key] = value.clone();
        }
        serde_json::from_value(metadata).unwrap()
    }

    #[test]
    fn the_copies_of_each_tool_are_told() {
        let label = |name: &str, value: &str| json!({ "labels": { name: value } });
        let copies = [
            label("multicluster.kubernetes.io/source-cluster", "b"),
            label("multicluster.kubernetes.io/service-name", "web"),
            label(MANAGED_BY, "aws-cloud-map-mcs-controller-for-k8s"),
            label(MANAGED_BY, "endpointslice-mesh-controller.cilium.io"),
            label(MANAGED_BY, "endpointslice-dispatch-controller.karmada.io"),
            label(MANAGED_BY, "endpointslice.reflection.liqo.io"),
            label(MANAGED_BY, "lighthouse-agent.submariner.io"),
            label("mirror.linkerd.io/mirrored-service", "true"),
            label("mirror.linkerd.io/cluster-name", "west"),
            label("offloading.liqo.io/origin", "rome"),
            json!({ "annotations": { "internal.skupper.io/controlled": "true" } }),
            json!({ "ownerReferences": [{
                "apiVersion": "net.gke.io/v1", "kind": "ServiceImport", "name": "web", "uid": "u",
            }] }),
        ];
        for copy in copies {
            assert!(is_copy(&metadata(&copy)), "{copy}");
        }
    }

    #[test]
    fn what_is_local_is_no_copy() {
        let local = [
            json!({}),
            json!({ "labels": { MANAGED_BY: "endpointslice-controller.k8s.io" } }),
            json!({ "labels": { MANAGED_BY: "endpointslicemirroring-controller.k8s.io" } }),
            json!({ "annotations": { "service.cilium.io/global": "true" } }),
            json!({ "labels": { "mirror.linkerd.io/exported": "true" } }),
            json!({ "labels": { "mirror.linkerd.io/federated": "member" } }),
            json!({ "labels": { "work.karmada.io/permanent-id": "u" } }),
            json!({ "annotations": { "multicluster.admiralty.io/is-delegate": "" } }),
            json!({ "labels": { "kubefed.io/managed": "true" } }),
        ];
        for object in local {
            assert!(!is_copy(&metadata(&object)), "{object}");
        }
    }
}
