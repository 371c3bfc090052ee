//! Shards that are out, and those that are suppressed since they went out too often. Pure: it takes
//! `now`, and says when it wants to be asked again.
//!
//! ```text
//!            went                came, first time of late
//!  ready ──────────▶ out ─────────────────────────────────▶ ready
//!    ▲                ▲ │ came, and its damper is quiet        (forgotten after a while)
//!    │ quiet is over  │ ▼
//!    └───────────── damped
//! ```
//!
//! A shard that goes out is withdrawn at once, always; only its return waits. What is remembered of
//! a shard that is ready, or gone for good, is forgotten with its damper.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::deadlines::Deadlines;
use super::key::ShardKey;
use super::readiness::ShardReadiness;
use crate::model::{Damper, MemberIdx, UnixSeconds};
use crate::publish::now::{BEGUN, Now};
use crate::snapshot::Condition;

/// How long after its last change something remembered is looked at: whether it can be forgotten.
const CHECK: Duration = Duration::from_secs(600);

/// How many shards without facts are remembered: names that come once and go are not kept for ever.
const GONE: usize = 1 << 16;

/// Where a shard is in the machine above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DampingPhase {
    /// It counts.
    Ready,
    /// It is out.
    Out {
        /// Since when.
        since: UnixSeconds,
        /// Why.
        standing: ShardReadiness,
    },
    /// It is ready again, and suppressed.
    Damped {
        /// Since when it was out.
        since: UnixSeconds,
    },
}

/// What is remembered of a shard.
#[derive(Debug)]
struct DampedShard {
    /// How often it went out of late.
    damper: Damper,
    /// Where it is.
    place: DampingPhase,
}

/// How a shard came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::publish) enum Came {
    /// It was not out, as far as anybody knows.
    New,
    /// It counts from now on; it was out since then.
    AtOnce(UnixSeconds),
    /// It counts only where no other does, until its time is over.
    Damped(Condition),
}

/// What a shard that went out or came back comes to.
#[derive(Debug)]
pub(in crate::publish) struct ShardTurn {
    /// What is to be said of it from now on.
    pub(in crate::publish) condition: Option<Condition>,
    /// What is to be kept of it, where that is another thing now.
    pub(in crate::publish) record: Option<ShardRecord>,
    /// From which state to which it went, and why, where that is worth an event.
    pub(in crate::publish) transition: Option<(&'static str, &'static str, String)>,
}

/// What of a shard outlives the process, where it went out more than once of late: its next return
/// waits, or the one after that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::publish) struct ShardRecord {
    /// How often it went out of late.
    pub(in crate::publish) count: u32,
    /// When last, in Unix seconds.
    pub(in crate::publish) last: u64,
    /// Since when it was out, in Unix seconds.
    pub(in crate::publish) since: u64,
}

impl ShardRecord {
    /// Gives its times as another clock has them.
    pub(in crate::publish) fn redate(&mut self, date: impl Fn(u64) -> u64) {
        for at in [&mut self.last, &mut self.since] {
            *at = date(*at);
        }
    }
}

/// The shards that are out or were of late.
#[derive(Debug)]
pub(in crate::publish) struct Damping {
    /// The moment that is [`BEGUN`] to dampers.
    begun: Instant,
    /// What is remembered.
    shards: HashMap<ShardKey, DampedShard>,
    /// When to look at a shard again.
    due: Deadlines<ShardKey>,
    /// How many are suppressed.
    damped: usize,
    /// How many are remembered that have no facts.
    gone: usize,
}

impl Damping {
    /// Nothing was ever out.
    pub(in crate::publish) fn new(begun: Instant) -> Self {
        Self {
            begun,
            shards: HashMap::new(),
            due: Deadlines::default(),
            damped: 0,
            gone: 0,
        }
    }

    /// What is to be kept of a shard.
    pub(in crate::publish) fn record(&self, key: &ShardKey, now: Now) -> Option<ShardRecord> {
        let shard = self.shards.get(key)?;
        let is_kept = shard.damper.count() > 1;
        let last = now.wall_of_counted(self.begun, shard.damper.last()).0;
        is_kept.then(|| ShardRecord {
            count: shard.damper.count(),
            last,
            since: match shard.place {
                DampingPhase::Out { since, .. } | DampingPhase::Damped { since } => since.0,
                DampingPhase::Ready => last,
            },
        })
    }

    /// The same of all shards.
    pub(in crate::publish) fn records(
        &self,
        now: Now,
    ) -> impl Iterator<Item = (&ShardKey, ShardRecord)> {
        let keys = self.shards.keys();
        keys.filter_map(move |key| Some((key, self.record(key, now)?)))
    }

