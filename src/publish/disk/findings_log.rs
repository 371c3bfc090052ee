//! The third thread: it keeps on disk what was found of addresses and members, so that a restart
//! forgets nothing.
//!
//! What withdraws an address is written (write(2), which outlives a killed process) before the
//! answers follow: the writer waits for that, but for no longer than [`PATIENCE`], as a slow disk
//! must not delay answers. All else is written once in a second at most, and what was written is
//! synced, for a loss of power, as often.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::error;

use super::findings_file;
use super::findings_file::{LastAsked, MemberRecords, ShardRecords};
use super::storage::Storage;
use crate::model::{Finding, Findings, Place, UnixSeconds};
use crate::publish::members::states::MemberRecord;
use crate::publish::shards::damping::ShardRecord;
use crate::telemetry::{Metrics, clock};

/// How many orders may wait. When as many do, everything is written anew once there is room.
const ORDERS: usize = 1 << 14;

/// How long answers wait at most for what withdraws an address to be written: a machine with much
/// to do may let the thread wait. Where a test stops time, the writer's passes at once while the
/// thread's does not.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 250 });

/// What withdraws nothing is written, and what was written is synced, at most once in this time.
const LAZY: Duration = Duration::from_secs(1);

/// How long after a failure everything is written anew.
const RETRY: Duration = Duration::from_secs(30);

/// A file of fewer octets is not written anew for its length. Tests see that it is, within a history.
const SHORT: u64 = if cfg!(test) { 1 << 11 } else { 1 << 20 };

/// A file is written anew when it has more than so many octets for each address.
const LONG: u64 = 1 << 8;

/// How the file is told.
const PART: &str = "probes.log";

/// Everything, to be written in place of what is there.
#[derive(Debug, Clone)]
struct AllFindings {
    /// Where this daemon stands.
    here: Option<Place>,
    /// The time.
    now: UnixSeconds,
    /// What is known of addresses.
    findings: Findings,
    /// When those were last asked that pass for no target that says so.
    asked: LastAsked,
    /// What is known of the contact to members.
    members: MemberRecords,
    /// What is known of shards that go out too often.
    shards: ShardRecords,
}

/// Something to write.
#[derive(Debug)]
enum FindingsWrite {
    /// What is known of an address; with the number under which [`FindingsLog`] waits for it, if it does.
    Found(SocketAddr, Option<Finding>, Option<u64>),
    /// The contact to a member; with the number, likewise.
    Member(String, MemberRecord, Option<u64>),
    /// A shard that goes out too often.
    Shard([String; 3], ShardRecord),
    /// All is so at this time.
    Held(UnixSeconds),
    /// This process has begun at this time.
    Begun(UnixSeconds),
    /// The wall clock was set by so many seconds.
    ClockSet(i64),
    /// Everything.
    Whole(Box<AllFindings>),
}

/// What the thread says of itself.
#[derive(Debug, Default)]
struct ThreadReport {
    /// The file lacks something.
    has_failed: AtomicBool,
    /// The octets of the file.
    octets: AtomicU64,
}

/// What the writer holds of the thread.
#[derive(Debug)]
pub(in crate::publish) struct FindingsLog {
    /// Bounded; see [`ORDERS`].
    orders: SyncSender<FindingsWrite>,
    /// The number of the last order that is waited for.
    asked: u64,
    /// The number of the last such order that was carried out.
    carried_out: watch::Receiver<u64>,
    /// Until when the last such order is waited for.
    until: Option<Instant>,
    /// Nothing but the time is written: answers are frozen, and the file is to stay as it is.
    is_frozen: bool,
    /// The file lacks something; when to write it anew.
    behind: Option<Instant>,
    /// What the thread says of itself.
    state: Arc<ThreadReport>,
    /// The thread.
    thread: JoinHandle<()>,
}

impl FindingsLog {
    /// Starts the thread. `good` are the octets of the file after which it writes on; without, it is
    /// to be written anew at once.
    pub(in crate::publish) fn spawn(
        path: PathBuf,
        good: Option<u64>,
        metrics: Arc<Metrics>,
        storage: Storage,
    ) -> io::Result<Self> {
        let (orders, received) = mpsc::sync_channel(ORDERS);
        let (carried_out_to, carried_out) = watch::channel(0);
        let state = Arc::new(ThreadReport::default());
        state.octets.store(good.unwrap_or(0), Ordering::Relaxed);
        let shared = Arc::clone(&state);
        let thread = thread::Builder::new()
            .name("probes".into())
            .spawn(move || {
                let opened = good.map(|good| findings_file::open(&path, good));
                let mut thread = FindingsThread {
                    path,
                    file: None,
                    buffer: Vec::new(),
                    carried_out: carried_out_to,
                    state: shared,
                    storage,
                    metrics,
                };
                match opened {
                    Some(Ok(file)) => thread.file = Some(file),
                    Some(Err(error)) => thread.failed(&error),
                    None => {}
                }
                thread.run(&received);
            })?;
        Ok(Self {
            orders,
            asked: 0,
            carried_out,
            until: None,
            is_frozen: false,
            behind: good.is_none().then(clock::monotonic),
            state,
            thread,
        })
    }

