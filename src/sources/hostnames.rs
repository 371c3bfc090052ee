//! Load balancer host names, kept resolved in the background (docs/names.md, decision 9).
//!
//! ```text
//! wanted ──▶ due ──▶ at most 16 lookups at once ──▶ known ──Delta::Hostname──▶ the writer
//!             ▲                                       │
//!             └────────────── pause ──────────────────┘
//! ```
//!
//! A and AAAA are asked for apart, again at their TTL. A failure keeps the last good addresses; a
//! negative removes them after five minutes, and so does a chain of aliases that leads to ourselves.

mod known;
mod lookup;

use std::collections::{BTreeMap, BTreeSet};
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

use self::known::{Answers, Known};
use self::lookup::Lookup;
use crate::model::{AddressPolicy, Delta};
use crate::wire::NameBuf;

/// How many names are asked for at once.
const AT_ONCE: usize = 16;

/// How long after a failure the system's resolvers are read again.
const CONFIGURATION_RETRY: Duration = Duration::from_secs(30);

/// Failures in a row that are told.
const TOLD_FAILURES: u32 = 3;

/// The present set of names to keep resolved.
type Wanted = watch::Receiver<Arc<BTreeSet<NameBuf>>>;

/// What host names have to keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Zones that this process answers for: a name in one of them, or that leads into one, would be
    /// answered from itself.
    pub own_zones: Vec<NameBuf>,
    /// Which addresses count.
    pub addresses: AddressPolicy,
}

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
        let ask = |hostname| Lookup::clone(&lookup.load()).ask(hostname);
        let names = Names::new(rules.own_zones.clone(), deltas).run(wanted, ask, &swapped);
        let swapping = async {
            while resolvers.changed().await.is_ok() {
                let resolvers = resolvers.borrow_and_update().clone();
                match Lookup::new(&resolvers, &rules) {
                    Ok(new) => {
                        lookup.store(Arc::new(new));
                        swapped.notify_one();
                        info!("resolvers of load balancer names are read again");
                    }
                    Err(error) => warn!(%error, "no new resolvers, the ones before stay"),
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            Over = names => {}
            () = swapping => {}
        }
    };
    cancel.run_until_cancelled(run).await;
}

/// Builds the lookup, however often that fails.
async fn build(resolvers: &[SocketAddr], rules: &Arc<Rules>) -> Lookup {
    let mut is_told = false;
    loop {
        match Lookup::new(resolvers, rules) {
            Ok(lookup) => return lookup,
            Err(error) if !is_told => warn!(%error, "no resolvers, load balancer names wait"),
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
    /// Names that are not being asked for, by when to ask.
    due: BTreeSet<(Instant, NameBuf)>,
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
    /// It is in an own zone, and never asked for.
    is_own: bool,
    /// What was last said of why it has no address.
    told: Option<Box<str>>,
}

/// Nobody receives, or nobody wants names any more.
struct Over;

impl Names {
    /// No names yet.
    fn new(own_zones: Vec<NameBuf>, deltas: mpsc::Sender<Delta>) -> Self {
        Self {
            own_zones,
            deltas,
            hostnames: BTreeMap::new(),
            due: BTreeSet::new(),
            random: foldhash::fast::RandomState::default(),
        }
    }

    /// Keeps names resolved.
    async fn run<F>(
        mut self,
        mut wanted: Wanted,
        ask: impl Fn(NameBuf) -> F,
        swapped: &Notify,
    ) -> Over
    where
        F: Future<Output = Answers>,
    {
        let mut asked = FuturesUnordered::new();
        self.want(&wanted.borrow_and_update().clone());
        loop {
            let now = Instant::now();
            while asked.len() < AT_ONCE
                && let Some(hostname) = self.next_due(now)
            {
                let answers = ask(hostname.clone());
                asked.push(async move { (hostname, answers.await) });
            }
            let next = self.due.first().map(|(at, _)| *at);
            tokio::select! {
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return Over;
                    }
                    self.want(&wanted.borrow_and_update().clone());
                }
                Some((hostname, answers)) = asked.next() => {
                    if let Err(over) = self.learn(hostname, answers).await {
                        return over;
                    }
                }
                () = swapped.notified() => {
                    // Whoever was asked is asked no more.
                    asked.clear();
                    self.ask_anew();
                }
                () = sleep_until(next), if asked.len() < AT_ONCE => {}
            }
        }
    }

    /// Makes `wanted` the names to keep resolved: new ones are asked for at once.
    fn want(&mut self, wanted: &BTreeSet<NameBuf>) {
        let due = &mut self.due;
        self.hostnames.retain(|hostname, entry| {
            let is_wanted = wanted.contains(hostname);
            if let (false, Some(at)) = (is_wanted, entry.due) {
                due.remove(&(at, hostname.clone()));
            }
            is_wanted
        });
        for hostname in wanted {
            if self.hostnames.contains_key(hostname) {
                continue;
            }
            let mut entry = Hostname::default();
            let zone = self.own_zones.iter().find(|zone| hostname.is_within(zone));
            if let Some(zone) = zone {
                warn!(%hostname, %zone, "a load balancer name in an own zone is not resolved");
                entry.is_own = true;
            } else {
                let now = Instant::now();
                entry.due = Some(now);
                self.due.insert((now, hostname.clone()));
            }
            self.hostnames.insert(hostname.clone(), entry);
        }
    }

    /// Has names that are being asked for, and those that failed, asked for now.
    fn ask_anew(&mut self) {
        let now = Instant::now();
        for (hostname, entry) in &mut self.hostnames {
            if entry.is_own || (entry.due.is_some() && entry.known.failures() == 0) {
                continue;
            }
            if let Some(before) = entry.due.replace(now) {
                self.due.remove(&(before, hostname.clone()));
            }
            self.due.insert((now, hostname.clone()));
        }
    }

    /// A name whose time has come.
    fn next_due(&mut self, now: Instant) -> Option<NameBuf> {
        let (at, _) = self.due.first()?;
        if *at > now {
            return None;
        }
        let (_, hostname) = self.due.pop_first()?;
        if let Some(entry) = self.hostnames.get_mut(&hostname) {
            entry.due = None;
        }
        Some(hostname)
    }

    /// Takes in answers, and says what is news. Answers for a name that is not wanted any more are
    /// dropped.
    async fn learn(&mut self, hostname: NameBuf, answers: Answers) -> Result<(), Over> {
        let Some(entry) = self.hostnames.get_mut(&hostname) else {
            return Ok(());
        };
        let now = Instant::now();
        let failures = entry.known.failures();
        let news = entry.known.learn(answers, now);
        tell_failures(&hostname, failures, entry.known.failures());
        let [jitter, ..] = self.random.hash_one((&hostname, now)).to_le_bytes();
        let at = now + entry.known.pause(jitter);
        // A name that went and came back while it was asked for has a time already.
        if let Some(before) = entry.due.replace(at) {
            self.due.remove(&(before, hostname.clone()));
        }
        self.due.insert((at, hostname.clone()));
        let trouble = entry.known.trouble();
        if entry.told.as_ref() != trouble {
            entry.told = trouble.cloned();
            let delta = Delta::Unresolved {
                hostname: hostname.clone(),
                why: trouble.cloned(),
            };
            self.deltas.send(delta).await.map_err(|_| Over)?;
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
        self.deltas.send(delta).await.map_err(|_| Over)
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
