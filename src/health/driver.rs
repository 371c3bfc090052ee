//! When each target is probed. `learning` takes in what comes of it, and `telling` says it.

mod learning;
mod telling;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::history::{History, ProbeOutcome};
use super::reachability::{Id, Reachability, family};
use crate::model::{Check, Delta, Evidence, Findings, ProbeTarget, ProbeTargets};
use crate::telemetry::{Metrics, clock};

/// How long changes of the set are collected: taking them in costs as much as the set is long.
const COLLECT: Duration = Duration::from_millis(100);

/// Targets of which something is known are first probed within this time: what is known may be old.
const SOON: Duration = Duration::from_millis(200);

/// Probes targets and says what comes of it.
pub(super) struct Driver {
    /// Where it is said.
    deltas: mpsc::Sender<Delta>,
    /// Where it is counted.
    metrics: Arc<Metrics>,
    /// How many probes may run at once.
    at_once: usize,
    /// The moment that times of histories are since.
    begin: Instant,
    /// Targets by number.
    entries: HashMap<Id, Entry, RandomState>,
    /// Numbers of targets.
    ids: HashMap<ProbeTarget, Id, RandomState>,
    /// The last number given: none is given twice.
    last_id: Id,
    /// Targets that are not being probed, by when to probe them.
    due: BTreeSet<(Instant, Id)>,
    /// When the last passes of targets grow too old to prove anything, or earlier: it is looked at
    /// again then, and not moved at every pass.
    lapses: BTreeSet<(Instant, Id)>,
    /// What is heard.
    reachability: Reachability,
    /// What is still to be said: the last of each target.
    news: HashMap<ProbeTarget, Option<Evidence>, RandomState>,
    /// What was still to be said of targets that are gone.
    parting: Vec<(ProbeTarget, Option<Evidence>)>,
    /// What is known of addresses from other probes, and from an earlier process.
    findings: watch::Receiver<Findings>,
    /// Targets of the beginning that are known to have passed and were not judged since; `None` once
    /// it was said that there are none.
    awaited: Option<HashSet<Id, RandomState>>,
    /// Why our own host could not ask, and when that was last so.
    trouble: Option<(Box<str>, Instant)>,
    /// Seeds phases and jitter.
    random: RandomState,
}

/// A target.
struct Entry {
    /// What it is.
    target: ProbeTarget,
    /// What its probes add up to.
    history: History,
    /// What was last said of it.
    told: Option<Evidence>,
    /// When to probe it; `None` while it is being probed.
    due: Option<Instant>,
    /// When to look whether its last pass has grown too old; `None` if it has, or there is none.
    lapse: Option<Instant>,
}

/// A probe that has ended.
struct Done {
    /// Of which target.
    id: Id,
    /// When it was due.
    due: Instant,
    /// When it began.
    started: Instant,
    /// What came of it.
    outcome: ProbeOutcome,
}

impl Driver {
    /// No target yet. At most `at_once` probes run at once.
    pub(super) fn new(
        deltas: mpsc::Sender<Delta>,
        findings: watch::Receiver<Findings>,
        metrics: Arc<Metrics>,
        at_once: usize,
    ) -> Self {
        metrics.health().reset();
        Self {
            deltas,
            metrics,
            at_once,
            begin: clock::monotonic(),
            entries: HashMap::default(),
            ids: HashMap::default(),
            last_id: 0,
            due: BTreeSet::new(),
            lapses: BTreeSet::new(),
            reachability: Reachability::default(),
            news: HashMap::default(),
            parting: Vec::new(),
            findings,
            awaited: Some(HashSet::default()),
            trouble: None,
            random: RandomState::default(),
        }
    }

    /// Probes until there is no sender of `wanted` or nobody receives. `ask` is one probe.
    pub(super) async fn run<F>(
        mut self,
        mut wanted: watch::Receiver<ProbeTargets>,
        ask: impl Fn(ProbeTarget) -> F,
    ) where
        F: Future<Output = ProbeOutcome>,
    {
        let mut asked = FuturesUnordered::new();
        self.want(&wanted.borrow_and_update().clone());
        let mut collected = clock::monotonic() + COLLECT;
        let deltas = self.deltas.clone();
        // Kept from turn to turn, as is its place among all who wait for room.
        let mut room = pin!(deltas.reserve());
        loop {
            let now = clock::monotonic();
            self.let_lapse(now);
            while asked.len() < self.at_once
                && let Some((due, id, target)) = self.next_due(now)
            {
                let outcome = ask(target);
                asked.push(async move {
                    let started = clock::monotonic();
                    let outcome = outcome.await;
                    Done {
                        id,
                        due,
                        started,
                        outcome,
                    }
                });
            }
            let next = self.due.first().map(|(at, _)| *at);
            let lapse = self.lapses.first().map(|(at, _)| *at);
            tokio::select! {
                changed = changed(&mut wanted, collected) => {
                    if changed.is_err() {
                        return;
                    }
                    self.want(&wanted.borrow_and_update().clone());
                    collected = clock::monotonic() + COLLECT;
                }
                Some(done) = asked.next() => {
                    self.learn(done);
                    // Whatever else has ended belongs into the same delta.
                    for _ in 0..asked.len() {
                        let Some(Some(done)) = asked.next().now_or_never() else { break };
                        self.learn(done);
                    }
                }
                () = sleep_until(next), if asked.len() < self.at_once => {}
                () = sleep_until(lapse) => {}
                permit = &mut room, if self.has_news() => {
                    let Ok(permit) = permit else { return };
                    permit.send(self.next_news());
                    room.set(deltas.reserve());
                }
            }
        }
    }