    /// Has written that this process has begun: what passes was last asked by then.
    pub(in crate::publish) fn begun(&mut self, now: Instant, wall: UnixSeconds) {
        self.tell(false, |_| FindingsWrite::Begun(wall), now);
    }

    /// Has what is known of an address written. What withdraws it is waited for.
    pub(in crate::publish) fn found(
        &mut self,
        address: SocketAddr,
        finding: Option<&Finding>,
        now: Instant,
    ) {
        let withdraws =
            finding.is_some_and(|finding| finding.down.is_some() || !finding.is_passing);
        let finding = finding.cloned();
        self.tell(
            withdraws,
            |number| FindingsWrite::Found(address, finding, number),
            now,
        );
    }

    /// Has the contact to a member written. What withdraws it is waited for.
    pub(in crate::publish) fn member(
        &mut self,
        name: &str,
        record: MemberRecord,
        withdraws: bool,
        now: Instant,
    ) {
        let name = name.to_owned();
        self.tell(
            withdraws,
            |number| FindingsWrite::Member(name, record, number),
            now,
        );
    }

    /// Has what is known of a shard written: member, namespace and name of the service.
    pub(in crate::publish) fn shard(
        &mut self,
        key: [String; 3],
        record: ShardRecord,
        now: Instant,
    ) {
        self.tell(false, |_| FindingsWrite::Shard(key, record), now);
    }

    /// Gives an order to write what has changed, unless the file is to stay as it is. It is waited for
    /// if it withdraws something.
    fn tell(
        &mut self,
        withdraws: bool,
        order: impl FnOnce(Option<u64>) -> FindingsWrite,
        now: Instant,
    ) {
        if self.is_frozen {
            self.behind = Some(now);
            return;
        }
        let number = withdraws.then_some(self.asked + 1);
        if self.order(order(number), now)
            && let Some(number) = number
        {
            // Who is waited for already is not waited for longer, and not again in vain.
            if *self.carried_out.borrow() >= self.asked {
                self.until = Some(now + PATIENCE);
            }
            self.asked = number;
        }
    }

    /// Until when answers have to wait for the disk; `None` if they need not.
    pub(in crate::publish) fn wait(&self, now: Instant) -> Option<Instant> {
        let until = self.until.filter(|until| now < *until)?;
        (*self.carried_out.borrow() < self.asked).then_some(until)
    }

