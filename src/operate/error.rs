//! Why a command of an operator was not carried out.

use std::path::{Path, PathBuf};

/// Why a command was not carried out. Correct what it names, and give the command again: what it has
/// made by then is taken as it is.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The operator's kubeconfig, or a context of it, cannot be used.
    #[error("{0}")]
    Kubeconfig(String),
    /// Something was found that refuses. Nothing was changed.
    #[error("{0}; nothing was changed")]
    Refused(String),
    /// An API did not do what was asked.
    #[error("{0}")]
    Api(String),
    /// The new credential does not do what it is for. What the daemon reads was not touched.
    #[error("{0}; the daemon's side was not touched")]
    Unproven(String),
    /// A file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl OperateError {
    /// That a file cannot be read or written.
    pub(super) fn file(path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}
