//! Has what was last seen of the overrides of a host cluster written. Answers do not wait for that: it is
//! with the host too.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, warn};

use super::host_file::{self, KeptOverrides};
use crate::publish::disk::storage::Storage;

/// How long after a failure the file is written again.
const RETRY: Duration = Duration::from_secs(30);

/// How the file is told.
const PART: &str = "host-overrides.json";

/// Has what was last seen written.
#[derive(Debug)]
pub(in crate::publish) struct HostKeeper {
    /// The file.
    path: PathBuf,
    /// What is in it.
    kept: Option<KeptOverrides>,
    /// What is being written.
    writing: Option<(KeptOverrides, JoinHandle<io::Result<()>>)>,
    /// When to write again after a failure.
    retry: Option<Instant>,
}

impl HostKeeper {
    /// What an earlier process has left. Where no host is configured any more it is removed: it would be
    /// in force when one is again.
    pub(in crate::publish) fn read(path: PathBuf, is_wanted: bool, storage: &Storage) -> Self {
        let mut keeper = Self {
            path,
            kept: None,
            writing: None,
            retry: None,
        };
        if !is_wanted {
            keeper.forget();
            return keeper;
        }
        match host_file::read(&keeper.path) {
            Ok(kept) => keeper.kept = kept,
            Err(problem) => {
                let file = keeper.path.display();
                error!(%file, problem, "the overrides of the host cluster cannot be read");
                storage.fails(PART, &problem);
            }
        }
        keeper
    }

    /// What is in the file, as far as it is known.
    pub(in crate::publish) fn kept(&self) -> Option<&KeptOverrides> {
        self.kept.as_ref()
    }

    /// Has the file written, if it is to hold something else, on a thread that may wait for the disk.
    pub(in crate::publish) fn turn(
        &mut self,
        wanted: Option<KeptOverrides>,
        storage: &Storage,
        now: Instant,
    ) {
        if let Some((written, task)) = self.writing.take() {
            if !task.is_finished() {
                self.writing = Some((written, task));
                return;
            }
            // It has ended, so this does not wait.
            match futures::FutureExt::now_or_never(task) {
                Some(Ok(Ok(()))) => {
                    self.kept = Some(written);
                    self.retry = None;
                    storage.works(PART);
                }
                Some(Ok(Err(problem))) => self.failed(&problem, storage, now),
                Some(Err(problem)) => self.failed(&io::Error::other(problem), storage, now),
                None => {}
            }
        }
        let is_due = self.retry.is_none_or(|retry| retry <= now);
        if let Some(wanted) = wanted.filter(|wanted| is_due && self.kept.as_ref() != Some(wanted)) {
            let (path, written) = (self.path.clone(), wanted.clone());
            let task = tokio::task::spawn_blocking(move || host_file::write(&path, &written));
            self.writing = Some((wanted, task));
        }
    }

    /// It could not be written.
    fn failed(&mut self, problem: &io::Error, storage: &Storage, now: Instant) {
        if self.retry.is_none() {
            error!(file = %self.path.display(), %problem, "cannot write the overrides of the host cluster");
        }
        storage.fails(PART, problem);
        self.retry = Some(now + RETRY);
    }

    /// Writes the file before the process ends.
    pub(in crate::publish) fn end(&mut self, wanted: Option<KeptOverrides>) {
        if let Some(wanted) = wanted.filter(|wanted| self.kept.as_ref() != Some(wanted))
            && let Err(problem) = host_file::write(&self.path, &wanted)
        {
            error!(file = %self.path.display(), %problem, "cannot write the overrides of the host cluster");
        }
    }

    /// Removes the file: no host cluster is configured.
    pub(in crate::publish) fn forget(&mut self) {
        self.kept = None;
        match std::fs::remove_file(&self.path) {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
                warn!(file = %self.path.display(), %problem, "cannot remove the overrides of a host cluster");
            }
            _ => {}
        }
    }
}
