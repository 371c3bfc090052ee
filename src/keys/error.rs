//! What can be wrong with keys on disk.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::limits::Limit;

/// Keys cannot be read or written. Never shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The system refuses a file or the folder: correct the path or the rights.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file or the folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Key files are wrong; none of them is taken. One line for each thing that is wrong.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// There is more than a limit lets through.
    #[error("{what}")]
    Exceeded {
        /// Of what.
        what: String,
        /// The limit.
        limit: &'static Limit,
    },
    /// The cryptographic library fails.
    #[error(transparent)]
    Library(#[from] crate::dnssec::KeyError),
}

impl KeysError {
    /// The system refuses a file.
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// The limit that is exceeded, if that is why.
    pub fn limit(&self) -> Option<&'static Limit> {
        match self {
            Self::Exceeded { limit, .. } => Some(limit),
            _ => None,
        }
    }
}
