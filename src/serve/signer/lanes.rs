//! Where queries wait that need a signature: two lanes with so many places each.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::job::Job;
use crate::dnssec::Lane;

/// Queries that wait in each of the two lanes at most.
const PLACES: usize = 2048;

/// Where queries wait that need a signature.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Waiting {
    existing: Sender<Box<Job>>,
    absent: Sender<Box<Job>>,
}

impl Waiting {
    /// Takes a query; gives it back when its lane has no place.
    pub(in crate::serve) fn put(&self, lane: Lane, job: Box<Job>) -> Result<(), Box<Job>> {
        let lane = match lane {
            Lane::Existing => &self.existing,
            Lane::Absent => &self.absent,
        };
        lane.try_send(job)
            .map_err(crossbeam_channel::TrySendError::into_inner)
    }
}

/// The other ends.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Lanes {
    /// Names that exist.
    pub(super) existing: Receiver<Box<Job>>,
    /// Names without end.
    pub(super) absent: Receiver<Box<Job>>,
}

/// Two lanes without anybody in them.
pub(in crate::serve) fn lanes() -> (Waiting, Lanes) {
    let (existing, existing_end) = bounded(PLACES);
    let (absent, absent_end) = bounded(PLACES);
    let waiting = Waiting { existing, absent };
    let lanes = Lanes {
        existing: existing_end,
        absent: absent_end,
    };
    (waiting, lanes)
}
