//! From bound sockets to a running service, and to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::{Client, Outcome, Prepared, Signatures, Substitute, Trace, Vantage, look_up};
use crate::dnssec::{Lane, MadeSignatures, SigningLimits};
use crate::snapshot::Snapshot;
use crate::telemetry::{Counters, Tally, WorkerCounters};
use crate::wire::Qname;

use super::bind::AddressSockets;
use super::guard::{Guard, LimitVerdict};
use super::respond::Respond;
use super::signer;
use super::tcp::{self, Listener};
use super::udp::{Stop, Worker};
use super::{ServeError, Sockets};

/// Counts what an answer had to ignore.
#[derive(Debug)]
struct Counting<'t>(&'t mut Tally);

impl Trace for Counting<'_> {
    #[inline]
    fn vantage(&mut self, vantage: &Vantage) {
        if vantage.is_hint_ignored {
            self.0.hint_ignored();
        }
    }

    fn over_message(&mut self) {
        self.0.over_message();
    }

    fn signatures(&mut self, found: [u32; 3], least_left: u32, _is_absent: bool) {
        self.0.signatures_found(found);
        self.0.signature_left(least_left);
    }
}

/// Counts the same, and signatures that are made: what a worker has looked for is counted already.
#[derive(Debug)]
struct Making<'t>(&'t mut Tally);

impl Trace for Making<'_> {
    fn vantage(&mut self, vantage: &Vantage) {
        Counting(self.0).vantage(vantage);
    }

    fn over_message(&mut self) {
        self.0.over_message();
    }

    fn signatures(&mut self, [_, old, misses]: [u32; 3], least_left: u32, is_absent: bool) {
        let lane = if is_absent {
            Lane::Absent
        } else {
            Lane::Existing
        };
        self.0.signatures_made(lane, old + misses);
        self.0.signature_left(least_left);
    }
}

/// The answers of [`crate::answer`].
#[derive(Debug, Clone)]
struct Answers {
    signatures: Arc<MadeSignatures>,
    guard: Arc<Guard>,
}

impl Respond for Answers {
    type Prepared<'a> = Prepared<'a>;

    #[inline]
    fn prepare<'a>(
        &self,
        snapshot: &'a Snapshot,
        request: &'a [u8],
        qname: &'a mut Qname,
        place: &mut Option<Prepared<'a>>,
    ) {
        Prepared::place(snapshot, request, qname, place);
    }

    #[inline]
    fn look_up(&self, prepared: &mut [Option<Prepared<'_>>]) {
        look_up(prepared);
    }

    #[inline]
    fn complete(
        &self,
        prepared: &mut Prepared<'_>,
        client: &Client,
        tally: &mut Tally,
        out: &mut [u8],
    ) -> Outcome {
        let signatures = if prepared.snapshot().is_any_signed() {
            Signatures::Table(self.signatures.table())
        } else {
            Signatures::None
        };
        let proved;
        let client = match self.guard.judge(prepared, client, tally) {
            Some(cookie) => {
                proved = client.with_cookie(Some(cookie));
                &proved
            }
            None => client,
        };
        let answered = prepared.complete(client, signatures, &mut Counting(tally), out);
        // Before it waits for a signature: a flood takes no place from others.
        match self.guard.count(prepared, &answered, client, tally) {
            LimitVerdict::Send => answered.outcome,
            LimitVerdict::Refuse(refusal) => {
                let refused = prepared.refuse(client, refusal, out);
                refused.map_or(Outcome::Nothing, Outcome::Reply)
            }
            LimitVerdict::Drop => Outcome::Nothing,
        }
    }

    fn refuse(
        &self,
        prepared: &Prepared<'_>,
        client: &Client,
        refusal: Substitute,
        out: &mut [u8],
    ) -> Option<usize> {
        let client = client.with_cookie(self.guard.prove(prepared, client));
        prepared.refuse(&client, refusal, out)
    }

    fn sign(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        client: &Client,
        tally: &mut Tally,
        out: &mut [u8],
    ) -> Option<usize> {
        let mut qname = Qname::new();
        let mut prepared = Prepared::new(snapshot, request, &mut qname);
        let client = &client.with_cookie(self.guard.prove(&prepared, client));
        let signatures = Signatures::TableAndKeys(self.signatures.table());
        let answered = prepared.complete(client, signatures, &mut Making(tally), out);
        answered.outcome.length()
    }
}

/// The queries that one address has received.
#[derive(Debug, Clone)]
pub struct ReceivedQueries {
    /// The address, with its real port.
    pub address: SocketAddr,
    /// Counters of its UDP workers.
    udp: Vec<Arc<WorkerCounters>>,
    /// Counters of its connections.
    tcp: Arc<WorkerCounters>,
}

impl ReceivedQueries {
    /// How many came by UDP.
    pub fn udp(&self) -> u64 {
        self.udp.iter().map(|worker| worker.queries()).sum()
    }

    /// How many came by TCP.
    pub fn tcp(&self) -> u64 {
        self.tcp.queries()
    }
}

/// The threads and tasks that answer. Dropped, it tells them to end and does not wait.
#[derive(Debug)]
#[must_use = "dropping it ends the service"]
pub struct Serving {
    /// The addresses served.
    addresses: Vec<SocketAddr>,
    /// What each of them has received.
    received: Vec<ReceivedQueries>,
    /// Tells the UDP workers to end.
    stop: Arc<Stop>,
    /// Tells the TCP tasks to end.
    cancel: CancellationToken,
    /// The UDP workers.
    workers: Vec<JoinHandle<()>>,
    /// The threads that sign. They end when workers and tasks have.
    signers: Vec<JoinHandle<()>>,
    /// The TCP tasks.
    tasks: TaskTracker,
    /// Runs them; there until the end.
    streams: Option<Runtime>,
}

