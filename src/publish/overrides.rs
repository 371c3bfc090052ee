//! What operators have decided, as the writer keeps it and has it written.

pub(super) mod amend;
pub(super) mod decide;
pub(super) mod decision;
pub(super) mod form;
pub(super) mod host;
pub(super) mod host_file;
pub(super) mod host_follow;
pub(super) mod host_keeper;
pub(super) mod in_force;
pub(super) mod lingering;
pub(super) mod overrides_file;
pub(super) mod steady;
pub(super) mod targets;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::error;

use self::decision::{both, together};
use self::host::HostOverrides;
use self::host_keeper::HostKeeper;
use self::lingering::Lingering;
use self::overrides_file::Decided;
use self::steady::{Steady, dated};
use super::command::{ActiveOverrides, CommandRefused, CommandRequest};
use super::now::Now;
use crate::config::Config;
use crate::model::{Freeze, Overrides, UnixSeconds};
use crate::publish::disk::storage::Storage;
use crate::telemetry::clock;

/// How long after a failure the file is written again.
const RETRY: Duration = Duration::from_secs(30);

/// How the file is told.
const PART: &str = "overrides.json";

/// Decisions on their way to the disk.
#[derive(Debug)]
struct Saving {
    /// Writes them.
    task: JoinHandle<io::Result<()>>,
    /// What is written, and by how many seconds the wall clock that dates it is ahead.
    written: (Overrides, i64),
    /// What they come from, and whom to tell; `None` for what came by itself.
    order: Option<PendingCommand>,
}

/// A command that was decided upon.
#[derive(Debug)]
pub(in crate::publish) struct PendingCommand {
    /// The command, and whom to tell.
    pub(in crate::publish) request: CommandRequest,
    /// What is to be in force.
    pub(in crate::publish) next: Overrides,
}

/// A command whose outcome was written, or why that could not be.
pub(in crate::publish) type WrittenCommand = (PendingCommand, Result<(), CommandRefused>);

/// What operators have decided, as the writer keeps it.
#[derive(Debug)]
pub(in crate::publish) struct OverrideState {
    /// What operators of this daemon have in force, by the moments of [`Self::clock`].
    pub(in crate::publish) now: Overrides,
    /// What operators of all replicas have, which is in force together with that.
    pub(in crate::publish) host: HostOverrides,
    /// Has that written, as it was last seen.
    pub(in crate::publish) host_keeper: HostKeeper,
    /// What is on disk, and by how many seconds the wall clock that dates it is ahead.
    kept: (Overrides, i64),
    /// The file.
    path: PathBuf,
    /// Decisions on their way to the disk.
    saving: Option<Saving>,
    /// When to write again after a failure.
    retry: Option<Instant>,
    /// By which things begin and end.
    pub(in crate::publish) clock: Steady,
    /// The file could not be read at the start: nothing but a command takes its place.
    is_unread: bool,
    /// Where what is wrong with the file is told.
    pub(in crate::publish) storage: Storage,
    /// What shares were last made of; `None` when they are to be made anew.
    pub(in crate::publish) applied: Option<(Overrides, UnixSeconds, i64)>,
    /// What caches may hold beside what is published.
    pub(in crate::publish) lingering: Lingering,
    /// What everybody may see of it, by the dates of the wall clock.
    pub(in crate::publish) shown: watch::Sender<Arc<ActiveOverrides>>,
}

impl OverrideState {
    /// What an earlier process has left.
    pub(in crate::publish) fn new(
        decided: Decided,
        config: &Config,
        shown: watch::Sender<Arc<ActiveOverrides>>,
        storage: Storage,
        now: Now,
    ) -> Self {
        let is_unread = decided.problem.is_some();
        if let Some(problem) = &decided.problem {
            storage.fails(PART, problem);
        }
        let clock = Steady::new(now, decided.latest());
        let (decided, ahead) = (decided.overrides, decided.ahead);
        let object = config.membership.overrides_object();
        let host_path = host_file::path(&config.state_dir);
        let host_keeper = HostKeeper::read(host_path, object.is_some(), &storage);
        let mut host = HostOverrides::new(object, host_keeper.kept().cloned(), clock.ahead());
        host.follow(decided.frozen, clock.now(now.instant));
        Self {
            kept: (decided.clone(), ahead.saturating_neg()),
            host,
            host_keeper,
            now: decided,
            path: overrides_file::path(&config.state_dir),
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

    /// The freeze that holds, whoever has decided it.
    pub(in crate::publish) fn freeze(&self) -> Option<Freeze> {
        both(self.now.frozen, self.host.now.frozen)
    }

    /// Whether answers stay as they are.
    pub(in crate::publish) fn is_frozen(&self) -> bool {
        self.freeze().is_some()
    }

    /// All that is in force, whoever has decided it.
    pub(in crate::publish) fn in_force(&self) -> Overrides {
        together(&self.now, &self.host.now)
    }

    /// Whether decisions are on their way to the disk: nothing else is decided meanwhile.
    pub(in crate::publish) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Writes decisions, on a thread that may wait for the disk.
    pub(super) fn save(&mut self, written: Overrides, order: Option<PendingCommand>) {
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

    /// Waits until decisions are written or could not be, for ever if there are none, and takes note of
    /// that. Returns the command that waited for it, and why it cannot be obeyed. Safe to cancel.
    pub(in crate::publish) async fn saved(&mut self) -> Option<WrittenCommand> {
        let saved = match &mut self.saving {
            Some(saving) => (&mut saving.task).await.map_err(io::Error::other).flatten(),
            None => std::future::pending().await,
        };
        let Saving { written, order, .. } = self.saving.take()?;
        let outcome = match saved {
            Ok(()) => {
                self.kept = written;
                self.retry = None;
                self.is_unread = false;
                self.storage.works(PART);
                Ok(())
            }
            Err(problem) => {
                error!(file = %self.path.display(), %problem, "cannot write overrides");
                self.storage.fails(PART, &problem);
                self.retry = Some(clock::monotonic() + RETRY);
                Err(CommandRefused::NotKept {
                    path: self.path.display().to_string(),
                    problem: problem.to_string(),
                })
            }
        };
        Some((order?, outcome))
    }

    /// Writes what is in force if it is not on disk: ends that came by themselves, and moments that
    /// were known only afterwards.
    pub(in crate::publish) fn catch_up(&mut self, now: Instant) {
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
