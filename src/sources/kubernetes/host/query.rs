//! What is asked for of the host cluster: one kind of object in one namespace.

use kube::api::{ListParams, WatchParams};
use kube::core::Request;
use kube::core::request::Error;

/// Objects in one page of a list.
const PAGE: u32 = 64;

/// One kind of object in one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostQuery {
    /// Where they are listed.
    path: String,
    /// A label selector; an empty one has them all.
    labels: String,
    /// A field selector, likewise.
    fields: String,
}

/// A request as kube builds it.
type Built = Result<http::Request<Vec<u8>>, Error>;

impl HostQuery {
    /// Secrets with these labels.
    pub fn secrets(namespace: &str, labels: &str) -> Self {
        Self {
            path: format!("/api/v1/namespaces/{namespace}/secrets"),
            labels: labels.to_owned(),
            fields: String::new(),
        }
    }

    /// `ClusterProfile`s with these labels (KEP-4322).
    pub fn cluster_profiles(namespace: &str, labels: &str) -> Self {
        let group = "/apis/multicluster.x-k8s.io/v1alpha1";
        Self {
            path: format!("{group}/namespaces/{namespace}/clusterprofiles"),
            labels: labels.to_owned(),
            fields: String::new(),
        }
    }

    /// One `ConfigMap`.
    pub fn config_map(namespace: &str, name: &str) -> Self {
        Self {
            path: format!("/api/v1/namespaces/{namespace}/configmaps"),
            labels: String::new(),
            fields: format!("metadata.name={name}"),
        }
    }

    /// A page of a list: the first one, or the one that `more` leads to.
    pub(super) fn page(&self, more: Option<String>) -> Built {
        let parameters = ListParams {
            label_selector: given(&self.labels),
            field_selector: given(&self.fields),
            limit: Some(PAGE),
            continue_token: more,
            ..ListParams::default()
        };
        Request::new(&self.path).list(&parameters)
    }

    /// A watch from `version` for so many seconds.
    pub(super) fn watch(&self, version: &str, seconds: u32) -> Built {
        let parameters = WatchParams {
            label_selector: given(&self.labels),
            field_selector: given(&self.fields),
            timeout: Some(seconds),
            bookmarks: true,
            ..WatchParams::default()
        };
        Request::new(&self.path).watch(&parameters, version)
    }
}

/// A selector, if there is one.
fn given(selector: &str) -> Option<String> {
    (!selector.is_empty()).then(|| selector.to_owned())
}
