//! Which cluster an API is of, and what it calls itself.

use super::api::{Api, Refusal};
use crate::model::kept;

/// Where the Service is whose UID stands for its cluster.
const CLUSTER: &str = "/api/v1/namespaces/default/services/kubernetes";

/// Which cluster an API is of.
pub(super) async fn uid(api: &Api) -> Result<String, Refusal> {
    let service = api.get(CLUSTER).await?.unwrap_or_default();
    let uid = service["metadata"]["uid"].as_str().map(kept);
    uid.ok_or_else(|| Refusal::Silent("the Service default/kubernetes has no UID".to_owned()))
}

/// The version of an API, as people call it.
pub(super) async fn version(api: &Api) -> Result<String, Refusal> {
    let version = api.get("/version").await?.unwrap_or_default();
    let version = version["gitVersion"].as_str();
    version
        .map(kept)
        .ok_or_else(|| Refusal::Silent("/version does not say which".to_owned()))
}

/// The name that a cluster has in its clusterset (KEP-2149), if it has one.
pub(super) async fn clusterset_id(api: &Api) -> Option<String> {
    for version in ["v1beta1", "v1alpha1"] {
        let path =
            format!("/apis/about.k8s.io/{version}/clusterproperties/cluster.clusterset.k8s.io");
        // Whoever may not read it has no such name here.
        if let Ok(Some(property)) = api.get(&path).await
            && let Some(value) = property["spec"]["value"].as_str()
        {
            return Some(kept(value));
        }
    }
    None
}
