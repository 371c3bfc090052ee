//! UDP: a thread per socket, batches into buffers used for ever. After gdnsd's `dnsio_udp.c`.
//!
//! ```text
//!          ┌── a batch ──▶ answer, send ──┐
//!   receive, for 100 ms at most ◀─────────┘
//!          └── nothing ──▶ let go of the snapshot, sleep until there is a datagram ──▶ receive
//! ```

mod stop;
mod sys;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};
use tracing::{info, warn};

use crate::answer::{Client, Outcome, Substitute, Transport};
use crate::dnssec::Lane;
use crate::model::ListenerIdx;
use crate::snapshot::Snapshot;
use crate::telemetry::clock::monotonic;
use crate::telemetry::{Tally, WorkerCounters, clock};
use crate::wire::Qname;

use super::Respond;
use super::exchange::{complete, count_response, look_up, prepare};
use super::signer::{Job, ReplyTo, Waiting};
use super::source_address::give_packet_info;
pub(super) use stop::Stop;
use sys::{BATCH, Batch, PacketInfo, Request, Wait};

/// How long a worker without queries keeps its snapshot, before it lets go of it and sleeps.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(100);

/// How long a worker rests when the system will not let it receive.
const REST: Duration = Duration::from_millis(10);

/// Batches that a worker still takes from its queue at the end.
const LAST_BATCHES: usize = 64;

/// Batches between two looks at what the kernel has dropped: so rare that it costs nothing.
const COUNT_DROPS: u32 = 256;

/// Octets of a request that waits for a signature at most; others are real over TCP.
const LONGEST_REQUEST: usize = 512;

/// Sets what a UDP socket needs before it is bound to `address`.
pub(super) fn set_options(socket: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    ignore_path_mtu(socket, address)?;
    if address.ip().is_unspecified() {
        give_packet_info(socket, address)?;
    }
    Ok(())
}

/// Replies follow no path MTU, which anybody could forge: they are never larger than the smallest
/// MTU of IPv6, and IPv4 may fragment them.
fn ignore_path_mtu(socket: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::OMIT)?,
        SocketAddr::V6(_) => set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::OMIT)?,
    }
    Ok(())
}

