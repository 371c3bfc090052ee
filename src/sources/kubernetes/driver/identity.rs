//! Which cluster a member is.
//!
//! The UID of the namespace `kube-system`, the usual name of a cluster, needs a right that nothing
//! else here needs. The Service `default/kubernetes` lives exactly as long as a cluster's data does,
//! and services are read anyway: its UID stands for the cluster.

use std::time::Duration;

use kube::api::GetParams;
use kube::core::Request;
use kube::{Client, Error};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::warn;

use super::super::failure::Failure;
use super::super::objects::ServiceObject;
use super::Timing;
use super::link::{Link, Report};
use super::pauses::Pauses;
use crate::model::Identity;

/// What is known of which cluster a member is, and when to ask again.
pub(super) struct Identification {
    /// Where its API is.
    url: String,
    /// The last answer since the last loss.
    identity: Option<Identity>,
    /// The question is under way.
    is_under_way: bool,
    /// When it was asked last.
    asked_at: Instant,
    /// For how long an answer is good.
    lifetime: Duration,
    /// After failures.
    pauses: Pauses,
    /// When the pause after the last failure ends.
    pause_ends: Option<Instant>,
}

impl Identification {
    /// Nothing is known of the API at `url`.
    pub(super) fn new(url: String, timing: &Timing) -> Self {
        Self {
            url,
            identity: None,
            is_under_way: false,
            asked_at: Instant::now(),
            lifetime: timing.identity,
            pauses: Pauses::new(timing),
            pause_ends: None,
        }
    }

    /// The last answer since the last loss.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity.clone()
    }

    /// Whether to ask again though there is an answer: the version changes.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        now.duration_since(self.asked_at) >= self.lifetime
    }

    /// What answers after a loss may be another cluster.
    pub(super) fn forget(&mut self) {
        self.identity = None;
    }

    /// The API is ready again: no pause any more.
    pub(super) fn hurry(&mut self) {
        self.pauses.reset();
        self.pause_ends = None;
    }

    /// Asks, unless that is under way, or a pause after a failure is.
    pub(super) fn ask(&mut self, link: &Link, tasks: &mut JoinSet<()>, now: Instant) {
        if self.is_under_way || self.pause_ends.is_some_and(|end| now < end) {
            return;
        }
        self.is_under_way = true;
        self.asked_at = now;
        let (link, url) = (link.clone(), self.url.clone());
        tasks.spawn(async move {
            let identity = identify(&link.client(), url, link.timing.answer).await;
            // When the session is over, nobody needs to know.
            let _ = link.report(Report::Identity(identity)).await;
        });
    }

    /// Takes an answer in; says it if it is another one than that known.
    pub(super) fn hear(&mut self, answer: Result<Identity, IdentityError>) -> Option<Identity> {
        self.is_under_way = false;
        let Ok(identity) = answer else {
            self.pause_ends = Some(Instant::now() + self.pauses.longer());
            return None;
        };
        self.hurry();
        let known = self.identity.replace(identity.clone());
        known
            .is_some_and(|known| known != identity)
            .then_some(identity)
    }
}

/// Why a cluster could not be identified: ask again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct IdentityError(String);

/// Asks which cluster this is. Each question has `limit` to be answered.
async fn identify(
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
