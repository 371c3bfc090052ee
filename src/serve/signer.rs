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

#[cfg(test)]
mod tests;

use std::net::UdpSocket;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::dnssec::SigningLimits;
use crate::telemetry::Counters;

use super::{Respond, ServeError};
pub(super) use job::{Job, ReplyTo};
pub(super) use lanes::{Lanes, Waiting, lanes};
use thread::SignerThread;

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
