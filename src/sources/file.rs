//! A member whose facts are in a file (docs/services.md, Facts files).
//!
//! A file replaces the facts before it only when it is right as a whole. A missing or wrong file is
//! the loss of its member: the last facts are held (docs/names.md, D.11.12). So is one that lost
//! the mark at its end, `[end]`, until it has it again or an operator says that nothing was cut.
//!
//! What a file without the mark takes away may wait until a second list confirms it. That is a file
//! that was *written* again: to read the same file twice says nothing new.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Lifetime;
use super::blocking::{blocking, parse};
use super::unconfirmed::{Confirmed, ConfirmedMembers, Unconfirmed};
use super::watch::{FileWatch, Pace, Written};
use crate::config::facts::FactsFile;
use crate::config::read::{self, ReadError};
use crate::config::{Problem, file_origin};
use crate::model::limits::{FACTS_FILE, Limit};
use crate::model::{CONFIRM_DELAY, Change, Delta, Epoch, Identity, Loss, NamespacedName};
use crate::names::Label;
use crate::telemetry::Metrics;

/// Sends the facts in `path` as those of the member of `lifetime`, then every change of them, until
/// that ends or until nobody receives. Waits while nobody does; the file is then read in its newest
/// state. While the writer waits for it, a file that was written again is sent as a whole.
pub async fn run(
    path: PathBuf,
    confirmed: ConfirmedMembers,
    lifetime: Lifetime,
    metrics: Arc<Metrics>,
) {
    let Lifetime {
        source,
        epoch,
        deltas,
        unconfirmed,
        cancel,
    } = lifetime;
    let driver = Driver {
        unconfirmed: Unconfirmed::new(source.member.clone(), unconfirmed, CONFIRM_DELAY),
        confirmed: Confirmed::new(source.member.clone(), confirmed),
        facts: TextFacts::new(source.member.clone(), metrics),
        member: source.member,
        epoch,
        deltas,
        said: None,
    };
    driver.run_until(path, Pace::default(), cancel).await;
}

/// What joins the file and the writer.
struct Driver {
    /// The member.
    member: Label,
    /// What the file said.
    facts: TextFacts,
    /// The lifetime of this source.
    epoch: Epoch,
    /// Where changes go.
    deltas: mpsc::Sender<Delta>,
    /// When to read the file again.
    unconfirmed: Unconfirmed,
    /// When to take it without its mark.
    confirmed: Confirmed,
    /// Which writing of the file the writer has heard; of those that it waits to be confirmed, the
    /// one that is to be.
    said: Option<Written>,
}

impl Driver {
    /// Runs until `cancel`.
    async fn run_until(self, path: PathBuf, pace: Pace, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.run(path, pace)).await;
    }

    /// Runs until nobody receives.
    async fn run(mut self, path: PathBuf, pace: Pace) {
        let identity = Identity {
            origin: file_origin(&path),
            ..Identity::default()
        };
        if !self.send(Change::Identity(identity)).await {
            return;
        }
        let mut watch = FileWatch::with_pace([path.clone()], &FACTS_FILE, pace);
        loop {
            let changed = tokio::select! {
                changed = watch.changed() => changed,
                () = self.unconfirmed.wait() => {
                    let path = path.clone();
                    let written = blocking(move || Written::of(&path)).await;
                    if written != self.said {
                        self.said = written;
                        self.facts.must_list = true;
                        watch.forget();
                    }
                    continue;
                }
                () = self.confirmed.wait() => {
                    self.facts.accept_unmarked();
                    watch.forget();
                    continue;
                }
            };
            for changed in changed {
                if !self.unconfirmed.is_waited_for() {
                    self.said = changed.written;
                }
                for change in self.read(changed.path, changed.content).await {
                    if !self.send(change).await {
                        return;
                    }
                }
            }
        }
    }

    /// What follows from a content of the file, which is parsed elsewhere.
    async fn read(&mut self, path: PathBuf, content: Result<Vec<u8>, ReadError>) -> Vec<Change> {
        let length = content.as_ref().map_or(0, Vec::len);
        let read = move |facts: &mut TextFacts| facts.read(&path, content);
        self.facts.elsewhere(length, read).await
    }

    /// Sends a change; says whether anybody receives.
    async fn send(&self, change: Change) -> bool {
        let delta = Delta::Member {
            member: self.member.clone(),
            epoch: self.epoch,
            change,
        };
        self.deltas.send(delta).await.is_ok()
    }
}

/// What became of the text that was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextStanding {
    /// It is right, or none was read yet.
    Right,
    /// It is right, and whoever has it says nothing any more.
    Silent,
    /// It is missing or wrong.
    Wrong,
}

/// What a file said, from reading to reading. Pure but for its log.
pub(super) struct TextFacts {
    /// The member.
    member: Label,
    /// Where it is counted that there is more than is read.
    metrics: Arc<Metrics>,
    /// The last good text.
    file: FactsFile,
    /// What became of the text that was read last.
    standing: TextStanding,
    /// Whether to say everything, changed or not.
    must_list: bool,
    /// Somebody has said of the next text that it is whole.
    is_vouched_for: bool,
    /// Whether the writer was told that the text is whole; `None` before the first.
    told_whole: Option<bool>,
}

