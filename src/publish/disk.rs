//! The second thread: it writes what the writer has folded, so that a slow disk delays no
//! publication.
//!
//! Each change is written (write(2)) as soon as the thread gets to it, which outlives a killed
//! process, and synced at most once in a second, which outlives a loss of power.

pub(super) mod fact;
pub(super) mod fact_log;
pub(super) mod facts_v1;
pub(super) mod files;
pub(super) mod findings_file;
pub(super) mod findings_log;
pub(super) mod frames;
pub(super) mod lock;
pub(super) mod storage;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::{debug, error};

use self::fact::Fact;
use self::fact_log::FactLog;
use self::files::{FileOwner, LogTail, MemberImage, Paths};
use self::storage::Storage;
use crate::telemetry::{Metrics, clock};

/// How many orders may wait. When as many do, changes are dropped, and the owner's files are
/// written anew as a whole once there is room.
const ORDERS: usize = 1 << 16;

/// Files are synced at most once in this time.
const SYNC: Duration = Duration::from_secs(1);

/// How long after a failure an owner's files are tried anew.
const RETRY: Duration = Duration::from_secs(30);

/// Something to write.
#[derive(Debug)]
enum FactWrite {
    /// A change.
    Append(FileOwner, Fact),
    /// Everything, in place of what was there.
    Replace(FileOwner, Box<MemberImage>),
    /// The owner is no more.
    Remove(FileOwner),
}

/// What the writer holds of the thread. Nothing in it waits, except [`Self::close`].
#[derive(Debug)]
pub(super) struct Disk {
    /// Bounded; see [`ORDERS`].
    orders: SyncSender<FactWrite>,
    /// Owners whose files lack changes, and when to write them anew.
    behind: BTreeMap<FileOwner, Instant>,
    /// Nothing is written: answers are frozen, and the files are to stay as they are.
    is_frozen: bool,
    /// Owners whose files could not be written, as the thread reports them.
    failed: Arc<Mutex<BTreeSet<FileOwner>>>,
    /// The thread.
    thread: JoinHandle<()>,
}

impl Disk {
    /// Starts the thread. `tails` are the ends of the files that were read.
    pub(super) fn spawn(
        folder: &Path,
        tails: &BTreeMap<FileOwner, LogTail>,
        metrics: Arc<Metrics>,
        storage: Storage,
    ) -> io::Result<Self> {
        let folder = folder.to_owned();
        let open = move |owner: &FileOwner, tail| {
            FactLog::new(
                Paths {
                    folder: folder.clone(),
                    owner: owner.clone(),
                },
                tail,
            )
        };
        let logs = tails
            .iter()
            .map(|(owner, tail)| (owner.clone(), open(owner, *tail)))
            .collect();
        let open: Opener = Box::new(move |owner| open(owner, LogTail::Fresh));
        let now = clock::monotonic();
        let behind = tails
            .iter()
            .filter(|(_, tail)| **tail == LogTail::NeedsRewrite);
        let behind: BTreeMap<_, _> = behind.map(|(owner, _)| (owner.clone(), now)).collect();
        let failing: BTreeSet<FileOwner> = behind.keys().cloned().collect();
        for owner in &failing {
            let why = "damaged: what could be read of them is used, and they are written anew";
            storage.fails(&part(owner), why);
        }
        let (sender, orders) = mpsc::sync_channel(ORDERS);
        let failed = Arc::new(Mutex::new(BTreeSet::new()));
        let shared = Arc::clone(&failed);
        let thread = thread::Builder::new().name("facts".into()).spawn(move || {
            FactThread {
                logs,
                open,
                failed: shared,
                failing,
                storage,
                metrics,
            }
            .run(&orders);
        })?;
        Ok(Self {
            orders: sender,
            behind,
            is_frozen: false,
            failed,
            thread,
        })
    }

    /// Whether the files are to stay as they are. What changes meanwhile is written anew afterwards.
    pub(super) fn set_frozen(&mut self, is_frozen: bool) {
        self.is_frozen = is_frozen;
    }

    /// Has a change written.
    pub(super) fn append(&mut self, owner: &FileOwner, fact: Fact) {
        if !self.behind.contains_key(owner) {
            self.order(owner, FactWrite::Append(owner.clone(), fact));
        }
    }

    /// Has everything of an owner written in place of what was there.
    pub(super) fn replace(&mut self, owner: &FileOwner, whole: MemberImage) {
        self.behind.remove(owner);
        self.order(owner, FactWrite::Replace(owner.clone(), Box::new(whole)));
    }

    /// Has the files of an owner removed.
    pub(super) fn remove(&mut self, owner: &FileOwner) {
        self.behind.remove(owner);
        self.order(owner, FactWrite::Remove(owner.clone()));
    }

