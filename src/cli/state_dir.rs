//! The state folder as the running daemon uses it: its lock, and the address that it leaves there.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use super::predecessor::unless_taken;
use crate::config;
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

    /// Leaves the admin address for the command line; `None` removes what an earlier daemon left.
    pub(super) fn set_address(&self, address: Option<SocketAddr>) {
        let file = self.path.join(ADDRESS);
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

/// A state folder as said, else the platform's.
pub(super) fn folder(said: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = said.map(Path::to_owned).or_else(config::default_state_dir);
    folder.ok_or_else(|| anyhow!("no state folder: give --state-dir"))
}

/// The admin address of the daemon that uses a state folder.
pub(super) fn address(state_dir: &Path) -> anyhow::Result<SocketAddr> {
    let file = state_dir.join(ADDRESS);
    let text = fs::read_to_string(&file).with_context(|| {
        let file = file.display();
        format!("no running daemon found: {file} (give --admin or --state-dir; the daemon needs listen.admin)")
    })?;
    let address = text.trim().parse();
    address.with_context(|| format!("{}: no address", file.display()))
}