impl TextFacts {
    /// Before the first reading.
    pub(super) fn new(member: Label, metrics: Arc<Metrics>) -> Self {
        Self {
            member,
            metrics,
            file: FactsFile::default(),
            standing: TextStanding::Right,
            must_list: false,
            is_vouched_for: false,
            told_whole: None,
        }
    }

    /// Takes the next text without its mark, and as whole.
    pub(super) fn accept_unmarked(&mut self) {
        info!(member = %self.member, "facts file accepted without [end], confirmed by an operator");
        self.file.forget_mark();
        self.is_vouched_for = true;
    }

    /// Has a text of so many octets read on another thread, in its turn.
    pub(super) async fn elsewhere(
        &mut self,
        octets: usize,
        read: impl FnOnce(&mut Self) -> Vec<Change> + Send + 'static,
    ) -> Vec<Change> {
        let none = Self::new(self.member.clone(), Arc::clone(&self.metrics));
        let mut facts = std::mem::replace(self, none);
        let work = move || {
            let changes = read(&mut facts);
            (facts, changes)
        };
        let (facts, changes) = parse(octets, work).await;
        *self = facts;
        changes
    }

    /// What follows from a content of the file at `path`.
    pub(super) fn read(&mut self, path: &Path, content: Result<Vec<u8>, ReadError>) -> Vec<Change> {
        let text = content.and_then(|octets| read::text(path, octets));
        let limit = text.as_ref().err().and_then(ReadError::limit);
        self.count_excess(limit);
        let read = text
            .map_err(|error| error.to_string())
            .and_then(|text| self.take(&text, path));
        read.unwrap_or_else(|why| self.refuse(why))
    }

    /// What follows from facts that cannot be used, whatever is in them.
    pub(super) fn refuse(&mut self, why: String) -> Vec<Change> {
        if self.standing == TextStanding::Right {
            warn!(member = %self.member, %why, held = self.told_whole.is_some(), "lost");
        } else {
            info!(member = %self.member, %why, "facts still invalid");
        }
        self.lose(why)
    }

    /// Has everything said with the next text that is right.
    pub(super) fn list_again(&mut self) {
        self.must_list = true;
    }

    /// What follows from whoever has the text saying nothing of use any more.
    pub(super) fn lose_contact(&mut self, why: String) -> Vec<Change> {
        if self.standing != TextStanding::Right {
            return Vec::new();
        }
        self.standing = TextStanding::Silent;
        vec![Change::Lost(Loss::Heartbeat(why))]
    }

    /// Everything that was right last, of a text that is there again as it was; nothing if none was.
    pub(super) fn all_again(&mut self) -> Vec<Change> {
        if self.told_whole.is_none() || self.standing != TextStanding::Silent {
            return Vec::new();
        }
        self.standing = TextStanding::Right;
        self.must_list = false;
        vec![Change::Returning, self.all()]
    }

    /// What follows from a file that cannot be used. Whoever is told of the mark can do something.
    fn lose(&mut self, why: String) -> Vec<Change> {
        let before = std::mem::replace(&mut self.standing, TextStanding::Wrong);
        let was_lost = before != TextStanding::Right;
        if self.file.lacks_mark() {
            vec![Change::Lost(Loss::Mark(why))]
        } else if was_lost {
            Vec::new()
        } else {
            vec![Change::Lost(Loss::File(why))]
        }
    }

    /// What follows from a text, or why it cannot be used. Every problem is logged.
    fn take(&mut self, text: &str, path: &Path) -> Result<Vec<Change>, String> {
        let differences = self.file.read(text, path).map_err(|problems| {
            self.count_excess(problems.iter().filter_map(|problem| problem.limit));
            for problem in &problems {
                warn!(member = %self.member, %problem, "invalid facts file");
            }
            let first = problems.first().map(ToString::to_string);
            match (first, Problem::total(&problems)) {
                (Some(first), 1) => first,
                (Some(first), count) => format!("{first} (and {} more)", count - 1),
                (None, _) => format!("{}: wrong", path.display()),
            }
        })?;
        let mut changes = Vec::new();
        let is_whole = self.file.is_whole() || std::mem::take(&mut self.is_vouched_for);
        let told = self.told_whole.replace(is_whole);
        let is_news = told != Some(is_whole);
        // What is held back is let go once the new text has said what is there again.
        if is_news && !is_whole {
            changes.push(Change::Whole(false));
        }
        let before = std::mem::replace(&mut self.standing, TextStanding::Right);
        if before != TextStanding::Right {
            changes.extend([Change::Returning, self.all()]);
        } else if self.must_list || told.is_none() {
            changes.push(self.all());
        } else {
            changes.extend(self.file.changes(differences));
        }
        if is_news && is_whole {
            changes.push(Change::Whole(true));
        }
        self.must_list = false;
        Ok(changes)
    }

    /// Counts limits that are exceeded.
    fn count_excess(&self, limits: impl IntoIterator<Item = &'static Limit>) {
        for limit in limits {
            self.metrics.limit_exceeded(limit);
        }
    }

    /// Everything that the file says.
    fn all(&self) -> Change {
        let services = self.file.services();
        let shared = |(key, service)| (NamespacedName::clone(key), Arc::clone(service));
        let all: Vec<_> = services.map(shared).collect();
        debug!(member = %self.member, services = all.len(), "listed");
        Change::Synced(all)
    }
}

#[cfg(test)]
#[path = "tests/file.rs"]
mod tests;
