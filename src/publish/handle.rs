//! What the rest of the process holds of the writer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::command::{ActiveOverrides, CommandRequest};
use crate::config::Config;
use crate::model::{Delta, Findings, MemberSet, OverridesNews, ProbeTargets};
use crate::names::Label;
use crate::publish::{EventLog, MemberDepartures};
use crate::snapshot::Snapshot;
use crate::wire::NameBuf;

/// What the rest of the process holds of the writer.
#[derive(Debug, Clone)]
pub struct Handle {
    /// Where sources send changes. Bounded: a full queue makes sources wait, and loses nothing.
    pub deltas: mpsc::Sender<Delta>,
    /// A new configuration, already validated.
    pub configs: mpsc::Sender<Arc<Config>>,
    /// What operators ask for. Bounded: when it is full, whoever asks is told so.
    pub commands: mpsc::Sender<CommandRequest>,
    /// What is heard of the overrides of a host cluster. Bounded: when it is full, whoever hears waits.
    pub host_overrides: mpsc::Sender<OverridesNews>,
    /// What operators have decided, and what it does; at most a second old.
    pub overrides: watch::Receiver<Arc<ActiveOverrides>>,
    /// The last transitions.
    pub events: EventLog,
    /// The present snapshot.
    pub snapshots: Arc<ArcSwap<Snapshot>>,
    /// The load balancer host names to keep resolved.
    pub hostnames: watch::Receiver<Arc<BTreeMap<NameBuf, MemberSet>>>,
    /// Whether the daemon is ready (docs/names.md, decision 10).
    pub ready: watch::Receiver<bool>,
    /// When the writer last took a turn; it takes one each second at least.
    pub turned: watch::Receiver<Instant>,
    /// Members of which withdrawals are held back: their sources list them anew, a while later.
    pub unconfirmed: watch::Receiver<Arc<BTreeSet<Label>>>,
    /// How often operators have accepted a facts file that lacks its mark, by member.
    pub confirmed: watch::Receiver<Arc<BTreeMap<Label, u64>>>,
    /// What operators have said of members that go.
    pub departures: watch::Receiver<MemberDepartures>,
    /// What is to be probed.
    pub targets: watch::Receiver<ProbeTargets>,
    /// What is known of addresses, for those who probe. Nobody is woken when it changes.
    pub findings: watch::Receiver<Findings>,
}
