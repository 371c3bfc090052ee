//! Load balancer host names, kept resolved in the background (docs/names.md, decision 9).
//!
//! ```text
//! wanted ──▶ turns ──▶ at most 32 lookups at once ──▶ known ──Delta::Hostname──▶ the writer
//!              ▲                                        │
//!              └─────────────── pause ──────────────────┘
//! ```
//!
//! The members that name them take turns, so that none waits for the many names of another.
//! A and AAAA are asked for apart, again at their TTL. A failure keeps the last good addresses; a
//! negative removes them after five minutes, and so does a chain of aliases that leads to ourselves.

mod fair_queue;
mod known;
mod resolver;
mod rules;

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::fair_queue::FairQueue;
use self::known::{Answers, Known};
use self::resolver::HostNameResolver;
pub use self::rules::Rules;
use crate::model::{Delta, MemberSet};
use crate::wire::NameBuf;

/// How long after a failure the system's resolvers are read again.
const CONFIGURATION_RETRY: Duration = Duration::from_secs(30);

/// Failures in a row that are told.
const TOLD_FAILURES: u32 = 3;

/// The present names to keep resolved, with the members that name them.
type Wanted = watch::Receiver<Arc<BTreeMap<NameBuf, MemberSet>>>;

/// Keeps the names in `wanted` resolved until `cancel`, until `wanted` has no sender, or until
/// nobody receives. Says a name's addresses when they or their TTL change, and why it has none;
/// waits while `deltas` is full. Asks `resolvers`, or the system's when there are none. Whenever
/// `resolvers` is sent anew, also unchanged, they are read again, and names that wait or failed are
/// asked for at once.
pub async fn run(
    wanted: Wanted,
    mut resolvers: watch::Receiver<Vec<SocketAddr>>,
    rules: Rules,
    deltas: mpsc::Sender<Delta>,
    cancel: CancellationToken,
) {
    let rules = Arc::new(rules);
    let run = async {
        let first = resolvers.borrow_and_update().clone();
        let lookup = ArcSwap::from_pointee(build(&first, &rules).await);
        let swapped = Notify::new();
        let ask = |hostname| HostNameResolver::clone(&lookup.load()).ask(hostname);
        let names = Names::new(rules.own_zones.clone(), deltas).run(wanted, ask, &swapped);
        let swapping = async {
            while resolvers.changed().await.is_ok() {
                let resolvers = resolvers.borrow_and_update().clone();
                match HostNameResolver::new(&resolvers, &rules) {
                    Ok(new) => {
                        lookup.store(Arc::new(new));
                        swapped.notify_one();
                        info!("resolvers of load balancer host names reloaded");
                    }
                    Err(error) => warn!(%error, "cannot read resolvers, keeping the previous ones"),
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            Stopped = names => {}
            () = swapping => {}
        }
    };
    cancel.run_until_cancelled(run).await;
}

/// Builds the lookup, however often that fails.
async fn build(resolvers: &[SocketAddr], rules: &Arc<Rules>) -> HostNameResolver {
    let mut is_told = false;
    loop {
        match HostNameResolver::new(resolvers, rules) {
            Ok(lookup) => return lookup,
            Err(error) if !is_told => {
                warn!(%error, "no resolvers: load balancer host names stay unresolved");
            }
            Err(_) => {}
        }
        is_told = true;
        tokio::time::sleep(CONFIGURATION_RETRY).await;
    }
}

/// The names and their times.
struct Names {
    /// Zones that this process answers for.
    own_zones: Vec<NameBuf>,
    /// Where resolved names go.
    deltas: mpsc::Sender<Delta>,
    /// Wanted names.
    hostnames: BTreeMap<NameBuf, Hostname>,
    /// When names that are not being asked for are due, and whose turn it is.
    turns: FairQueue,
    /// Seeds jitter.
    random: foldhash::fast::RandomState,
}

/// A wanted name.
#[derive(Default)]
struct Hostname {
    /// What is known of it.
    known: Known,
    /// When to ask; `None` while it is being asked for, and for an own name.
    due: Option<Instant>,
    /// The members that name it.
    members: MemberSet,
    /// It is in an own zone, and never asked for.
    is_own: bool,
    /// What was last said of why it has no address.
    told: Option<Box<str>>,
}

/// Nobody receives, or nobody wants names any more.
struct Stopped;

impl Names {
    /// No names yet.
    fn new(own_zones: Vec<NameBuf>, deltas: mpsc::Sender<Delta>) -> Self {
        Self {
            own_zones,
            deltas,
            hostnames: BTreeMap::new(),
            turns: FairQueue::default(),
            random: foldhash::fast::RandomState::default(),
        }
    }

    /// Keeps names resolved.
    async fn run<F>(
        mut self,
        mut wanted: Wanted,
        ask: impl Fn(NameBuf) -> F,
        swapped: &Notify,
    ) -> Stopped
    where
        F: Future<Output = Answers>,
    {
        let mut asked = FuturesUnordered::new();
        self.want(&wanted.borrow_and_update().clone());
        loop {
            let now = Instant::now();
            while let Some((member, hostname)) = self.turns.next(now) {
                self.set_due(&hostname, None);
                let answers = ask(hostname.clone());
                asked.push(async move { (member, hostname, answers.await) });
            }
            let next = self.turns.next_at();
            tokio::select! {
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return Stopped;
                    }
                    self.want(&wanted.borrow_and_update().clone());
                }
                Some((member, hostname, answers)) = asked.next() => {
                    self.turns.end(member);
                    if let Err(over) = self.learn(hostname, answers).await {
                        return over;
                    }
                }
                () = swapped.notified() => {
                    // Whoever was asked is asked no more.
                    asked.clear();
                    self.turns.end_all();
                    self.ask_anew();
                }
                () = sleep_until(next) => {}
            }
        }
    }

    /// Makes `wanted` the names to keep resolved: new ones are asked for at once.
    fn want(&mut self, wanted: &BTreeMap<NameBuf, MemberSet>) {
        let turns = &mut self.turns;
        self.hostnames.retain(|hostname, entry| {
            let members = wanted.get(hostname).copied().unwrap_or_default();
            if let Some(at) = entry.due.filter(|_| entry.members != members) {
                turns.remove(at, hostname, entry.members);
                turns.insert(at, hostname, members);
            }
            entry.members = members;
            !members.is_empty()
        });
        for (hostname, members) in wanted {
            if self.hostnames.contains_key(hostname) {
                continue;
            }
            let zone = self.own_zones.iter().find(|zone| hostname.is_within(zone));
            if let Some(zone) = zone {
                warn!(%hostname, %zone, "load balancer host name not resolved: it is inside a zone served here");
            }
            let entry = Hostname {
                members: *members,
                is_own: zone.is_some(),
                ..Hostname::default()
            };
            self.hostnames.insert(hostname.clone(), entry);
            if zone.is_none() {
                self.set_due(hostname, Some(Instant::now()));
            }
        }
    }

    /// Sets when a name is asked for; `None` while it is.
    fn set_due(&mut self, hostname: &NameBuf, at: Option<Instant>) {
        let Some(entry) = self.hostnames.get_mut(hostname) else {
            return;
        };
        if let Some(before) = entry.due {
            self.turns.remove(before, hostname, entry.members);
        }
        if let Some(at) = at {
            self.turns.insert(at, hostname, entry.members);
        }
        entry.due = at;
    }

    /// Has names that are being asked for, and those that failed, asked for now.
    fn ask_anew(&mut self) {
        let now = Instant::now();
        let anew = self.hostnames.iter().filter(|(_, entry)| {
            let is_waiting = entry.due.is_some() && entry.known.failures() == 0;
            !entry.is_own && !is_waiting
        });
        let anew: Vec<NameBuf> = anew.map(|(hostname, _)| hostname.clone()).collect();
        for hostname in anew {
            self.set_due(&hostname, Some(now));
        }
    }

    /// Takes in answers, and says what is news. Answers for a name that is not wanted any more are
    /// dropped.
    async fn learn(&mut self, hostname: NameBuf, answers: Answers) -> Result<(), Stopped> {
        let Some(entry) = self.hostnames.get_mut(&hostname) else {
            return Ok(());
        };
        let now = Instant::now();
        let failures = entry.known.failures();
        let news = entry.known.learn(answers, now);
        tell_failures(&hostname, failures, entry.known.failures());
        let [jitter, ..] = self.random.hash_one((&hostname, now)).to_le_bytes();
        let at = now + entry.known.pause(jitter);
        let trouble = entry.known.trouble().cloned();
        let is_told = entry.told == trouble;
        entry.told.clone_from(&trouble);
        // A name that went and came back while it was asked for has a time already.
        self.set_due(&hostname, Some(at));
        if !is_told {
            let delta = Delta::Unresolved {
                hostname: hostname.clone(),
                why: trouble,
            };
            self.deltas.send(delta).await.map_err(|_| Stopped)?;
        }
        let Some(resolved) = news else {
            return Ok(());
        };
        let delta = Delta::Hostname {
            hostname,
            ipv4: resolved.ipv4,
            ipv6: resolved.ipv6,
            ttl: resolved.ttl,
        };
        self.deltas.send(delta).await.map_err(|_| Stopped)
    }
}

/// Logs when a name has failed for some time, and when it stops; one lost packet is no news.
fn tell_failures(hostname: &NameBuf, before: u32, now: u32) {
    if now == TOLD_FAILURES && before < now {
        warn!(%hostname, "a load balancer name cannot be resolved, its last addresses stay");
    } else if now == 0 && before >= TOLD_FAILURES {
        info!(%hostname, "a load balancer name is resolved again");
    }
}

/// Sleeps until `at`, for ever when there is no such time.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "tests/hostnames.rs"]
mod tests;
