//! What the admin address shows.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::dnssec::MadeSignatures;
use crate::publish::{ActiveOverrides, EventLog};
use crate::snapshot::Snapshot;
use crate::telemetry::Metrics;

/// What the admin address shows.
#[derive(Clone)]
pub struct View {
    /// The present snapshot.
    pub snapshots: Arc<ArcSwap<Snapshot>>,
    /// Whether the daemon is ready.
    pub ready: watch::Receiver<bool>,
    /// Cancelled when the daemon begins to end: it goes on answering and is not ready any more.
    pub ending: CancellationToken,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The signatures that were made.
    pub signatures: Arc<MadeSignatures>,
    /// What is wrong with DNSSEC keys, for people; `None` where no zone is to be signed.
    pub key_troubles: watch::Receiver<Option<Arc<Vec<String>>>>,
    /// What operators have decided.
    pub overrides: watch::Receiver<Arc<ActiveOverrides>>,
    /// The last transitions.
    pub events: EventLog,
    /// Names in lower case under which the admin address is asked, beside those that
    /// [`super::bind`] tells.
    pub hosts: Arc<[String]>,
    /// The state folder, from the root: where the control socket is.
    pub state_dir: Arc<Path>,
}
