//! Who makes signatures: a few threads beside the UDP workers and the connections, which never do.
//!
//! ```text
//! worker, connection ─▶ is the signature in the table? ─yes─▶ reply
//!                                    │ no
//!                                    ▼
//!                  a place in a lane? ─no─▶ TC=1 over UDP, SERVFAIL over TCP
//!                                    │ yes
//!                                    ▼
//!   existing ──first──▶ a signer: answers again from the newest snapshot, makes what is missing,
//!   absent ──at a rate──▶         keeps it in the table, sends it
//! ```
//!
//! A flood of random names has a lane of its own, and can use that up and nothing else.

mod job;
mod lanes;
mod thread;

use std::net::UdpSocket;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crate::dnssec::SignatureTable;
use crate::telemetry::Counters;

use super::{Respond, ServeError};
pub(super) use job::{Job, ReplyTo};
pub(super) use lanes::{Lanes, Waiting, lanes};
use thread::SignerThread;

/// How signatures are made and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningLimits {
    /// Signatures kept for names that exist, 96 octets each; a quarter as many are kept for others.
    pub cache: usize,
    /// Threads that sign; at least 1.
    pub signers: usize,
    /// Queries for names that do not exist that each of them answers in a second.
    pub absent_signatures: u32,
}

impl SigningLimits {
    /// The defaults of a machine with so many cores.
    pub fn of_cores(cores: usize) -> Self {
        Self {
            cache: 65_536,
            signers: (cores / 4).max(1),
            absent_signatures: 10_000,
        }
    }
}

/// The signatures that were made. There is no table until an apex is signed.
#[derive(Debug)]
pub struct MadeSignatures {
    table: OnceLock<SignatureTable>,
    limits: SigningLimits,
    key: [u8; 16],
}

impl MadeSignatures {
    /// None yet. `key` is random.
    pub fn new(limits: SigningLimits, key: [u8; 16]) -> Self {
        Self {
            table: OnceLock::new(),
            limits,
            key,
        }
    }

    /// How they are made and kept.
    pub fn limits(&self) -> &SigningLimits {
        &self.limits
    }

    /// The table; made at the first call.
    #[inline]
    pub fn table(&self) -> &SignatureTable {
        self.table
            .get_or_init(|| SignatureTable::new(self.limits.cache, &self.key))
    }
}

/// Starts the threads. They end when nobody can put anything into the lanes any more. `sockets` are those
/// of the UDP workers, by their numbers.
pub(super) fn start<R: Respond>(
    respond: &R,
    lanes: &Lanes,
    sockets: Vec<UdpSocket>,
    limits: &SigningLimits,
    (snapshots, counters): (&thread::Snapshots, &Counters),
) -> Result<Vec<JoinHandle<()>>, ServeError> {
    let sockets: Arc<[UdpSocket]> = sockets.into();
    let threads = (0..limits.signers.max(1)).map(|index| {
        let signer = SignerThread {
            respond: respond.clone(),
            lanes: lanes.clone(),
            sockets: Arc::clone(&sockets),
            rate: limits.absent_signatures,
            snapshots: Arc::clone(snapshots),
            counters: counters.worker(),
        };
        signer.start(index).map_err(ServeError::Threads)
    });
    threads.collect()
}
