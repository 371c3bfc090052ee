//! That a credential does what it is for: rights are proven by doing.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::api::{Api, Refusal};
use super::cluster::uid;
use super::credential::{CONTEXT, MemberCredential};
use super::error::OperateError;
use crate::sources::kubernetes::{NodeSurvey, operator_client, survey_nodes};
use crate::telemetry::clock;

/// Kinds without which nothing is followed, and where they are.
const KINDS: [(&str, &str); 3] = [
    ("services", "/api/v1/services"),
    ("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices"),
    ("nodes", "/api/v1/nodes"),
];

/// Where versions of the ServiceExports are.
const EXPORTS: [&str; 2] = [
    "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports",
    "/apis/multicluster.x-k8s.io/v1beta1/serviceexports",
];

/// How long an API may take to know what was just made: each of its servers hears of it by a watch.
const KNOWN: Duration = Duration::from_secs(15);

/// How long to wait before it is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// Nodes of one page.
const PAGE: usize = 500;

/// What a credential was seen to do.
#[derive(Debug)]
pub(super) struct Proof {
    /// Whether the cluster has ServiceExports.
    pub(super) has_exports: bool,
    /// Where its nodes stand.
    pub(super) survey: NodeSurvey,
}

impl Proof {
    /// What it lists and watches, in words.
    pub(super) fn kinds(&self) -> String {
        let kinds: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
        let kinds = kinds.join(", ");
        if self.has_exports {
            format!("lists and watches {kinds}, serviceexports")
        } else {
            format!("lists and watches {kinds}; serviceexports are not installed there")
        }
    }
}

/// Lists and watches each kind by a credential, from the very kubeconfig that the daemon is given. It
/// must lead to the cluster `expected`. `is_new` says that the API may not have heard of it yet.
pub(super) async fn prove(
    credential: &MemberCredential,
    expected: &str,
    is_new: bool,
) -> Result<Proof, OperateError> {
    let text = credential.render();
    let client = operator_client(&text, "kubeconfig".as_ref(), CONTEXT).await;
    let api = Api {
        client: client.map_err(OperateError::Unproven)?,
    };
    let deadline = clock::monotonic() + if is_new { KNOWN } else { Duration::ZERO };
    loop {
        let failure = match attempt(&api, expected).await {
            Ok(proof) => return Ok(proof),
            Err(failure) => failure,
        };
        let may_pass = matches!(&failure, Failure::Refused(_, refusal)
            if matches!(refusal.code(), Some(401 | 403)));
        if !may_pass || clock::monotonic() >= deadline {
            return Err(OperateError::Unproven(failure.to_string()));
        }
        sleep(AGAIN).await;
    }
}

/// Why a credential is of no use.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Something is refused.
    #[error("the new credential: {0}: {1}")]
    Refused(String, Refusal),
    /// The server that the daemon is told of is another one's.
    #[error("{0} is another cluster than the context leads to")]
    Other(String),
}

/// Tries everything once.
async fn attempt(api: &Api, expected: &str) -> Result<Proof, Failure> {
    let refused = |what: &str| {
        let what = what.to_owned();
        move |refusal| Failure::Refused(what, refusal)
    };
    let uid = uid(api).await.map_err(refused("get services"))?;
    if uid != expected {
        return Err(Failure::Other(api.client.url.clone()));
    }
    for (kind, path) in KINDS {
        list_and_watch(api, kind, path).await?;
    }
    let mut has_exports = false;
    for path in EXPORTS {
        match list_and_watch(api, "serviceexports", path).await {
            Ok(()) => {
                has_exports = true;
                break;
            }
            Err(Failure::Refused(_, Refusal::Status { code: 404, .. })) => {}
            Err(failure) => return Err(failure),
        }
    }
    let nodes = nodes(api).await.map_err(refused("list nodes"))?;
    Ok(Proof {
        has_exports,
        survey: survey_nodes(nodes),
    })
}

/// Lists one object of a kind, and opens a watch from there.
async fn list_and_watch(api: &Api, kind: &str, path: &str) -> Result<(), Failure> {
    let refused = |verb: &str| {
        let what = format!("{verb} {kind}");
        move |refusal| Failure::Refused(what, refusal)
    };
    let listed = api.get(&format!("{path}?limit=1")).await;
    let listed = listed.map_err(refused("list"))?;
    let absent = || Refusal::Status {
        code: 404,
        message: "not found".to_owned(),
    };
    let listed = listed.ok_or_else(absent).map_err(refused("list"))?;
    let version = listed["metadata"]["resourceVersion"].as_str();
    let version = version.unwrap_or("0");
    let watch = format!("{path}?watch=true&timeoutSeconds=5&resourceVersion={version}");
    api.opens(&watch).await.map_err(refused("watch"))
}

/// All nodes.
async fn nodes(api: &Api) -> Result<Vec<Value>, Refusal> {
    let mut nodes = Vec::new();
    let mut more = String::new();
    loop {
        let path = format!("/api/v1/nodes?limit={PAGE}{more}");
        let mut page = api.get(&path).await?.unwrap_or_default();
        if let Some(items) = page["items"].as_array_mut() {
            nodes.append(items);
        }
        match page["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => {
                let next = format!("&continue={}", escaped(token));
                if next == more {
                    return Ok(nodes);
                }
                more = next;
            }
            _ => return Ok(nodes),
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
