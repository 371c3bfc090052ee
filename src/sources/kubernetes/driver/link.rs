//! What the tasks of one member share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::super::client::{Access, ClientError, Connection};
use super::super::failure::Failure;
use super::super::index::{ObjectKind, Observation};
use super::contact::WatchStatus;
use super::renewal::RenewalNews;
use super::timing::Timing;
use crate::model::Identity;

/// What a task says to the session.
pub(super) enum TaskReport {
    /// Objects of one kind, in the order seen.
    Objects(Vec<Observation>),
    /// The state of a watch.
    Watch(ObjectKind, WatchStatus),
    /// A heartbeat.
    Beat(Result<(), String>),
    /// The API is ready after it was not: pauses end.
    Returned,
    /// Which cluster it is.
    Identity(Result<Identity, IdentityError>),
    /// What became of an attempt to renew a token.
    Renewal(RenewalNews),
    /// The credentials have changed, or run out: a client built anew.
    Connection(Result<Box<Connection>, ClientError>),
}

impl TaskReport {
    /// Whether it comes of an answer of the API that is just there.
    pub(super) fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Objects(_) | Self::Beat(Ok(())) | Self::Returned | Self::Identity(Ok(_))
        )
    }
}

/// Why a cluster could not be identified: ask again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct IdentityError(pub(super) String);

/// What the tasks of one member share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    /// The client; replaced when credentials change.
    pub(super) access: watch::Receiver<Access>,
    /// Where reports go. Bounded: a full queue makes the task wait.
    pub(super) reports: mpsc::Sender<TaskReport>,
    /// Counts what ends pauses: returns of the API, and new credentials. Each clone sees each once.
    pub(super) returns: watch::Receiver<u64>,
    /// Asks the heartbeat to look at once whether the API answers: something else has failed.
    pub(super) look: Arc<Notify>,
    /// Asks for new credentials: those of a plugin were not accepted.
    pub(super) renew: Arc<Notify>,
    /// Asks for a new client at once: there is another token.
    pub(super) rebuild: Arc<Notify>,
    /// Counts calls on open watches to start again.
    pub(super) restarts: watch::Receiver<u64>,
    /// Counts calls on open watches to list anew.
    pub(super) relists: watch::Receiver<u64>,
    /// Bounds lists of all members.
    pub(super) lists: Arc<Semaphore>,
    /// The server has refused to stream a list, or did not end one.
    pub(super) never_streams: Arc<AtomicBool>,
    /// How long things take.
    pub(super) timing: Timing,
}

/// The session is over: tasks that report to it end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

impl Link {
    /// The present client.
    pub(super) fn access(&self) -> Access {
        self.access.borrow().clone()
    }

    /// An answer in time, or why there is none. One that has been waited for since before contact was
    /// lost is given up when it is back: a network that was gone forgets connections.
    pub(super) async fn or_lost<T>(
        &self,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let mut restarts = self.restarts.clone();
        restarts.mark_unchanged();
        let lost = async {
            // The sender lives as long as the session, and this task no longer.
            while restarts.changed().await.is_ok() && began.elapsed() < self.timing.answer {}
        };
        let limit = self.timing.page;
        tokio::select! {
            biased;
            () = lost => Err(Failure::Transport("contact was lost".to_owned())),
            answer = tokio::time::timeout(limit, answer) => {
                answer.unwrap_or_else(|_| Err(Failure::no_answer(limit)))
            }
        }
    }

    /// Reports to the session.
    pub(super) async fn report(&self, report: TaskReport) -> Result<(), Stopped> {
        self.reports.send(report).await.map_err(|_| Stopped)
    }

    /// Reports the state of a watch.
    pub(super) async fn report_watch(
        &self,
        kind: ObjectKind,
        status: WatchStatus,
    ) -> Result<(), Stopped> {
        self.report(TaskReport::Watch(kind, status)).await
    }
}
