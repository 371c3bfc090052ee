//! What the tasks of one member share.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use kube::Client;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use super::super::client::{ClientError, Connection};
use super::super::failure::Failure;
use super::super::index::{Kind, Observation};
use super::Timing;
use super::contact::News;
use super::identity::IdentityError;
use crate::model::Identity;

/// What a task says to the session.
pub(super) enum Report {
    /// Objects of one kind, in the order seen.
    Objects(Vec<Observation>),
    /// The state of a watch.
    Watch(Kind, News),
    /// A heartbeat.
    Beat(Result<(), String>),
    /// Which cluster it is.
    Identity(Result<Identity, IdentityError>),
    /// The credentials have changed, or run out: a client built anew.
    Connection(Result<Box<Connection>, ClientError>),
}

/// What the tasks of one member share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    /// The client; replaced when credentials change.
    pub(super) client: watch::Receiver<Client>,
    /// Where reports go. Bounded: a full queue makes the task wait.
    pub(super) reports: mpsc::Sender<Report>,
    /// Ends pauses: the API answers again, or there are new credentials.
    pub(super) wake: Arc<Notify>,
    /// Asks for new credentials: those of a plugin were not accepted.
    pub(super) renew: Arc<Notify>,
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
pub(super) struct Over;

impl Link {
    /// The present client.
    pub(super) fn client(&self) -> Client {
        self.client.borrow().clone()
    }

    /// Reports to the session.
    pub(super) async fn report(&self, report: Report) -> Result<(), Over> {
        self.reports.send(report).await.map_err(|_| Over)
    }

    /// Reports the state of a watch.
    pub(super) async fn say(&self, kind: Kind, news: News) -> Result<(), Over> {
        self.report(Report::Watch(kind, news)).await
    }

    /// Waits for `time`, or until there is reason to hope.
    pub(super) async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.wake.notified() => {}
        }
    }
}

/// Pauses after failures, longer each time, with jitter.
pub(super) struct Pauses {
    /// How long they are.
    builder: ExponentialBuilder,
    /// The ones to come.
    next: ExponentialBackoff,
    /// What kind of failure they followed.
    follow: Option<Discriminant<Failure>>,
}

impl Pauses {
    /// Pauses as `timing` has them.
    pub(super) fn new(timing: &Timing) -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(timing.first_pause)
            .with_max_delay(timing.longest_pause)
            .without_max_times()
            .with_jitter();
        Self {
            builder,
            next: builder.build(),
            follow: None,
        }
    }

    /// The next pause, after `failure`. Another kind of failure is progress: an API that starts
    /// refuses connections first, and rights next.
    pub(super) fn after(&mut self, failure: &Failure) -> Duration {
        let follow = Some(discriminant(failure));
        if self.follow != follow {
            self.reset();
            self.follow = follow;
        }
        self.longer()
    }

    /// The next pause.
    pub(super) fn longer(&mut self) -> Duration {
        self.next.next().unwrap_or_default()
    }

    /// Begins with short pauses again.
    pub(super) fn reset(&mut self) {
        self.next = self.builder.build();
    }
}
