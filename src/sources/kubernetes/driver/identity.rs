//! Which cluster a member is.
//!
//! The UID of the namespace `kube-system`, the usual name of a cluster, needs a right that nothing
//! else here needs. The Service `default/kubernetes` lives exactly as long as a cluster's data does,
//! and services are read anyway: its UID stands for the cluster.

use std::time::Duration;

use kube::api::GetParams;
use kube::core::Request;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::warn;

use super::super::failure::Failure;
use super::super::objects::ServiceObject;
use super::super::request::{self, ExpectedBody};
use super::link::{IdentityError, Link, TaskReport};
use super::pauses::Pauses;
use super::timing::Timing;
use crate::model::limits::{SMALL_BODY, WATCH_LINE};
use crate::model::{Identity, Shown, kept};

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
            let identity = identify(&link, url, link.timing.answer).await;
            // When the session is over, nobody needs to know.
            let _ = link.report(TaskReport::Identity(identity)).await;
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

/// What `/version` says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    /// As people call it.
    git_version: String,
}

/// Asks which cluster this is. Each question has `limit` to be answered.
async fn identify(link: &Link, origin: String, limit: Duration) -> Result<Identity, IdentityError> {
    let services = Request::new("/api/v1/namespaces/default/services");
    let service = services.get("kubernetes", &GetParams::default());
    let asked = ExpectedBody {
        what: "the Service default/kubernetes",
        limit: &WATCH_LINE,
    };
    let access = link.access();
    let service = request::value::<ServiceObject>(&access, service, asked);
    let service = within(limit, service).await?;
    let asked = ExpectedBody {
        what: "/version",
        limit: &SMALL_BODY,
    };
    let version = Request::new("").get("version", &GetParams::default());
    let version = within(limit, request::value::<Version>(&access, version, asked)).await?;
    let uid = service.and_then(|service| service.metadata.uid);
    let secrets = access.secrets;
    Ok(Identity {
        origin,
        uid: uid.map(|uid| kept(&secrets.mask(&uid))),
        version: version.map(|version| kept(&secrets.mask(&version.git_version))),
    })
}

/// An answer, `None` when it is of no use or late: what a member says must not wait for who it is
/// as long as its lists and watches answer. A connection that fails, or says too much, is an error.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, IdentityError> {
    let Ok(answer) = tokio::time::timeout(limit, answer).await else {
        warn!(?limit, "no answer about identity or version");
        return Ok(None);
    };
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Transport(why) | Failure::TooMuch { what: why, .. }) => {
            Err(IdentityError(why))
        }
        Err(failure) => {
            let reason = Shown(failure.text());
            warn!(%reason, "identity or version cannot be read");
            Ok(None)
        }
    }
}
