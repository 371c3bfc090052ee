//! Objects that something else copied from other clusters: they are no evidence of local health and
//! no exports (design: kubernetes).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Labels that only copies have (MCS API).
const COPY_LABELS: [&str; 2] = [
    "multicluster.kubernetes.io/source-cluster",
    "multicluster.kubernetes.io/service-name",
];

/// The label that names the writer of an EndpointSlice.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// Writers of EndpointSlices whose endpoints are in other clusters.
const FOREIGN_WRITERS: [&str; 4] = [
    "aws-cloud-map-mcs-controller-for-k8s",
    "endpointslice-dispatch-controller.karmada.io",
    "endpointslice-mesh-controller.cilium.io",
    "lighthouse-agent.submariner.io",
];

/// Whether an object was copied from another cluster.
pub(super) fn is_copy(metadata: &ObjectMeta) -> bool {
    let labelled = metadata.labels.as_ref().is_some_and(|labels| {
        COPY_LABELS.iter().any(|label| labels.contains_key(*label))
            || labels
                .get(MANAGED_BY)
                .is_some_and(|writer| FOREIGN_WRITERS.contains(&writer.as_str()))
    });
    labelled
        || metadata
            .owner_references
            .iter()
            .flatten()
            .any(|owner| owner.kind == "ServiceImport")
}
