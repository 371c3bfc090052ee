//! What the rest of the process holds of the writer.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::model::Delta;
use crate::snapshot::Snapshot;
use crate::wire::NameBuf;

/// What the rest of the process holds of the writer.
#[derive(Debug, Clone)]
pub struct Handle {
    /// Where sources send changes. Bounded: a full queue makes sources wait, and loses nothing.
    pub deltas: mpsc::Sender<Delta>,
    /// A new configuration, already validated.
    pub configs: mpsc::Sender<Arc<Config>>,
    /// The present snapshot.
    pub snapshots: Arc<ArcSwap<Snapshot>>,
    /// The load balancer host names to keep resolved.
    pub hostnames: watch::Receiver<Arc<BTreeSet<NameBuf>>>,
    /// Whether the daemon is ready (names: decision 10).
    pub ready: watch::Receiver<bool>,
}
