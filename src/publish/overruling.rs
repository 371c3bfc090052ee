//! What operators have decided, as the writer keeps it and has it written.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::error;

use super::command::{Command, Done, Refused, Standing};
use super::lingering::Lingering;
use super::now::Now;
use super::overrides_file::{self, Decided};
use super::steady::{Steady, dated};
use super::storage::Storage;
use crate::model::{Overrides, Peer, UnixSeconds};

/// How long after a failure the file is written again.
const RETRY: Duration = Duration::from_secs(30);

/// How the file is told.
const PART: &str = "overrides.json";

/// Decisions on their way to the disk.
#[derive(Debug)]
pub(super) struct Saving {
    /// Writes them.
    task: JoinHandle<io::Result<()>>,
    /// What is written, and by how many seconds the wall clock that dates it is ahead.
    written: (Overrides, i64),
    /// What they come from, and whom to tell; `None` for what came by itself.
    pub(super) order: Option<Asked>,
}

/// A command that was decided upon.
#[derive(Debug)]
pub(super) struct Asked {
    /// The command.
    pub(super) command: Command,
    /// Who gave it.
    pub(super) by: Option<Peer>,
    /// What is to be in force.
    pub(super) next: Overrides,
    /// Whom to tell.
    pub(super) reply: oneshot::Sender<Result<Done, Refused>>,
}

/// What operators have decided, as the writer keeps it.
#[derive(Debug)]
pub(super) struct Overruling {
    /// What is in force, by the moments of [`Self::clock`].
    pub(super) now: Overrides,
    /// What is on disk, and by how many seconds the wall clock that dates it is ahead.
    kept: (Overrides, i64),
    /// The file.
    path: PathBuf,
    /// Decisions on their way to the disk.
    saving: Option<Saving>,
    /// When to write again after a failure.
    retry: Option<Instant>,
    /// By which things begin and end.
    pub(super) clock: Steady,
    /// The file could not be read at the start: nothing but a command takes its place.
    is_unread: bool,
    /// Where what is wrong with the file is told.
    pub(super) storage: Storage,
    /// What shares were last made of; `None` when they are to be made anew.
    pub(super) applied: Option<(Overrides, UnixSeconds, i64)>,
    /// What caches may hold beside what is published.
    pub(super) lingering: Lingering,
    /// What everybody may see of it, by the dates of the wall clock.
    pub(super) shown: watch::Sender<Arc<Standing>>,
}

impl Overruling {
    /// What an earlier process has left.
    pub(super) fn new(
        decided: Decided,
        path: PathBuf,
        shown: watch::Sender<Arc<Standing>>,
        storage: Storage,
        now: Now,
    ) -> Self {
        let is_unread = decided.problem.is_some();
        if let Some(problem) = decided.problem {
            storage.fails(PART, problem);
        }
        let decided = decided.overrides;
        let begun = decided.drains.iter().filter_map(|drain| drain.begun);
        let frozen = decided.frozen.map(|freeze| freeze.since);
        let clock = Steady::new(now, begun.chain(frozen).max());
        Self {
            kept: (decided.clone(), 0),
            now: decided,
            path,
            saving: None,
            retry: None,
            clock,
            is_unread,
            storage,
            applied: None,
            lingering: Lingering::default(),
            shown,
        }
    }

    /// Whether answers stay as they are.
    pub(super) fn is_frozen(&self) -> bool {
        self.now.frozen.is_some()
    }

    /// Whether decisions are on their way to the disk: nothing else is decided meanwhile.
    pub(super) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Writes decisions, on a thread that may wait for the disk.
    pub(super) fn save(&mut self, written: Overrides, order: Option<Asked>) {
        let path = self.path.clone();
        let ahead = self.clock.ahead();
        let overrides = dated(&written, ahead);
        let is_unread = self.is_unread;
        let task = tokio::task::spawn_blocking(move || {
            if is_unread {
                overrides_file::move_aside(&path)?;
            }
            overrides_file::write(&path, &overrides)
        });
        self.saving = Some(Saving {
            task,
            written: (written, ahead),
            order,
        });
    }

    /// Waits until decisions are written, or for ever if there are none. Safe to cancel.
    pub(super) async fn saved(&mut self) -> io::Result<()> {
        match &mut self.saving {
            Some(saving) => (&mut saving.task).await.map_err(io::Error::other)?,
            None => std::future::pending().await,
        }
    }

    /// Takes note of how writing went. Returns the command that waited for it.
    pub(super) fn note_saved(&mut self, saved: &io::Result<()>, now: Now) -> Option<Asked> {
        let saving = self.saving.take()?;
        match saved {
            Ok(()) => {
                self.kept = saving.written;
                self.retry = None;
                self.is_unread = false;
                self.storage.works(PART);
            }
            Err(problem) => {
                error!(file = %self.path.display(), %problem, "overrides cannot be kept");
                self.storage.fails(PART, problem);
                self.retry = Some(now.instant + RETRY);
            }
        }
        saving.order
    }

    /// Why a command is not obeyed whose outcome could not be written.
    pub(super) fn not_kept(&self, problem: &io::Error) -> Refused {
        Refused::NotKept {
            path: self.path.display().to_string(),
            problem: problem.to_string(),
        }
    }

    /// Writes what is in force if it is not on disk: ends that came by themselves, and moments that
    /// were known only afterwards.
    pub(super) fn catch_up(&mut self, now: Instant) {
        let is_due = self.retry.is_none_or(|retry| retry <= now);
        let (kept, ahead) = &self.kept;
        let is_kept = *kept == self.now && *ahead == self.clock.ahead();
        // Without decisions there is nothing to be dated.
        let is_empty = *kept == self.now && self.now == Overrides::default();
        let is_open = self.saving.is_none() && !self.is_unread;
        if is_open && !is_kept && !is_empty && is_due {
            self.save(self.now.clone(), None);
        }
    }
}
