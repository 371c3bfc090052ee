//! What is true: what each API says to a watch of the test's own, and when ports were open.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a withdrawn address may still be named, and how long a shard must have been healthy
/// before an empty answer is wrong.
pub(crate) const MARGIN: Duration = Duration::from_secs(1);
/// How late the test's own watch may be.
const LATE: Duration = Duration::from_millis(250);

/// After how long a port counts as closed, and as open again: the probe's thresholds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thresholds {
    /// `down` × `interval` + `timeout`.
    pub(crate) down: Duration,
    /// `up` × `interval` + `timeout`.
    pub(crate) up: Duration,
}

impl Thresholds {
    /// Of a probe with these settings.
    pub(crate) fn new(interval: Duration, timeout: Duration, down: u32, up: u32) -> Self {
        Self {
            down: interval * down + timeout,
            up: interval * up + timeout,
        }
    }
}

/// A condition over time, false at first.
#[derive(Debug, Clone, Default)]
struct Timeline {
    /// The changes, oldest first.
    changes: Vec<(Instant, bool)>,
}

impl Timeline {
    /// Sets it from now on.
    fn set(&mut self, value: bool) {
        if self.changes.last().is_some_and(|(_, last)| *last) != value {
            self.changes.push((Instant::now(), value));
        }
    }

    /// Its value at a moment and the change that made it so, if there was one.
    fn at(&self, moment: Instant) -> (bool, Option<Instant>) {
        let before = self.changes.partition_point(|(at, _)| *at <= moment);
        match before
            .checked_sub(1)
            .and_then(|index| self.changes.get(index))
        {
            Some((at, value)) => (*value, Some(*at)),
            None => (false, None),
        }
    }

    /// When it first became true.
    fn first(&self) -> Option<Instant> {
        self.changes.first().map(|(at, _)| *at)
    }
}

/// A member, by number, and one address of its part of a service.
type Shard = (usize, IpAddr);

/// Everything that is known.
#[derive(Default)]
struct Known {
    /// Whether an API says that the address is published and its endpoint ready.
    listed: BTreeMap<String, BTreeMap<Shard, Timeline>>,
    /// Whether the port of an address is open.
    open: BTreeMap<IpAddr, Timeline>,
}

/// What is true, now and before.
pub(crate) struct Truth {
    /// When ports count.
    thresholds: Thresholds,
    /// What is known.
    known: Mutex<Known>,
}

/// What is true of one address in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is published, or was when the query was sent.
    Published,
    /// It had been withdrawn for so long when the query was sent.
    Withdrawn(Duration),
    /// It never was an address of the service.
    Foreign,
}

impl Truth {
    /// Nothing is known yet.
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            known: Mutex::default(),
        }
    }

    /// A member's part of a service has these addresses now; none when it is not ready, or gone.
    pub(crate) fn set_shard(&self, service: &str, member: usize, addresses: &BTreeSet<IpAddr>) {
        let mut known = self.known.lock();
        let shards = known.listed.entry(service.to_owned()).or_default();
        for address in addresses {
            shards.entry((member, *address)).or_default();
        }
        for ((of, address), timeline) in shards {
            if *of == member {
                timeline.set(addresses.contains(address));
            }
        }
    }

    /// All endpoints of a member's part of a service are ready, or none is.
    pub(crate) fn set_readiness(&self, service: &str, member: usize, ready: bool) {
        let listed = &mut self.known.lock().listed;
        let shards = listed.get_mut(service).into_iter().flatten();
        for (_, timeline) in shards.filter(|((of, _), _)| *of == member) {
            timeline.set(ready);
        }
    }

    /// The services of a member that it does not have any more.
    pub(crate) fn keep_services(&self, member: usize, keep: impl Fn(&str) -> bool) {
        let listed = &mut self.known.lock().listed;
        for (_, shards) in listed.iter_mut().filter(|(service, _)| !keep(service)) {
            for (_, timeline) in shards.iter_mut().filter(|((of, _), _)| *of == member) {
                timeline.set(false);
            }
        }
    }

    /// The port of an address is open, or not.
    pub(crate) fn set_port(&self, address: IpAddr, open: bool) {
        self.known.lock().open.entry(address).or_default().set(open);
    }

    /// The addresses of a service that are published now and whose ports are open.
    pub(crate) fn published(&self, service: &str) -> BTreeSet<IpAddr> {
        let (known, now) = (self.known.lock(), Instant::now());
        let shards = known.listed.get(service).into_iter().flatten();
        let is_open = |address| known.open.get(address).is_none_or(|open| open.at(now).0);
        shards
            .filter(|((_, address), listed)| listed.at(now).0 && is_open(address))
            .map(|((_, address), _)| *address)
            .collect()
    }

    /// Whether a healthy shard with addresses of this family existed from a little before a query
    /// was sent until its answer came.
    pub(crate) fn has_healthy(
        &self,
        service: &str,
        is_v4: bool,
        sent: Instant,
        received: Instant,
    ) -> bool {
        let known = self.known.lock();
        let mut shards = known.listed.get(service).into_iter().flatten();
        shards.any(|((_, address), listed)| {
            if address.is_ipv4() != is_v4 {
                return false;
            }
            let listed = listed.at(received + LATE);
            let is_listed = matches!(listed, (true, Some(since)) if since + MARGIN <= sent);
            let is_open = known.open.get(address).is_none_or(|open| {
                let up = match open.at(received + LATE) {
                    (true, since) if since == open.first() => Some(Duration::ZERO),
                    (true, _) => Some(self.thresholds.up),
                    (false, _) => None,
                };
                let since = open.at(received + LATE).1;
                matches!((up, since), (Some(up), Some(since)) if since + up + MARGIN <= sent)
            });
            is_listed && is_open
        })
    }

    /// How an address of an answer stands: withdrawn, if it was so from when the query was sent
    /// until the answer came.
    pub(crate) fn standing(
        &self,
        service: &str,
        address: IpAddr,
        sent: Instant,
        received: Instant,
    ) -> Standing {
        let known = self.known.lock();
        let withdrawn = |listed: &Timeline| {
            let unlisted = match listed.at(received) {
                (false, since) => since,
                (true, _) => None,
            };
            let closed = known
                .open
                .get(&address)
                .and_then(|open| match open.at(received) {
                    // A port that was never open is one that no probe knows.
                    (false, Some(since)) => Some(since + self.thresholds.down),
                    _ => None,
                });
            let since = [unlisted, closed].into_iter().flatten().min();
            since.filter(|since| *since <= sent)
        };
        let mut standing = Standing::Foreign;
        for ((_, of), listed) in known.listed.get(service).into_iter().flatten() {
            // What an API says while the query is on its way may be in the answer before the
            // test's own watch has it.
            let is_told = listed.first().is_some_and(|first| first <= received + LATE);
            if *of != address || !is_told {
                continue;
            }
            let Some(since) = withdrawn(listed) else {
                return Standing::Published;
            };
            let so_long = sent.duration_since(since);
            standing = match standing {
                Standing::Withdrawn(shorter) if shorter < so_long => standing,
                _ => Standing::Withdrawn(so_long),
            };
        }
        standing
    }
}
