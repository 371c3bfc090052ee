//! UDP: a thread per socket, batches into buffers used for ever. After gdnsd's `dnsio_udp.c`.

mod sys;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use tracing::{info, warn};

use crate::answer::{Client, Transport};
use crate::snapshot::Snapshot;
use crate::telemetry::{WorkerCounters, clock};

use super::Respond;
use super::exchange::exchange;
use sys::{Batch, Message, PacketInfo, Wait};

/// How long an idle worker waits before it looks for a new snapshot and for the end.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(100);

/// How long a worker rests when the system will not let it receive.
const REST: Duration = Duration::from_millis(10);

/// Batches that a worker still takes from its queue at the end.
const LAST_BATCHES: usize = 64;

/// Sets what a UDP socket needs before it is bound to `address`.
pub(super) fn set_options(socket: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    sys::ignore_path_mtu(socket, address)?;
    if address.ip().is_unspecified() {
        sys::give_packet_info(socket, address)?;
    }
    Ok(())
}

/// What one thread works with.
pub(super) struct Worker<R> {
    /// Its own socket.
    pub(super) socket: UdpSocket,
    /// The address that the socket is bound to.
    pub(super) address: SocketAddr,
    /// Answers.
    pub(super) respond: R,
    /// Where snapshots appear.
    pub(super) snapshots: Arc<ArcSwap<Snapshot>>,
    /// Its own counters.
    pub(super) counters: Arc<WorkerCounters>,
    /// Set when the worker is to end.
    pub(super) stop: Arc<AtomicBool>,
}

impl<R: Respond> Worker<R> {
    /// Starts the thread.
    pub(super) fn start(self, index: usize) -> io::Result<thread::JoinHandle<()>> {
        self.socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
        thread::Builder::new()
            .name(format!("udp-{index}"))
            .spawn(move || self.run())
    }

    /// Answers until told to stop, then what is already queued.
    fn run(self) {
        let packet_info = if self.address.ip().is_unspecified() {
            PacketInfo::Given
        } else {
            PacketInfo::None
        };
        let mut batch = Batch::new(packet_info);
        let mut snapshots = Cache::new(Arc::clone(&self.snapshots));
        let mut failing = false;
        while !self.stop.load(Ordering::Relaxed) {
            let received = self.turn(&mut batch, &mut snapshots, Wait::Timeout);
            match received {
                Ok(_) if failing => {
                    failing = false;
                    info!(address = %self.address, "receiving again");
                }
                Ok(_) => {}
                Err(error) => {
                    if !failing {
                        failing = true;
                        warn!(address = %self.address, %error, "cannot receive");
                    }
                    thread::sleep(REST);
                }
            }
        }
        for _ in 0..LAST_BATCHES {
            if !matches!(self.turn(&mut batch, &mut snapshots, Wait::No), Ok(1..)) {
                break;
            }
        }
    }

    /// Receives one batch and answers it from one snapshot. Returns its size.
    fn turn(
        &self,
        batch: &mut Batch,
        snapshots: &mut Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
        wait: Wait,
    ) -> io::Result<usize> {
        let received = batch.receive(&self.socket, wait)?;
        let snapshot = snapshots.load();
        let now = clock::now();
        for index in 0..received {
            let Some(message) = batch.message(index) else {
                self.counters.dropped();
                continue;
            };
            let Some(request) = answerable(&message) else {
                self.counters.dropped();
                continue;
            };
            let client = Client {
                address: message.source.ip(),
                transport: Transport::Udp,
                now,
            };
            let answered = exchange(
                &self.respond,
                snapshot,
                request,
                &client,
                &self.counters,
                message.reply,
            );
            if let Some(length) = answered {
                batch.queue(index, length);
            }
        }
        for _ in 0..batch.send(&self.socket) {
            self.counters.send_error();
        }
        Ok(received)
    }
}

/// The request of a message that can be replied to: whole, and not from port 0, which is a forgery
/// (names: D.10).
fn answerable<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    message.request.filter(|_| message.source.port() != 0)
}
