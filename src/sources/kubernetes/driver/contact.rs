//! Whether a member is in contact. Pure: it is given the time.
//!
//! ```text
//!            all watched, listed              watch down 5 s, refused,
//!   Starting ───────────────────▶ Live ◀──┐   3 heartbeats failed
//!      │                           │      │ Resumed (watches went on)
//!      │ Lost                      │ Lost │
//!      ▼                           ▼      │
//!     Lost ◀────── Lost ──────────Lost ───┘
//!      │                           ▲
//!      └──▶ Returning ─────────────┘ relisting; `Synced` makes it Live
//! ```
//!
//! A second list that the writer wants is no state of its own: whether it is there follows from when
//! it was wanted and when the complete list of each kind began. It is wanted only of a member that is
//! Live; a loss makes that void, and everything that is said after one is complete. So no order of
//! events can let a member wait for what nobody will say; should it wait all the same, for longer
//! than [`Contact::is_stuck`] allows, everything is listed from nothing.

mod excess;
mod watch;
mod watch_status;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use self::excess::Excess;
use self::watch::Watch;
pub(super) use self::watch_status::WatchStatus;
use super::super::failure::Failure;
use super::super::index::ObjectKind;
use crate::model::{Change, Loss};

/// Failed heartbeats in a row that make a loss (docs/names.md, decision 5).
const HEARTBEATS: u32 = 3;

/// Failed heartbeats in a row after which watches that seem to live must prove it when one is
/// answered: a connection that lost so much is silent for longer than it takes to open another.
const DOUBTS: u32 = 2;

/// How often the time without progress doubles: from a minute to 64.
const STALL_DOUBLINGS: u32 = 6;

/// Whether a member is in contact.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    /// How long a watch may be down.
    patience: Duration,
    /// How long kinds that need not be there are waited for, by a first sync and by lists that are
    /// wanted.
    optional_wait: Duration,
    /// How long a member that lists may be without progress, the first time.
    stall: Duration,
    /// How often in a row that was reached.
    stalls: u32,
    /// Since when it lists, and nothing else has come.
    listing_since: Instant,
    /// Since when the writer wants every kind listed again.
    wanted_since: Option<Instant>,
    /// What was said last.
    state: State,
    /// The loss that was said last.
    loss: Option<Loss>,
    /// Something was listed anew, or never was: `Synced` must be said.
    needs_sync: bool,
    /// `Synced` was said before.
    has_synced: bool,
    /// The kinds that are needed: those that always are, and what services have asked for once it has
    /// been there.
    watches: BTreeMap<ObjectKind, Watch>,
    /// The kinds that always are.
    kinds: Box<[ObjectKind]>,
    /// What services have asked for and was not there yet, and whether that is known for sure.
    asked: BTreeMap<ObjectKind, (Watch, bool)>,
    /// ServiceExports, an extra: nothing waits for them for long.
    exports: Watch,
    /// Whether it is known which services are exported, or that it cannot be known.
    are_exports_settled: bool,
    /// Since when all watches are up.
    up_since: Option<Instant>,
    /// Since when everything has been listed and watched: watches may have started again.
    complete_since: Option<Instant>,
    /// Heartbeats that failed in a row.
    failed_beats: u32,
    /// Why the last one failed.
    beat_failure: String,
    /// Since when it cannot be known which cluster this is, and why.
    identity_failure: Option<(Instant, String)>,
    /// What it said more of than is kept, until it has kept within that for a while.
    excess: Option<Excess>,
}

/// What was said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing.
    Starting,
    /// `Synced` or `Resumed`.
    Live,
    /// `Lost`.
    Lost,
    /// `Returning`.
    Returning,
}

