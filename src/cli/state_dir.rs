//! The state folder as the running daemon uses it: its lock, and the address that it leaves there.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use crate::config;

/// Locked as long as a daemon uses the folder; the lock ends with the process, however it ends.
const LOCK: &str = "lock";

/// Holds the admin address of the running daemon.
const ADDRESS: &str = "admin.address";

/// A state folder that no other daemon uses.
#[derive(Debug)]
pub(super) struct StateDir {
    /// The folder.
    path: PathBuf,
    /// The open lock file.
    _lock: File,
}

impl StateDir {
    /// Makes the folder if need be, and locks it.
    pub(super) fn lock(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("state-dir {shown}"))?;
        let file = path.join(LOCK);
        let lock = File::options().create(true).append(true).open(&file);
        let lock = lock.with_context(|| format!("state-dir: {}", file.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("state-dir {shown}: gazetteer is already running with it")
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("state-dir {shown}: lock"));
            }
        }
        let path = path.to_owned();
        Ok(Self { path, _lock: lock })
    }

    /// Leaves the admin address for the command line; `None` removes what an earlier daemon left.
    pub(super) fn set_address(&self, address: Option<SocketAddr>) -> anyhow::Result<()> {
        let file = self.path.join(ADDRESS);
        let Some(address) = address else {
            return match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(error).with_context(|| file.display().to_string())
                }
                _ => Ok(()),
            };
        };
        let new = self.path.join(format!("{ADDRESS}.new"));
        let write = || {
            writeln!(File::create(&new)?, "{address}")?;
            fs::rename(&new, &file)
        };
        write().with_context(|| file.display().to_string())
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