    /// The owners whose files must be written anew now, by [`Self::replace`].
    pub(super) fn owed(&mut self, now: Instant) -> Vec<FileOwner> {
        for owner in std::mem::take(&mut *self.failed.lock()) {
            self.behind.insert(owner, now + RETRY);
        }
        let is_open = !self.is_frozen;
        let due = self.behind.iter();
        let due = due.filter(|(_, due)| is_open && **due <= now);
        due.map(|(owner, _)| owner.clone()).collect()
    }

    /// Gives an order, or notes that the owner's files are behind.
    fn order(&mut self, owner: &FileOwner, order: FactWrite) {
        if self.is_frozen {
            self.behind.insert(owner.clone(), clock::monotonic());
            return;
        }
        match self.orders.try_send(order) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                debug!(?owner, "the disk is slow: facts will be written anew");
                self.behind.insert(owner.clone(), clock::monotonic() + SYNC);
            }
        }
    }

    /// Waits until everything is written and synced, and ends the thread.
    pub(super) fn close(self) {
        drop(self.orders);
        if self.thread.join().is_err() {
            error!("the thread that writes facts panicked");
        }
    }
}

/// Opens the files of an owner that has none yet.
type Opener = Box<dyn Fn(&FileOwner) -> FactLog + Send>;

/// The state of the thread.
struct FactThread {
    /// The files, by owner.
    logs: BTreeMap<FileOwner, FactLog>,
    /// Opens the files of an owner that has none yet.
    open: Opener,
    /// Where failures are reported.
    failed: Arc<Mutex<BTreeSet<FileOwner>>>,
    /// Owners whose files are told to fail.
    failing: BTreeSet<FileOwner>,
    /// Where that is told.
    storage: Storage,
    /// Where sizes are reported.
    metrics: Arc<Metrics>,
}

/// How the files of an owner are told.
fn part(owner: &FileOwner) -> String {
    match owner {
        FileOwner::Fleet => "facts of the fleet".to_owned(),
        FileOwner::Member(name) => format!("facts of {name}"),
    }
}

impl FactThread {
    /// Works until the writer closes the channel.
    fn run(mut self, orders: &Receiver<FactWrite>) {
        let mut synced = clock::monotonic();
        loop {
            let is_unsynced = self.logs.values().any(FactLog::is_unsynced);
            let order = if is_unsynced {
                orders.recv_timeout((synced + SYNC).duration_since(clock::monotonic()))
            } else {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let is_over = matches!(order, Err(RecvTimeoutError::Disconnected));
            let mut touched = BTreeSet::new();
            for order in order.into_iter().chain(orders.try_iter().take(ORDERS)) {
                self.carry_out(order, &mut touched);
            }
            self.each(&touched, FactLog::write);
            if is_over || clock::monotonic() >= synced + SYNC {
                let all = self.logs.keys().cloned().collect();
                self.each(&all, FactLog::sync);
                synced = clock::monotonic();
            }
            if is_over {
                return;
            }
        }
    }

    /// Carries one order out, as far as it can be without writing changes.
    fn carry_out(&mut self, order: FactWrite, touched: &mut BTreeSet<FileOwner>) {
        match order {
            FactWrite::Append(owner, fact) => {
                self.log(&owner).append(&fact);
                touched.insert(owner);
            }
            FactWrite::Replace(owner, whole) => {
                let result = self.log(&owner).replace(&whole);
                self.report(&owner, result);
            }
            FactWrite::Remove(owner) => {
                if let Err(error) = self.log(&owner).remove() {
                    error!(?owner, %error, "persisted facts cannot be removed");
                }
                self.logs.remove(&owner);
                if self.failing.remove(&owner) {
                    self.storage.works(&part(&owner));
                }
                touched.remove(&owner);
            }
        }
    }

    /// The files of an owner.
    fn log(&mut self, owner: &FileOwner) -> &mut FactLog {
        let open = &self.open;
        self.logs
            .entry(owner.clone())
            .or_insert_with(|| open(owner))
    }

    /// Does something with the files of some owners.
    fn each(&mut self, owners: &BTreeSet<FileOwner>, act: fn(&mut FactLog) -> io::Result<()>) {
        for owner in owners {
            let result = act(self.log(owner));
            self.report(owner, result);
        }
    }

    /// Reports how writing went.
    fn report(&mut self, owner: &FileOwner, result: io::Result<()>) {
        if let Err(error) = result {
            self.storage.fails(&part(owner), &error);
            self.failing.insert(owner.clone());
            self.metrics.persist_failed();
            self.failed.lock().insert(owner.clone());
        } else if !self.log(owner).is_behind() && self.failing.remove(owner) {
            self.storage.works(&part(owner));
        }
        if let FileOwner::Member(name) = owner {
            let octets = self.log(owner).octets();
            self.metrics.set_persisted(name.as_str(), octets);
        }
    }
}