impl Contact {
    /// A member that nothing is known of.
    pub(super) fn new(
        kinds: &[ObjectKind],
        patience: Duration,
        optional_wait: Duration,
        stall: Duration,
        now: Instant,
    ) -> Self {
        let watch = || Watch::new(now);
        Self {
            patience,
            optional_wait,
            stall,
            stalls: 0,
            listing_since: now,
            wanted_since: None,
            state: State::Starting,
            loss: None,
            needs_sync: true,
            has_synced: false,
            watches: kinds.iter().map(|kind| (*kind, watch())).collect(),
            kinds: kinds.into(),
            asked: BTreeMap::new(),
            exports: watch(),
            are_exports_settled: false,
            up_since: None,
            complete_since: None,
            failed_beats: 0,
            beat_failure: String::new(),
            identity_failure: None,
            excess: None,
        }
    }

    /// A new client speaks with another API: everything is listed anew. What was said stands.
    pub(super) fn restart(&mut self, now: Instant) {
        let kinds = std::mem::take(&mut self.kinds);
        let fresh = Self::new(&kinds, self.patience, self.optional_wait, self.stall, now);
        *self = Self {
            state: self.state,
            loss: self.loss.take(),
            has_synced: self.has_synced,
            stalls: self.stalls,
            excess: self.excess.take(),
            ..fresh
        };
    }

    /// Takes in that services ask for a kind that need not be there. Once it has been, it is needed:
    /// what it said is not to be taken for gone.
    pub(super) fn want(&mut self, kind: ObjectKind, now: Instant) {
        if !self.needs(kind) {
            let new = || (Watch::new(now), false);
            self.asked.entry(kind).or_insert_with(new);
        }
    }

    /// Whether a kind is needed.
    pub(super) fn needs(&self, kind: ObjectKind) -> bool {
        self.watches.contains_key(&kind)
    }

    /// Takes in what a watch says.
    pub(super) fn hear(&mut self, kind: ObjectKind, status: WatchStatus, now: Instant) {
        if kind == ObjectKind::Exports {
            let settled = match status {
                WatchStatus::Up | WatchStatus::Failed(Failure::Refused { .. }) => true,
                _ => self.are_exports_settled,
            };
            self.are_exports_settled = settled;
            self.exports.hear(status, now);
            return;
        }
        if matches!(status, WatchStatus::Listing) && self.state != State::Live {
            self.needs_sync = true;
        }
        if let Some((watch, is_settled)) = self.asked.get_mut(&kind) {
            let is_up = matches!(status, WatchStatus::Up);
            // The API answers, and has said that it is not there, or nothing of use.
            *is_settled |= matches!(&status, WatchStatus::Failed(failure)
                if !matches!(failure, Failure::Transport(_) | Failure::Unauthorized(_)));
            watch.hear(status, now);
            if is_up && let Some((watch, _)) = self.asked.remove(&kind) {
                self.watches.insert(kind, watch);
            }
        } else if let Some(watch) = self.watches.get_mut(&kind) {
            watch.hear(status, now);
        }
        self.notice_up(now);
    }

    /// Takes in that the list of a kind is complete.
    pub(super) fn listed(&mut self, kind: ObjectKind) {
        if kind == ObjectKind::Exports {
            self.exports.end_list();
        } else if let Some(watch) = self.watches.get_mut(&kind) {
            watch.end_list();
        } else if let Some((watch, _)) = self.asked.get_mut(&kind) {
            watch.end_list();
        }
    }

    /// Takes in that the writer wants every kind listed again, and says whether they are to be. Not
    /// so while that is under way, however long it takes, and not while the member is lost or
    /// returns, since then everything is said anyhow.
    pub(super) fn want_lists(&mut self, now: Instant) -> bool {
        let is_new = self.state == State::Live && !self.needs_sync && self.wanted_since.is_none();
        if is_new {
            self.wanted_since = Some(now);
        }
        is_new
    }

    /// Whether the lists that the writer wants are under way: until all are there, none is passed
    /// on.
    pub(super) fn awaits_lists(&self) -> bool {
        self.wanted_since.is_some()
    }

    /// Whether all the lists that the writer wants are there. They are wanted no more then.
    pub(super) fn take_lists(&mut self, now: Instant) -> bool {
        let Some(since) = self.wanted_since else {
            return false;
        };
        let are_needed_there = self
            .watches
            .values()
            .all(|watch| watch.is_listed_since(since));
        let are_exports_there = self.exports.is_listed_since(since)
            || self.exports.is_hopeless(self.optional_wait, now.max(since));
        let are_there = are_needed_there && are_exports_there;
        if are_there {
            self.wanted_since = None;
        }
        are_there
    }