/// The threads of everything that comes over streams, which is DNS over TCP: no more than for UDP,
/// and none of them runs anything else, so that clients who ask without a pause keep nobody but
/// each other waiting.
fn streams(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(1)
        .event_interval(tcp::EVENT_INTERVAL)
        .thread_name("tcp")
        .enable_io()
        .enable_time()
        .build()
}

impl Sockets {
    /// Answers queries from `snapshots` until [`Serving::shutdown`], on threads of its own.
    pub fn run(
        self,
        snapshots: &Arc<ArcSwap<Snapshot>>,
        counters: &Counters,
        (signatures, guard): (&Arc<MadeSignatures>, &Arc<Guard>),
    ) -> Result<Serving, ServeError> {
        let answers = Answers {
            signatures: Arc::clone(signatures),
            guard: Arc::clone(guard),
        };
        self.run_signing(snapshots, counters, signatures.limits(), answers)
    }

    /// As [`Sockets::run`], with other answers.
    pub fn run_with<R: Respond>(
        self,
        snapshots: &Arc<ArcSwap<Snapshot>>,
        counters: &Counters,
        respond: R,
    ) -> Result<Serving, ServeError> {
        self.run_signing(snapshots, counters, &SigningLimits::of_cores(1), respond)
    }

    /// As [`Sockets::run_with`], with threads that sign as `limits` say.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "what answers is given away, to several threads"
    )]
    fn run_signing<R: Respond>(
        self,
        snapshots: &Arc<ArcSwap<Snapshot>>,
        counters: &Counters,
        limits: &SigningLimits,
        respond: R,
    ) -> Result<Serving, ServeError> {
        let (waiting, lanes) = signer::lanes(counters.signing());
        let mut sockets = Vec::new();
        let streams = streams(self.workers).map_err(ServeError::Threads)?;
        let runs = streams.handle().clone();
        let mut serving = Serving {
            addresses: self.addresses(),
            received: Vec::new(),
            stop: Arc::new(Stop::new().map_err(ServeError::Threads)?),
            cancel: CancellationToken::new(),
            workers: Vec::new(),
            signers: Vec::new(),
            tasks: TaskTracker::new(),
            streams: Some(streams),
        };
        let open = Arc::new(tcp::Open::new(self.limits));
        let turns = tcp::Turns::new(self.workers);
        for bound in self.listeners {
            let AddressSockets {
                address,
                listener,
                udp,
                tcp,
            } = bound;
            let failed = |source| ServeError::Start { address, source };
            let mut received = ReceivedQueries {
                address,
                udp: Vec::new(),
                tcp: counters.worker(),
            };
            for socket in udp {
                let counters = counters.worker();
                received.udp.push(Arc::clone(&counters));
                sockets.push(socket.try_clone().map_err(failed)?);
                let worker = Worker {
                    socket,
                    address,
                    listener,
                    respond: respond.clone(),
                    snapshots: Arc::clone(snapshots),
                    counters,
                    stop: Arc::clone(&serving.stop),
                    waiting: waiting.clone(),
                    number: sockets.len() - 1,
                };
                let index = serving.workers.len();
                serving.workers.push(worker.start(index).map_err(failed)?);
            }
            let socket = {
                let _registers = runs.enter();
                tokio::net::TcpListener::from_std(tcp).map_err(failed)?
            };
            let accepting = Listener {
                socket,
                address,
                shared: Arc::new(tcp::ListenerContext::new(
                    listener,
                    respond.clone(),
                    Arc::clone(snapshots),
                    Arc::clone(&received.tcp),
                    (turns.clone(), waiting.clone()),
                    self.limits.idle,
                )),
                open: Arc::clone(&open),
                tasks: serving.tasks.clone(),
                cancel: serving.cancel.clone(),
            };
            serving.tasks.spawn_on(accepting.run(), &runs);
            serving.received.push(received);
        }
        serving.tasks.close();
        let signers = signer::start(&respond, &lanes, sockets, limits, (snapshots, counters))?;
        serving.signers = signers;
        Ok(serving)
    }
}

impl Serving {
    /// The addresses served, in the order of the configuration, with their real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What each address has received, in the same order.
    pub fn received(&self) -> &[ReceivedQueries] {
        &self.received
    }

    /// Ends the service: nothing new is accepted, what was received is answered, connections are
    /// closed. Returns when every thread and task has ended, in a few seconds at most, which slow
    /// readers take.
    pub async fn shutdown(mut self) {
        self.stop.tell();
        self.cancel.cancel();
        self.tasks.wait().await;
        let workers = std::mem::take(&mut self.workers);
        let signers = std::mem::take(&mut self.signers);
        // A busy worker looks up within 100 ms; the runtime need not wait for that. Workers do not
        // panic, and if one did there is nothing left to do about it.
        let _ = tokio::task::spawn_blocking(move || {
            for thread in workers.into_iter().chain(signers) {
                let _ = thread.join();
            }
        })
        .await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.tell();
        self.cancel.cancel();
        if let Some(streams) = self.streams.take() {
            streams.shutdown_background();
        }
    }
}
