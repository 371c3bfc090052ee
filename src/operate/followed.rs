//! The kinds that the daemon follows in a member, listed and watched as rights are proven: by doing.

use serde_json::Value;

use super::api::{Api, Refusal};

/// A kind that is followed: its name, and where it is.
pub(super) type FollowedKind = (&'static str, &'static str);

/// Kinds without which nothing is followed.
pub(super) const KINDS: [FollowedKind; 3] = [
    ("services", "/api/v1/services"),
    ("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices"),
    NODES,
];

/// Nodes, which are not followed where region and zones are configured.
pub(super) const NODES: FollowedKind = ("nodes", "/api/v1/nodes");

/// Versions of ServiceExports, which need not be there.
pub(super) const EXPORTS: [FollowedKind; 2] = [
    (
        "serviceexports",
        "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports",
    ),
    (
        "serviceexports",
        "/apis/multicluster.x-k8s.io/v1beta1/serviceexports",
    ),
];

/// Objects of one page.
const PAGE: usize = 500;

/// Lists one object of a kind: the version that the list is of.
pub(super) async fn list_one(api: &Api, path: &str) -> Result<String, Refusal> {
    let listed = api.get(&format!("{path}?limit=1")).await?;
    let absent = || Refusal::Status {
        code: 404,
        message: "not found".to_owned(),
    };
    let listed = listed.ok_or_else(absent)?;
    let version = listed["metadata"]["resourceVersion"].as_str();
    Ok(version.unwrap_or("0").to_owned())
}

/// Opens a watch of a kind from a version on, and closes it.
pub(super) async fn open_watch(api: &Api, path: &str, version: &str) -> Result<(), Refusal> {
    let watch = format!("{path}?watch=true&timeoutSeconds=5&resourceVersion={version}");
    api.opens(&watch).await
}

/// Lists all objects of a kind, page by page.
pub(super) async fn list_all(
    api: &Api,
    path: &str,
    mut page: impl FnMut(Vec<Value>),
) -> Result<(), Refusal> {
    let mut more = String::new();
    loop {
        let path = format!("{path}?limit={PAGE}{more}");
        let mut listed = api.get(&path).await?.unwrap_or_default();
        if let Some(items) = listed["items"].as_array_mut() {
            page(std::mem::take(items));
        }
        match listed["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => {
                let next = format!("&continue={}", escaped(token));
                if next == more {
                    return Ok(());
                }
                more = next;
            }
            _ => return Ok(()),
        }
    }
}

/// A text as the value of a parameter.
fn escaped(text: &str) -> String {
    let octets = text.bytes().map(|octet| {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            char::from(octet).to_string()
        } else {
            format!("%{octet:02X}")
        }
    });
    octets.collect::<Vec<_>>().concat()
}
