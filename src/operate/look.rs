//! What is asked before anything is made: everything that can refuse.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::time::timeout;

use super::api::Api;
use super::cluster::uid;
use super::entry::Other;
use super::error::OperateError;
use super::manifest::{MadeKind, Object};
use super::place::MemberStore;
use super::review::{ReviewedRight, is_allowed};
use crate::names::Label;
use crate::sources::kubernetes::operator_client;

/// How long another member may take to say which cluster it is.
const OTHER: Duration = Duration::from_secs(5);

/// Which cluster the kubeconfig of a member leads to; `None` if that cannot be found out.
pub(super) async fn uid_of(other: &Other) -> Option<String> {
    let asked = async {
        let client = operator_client(&other.text, &other.path, &other.context).await;
        uid(&Api::new(client.ok()?)).await.ok()
    };
    timeout(OTHER, asked).await.ok().flatten()
}

/// The other member that is this cluster, if one is.
pub(super) async fn same_cluster(
    place: &MemberStore,
    name: &Label,
    uid: &str,
) -> Result<Option<Label>, OperateError> {
    let others = place.others(name).await?;
    let asked = others.iter().map(async |other| {
        let is_same = uid_of(other).await.as_deref() == Some(uid);
        is_same.then(|| other.name.clone())
    });
    Ok(join_all(asked).await.into_iter().flatten().next())
}

/// A right to be had.
#[derive(Debug, Clone)]
pub(super) struct Right {
    /// What may be done.
    verb: &'static str,
    /// The kind of object.
    kind: MadeKind,
    /// A part of it.
    part: &'static str,
    /// Where.
    namespace: Option<String>,
}

impl Right {
    /// A right to do something with an object.
    pub(super) fn to(verb: &'static str, object: &Object) -> Self {
        Self {
            verb,
            kind: object.kind,
            part: "",
            namespace: object.namespace.clone(),
        }
    }

    /// The right to ask for tokens.
    pub(super) fn to_token(namespace: &str) -> Self {
        Self {
            verb: "create",
            kind: MadeKind::ServiceAccount,
            part: "token",
            namespace: Some(namespace.to_owned()),
        }
    }
}

/// Refuses, if one of these rights is missing. `context` is what the API is called.
pub(super) async fn check_rights(
    api: &Api,
    context: &str,
    rights: &[Right],
) -> Result<(), OperateError> {
    let asked = rights.iter().map(|right| review(api, context, right));
    try_join_all(asked).await.map(drop)
}

/// Asks for one right.
async fn review(api: &Api, context: &str, right: &Right) -> Result<(), OperateError> {
    let (group, _, resource) = right.kind.place();
    let asked = ReviewedRight {
        verb: right.verb,
        group,
        resource,
        subresource: right.part,
        namespace: right.namespace.as_deref(),
        name: None,
    };
    let answer = is_allowed(api, &asked).await;
    let answer = answer
        .map_err(|refusal| OperateError::Refused(format!("rights in \"{context}\": {refusal}")))?;
    answer.map_err(|said| {
        let slash = if right.part.is_empty() { "" } else { "/" };
        let named = format!("{resource}{slash}{}", right.part);
        OperateError::Refused(format!(
            "you may not {} {named} in \"{context}\": RBAC says {said}",
            right.verb
        ))
    })
}
