//! That a credential does what it is for: rights are proven by doing.

use std::time::Duration;

use tokio::time::sleep;

use super::api::{Api, Refusal};
use super::cluster::uid;
use super::credential::{CONTEXT, MemberCredential};
use super::error::OperateError;
use super::followed::{EXPORTS, FollowedKind, KINDS, NODES, list_all, list_one, open_watch};
use crate::sources::kubernetes::{NodeSurvey, operator_client, survey_nodes};
use crate::telemetry::clock;

/// How long an API may take to know what was just made: each of its servers hears of it by a watch.
const KNOWN: Duration = Duration::from_secs(15);

/// How long to wait before it is asked again.
const AGAIN: Duration = Duration::from_millis(200);

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
    let api = Api::new(client.map_err(OperateError::Unproven)?);
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
    for kind in KINDS {
        list_and_watch(api, kind).await?;
    }
    let mut has_exports = false;
    for kind in EXPORTS {
        match list_and_watch(api, kind).await {
            Ok(()) => {
                has_exports = true;
                break;
            }
            Err(Failure::Refused(_, Refusal::Status { code: 404, .. })) => {}
            Err(failure) => return Err(failure),
        }
    }
    let (mut nodes, (_, path)) = (Vec::new(), NODES);
    let listed = list_all(api, path, |mut page| nodes.append(&mut page)).await;
    listed.map_err(refused("list nodes"))?;
    Ok(Proof {
        has_exports,
        survey: survey_nodes(nodes),
    })
}

/// Lists one object of a kind, and opens a watch from there.
async fn list_and_watch(api: &Api, (kind, path): FollowedKind) -> Result<(), Failure> {
    let refused = |verb: &str| {
        let what = format!("{verb} {kind}");
        move |refusal| Failure::Refused(what, refusal)
    };
    let version = list_one(api, path).await.map_err(refused("list"))?;
    let opened = open_watch(api, path, &version).await;
    opened.map_err(refused("watch"))
}
