//! The configuration file while the daemon runs: watched by content, taken when it is right.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::{error, info, warn};

use crate::config::read::ReadError;
use crate::config::{self, Config, Problem};
use crate::model::limits::CONFIGURATION_FILE;
use crate::sources::blocking;
use crate::sources::watch::FileWatch;
use crate::telemetry::Metrics;

/// The configuration that runs, and the file that it comes from.
#[derive(Debug)]
pub(super) struct Running {
    /// What runs now.
    config: Arc<Config>,
    /// What was last read, right or wrong; `None` when it could not be.
    octets: Option<Arc<Vec<u8>>>,
    /// What was last read is to be looked at.
    is_due: bool,
    /// The file is to be read, changed or not, because somebody asked.
    is_asked: bool,
    /// The file.
    path: PathBuf,
    /// Where it is counted that there is more than is read.
    metrics: Arc<Metrics>,
    /// Says when its content has changed.
    watch: FileWatch,
}

impl Running {
    /// Follows the file that `config` was read from, as `octets`.
    pub(super) fn new(config: Arc<Config>, octets: Vec<u8>, metrics: Arc<Metrics>) -> Self {
        let path = config.path.clone();
        Self {
            watch: FileWatch::new([path.clone()], &CONFIGURATION_FILE),
            octets: Some(Arc::new(octets)),
            is_due: false,
            is_asked: false,
            config,
            path,
            metrics,
        }
    }

    /// Waits for another content of the file, and says which configuration to run instead, if it
    /// is right and differs. Safe to cancel.
    pub(super) async fn changed(&mut self) -> Option<Arc<Config>> {
        loop {
            if let (true, Some(octets)) = (self.is_due, self.octets.clone()) {
                let (path, length) = (self.path.clone(), octets.len());
                let parse = move || config::parse_octets(octets.to_vec(), &path);
                let read = blocking::parse(length, parse).await;
                self.is_due = false;
                return self.take(read);
            }
            if self.is_asked {
                let read = blocking::read(self.path.clone(), &CONFIGURATION_FILE).await;
                self.is_asked = false;
                self.note(read, true);
                continue;
            }
            for change in self.watch.changed().await {
                self.note(change.content, false);
            }
        }
    }

    /// Makes [`changed`](Self::changed) read the file at once, because somebody asked. What to run
    /// instead is not known before, so this is `None`.
    pub(super) fn reload(&mut self) -> Option<Arc<Config>> {
        self.is_asked = true;
        None
    }

    /// Keeps what was read, to be looked at where it differs from what was read before.
    fn note(&mut self, read: Result<Vec<u8>, ReadError>, is_asked: bool) {
        match read {
            Ok(octets) => {
                let is_same = self
                    .octets
                    .as_ref()
                    .is_some_and(|before| **before == octets);
                self.is_due |= is_asked || !is_same;
                self.octets = Some(Arc::new(octets));
            }
            Err(error) => {
                self.octets = None;
                if let Some(limit) = error.limit() {
                    self.metrics.limit_exceeded(limit);
                }
                error!(%error, "configuration cannot be read, the running one stays in force");
            }
        }
    }

    /// What to run after the file was read; `None` leaves everything as it is.
    fn take(&mut self, read: Result<Config, Vec<Problem>>) -> Option<Arc<Config>> {
        let new = match read {
            Ok(new) => new,
            Err(problems) => {
                for problem in &problems {
                    if let Some(limit) = problem.limit {
                        self.metrics.limit_exceeded(limit);
                    }
                    error!(%problem, "invalid configuration");
                }
                error!(file = %self.path.display(), problems = problems.len(),
                    "configuration rejected, the running one stays in force");
                return None;
            }
        };
        let new = Arc::new(keep_listeners(&self.config, new));
        if new == self.config {
            info!(file = %self.path.display(), "configuration reloaded, nothing has changed");
            return None;
        }
        info!(
            file = %self.path.display(),
            federations = new.fleet.federations.len(),
            members = new.fleet.members.len(),
            "configuration reloaded"
        );
        self.config = Arc::clone(&new);
        Some(new)
    }

    /// What runs now.
    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }
}

/// The new configuration with the sockets, the state folder and the account of the running one, which only a
/// restart can change. Says so when they differ.
fn keep_listeners(running: &Config, mut new: Config) -> Config {
    let mut kept = running.listen.clone();
    kept.nsid.clone_from(&new.listen.nsid);
    kept.trusted.clone_from(&new.listen.trusted);
    if kept != new.listen {
        warn!("listeners have changed: they stay as they are until a restart");
        new.listen = kept;
    }
    if running.state_dir != new.state_dir {
        warn!(
            running = %running.state_dir.display(), new = %new.state_dir.display(),
            "state-dir has changed: it stays as it is until a restart"
        );
        new.state_dir.clone_from(&running.state_dir);
    }
    if running.account != new.account {
        warn!("user or group has changed: they stay as they are until a restart");
        new.account.clone_from(&running.account);
    }
    new
}