/// What one thread works with.
pub(super) struct Worker<R> {
    /// Its own socket.
    pub(super) socket: UdpSocket,
    /// The address that the socket is bound to.
    pub(super) address: SocketAddr,
    /// The place of the address in the configuration.
    pub(super) listener: Option<ListenerIdx>,
    /// Answers.
    pub(super) respond: R,
    /// Where snapshots appear.
    pub(super) snapshots: Arc<ArcSwap<Snapshot>>,
    /// Its own counters.
    pub(super) counters: Arc<WorkerCounters>,
    /// Tells when the worker is to end.
    pub(super) stop: Arc<Stop>,
    /// Where queries wait that need a signature.
    pub(super) waiting: Waiting,
    /// The number of its socket for those who sign.
    pub(super) number: usize,
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
        let mut room = Room {
            batch: Batch::new(packet_info),
            names: [const { Qname::new() }; BATCH],
            tally: Tally::default(),
            batches: 0,
            drops: 0,
        };
        while !self.stop.is_told() {
            self.work(&mut room);
            self.count_drops(&mut room);
            self.stop.wait(&self.socket);
        }
        let mut snapshots = Cache::new(Arc::clone(&self.snapshots));
        for _ in 0..LAST_BATCHES {
            if !matches!(self.turn(&mut room, &mut snapshots, Wait::No), Ok(1..)) {
                break;
            }
        }
        self.count_drops(&mut room);
    }

    /// Answers until there is nothing to answer for [`RECEIVE_TIMEOUT`], or told to stop. The
    /// snapshot is let go then: a worker without queries keeps no old generation alive.
    fn work(&self, room: &mut Room) {
        let mut snapshots = Cache::new(Arc::clone(&self.snapshots));
        let mut failing = false;
        while !self.stop.is_told() {
            let received = self.turn(room, &mut snapshots, Wait::Timeout);
            match received {
                Ok(received) => {
                    if failing {
                        failing = false;
                        info!(address = %self.address, "receiving datagrams again");
                    }
                    if received == 0 {
                        return;
                    }
                }
                Err(error) => {
                    if !failing {
                        failing = true;
                        warn!(address = %self.address, %error, "cannot receive");
                    }
                    thread::sleep(REST);
                }
            }
        }
    }

    /// Counts what the kernel has dropped since the last look.
    fn count_drops(&self, room: &mut Room) {
        room.batches = 0;
        let Ok(drops) = sys::drops(&self.socket) else {
            return;
        };
        let new = drops.wrapping_sub(room.drops);
        if new > 0 {
            room.drops = drops;
            self.counters.kernel_dropped(new);
        }
    }

    /// Receives one batch and answers it from one snapshot. Returns its size.
    fn turn(
        &self,
        room: &mut Room,
        snapshots: &mut Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
        wait: Wait,
    ) -> io::Result<usize> {
        let received = room.batch.receive(&self.socket, wait)?;
        self.answer(room, snapshots.load(), received);
        // Whoever has a reply finds it counted.
        self.counters.add(&mut room.tally);
        for _ in 0..room.batch.send(&self.socket) {
            self.counters.send_error();
        }
        room.batches += 1;
        if room.batches == COUNT_DROPS {
            self.count_drops(room);
        }
        Ok(received)
    }

    /// Answers the present batch. The look-ups of all messages come before the first answer, so
    /// that they wait for memory together.
    fn answer(&self, room: &mut Room, snapshot: &Snapshot, received: usize) {
        let Room {
            batch,
            names,
            tally,
            ..
        } = room;
        let (requests, mut replies) = batch.split();
        // Not `[const { None }; BATCH]`, which copies each of them whole.
        let mut prepared: [Option<R::Prepared<'_>>; BATCH] = std::array::from_fn(|_| None);
        for ((index, slot), qname) in (0..received).zip(&mut prepared).zip(names) {
            match requests.get(index).as_ref().and_then(answerable) {
                Some(request) => {
                    prepare(&self.respond, snapshot, request, qname, tally, slot);
                }
                None => tally.dropped(),
            }
        }
        let (prepared, _) = prepared.split_at_mut(received.min(BATCH));
        look_up(&self.respond, prepared);
        let (now, elapsed) = (clock::now(), clock::elapsed());
        for (index, slot) in prepared.iter_mut().enumerate() {
            let (Some(prepared), Some(request), Some(reply)) =
                (slot, requests.get(index), replies.next())
            else {
                continue;
            };
            let client = Client {
                address: request.source.ip(),
                listener: self.listener,
                transport: Transport::Udp,
                cookie: None,
                now,
                elapsed,
            };
            match complete(&self.respond, prepared, &client, tally, reply) {
                Outcome::Reply(length) => replies.queue(index, length),
                Outcome::ReplyAndRenew(length) => {
                    replies.queue(index, length);
                    self.hand_over(&request, &client, ReplyTo::Nowhere, Lane::Existing);
                }
                Outcome::Nothing => {}
                Outcome::NeedsSignature(lane) => {
                    let answer = ReplyTo::Datagram {
                        socket: self.number,
                        to: request.source,
                        from: requests.destination(index),
                    };
                    if self.hand_over(&request, &client, answer, lane) {
                        continue;
                    }
                    tally.refused_signature(lane);
                    let refusal = Substitute::Truncated;
                    let length = self.respond.refuse(prepared, &client, refusal, reply);
                    if let Some(length) = length {
                        count_response(reply.get(..length).unwrap_or_default(), &client, tally);
                        replies.queue(index, length);
                    }
                }
            }
        }
    }
}

impl<R: Respond> Worker<R> {
    /// Gives a query to those who sign; returns whether there is a place for it.
    #[cold]
    fn hand_over(
        &self,
        request: &Request<'_>,
        client: &Client,
        reply: ReplyTo,
        lane: Lane,
    ) -> bool {
        let octets = request.octets.unwrap_or_default();
        if octets.len() > LONGEST_REQUEST {
            return false;
        }
        let job = Job {
            request: octets.to_vec(),
            client: *client,
            since: monotonic(),
            reply,
        };
        self.waiting.put(lane, Box::new(job)).is_ok()
    }
}

/// What a worker uses again for every batch.
struct Room {
    /// Requests and replies.
    batch: Batch,
    /// The names of the requests.
    names: [Qname; BATCH],
    /// What happened.
    tally: Tally,
    /// Batches since the last look at what the kernel has dropped.
    batches: u32,
    /// What it had dropped by then.
    drops: u32,
}

/// The octets of a request that can be replied to: whole, and not from port 0, which is a forgery
/// (docs/names.md, D.10).
fn answerable<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    request.octets.filter(|_| request.source.port() != 0)
}