    /// Whether a member that lists, for the writer or since it returns or is new, has been without
    /// progress for so long that it must begin from nothing. Pages that come, and turns that are
    /// waited for, are progress.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        let is_listing = self.needs_sync || self.wanted_since.is_some();
        if !is_listing || self.state == State::Lost {
            return false;
        }
        let progress = self.watches.values().map(|watch| watch.progress_at(now));
        let since = self.wanted_since.unwrap_or(self.listing_since);
        let since = progress.fold(since, Instant::max);
        now.duration_since(since) >= self.longest_stall()
    }

    /// How long it may be without progress: doubled each time that was reached since everything was
    /// said, [`STALL_DOUBLINGS`] times at most.
    pub(super) fn longest_stall(&self) -> Duration {
        self.stall * 2_u32.pow(self.stalls.min(STALL_DOUBLINGS))
    }

    /// It is to begin from nothing.
    pub(super) fn give_up(&mut self) {
        self.stalls = self.stalls.saturating_add(1);
    }

    /// Takes in a heartbeat. Says whether contact came back with it: then watches that seem to
    /// live must prove it, since a network that was gone forgets connections.
    pub(super) fn beat(&mut self, result: Result<(), String>, now: Instant) -> bool {
        if let Err(why) = result {
            self.failed_beats = self.failed_beats.saturating_add(1);
            self.beat_failure = why;
            return false;
        }
        let is_back = self.failed_beats >= DOUBTS;
        self.failed_beats = 0;
        if is_back {
            for watch in self.watches.values_mut() {
                watch.down_since.get_or_insert(now);
            }
            self.notice_up(now);
        }
        is_back
    }

    /// Takes in whether it is known which cluster this is; if not, why.
    pub(super) fn hear_identity(&mut self, failure: Option<String>, now: Instant) {
        let since = self.identity_failure.take().map_or(now, |(since, _)| since);
        self.identity_failure = failure.map(|why| (since, why));
    }

    /// What is to be said now: a loss, or the way back from one.
    pub(super) fn evaluate(&mut self, now: Instant) -> Option<Change> {
        let standing = self.standing(now).filter(|_| self.up_since.is_some());
        self.excess.take_if(|excess| excess.is_over(standing));
        match (self.state, self.find_loss(now)) {
            (State::Lost, Some(loss)) => {
                // A member that never synced shows why; for others, the first loss started `hold`.
                let is_news = !self.has_synced && !self.is_same_kind_of_loss(&loss);
                is_news.then(|| self.lose(loss))
            }
            (_, Some(loss)) => Some(self.lose(loss)),
            (State::Lost, None) if self.needs_sync && self.is_answering() => {
                self.state = State::Returning;
                self.listing_since = now;
                Some(Change::Returning)
            }
            (State::Lost, None) if self.up_since.is_some() => {
                self.state = State::Live;
                self.loss = None;
                Some(Change::Resumed)
            }
            _ => None,
        }
    }

    /// Says that a client cannot be built. `None` when that was said already.
    pub(super) fn lose_client(&mut self, why: String) -> Option<Change> {
        let loss = Loss::Client(why);
        if self.state == State::Lost && self.loss.as_ref() == Some(&loss) {
            return None;
        }
        Some(self.lose(loss))
    }

    /// Says that there is more than is kept. It stays so until everything has been listed and
    /// watched for a while ([`Excess`]): a watch that floods is not up between two pauses.
    pub(super) fn exceed(&mut self, why: String, now: Instant) -> Option<Change> {
        let loss = Loss::Watch(why.clone());
        let standing = self.standing(now).unwrap_or_default();
        self.excess = Some(Excess::new(why, standing, self.patience));
        let is_news = self.state != State::Lost || self.loss.as_ref() != Some(&loss);
        is_news.then(|| self.lose(loss))
    }

    /// Whether everything is there for `Synced`.
    pub(super) fn may_sync(&self, now: Instant) -> bool {
        let waited = |since: Instant| now.duration_since(since) >= self.optional_wait;
        let is_settled = self.are_exports_settled && self.asked.values().all(|(_, is)| *is);
        self.needs_sync
            && self.state != State::Lost
            && self
                .up_since
                .is_some_and(|since| is_settled || waited(since))
    }

    /// Whether nothing but the identity of the cluster may be missing for `Synced`.
    pub(super) fn awaits_identity(&self) -> bool {
        self.needs_sync && self.up_since.is_some()
    }

    /// `Synced` was said.
    pub(super) fn synced(&mut self) {
        self.needs_sync = false;
        self.has_synced = true;
        self.stalls = 0;
        self.state = State::Live;
        self.loss = None;
        self.are_exports_settled = true;
    }

    /// Whether changes are to be passed on: before `Synced`, which says everything, they are not.
    pub(super) fn passes_changes(&self) -> bool {
        !self.needs_sync
    }

    /// Remembers and says a loss. Lists that are under way are not passed on any more, so that
    /// the member has to say everything when it is back.
    fn lose(&mut self, loss: Loss) -> Change {
        let is_listing = |watch: &Watch| watch.page_at.is_some();
        if self.wanted_since.take().is_some() || self.watches.values().any(is_listing) {
            self.needs_sync = true;
        }
        self.state = State::Lost;
        self.loss = Some(loss.clone());
        Change::Lost(loss)
    }

    /// Whether the last loss was of the same kind as `loss`: its words alone are no news.
    fn is_same_kind_of_loss(&self, loss: &Loss) -> bool {
        let last = self.loss.as_ref().map(std::mem::discriminant);
        last == Some(std::mem::discriminant(loss))
    }

    /// Whether any list has begun or any watch is up.
    fn is_answering(&self) -> bool {
        self.watches
            .values()
            .any(|watch| watch.down_since.is_none() || watch.page_at.is_some())
    }

    /// Notices when all watches are up.
    fn notice_up(&mut self, now: Instant) {
        let is_up = self
            .watches
            .values()
            .all(|watch| watch.down_since.is_none());
        self.up_since = is_up.then(|| self.up_since.unwrap_or(now));
        if is_up {
            self.complete_since.get_or_insert(now);
        }
    }

    /// How long ago everything was listed and watched first.
    fn standing(&self, now: Instant) -> Option<Duration> {
        self.complete_since.map(|since| now.duration_since(since))
    }

    /// Why the member is lost, if it is.
    fn find_loss(&self, now: Instant) -> Option<Loss> {
        if let Some(excess) = &self.excess {
            return Some(Loss::Watch(excess.why.clone()));
        }
        let down = |kind: &ObjectKind, watch: &Watch| {
            format!("{}: {}", kind.resource(), watch.failure.text())
        };
        let barred = self.watches.iter().find(|(_, watch)| watch.is_barred());
        if let Some((kind, watch)) = barred {
            let text = down(kind, watch);
            return Some(match watch.failure {
                Failure::Refused { .. } => Loss::Refused(text),
                _ => Loss::Watch(text),
            });
        }
        let watch = self
            .watches
            .iter()
            .find(|(_, watch)| watch.is_lost(self.patience, now));
        if let Some((kind, watch)) = watch {
            let text = down(kind, watch);
            return Some(match watch.failure {
                Failure::Unauthorized(_) => Loss::Client(text),
                _ => Loss::Watch(text),
            });
        }
        if self.failed_beats >= HEARTBEATS {
            return Some(Loss::Heartbeat(self.beat_failure.clone()));
        }
        // Nothing is said of a member before it is known which cluster it is.
        let failure = self.identity_failure.as_ref().filter(|_| self.needs_sync);
        let is_old = |since: Instant| now.duration_since(since) >= self.patience;
        failure
            .filter(|(since, _)| is_old(*since))
            .map(|(_, why)| Loss::Watch(format!("identity: {why}")))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod walk;
