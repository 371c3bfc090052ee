//! What can go wrong when the writer starts.

use std::io;
use std::path::PathBuf;

/// Why the writer cannot start. A `state-dir` that cannot be used is no reason, nor are wrong files in
/// it: that is said, and what they held is learnt anew.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
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