    /// Waits for the thread to get on.
    pub(in crate::publish) async fn progress(&mut self) {
        if self.carried_out.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the file is to stay as it is. Afterwards everything is written anew: what has changed
    /// meanwhile, and what goes on from when answers were frozen, to a process that began since.
    pub(in crate::publish) fn set_frozen(&mut self, is_frozen: bool) {
        self.is_frozen = is_frozen;
        if is_frozen {
            self.behind.get_or_insert_with(clock::monotonic);
        }
    }

    /// Writes down that the wall clock was set by so many seconds, before anything that has a time by
    /// it: what was written before counts by the other one.
    pub(in crate::publish) fn clock_set(&mut self, by: i64, now: Instant) {
        self.order(FindingsWrite::ClockSet(by), now);
    }

    /// Writes down that all is so now.
    pub(in crate::publish) fn hold(&mut self, now: Instant, wall: UnixSeconds) {
        self.order(FindingsWrite::Held(wall), now);
    }

    /// Whether everything is to be written anew now, by [`Self::write`].
    pub(in crate::publish) fn is_owed(&mut self, findings: &Findings, now: Instant) -> bool {
        if self.state.has_failed.swap(false, Ordering::Relaxed) {
            self.behind = Some(now + RETRY);
        }
        let octets = self.state.octets.load(Ordering::Relaxed);
        let is_long = octets > SHORT.max(LONG * findings.len() as u64);
        let is_behind = self.behind.is_some_and(|due| due <= now);
        !self.is_frozen && (is_behind || (is_long && self.behind.is_none()))
    }

    /// Has everything written in place of what is there.
    pub(in crate::publish) fn write(
        &mut self,
        here: Option<&Place>,
        (findings, asked): (&Findings, LastAsked),
        (members, shards): (MemberRecords, ShardRecords),
        now: Instant,
        wall: UnixSeconds,
    ) {
        let whole = AllFindings {
            here: here.cloned(),
            now: wall,
            findings: findings.clone(),
            asked,
            members,
            shards,
        };
        self.behind = None;
        self.order(FindingsWrite::Whole(Box::new(whole)), now);
    }

    /// Gives an order. Returns whether there was room.
    fn order(&mut self, order: FindingsWrite, now: Instant) -> bool {
        let is_given = self.orders.try_send(order).is_ok();
        if !is_given {
            self.behind = Some(now + LAZY);
        }
        is_given
    }

    /// Waits until everything is written and synced, and ends the thread.
    pub(in crate::publish) fn close(self) {
        drop(self.orders);
        if self.thread.join().is_err() {
            error!("the probe findings thread panicked");
        }
    }
}

/// The state of the thread.
struct FindingsThread {
    /// The file.
    path: PathBuf,
    /// The same, open; `None` while it is to be written anew, until when all else is dropped.
    file: Option<File>,
    /// What is not written yet.
    buffer: Vec<u8>,
    /// The number of the last order that somebody waits for.
    carried_out: watch::Sender<u64>,
    /// What the writer is to know.
    state: Arc<ThreadReport>,
    /// Where failures are told.
    storage: Storage,
    /// Where they are counted.
    metrics: Arc<Metrics>,
}

impl FindingsThread {
    /// Works until the writer closes the channel.
    fn run(mut self, orders: &Receiver<FindingsWrite>) {
        let (mut written, mut is_unsynced) = (clock::monotonic(), false);
        loop {
            let order = if is_unsynced || !self.buffer.is_empty() {
                orders.recv_timeout((written + LAZY).duration_since(clock::monotonic()))
            } else {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let is_over = matches!(order, Err(RecvTimeoutError::Disconnected));
            let mut waited = None;
            for order in order.into_iter().chain(orders.try_iter().take(ORDERS)) {
                waited = self.carry_out(order).or(waited);
            }
            let is_due = is_over || clock::monotonic() >= written + LAZY;
            if is_due || waited.is_some() {
                is_unsynced |= !self.buffer.is_empty();
                self.write();
            }
            if let Some(number) = waited {
                self.carried_out.send_replace(number);
            }
            if is_due {
                if std::mem::take(&mut is_unsynced)
                    && let Some(Err(error)) = self.file.as_ref().map(File::sync_data)
                {
                    self.failed(&error);
                }
                written = clock::monotonic();
            }
            if is_over {
                return;
            }
        }
    }

    /// Carries one order out, as far as it can be without writing records. Returns the number under which
    /// it is waited for.
    fn carry_out(&mut self, order: FindingsWrite) -> Option<u64> {
        match order {
            FindingsWrite::Found(address, finding, number) => {
                findings_file::push(&mut self.buffer, address, finding.as_ref());
                return number;
            }
            FindingsWrite::Member(name, member, number) => {
                findings_file::push_member(&mut self.buffer, &name, &member);
                return number;
            }
            FindingsWrite::Shard(key, shard) => {
                findings_file::push_shard(&mut self.buffer, &key, &shard);
            }
            FindingsWrite::Held(at) => findings_file::push_held(&mut self.buffer, at),
            FindingsWrite::Begun(at) => findings_file::push_begun(&mut self.buffer, at),
            FindingsWrite::ClockSet(by) => findings_file::push_clock_set(&mut self.buffer, by),
            FindingsWrite::Whole(whole) => {
                self.buffer.clear();
                let AllFindings {
                    here,
                    now,
                    findings,
                    asked,
                    members,
                    shards,
                } = &*whole;
                let (found, others) = ((findings, asked), (members, shards));
                match findings_file::write(&self.path, here.as_ref(), *now, found, others) {
                    Ok((file, octets)) => {
                        self.file = Some(file);
                        self.storage.works(PART);
                        self.state.octets.store(octets, Ordering::Relaxed);
                    }
                    Err(error) => self.failed(&error),
                }
            }
        }
        None
    }

    /// Writes what was taken.
    fn write(&mut self) {
        let result = match &mut self.file {
            Some(file) => file.write_all(&self.buffer),
            None => Ok(()),
        };
        let octets = self.buffer.len() as u64;
        self.buffer.clear();
        match result {
            Ok(()) => drop(self.state.octets.fetch_add(octets, Ordering::Relaxed)),
            Err(error) => self.failed(&error),
        }
    }

    /// The file cannot be written: it lacks something from now on.
    fn failed(&mut self, error: &io::Error) {
        self.storage.fails(PART, error);
        self.metrics.persist_failed();
        self.file = None;
        self.buffer.clear();
        self.state.has_failed.store(true, Ordering::Relaxed);
    }
}