    /// Makes `wanted` the targets. New ones are first probed within their interval; one that differs
    /// from one that went only in when it is probed goes on where that one was, and one of whose
    /// address something is known goes on from that, and is probed soon.
    fn want(&mut self, wanted: &ProbeTargets) {
        let Self { ids, entries, .. } = self;
        let gone: Vec<_> = ids
            .extract_if(|target, _| !wanted.contains(target))
            .filter_map(|(_, id)| Some((id, entries.remove(&id)?)))
            .collect();
        let mut left: HashMap<SocketAddr, Vec<Entry>, RandomState> = HashMap::default();
        for (id, entry) in gone {
            if let Some(due) = entry.due {
                self.due.remove(&(due, id));
            }
            if let Some(lapse) = entry.lapse {
                self.lapses.remove(&(lapse, id));
            }
            if self.reachability.of(entry.target.address).loses(id) {
                let family = family(entry.target.address);
                self.metrics.health().set_held(family, false);
            }
            self.metrics.health().gone(entry.history.verdict());
            self.judged(id);
            if let Some(unsaid @ Some(_)) = self.news.insert(entry.target.clone(), None) {
                // It outlives the target.
                self.parting.push((entry.target.clone(), unsaid));
            }
            left.entry(entry.target.address).or_default().push(entry);
        }
        let now = clock::monotonic();
        let is_beginning = self.last_id == 0;
        let findings = self.findings.borrow().clone();
        for target in wanted {
            if target.probe.check == Check::None || self.ids.contains_key(target) {
                continue;
            }
            self.last_id += 1;
            let id = self.last_id;
            let is_same = |entry: &&Entry| entry.target.probe.check == target.probe.check;
            let before = left.get(&target.address).into_iter().flatten();
            let before = before
                .filter(is_same)
                .map(|entry| (entry.history.clone(), entry.told.clone()))
                .next();
            let known = || {
                let known = findings.get(&target.address)?;
                // What the target before has seen is known better than that it passes.
                let passed = match left.get(&target.address) {
                    Some(left) => left.iter().filter_map(|it| it.history.last_pass()).max(),
                    None => Some(now - self.begin),
                };
                let history = History::inherited(known, passed);
                // Of what went just now none asked the same.
                let history = if left.contains_key(&target.address) {
                    history.for_another()
                } else {
                    history
                };
                Some((history, known.down.clone()))
            };
            let is_known = before.is_none() && findings.contains_key(&target.address);
            let (history, told) = before.or_else(known).unwrap_or_default();
            if !is_known && told.is_some() {
                self.news.insert(target.clone(), told.clone());
            }
            let within = if is_known {
                target.probe.interval.min(SOON)
            } else {
                target.probe.interval
            };
            if let Some(awaited) = self.awaited.as_mut().filter(|_| is_beginning && is_known) {
                awaited.insert(id);
            }
            let due = now + within.mul_f64(self.fraction(id, now));
            self.reachability.of(target.address).gains();
            self.metrics.health().came(history.verdict());
            let entry = Entry {
                target: target.clone(),
                history,
                told,
                due: Some(due),
                lapse: None,
            };
            self.due.insert((due, id));
            self.ids.insert(target.clone(), id);
            self.entries.insert(id, entry);
            self.await_lapse(id);
        }
    }

    /// A target was judged, or is no more.
    fn judged(&mut self, id: Id) {
        if let Some(awaited) = &mut self.awaited {
            awaited.remove(&id);
        }
    }

    /// A target whose time has come, and when that was.
    fn next_due(&mut self, now: Instant) -> Option<(Instant, Id, ProbeTarget)> {
        let (due, id) = self.due.first().copied()?;
        if due > now {
            return None;
        }
        self.due.pop_first();
        let entry = self.entries.get_mut(&id)?;
        entry.due = None;
        Some((due, id, entry.target.clone()))
    }

    /// Probes a target at `at` next.
    fn schedule(&mut self, id: Id, at: Instant) {
        if let Some(entry) = self.entries.get_mut(&id) {
            if let Some(before) = entry.due.replace(at) {
                self.due.remove(&(before, id));
            }
            self.due.insert((at, id));
        }
    }

    /// A number within 0 to 1, by chance.
    fn fraction(&self, id: Id, now: Instant) -> f64 {
        let [_, _, _, _, a, b, c, d] = self.random.hash_one((id, now)).to_le_bytes();
        f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
    }
}

/// Waits for a change of the set, and until `collected` in any case.
async fn changed(
    wanted: &mut watch::Receiver<ProbeTargets>,
    collected: Instant,
) -> Result<(), watch::error::RecvError> {
    tokio::time::sleep_until(collected).await;
    wanted.changed().await
}

/// Sleeps until `at`, for ever when there is no such time.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "tests/driver.rs"]
mod tests;
