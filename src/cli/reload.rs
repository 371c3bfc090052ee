//! The configuration file while the daemon runs: watched by content, taken when it is right.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::{error, info, warn};

use crate::config::{self, Config};
use crate::sources::watch::FileWatch;

/// The configuration that runs, and the file that it comes from.
#[derive(Debug)]
pub(super) struct Running {
    /// What runs now.
    config: Arc<Config>,
    /// The text that was last read, right or wrong.
    text: Option<Vec<u8>>,
    /// The file.
    path: PathBuf,
    /// Says when its content has changed.
    watch: FileWatch,
}

impl Running {
    /// Follows the file that `config` was read from, as `text`.
    pub(super) fn new(config: Arc<Config>, text: String) -> Self {
        let path = config.path.clone();
        Self {
            watch: FileWatch::new([path.clone()]),
            text: Some(text.into_bytes()),
            config,
            path,
        }
    }

    /// Waits for another content of the file, and says which configuration to run instead, if it
    /// is right and differs. Safe to cancel.
    pub(super) async fn changed(&mut self) -> Option<Arc<Config>> {
        loop {
            let news = self.watch.changed().await;
            for change in news {
                let content = match change.content {
                    Ok(content) => content,
                    Err(error) => {
                        self.text = None;
                        error!(file = %self.path.display(), %error,
                            "configuration cannot be read; the running one stays");
                        continue;
                    }
                };
                if self.text.as_ref() != Some(&content) {
                    self.text = Some(content.clone());
                    return self.take(&String::from_utf8_lossy(&content));
                }
            }
        }
    }

    /// Reads the file now, because somebody asked; as [`changed`](Self::changed) otherwise.
    pub(super) fn reload(&mut self) -> Option<Arc<Config>> {
        match std::fs::read(&self.path) {
            Ok(content) => {
                self.text = Some(content.clone());
                self.take(&String::from_utf8_lossy(&content))
            }
            Err(error) => {
                error!(file = %self.path.display(), %error,
                    "configuration cannot be read; the running one stays");
                None
            }
        }
    }

    /// What to run after a text was read; `None` leaves everything as it is.
    fn take(&mut self, text: &str) -> Option<Arc<Config>> {
        let new = match config::parse(text, &self.path) {
            Ok(new) => new,
            Err(problems) => {
                for problem in &problems {
                    error!(%problem, "wrong configuration");
                }
                error!(file = %self.path.display(), problems = problems.len(),
                    "configuration refused; the running one stays");
                return None;
            }
        };
        let new = Arc::new(keep_listeners(&self.config, new));
        if new == self.config {
            info!(file = %self.path.display(), "configuration read again, nothing else changes");
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

/// The new configuration with the sockets and the state folder of the running one, which only a
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
    new
}
