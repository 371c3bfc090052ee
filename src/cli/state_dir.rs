//! The state folder as the running daemon uses it: its lock, and the address that it leaves there.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::predecessor::unless_taken;
use crate::publish::{self, LockError, Storage};

/// Holds the admin address of the running daemon.
const ADDRESS: &str = "admin.address";

/// A state folder that no other daemon uses, as far as it can be used at all.
#[derive(Debug)]
pub(super) struct StateDir {
    /// The folder.
    path: PathBuf,
    /// Where what is wrong with it is told.
    storage: Storage,
    /// The open lock file.
    _lock: Option<File>,
}

impl StateDir {
    /// Makes the folder if need be, and locks it. That another daemon uses it is an error; whatever
    /// else is wrong with it is told, since a folder that only keeps stops nothing.
    pub(super) fn lock(path: &Path) -> anyhow::Result<(Self, Storage)> {
        let storage = Storage::default();
        let lock = unless_taken(
            || publish::lock_folder(path),
            |error| matches!(error, LockError::Taken(_)),
        );
        let lock = match lock {
            Ok(lock) => Some(lock),
            Err(error @ LockError::Taken(_)) => bail!("state-dir {error}"),
            Err(error) => {
                storage.fails("folder", error);
                None
            }
        };
        let state = Self {
            path: path.to_owned(),
            storage: storage.clone(),
            _lock: lock,
        };
        Ok((state, storage))
    }

    /// The folder, from the root.
    pub(super) fn absolute(&self) -> PathBuf {
        std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    /// Leaves the admin address for the command line; `None` removes what an earlier daemon left.
    pub(super) fn set_address(&self, address: Option<SocketAddr>) {
        let file = address_file(&self.path);
        let result = match address {
            None => match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Some(address) => {
                let new = self.path.join(format!("{ADDRESS}.new"));
                let written = File::create(&new).and_then(|mut new| writeln!(new, "{address}"));
                written.and_then(|()| fs::rename(&new, &file))
            }
        };
        if let Err(error) = result {
            self.storage.fails(ADDRESS, error);
        }
    }
}

/// Where the daemon that uses a state folder leaves its admin address.
pub(super) fn address_file(state_dir: &Path) -> PathBuf {
    state_dir.join(ADDRESS)
}
