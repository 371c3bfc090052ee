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
use super::overrides_file;
use super::world::Now;
use crate::model::{Overrides, Peer, UnixSeconds};

/// How long after a failure the file is written again.
const RETRY: Duration = Duration::from_secs(30);

/// Decisions on their way to the disk.
#[derive(Debug)]
pub(super) struct Saving {
    /// Writes them.
    task: JoinHandle<io::Result<()>>,
    /// What is written.
    written: Overrides,
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
    /// What is in force.
    pub(super) now: Overrides,
    /// What is on disk.
    kept: Overrides,
    /// The file.
    path: PathBuf,
    /// Decisions on their way to the disk.
    saving: Option<Saving>,
    /// When to write again after a failure.
    retry: Option<Instant>,
    /// The latest moment that the clock has shown: a clock that is set back gives nothing back.
    pub(super) latest: UnixSeconds,
    /// What everybody may see of it.
    pub(super) shown: watch::Sender<Arc<Standing>>,
}

impl Overruling {
    /// What an earlier process has left.
    pub(super) fn new(now: Overrides, path: PathBuf, shown: watch::Sender<Arc<Standing>>) -> Self {
        let begun = now.drains.iter().filter_map(|drain| drain.begun);
        let latest = begun.max().unwrap_or_default();
        Self {
            kept: now.clone(),
            now,
            path,
            saving: None,
            retry: None,
            latest,
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
        let (path, overrides) = (self.path.clone(), written.clone());
        let task = tokio::task::spawn_blocking(move || overrides_file::write(&path, &overrides));
        self.saving = Some(Saving {
            task,
            written,
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
            }
            Err(problem) => {
                error!(file = %self.path.display(), %problem, "overrides cannot be kept");
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
        if self.saving.is_none() && self.kept != self.now && is_due {
            self.save(self.now.clone(), None);
        }
    }
}