    /// What an earlier process knew of a shard. Say next where it is now.
    pub(in crate::publish) fn restore(&mut self, key: &ShardKey, record: &ShardRecord, now: Now) {
        let ago = Duration::from_secs(now.wall.0.saturating_sub(record.last));
        let damper = Damper::of(record.count, self.time(now).saturating_sub(ago));
        if damper.is_over(self.time(now)) || self.gone >= GONE {
            return;
        }
        let place = DampingPhase::Out {
            since: UnixSeconds(record.since),
            standing: ShardReadiness::Gone,
        };
        self.remember(key, DampedShard { damper, place }, now.instant);
    }

    /// A time as dampers count it.
    fn time(&self, now: Now) -> Duration {
        BEGUN + now.instant.saturating_duration_since(self.begun)
    }

    /// Follows what a change of its facts makes of a shard; `None` when that is nothing.
    pub(in crate::publish) fn follow(
        &mut self,
        key: &ShardKey,
        (from, to): (ShardReadiness, ShardReadiness),
        now: Now,
    ) -> Option<ShardTurn> {
        if from == to {
            return None;
        }
        if to == ShardReadiness::Ready {
            return self.returned(key, now);
        }
        let was = self.went(key, (from, to), now);
        debug_assert!(was.is_none() || from == ShardReadiness::Ready);
        let condition = self.condition(key, now);
        Some(ShardTurn {
            condition: condition.filter(|_| to != ShardReadiness::Gone),
            record: self.record(key, now),
            transition: was.map(|was| (was, "out", to.why().to_owned())),
        })
    }

    /// Follows a shard that is ready again; `None` of one that was not out.
    fn returned(&mut self, key: &ShardKey, now: Now) -> Option<ShardTurn> {
        let (condition, to, why) = match self.came(key, now) {
            Came::New => return None,
            Came::AtOnce(since) => {
                let seconds = now.wall.0.saturating_sub(since.0);
                (None, "ready", format!("ready again after {seconds} s"))
            }
            Came::Damped(condition) => {
                let why = condition.why.to_string();
                (Some(condition), "damped", why)
            }
        };
        Some(ShardTurn {
            condition,
            record: None,
            transition: Some(("out", to, why)),
        })
    }

