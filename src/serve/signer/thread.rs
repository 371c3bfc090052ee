//! One thread that makes signatures.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{TryRecvError, never, select};
use tokio::time::Instant;

use crate::answer::Client;
use crate::dnssec::Lane;
use crate::serve::Respond;
use crate::serve::exchange::count_response;
use crate::serve::source_address::{Destination, send_from};
use crate::snapshot::Snapshot;
use crate::telemetry::clock::monotonic;
use crate::telemetry::{Tally, WorkerCounters, clock};

use super::job::{Job, ReplyTo};
use super::lanes::Lanes;

/// Where snapshots appear.
pub(super) type Snapshots = Arc<ArcSwap<Snapshot>>;

/// Whoever waited longer has asked again or gone.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long a thread that may answer no more of absent names looks away from them. What it may answer then it
/// answers at a stretch, for which a worker on the same core waits: so it is short.
const PAUSE: Duration = Duration::from_micros(500);

/// Octets of the longest response.
const LONGEST: usize = 65_535;

/// One thread that makes signatures.
pub(super) struct SignerThread<R> {
    pub(super) respond: R,
    pub(super) lanes: Lanes,
    pub(super) sockets: Arc<[UdpSocket]>,
    /// Queries for absent names in a second.
    pub(super) rate: u32,
    pub(super) snapshots: Snapshots,
    pub(super) counters: Arc<WorkerCounters>,
}

/// So many queries may be answered by now: a bucket that fills at a rate, for a hundredth of a second.
struct Allowance {
    rate: f64,
    left: f64,
    at: Instant,
}

impl Allowance {
    fn new(rate: u32) -> Self {
        let rate = f64::from(rate);
        Self {
            rate,
            left: rate / 100.0,
            at: monotonic(),
        }
    }

    /// Whether there is one left.
    fn has(&mut self) -> bool {
        if self.left < 1.0 {
            let now = monotonic();
            let new = now.duration_since(self.at).as_secs_f64() * self.rate;
            self.left = (self.left + new).min((self.rate / 100.0).max(1.0));
            self.at = now;
        }
        self.left >= 1.0
    }
}

impl<R: Respond> SignerThread<R> {
    pub(super) fn start(self, index: usize) -> io::Result<JoinHandle<()>> {
        thread::Builder::new()
            .name(format!("signer-{index}"))
            .spawn(move || self.run())
    }

    fn run(self) {
        let mut out = vec![0; LONGEST];
        let mut allowance = Allowance::new(self.rate);
        while let Some((lane, job)) = self.next(&mut allowance) {
            self.lanes.metrics.taken(lane);
            self.answer(*job, &mut out);
        }
    }

    /// The next query: of names that exist, else of others; `None` when there will be none.
    fn next(&self, allowance: &mut Allowance) -> Option<(Lane, Box<Job>)> {
        let Lanes {
            existing, absent, ..
        } = &self.lanes;
        loop {
            match existing.try_recv() {
                Ok(job) => return Some((Lane::Existing, job)),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let is_allowed = allowance.has();
            if is_allowed && let Ok(job) = absent.try_recv() {
                allowance.left -= 1.0;
                return Some((Lane::Absent, job));
            }
            let others = if is_allowed { absent.clone() } else { never() };
            let pause = if is_allowed { LONGEST_WAIT } else { PAUSE };
            select! {
                recv(existing) -> job => return Some((Lane::Existing, job.ok()?)),
                recv(others) -> job => {
                    allowance.left -= 1.0;
                    return Some((Lane::Absent, job.ok()?));
                }
                default(pause) => {}
            }
        }
    }

    /// Answers one query from the newest snapshot, with signatures that are made where they are missing.
    fn answer(&self, job: Job, out: &mut [u8]) {
        let Job {
            request,
            client,
            since,
            reply,
        } = job;
        let mut tally = Tally::default();
        if monotonic().duration_since(since) > LONGEST_WAIT {
            tally.dropped();
        } else {
            let client = Client {
                now: clock::now(),
                ..client
            };
            let snapshot = self.snapshots.load();
            let signed = catch_unwind(AssertUnwindSafe(|| {
                self.respond
                    .sign(&snapshot, &request, &client, &mut tally, out)
            }));
            match signed.map(|length| length.and_then(|length| out.get(..length))) {
                Ok(Some(response)) => {
                    let is_sent = self.send(reply, response, &client, &mut tally);
                    if is_sent {
                        let after = monotonic().duration_since(since);
                        self.lanes.metrics.answered(after);
                    }
                }
                Ok(None) => tally.dropped(),
                Err(_) => tally.panicked(),
            }
        }
        self.counters.add(&mut tally);
    }

    /// Sends a response; returns whether anybody wants one.
    fn send(&self, reply: ReplyTo, response: &[u8], client: &Client, tally: &mut Tally) -> bool {
        let sent = match reply {
            ReplyTo::Nowhere => return false,
            ReplyTo::Datagram { socket, to, from } => {
                self.send_datagram(socket, (from, to), response)
            }
            // A connection that has gone meanwhile needs none.
            ReplyTo::Stream(sender) => {
                let _ = sender.send(response.to_vec());
                Ok(())
            }
        };
        count_response(response, client, tally);
        if sent.is_err() {
            self.counters.send_error();
        }
        true
    }

    fn send_datagram(
        &self,
        socket: usize,
        (from, to): (Option<Destination>, SocketAddr),
        response: &[u8],
    ) -> io::Result<()> {
        let Some(socket) = self.sockets.get(socket) else {
            return Ok(());
        };
        match from {
            None => socket.send_to(response, to).map(|_| ()),
            Some(from) => send_from(socket, from, to, response),
        }
    }
}
