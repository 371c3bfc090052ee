//! Where queries wait that need a signature: two lanes with so many places each.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::job::Job;
use crate::dnssec::Lane;
use crate::telemetry::SigningMetrics;

/// Queries that wait in each of the two lanes at most.
const PLACES: usize = 2048;

/// Where queries wait that need a signature.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Waiting {
    existing: Sender<Box<Job>>,
    absent: Sender<Box<Job>>,
    metrics: Arc<SigningMetrics>,
}

impl Waiting {
    /// Takes a query; gives it back when its lane has no place.
    pub(in crate::serve) fn put(&self, lane: Lane, job: Box<Job>) -> Result<(), Box<Job>> {
        let sender = match lane {
            Lane::Existing => &self.existing,
            Lane::Absent => &self.absent,
        };
        // Before it can be taken.
        self.metrics.waits(lane);
        let sent = sender.try_send(job);
        if sent.is_err() {
            self.metrics.taken(lane);
        }
        sent.map_err(crossbeam_channel::TrySendError::into_inner)
    }
}

/// The other ends.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Lanes {
    /// Names that exist.
    pub(super) existing: Receiver<Box<Job>>,
    /// Names without end.
    pub(super) absent: Receiver<Box<Job>>,
    /// Counts those that are taken.
    pub(super) metrics: Arc<SigningMetrics>,
}

/// Two lanes without anybody in them.
pub(in crate::serve) fn lanes(metrics: &Arc<SigningMetrics>) -> (Waiting, Lanes) {
    let (existing, existing_end) = bounded(PLACES);
    let (absent, absent_end) = bounded(PLACES);
    let waiting = Waiting {
        existing,
        absent,
        metrics: Arc::clone(metrics),
    };
    let lanes = Lanes {
        existing: existing_end,
        absent: absent_end,
        metrics: Arc::clone(metrics),
    };
    (waiting, lanes)
}