    /// A shard is out: it was ready, or nothing was known of it. Says what it was before, if it
    /// was anything that answers were made of, and its condition.
    pub(in crate::publish) fn went(
        &mut self,
        key: &ShardKey,
        (from, to): (ShardReadiness, ShardReadiness),
        now: Now,
    ) -> Option<&'static str> {
        let time = self.time(now);
        let before = self.forget(key);
        let mut damper = before.as_ref().map_or_else(Damper::default, |s| s.damper);
        let place = before.map(|shard| shard.place);
        let was = match (from, place) {
            (_, Some(DampingPhase::Damped { .. })) => Some("damped"),
            (ShardReadiness::Ready, _) => Some("ready"),
            _ => None,
        };
        let since = match (was, place) {
            (None, Some(DampingPhase::Out { since, .. })) => since,
            _ => now.wall,
        };
        if was.is_some() {
            damper.withdrawn(time);
        }
        let standing = to;
        let place = DampingPhase::Out { since, standing };
        let is_gone = to == ShardReadiness::Gone;
        if !is_gone || (damper.count() > 0 && self.gone < GONE) {
            self.remember(key, DampedShard { damper, place }, now.instant);
        }
        was
    }

    /// A shard is ready.
    pub(in crate::publish) fn came(&mut self, key: &ShardKey, now: Now) -> Came {
        let Some(mut shard) = self.forget(key) else {
            return Came::New;
        };
        let time = self.time(now);
        let (DampingPhase::Out { since, .. } | DampingPhase::Damped { since }) = shard.place else {
            self.remember(key, shard, now.instant);
            return Came::New;
        };
        let is_quiet = shard.damper.is_quiet(time);
        shard.place = if is_quiet {
            DampingPhase::Damped { since }
        } else {
            DampingPhase::Ready
        };
        let condition = self.describe(&shard, now);
        if is_quiet || shard.damper.count() > 0 {
            self.remember(key, shard, now.instant);
        }
        match condition {
            Some(condition) => Came::Damped(condition),
            None => Came::AtOnce(since),
        }
    }

    /// Takes one shard whose quiet time is over; forgets what is old enough.
    pub(in crate::publish) fn pop(&mut self, now: Now) -> Option<ShardKey> {
        let time = self.time(now);
        while let Some(key) = self.due.pop(now.instant) {
            let Some(mut shard) = self.forget(&key) else {
                continue;
            };
            let is_quiet = shard.damper.is_quiet(time);
            let was_damped = matches!(shard.place, DampingPhase::Damped { .. });
            if was_damped && !is_quiet {
                shard.place = DampingPhase::Ready;
            }
            if is_quiet || !shard.damper.is_over(time) {
                self.remember(&key, shard, now.instant);
            }
            if was_damped && !is_quiet {
                return Some(key);
            }
        }
        None
    }

    /// When to call [`Self::pop`].
    pub(in crate::publish) fn deadline(&self) -> Option<Instant> {
        self.due.next()
    }

    /// What is to be said of a shard now.
    pub(in crate::publish) fn condition(&self, key: &ShardKey, now: Now) -> Option<Condition> {
        self.describe(self.shards.get(key)?, now)
    }

    /// What is to be said of every shard that has facts and does not count fully.
    pub(in crate::publish) fn conditions(
        &self,
        now: Now,
    ) -> impl Iterator<Item = (&ShardKey, Condition)> {
        let has_facts = |shard: &&DampedShard| !shard.is_gone();
        let shards = self.shards.iter();
        shards
            .filter(move |(_, shard)| has_facts(shard))
            .filter_map(move |(key, shard)| Some((key, self.describe(shard, now)?)))
    }

    /// How many shards are suppressed.
    pub(in crate::publish) fn damped(&self) -> usize {
        self.damped
    }

    /// How many shards are remembered.
    #[cfg(test)]
    pub(in crate::publish) fn remembered(&self) -> usize {
        self.shards.len()
    }

    /// Forgets all shards of a member: its facts are another cluster's.
    pub(in crate::publish) fn discard(&mut self, member: MemberIdx) {
        let keys = self.shards.keys().filter(|(of, _)| *of == member);
        for key in keys.cloned().collect::<Vec<_>>() {
            self.forget(&key);
        }
    }

    /// Gives members other numbers; those without one are forgotten.
    pub(in crate::publish) fn renumber(
        &mut self,
        number: impl Fn(MemberIdx) -> Option<MemberIdx>,
        now: Instant,
    ) {
        let before = std::mem::replace(self, Self::new(self.begun));
        for ((member, name), shard) in before.shards {
            if let Some(member) = number(member) {
                self.remember(&(member, name), shard, now);
            }
        }
    }

    /// Describes a shard that does not count fully.
    fn describe(&self, shard: &DampedShard, now: Now) -> Option<Condition> {
        let count = shard.damper.count();
        match shard.place {
            DampingPhase::Ready => None,
            DampingPhase::Out { since, standing } => Some(Condition {
                since,
                damped_until: None,
                why: standing.why().into(),
            }),
            DampingPhase::Damped { since } => {
                let left = self.left(shard, now.instant);
                // Whole seconds, and never too early.
                let left = left.as_secs() + u64::from(left.subsec_nanos() > 0);
                Some(Condition {
                    since,
                    damped_until: Some(UnixSeconds(now.wall.0 + left)),
                    why: format!("ready again, suppressed after {count} withdrawals").into(),
                })
            }
        }
    }

    /// How long a shard is suppressed yet.
    fn left(&self, shard: &DampedShard, now: Instant) -> Duration {
        let until = shard.damper.quiet_until().unwrap_or_default();
        until.saturating_sub(BEGUN + now.saturating_duration_since(self.begun))
    }

    /// Remembers a shard, and when to look at it.
    fn remember(&mut self, key: &ShardKey, shard: DampedShard, now: Instant) {
        match shard.place {
            DampingPhase::Damped { .. } => {
                self.damped += 1;
                self.due.set(key, now + self.left(&shard, now));
            }
            DampingPhase::Ready => self.due.set(key, now + CHECK),
            DampingPhase::Out { .. } if shard.is_gone() => {
                self.gone += 1;
                self.due.set(key, now + CHECK);
            }
            // It stays for as long as its facts say so.
            DampingPhase::Out { .. } => {}
        }
        self.shards.insert(key.clone(), shard);
    }

    /// Takes what is remembered of a shard out.
    fn forget(&mut self, key: &ShardKey) -> Option<DampedShard> {
        let shard = self.shards.remove(key)?;
        self.due.clear(key);
        self.damped -= usize::from(matches!(shard.place, DampingPhase::Damped { .. }));
        self.gone -= usize::from(shard.is_gone());
        Some(shard)
    }
}

impl DampedShard {
    /// Whether it is out for want of facts.
    fn is_gone(&self) -> bool {
        let standing = ShardReadiness::Gone;
        matches!(self.place, DampingPhase::Out { standing: of, .. } if of == standing)
    }
}
