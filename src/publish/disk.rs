//! The second thread: it writes what the writer has folded, so that a slow disk delays no
//! publication.
//!
//! Each change is written (write(2)) as soon as the thread gets to it, which outlives a killed
//! process, and synced at most once in a second, which outlives a loss of power.

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

use super::fact::Fact;
use super::files::{Owner, Paths, Tail, Whole};
use super::lane::Lane;
use super::storage::Storage;
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
enum Order {
    /// A change.
    Append(Owner, Fact),
    /// Everything, in place of what was there.
    Replace(Owner, Box<Whole>),
    /// The owner is no more.
    Remove(Owner),
}

/// What the writer holds of the thread. Nothing in it waits, except [`Self::close`].
#[derive(Debug)]
pub(super) struct Disk {
    /// Bounded; see [`ORDERS`].
    orders: SyncSender<Order>,
    /// Owners whose files lack changes, and when to write them anew.
    behind: BTreeMap<Owner, Instant>,
    /// Nothing is written: answers are frozen, and the files are to stay as they are.
    is_frozen: bool,
    /// Owners whose files could not be written, as the thread reports them.
    failed: Arc<Mutex<BTreeSet<Owner>>>,
    /// The thread.
    thread: JoinHandle<()>,
}

impl Disk {
    /// Starts the thread. `tails` are the ends of the files that were read.
    pub(super) fn spawn(
        folder: &Path,
        tails: &BTreeMap<Owner, Tail>,
        metrics: Arc<Metrics>,
        storage: Storage,
    ) -> io::Result<Self> {
        let folder = folder.to_owned();
        let open = move |owner: &Owner, tail| {
            Lane::new(
                Paths {
                    folder: folder.clone(),
                    owner: owner.clone(),
                },
                tail,
            )
        };
        let lanes = tails
            .iter()
            .map(|(owner, tail)| (owner.clone(), open(owner, *tail)))
            .collect();
        let open: Opener = Box::new(move |owner| open(owner, Tail::Fresh));
        let now = clock::monotonic();
        let behind = tails.iter().filter(|(_, tail)| **tail == Tail::Behind);
        let behind: BTreeMap<_, _> = behind.map(|(owner, _)| (owner.clone(), now)).collect();
        let failing: BTreeSet<Owner> = behind.keys().cloned().collect();
        for owner in &failing {
            let why = "damaged: what could be read of them is used, and they are written anew";
            storage.fails(&part(owner), why);
        }
        let (sender, orders) = mpsc::sync_channel(ORDERS);
        let failed = Arc::new(Mutex::new(BTreeSet::new()));
        let shared = Arc::clone(&failed);
        let thread = thread::Builder::new().name("facts".into()).spawn(move || {
            Thread {
                lanes,
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
    pub(super) fn append(&mut self, owner: &Owner, fact: Fact) {
        if !self.behind.contains_key(owner) {
            self.order(owner, Order::Append(owner.clone(), fact));
        }
    }

    /// Has everything of an owner written in place of what was there.
    pub(super) fn replace(&mut self, owner: &Owner, whole: Whole) {
        self.behind.remove(owner);
        self.order(owner, Order::Replace(owner.clone(), Box::new(whole)));
    }

    /// Has the files of an owner removed.
    pub(super) fn remove(&mut self, owner: &Owner) {
        self.behind.remove(owner);
        self.order(owner, Order::Remove(owner.clone()));
    }

    /// The owners whose files must be written anew now, by [`Self::replace`].
    pub(super) fn owed(&mut self, now: Instant) -> Vec<Owner> {
        for owner in std::mem::take(&mut *self.failed.lock()) {
            self.behind.insert(owner, now + RETRY);
        }
        let is_open = !self.is_frozen;
        let due = self.behind.iter();
        let due = due.filter(|(_, due)| is_open && **due <= now);
        due.map(|(owner, _)| owner.clone()).collect()
    }

    /// Gives an order, or notes that the owner's files are behind.
    fn order(&mut self, owner: &Owner, order: Order) {
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
type Opener = Box<dyn Fn(&Owner) -> Lane + Send>;

/// The state of the thread.
struct Thread {
    /// The files, by owner.
    lanes: BTreeMap<Owner, Lane>,
    /// Opens the files of an owner that has none yet.
    open: Opener,
    /// Where failures are reported.
    failed: Arc<Mutex<BTreeSet<Owner>>>,
    /// Owners whose files are told to fail.
    failing: BTreeSet<Owner>,
    /// Where that is told.
    storage: Storage,
    /// Where sizes are reported.
    metrics: Arc<Metrics>,
}

/// How the files of an owner are told.
fn part(owner: &Owner) -> String {
    match owner {
        Owner::Fleet => "facts of the fleet".to_owned(),
        Owner::Member(name) => format!("facts of {name}"),
    }
}

impl Thread {
    /// Works until the writer closes the channel.
    fn run(mut self, orders: &Receiver<Order>) {
        let mut synced = clock::monotonic();
        loop {
            let is_unsynced = self.lanes.values().any(Lane::is_unsynced);
            let order = if is_unsynced {
                orders.recv_timeout((synced + SYNC).duration_since(clock::monotonic()))
            } else {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let is_over = matches!(order, Err(RecvTimeoutError::Disconnected));
            let mut touched = BTreeSet::new();
            for order in order.into_iter().chain(orders.try_iter().take(ORDERS)) {
                self.obey(order, &mut touched);
            }
            self.each(&touched, Lane::write);
            if is_over || clock::monotonic() >= synced + SYNC {
                let all = self.lanes.keys().cloned().collect();
                self.each(&all, Lane::sync);
                synced = clock::monotonic();
            }
            if is_over {
                return;
            }
        }
    }

    /// Obeys one order, as far as it can be without writing changes.
    fn obey(&mut self, order: Order, touched: &mut BTreeSet<Owner>) {
        match order {
            Order::Append(owner, fact) => {
                self.lane(&owner).append(&fact);
                touched.insert(owner);
            }
            Order::Replace(owner, whole) => {
                let result = self.lane(&owner).replace(&whole);
                self.report(&owner, result);
            }
            Order::Remove(owner) => {
                if let Err(error) = self.lane(&owner).remove() {
                    error!(?owner, %error, "persisted facts cannot be removed");
                }
                self.lanes.remove(&owner);
                if self.failing.remove(&owner) {
                    self.storage.works(&part(&owner));
                }
                touched.remove(&owner);
            }
        }
    }

    /// The files of an owner.
    fn lane(&mut self, owner: &Owner) -> &mut Lane {
        let open = &self.open;
        self.lanes
            .entry(owner.clone())
            .or_insert_with(|| open(owner))
    }

    /// Does something with the files of some owners.
    fn each(&mut self, owners: &BTreeSet<Owner>, act: fn(&mut Lane) -> io::Result<()>) {
        for owner in owners {
            let result = act(self.lane(owner));
            self.report(owner, result);
        }
    }

    /// Reports how writing went.
    fn report(&mut self, owner: &Owner, result: io::Result<()>) {
        if let Err(error) = result {
            self.storage.fails(&part(owner), &error);
            self.failing.insert(owner.clone());
            self.metrics.persist_failed();
            self.failed.lock().insert(owner.clone());
        } else if !self.lane(owner).is_behind() && self.failing.remove(owner) {
            self.storage.works(&part(owner));
        }
        if let Owner::Member(name) = owner {
            let octets = self.lane(owner).octets();
            self.metrics.set_persisted(name.as_str(), octets);
        }
    }
}
