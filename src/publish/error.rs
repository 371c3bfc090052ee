//! What can go wrong when the writer starts.

use std::io;
use std::path::PathBuf;

/// Why the writer cannot start. Wrong files of persisted facts are no reason: they are logged, and
/// what they held is learnt anew.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder for persisted facts cannot be made or opened: correct `state-dir` or its rights.
    #[error("state-dir {path}: {source}", path = path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process keeps its facts there: stop it, or give this one another `state-dir`.
    #[error("state-dir {path}: another daemon is using it", path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A thread or its runtime cannot be started: the machine is out of resources.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}
