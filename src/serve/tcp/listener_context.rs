//! What the connections of one listener share.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::super::signer::Waiting;
use super::budget::Turns;
use crate::model::ListenerIdx;
use crate::snapshot::Snapshot;
use crate::telemetry::WorkerCounters;

/// What the connections of one listener share.
pub(in super::super) struct ListenerContext<R> {
    /// The place of the listener in the configuration.
    pub(super) listener: Option<ListenerIdx>,
    /// Answers.
    pub(super) respond: R,
    /// Where snapshots appear.
    pub(super) snapshots: Arc<ArcSwap<Snapshot>>,
    /// Counters of this listener's connections, all together.
    pub(super) counters: Arc<WorkerCounters>,
    /// The turns of connections that have much to ask, on all listeners.
    pub(super) turns: Turns,
    /// Where queries wait that need a signature.
    pub(super) waiting: Waiting,
    /// How long a connection may take for its next query.
    pub(super) idle: Duration,
    /// The same in units of 100 ms, for edns-tcp-keepalive (RFC 7828).
    pub(super) idle_units: u16,
}

impl<R> ListenerContext<R> {
    /// Gathers what connections share.
    pub(in super::super) fn new(
        listener: Option<ListenerIdx>,
        respond: R,
        snapshots: Arc<ArcSwap<Snapshot>>,
        counters: Arc<WorkerCounters>,
        (turns, waiting): (Turns, Waiting),
        idle: Duration,
    ) -> Self {
        Self {
            listener,
            respond,
            snapshots,
            counters,
            turns,
            waiting,
            idle,
            idle_units: u16::try_from(idle.as_millis() / 100).unwrap_or(u16::MAX),
        }
    }
}
