//! Sends the changes of a member to the writer, and logs those that matter to people.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::link::Stopped;
use crate::model::limits::Limit;
use crate::model::{Change, Delta, Epoch, Loss, Shown, UnixSeconds};
use crate::names::Label;
use crate::telemetry::{Metrics, Renewal, SourceEvent};

/// Sends the changes of one member.
pub(super) struct DeltaSender {
    /// The member.
    pub(super) member: Label,
    /// The lifetime of its source.
    epoch: Epoch,
    /// Where changes go.
    deltas: mpsc::Sender<Delta>,
    /// Where events are counted.
    metrics: Arc<Metrics>,
}

impl DeltaSender {
    /// For `member`.
    pub(super) fn new(
        member: Label,
        epoch: Epoch,
        deltas: mpsc::Sender<Delta>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            member,
            epoch,
            deltas,
            metrics,
        }
    }

    /// Counts an event.
    pub(super) fn count(&self, event: SourceEvent) {
        self.metrics.source_event(self.member.as_str(), event);
    }

    /// Notes that the API has answered.
    pub(super) fn note_heard(&self) {
        self.metrics.heard(self.member.as_str());
    }

    /// Counts that a limit was exceeded.
    pub(super) fn count_excess(&self, limit: &Limit) {
        self.metrics.limit_exceeded(limit);
    }

    /// Counts an attempt to renew the token.
    pub(super) fn count_renewal(&self, result: Renewal) {
        self.metrics.count_renewal(self.member.as_str(), result);
    }

    /// Shows when credentials and the API's certificate expire.
    pub(super) fn show_expiries(
        &self,
        credential: Option<UnixSeconds>,
        certificate: Option<UnixSeconds>,
    ) {
        let member = self.member.as_str();
        self.metrics.set_credential_expiry(member, credential);
        self.metrics.set_certificate_expiry(member, certificate);
    }

    /// Sends a change. Waits while the queue is full.
    pub(super) async fn send(&self, change: Change) -> Result<(), Stopped> {
        let delta = Delta::Member {
            member: self.member.clone(),
            epoch: self.epoch,
            change,
        };
        self.deltas.send(delta).await.map_err(|_| Stopped)
    }

    /// Sends a loss or a return, and logs it.
    pub(super) async fn send_contact(&self, change: Change) -> Result<(), Stopped> {
        match &change {
            Change::Lost(loss) => warn!(member = %self.member, reason = %Shown(text(loss)), "lost"),
            Change::Returning => info!(member = %self.member, "returning"),
            _ => info!(member = %self.member, "resumed"),
        }
        self.send(change).await
    }
}

/// What a loss says.
fn text(loss: &Loss) -> &str {
    match loss {
        Loss::Watch(text)
        | Loss::Heartbeat(text)
        | Loss::Refused(text)
        | Loss::File(text)
        | Loss::Mark(text)
        | Loss::Client(text) => text,
    }
}
