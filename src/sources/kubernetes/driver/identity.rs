//! Which cluster a member is.
//!
//! The UID of the namespace `kube-system`, the usual name of a cluster, needs a right that nothing
//! else here needs. The Service `default/kubernetes` lives exactly as long as a cluster's data does,
//! and services are read anyway: its UID stands for the cluster.

use std::time::Duration;

use kube::api::GetParams;
use kube::core::Request;
use kube::{Client, Error};
use tracing::warn;

use super::super::failure::Failure;
use super::super::objects::ServiceObject;
use crate::model::Identity;

/// Why a cluster could not be identified: ask again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct IdentityError(String);

/// Asks which cluster this is. Each question has `limit` to be answered.
pub(super) async fn identify(
    client: &Client,
    origin: String,
    limit: Duration,
) -> Result<Identity, IdentityError> {
    let uid = within(limit, uid(client)).await?;
    let version = within(limit, client.apiserver_version()).await?;
    Ok(Identity {
        origin,
        uid: uid.flatten(),
        version: version.map(|version| version.git_version),
    })
}

/// The UID of the Service `default/kubernetes`.
async fn uid(client: &Client) -> Result<Option<String>, Error> {
    let services = Request::new("/api/v1/namespaces/default/services");
    let request = services
        .get("kubernetes", &GetParams::default())
        .map_err(Error::BuildRequest)?;
    let service: ServiceObject = client.request(request).await?;
    Ok(service.metadata.uid)
}

/// An answer, `None` when it is of no use or late: what a member says must not wait for who it is
/// as long as its lists and watches answer. A connection that fails is an error.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<Option<T>, IdentityError> {
    let Ok(answer) = tokio::time::timeout(limit, answer).await else {
        warn!(?limit, "no answer about identity or version");
        return Ok(None);
    };
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) => match Failure::of(&error) {
            Failure::Transport(why) => Err(IdentityError(why)),
            failure => {
                warn!(
                    reason = failure.text(),
                    "identity or version cannot be read"
                );
                Ok(None)
            }
        },
    }
}
