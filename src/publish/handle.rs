//! What the rest of the process holds of the writer.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};

use super::Events;
use crate::config::Config;
use crate::model::Delta;
use crate::names::Label;
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
    /// The last transitions.
    pub events: Events,
    /// Members of which withdrawals are held back: their sources list them anew, a while later.
    pub unconfirmed: watch::Receiver<Arc<BTreeSet<Label>>>,
    /// Where operators confirm.
    pub(super) confirm: mpsc::Sender<Confirm>,
}

/// An operator says that what is held back of a member is right; how many withdrawals that were
/// goes back, `None` when there is no such member.
pub(super) type Confirm = (Label, oneshot::Sender<Option<usize>>);

impl Handle {
    /// Makes the withdrawals of a member that are held back for confirmation. Returns how many
    /// there were; `None` when there is no such member, or the writer has ended.
    pub async fn confirm(&self, member: Label) -> Option<usize> {
        let (done, count) = oneshot::channel();
        self.confirm.send((member, done)).await.ok()?;
        count.await.ok()?
    }
}
