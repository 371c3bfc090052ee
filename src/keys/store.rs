//! Changes of the folder of keys: by one at a time, each file whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::error::KeysError;
use super::folder::{ENDING, StoredKeys};
use super::plan::KeyEdit;
use crate::config::{KeyFile, whole_file};
use crate::dnssec::{Algorithm, SigningKey};
use crate::wire::NameBuf;

/// The file that is locked while keys are changed.
const LOCK: &str = ".lock";

/// The folder of keys, which nobody else changes as long as this is held.
#[derive(Debug)]
pub struct KeysLock {
    folder: PathBuf,
    _file: File,
}

impl KeysLock {
    /// Makes the folder if need be, for its user alone, and locks it; `None` while somebody else has it.
    /// Blocks for a moment.
    pub fn try_take(folder: &Path) -> Result<Option<Self>, KeysError> {
        let file = lock_file(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self::new(folder, file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(KeysError::file(&folder.join(LOCK), error)),
        }
    }

    /// As [`try_take`](Self::try_take), but waits for whoever has it. Blocks.
    pub fn take(folder: &Path) -> Result<Self, KeysError> {
        let file = lock_file(folder)?;
        let locked = file.lock();
        locked.map_err(|error| KeysError::file(&folder.join(LOCK), error))?;
        Ok(Self::new(folder, file))
    }

    fn new(folder: &Path, file: File) -> Self {
        Self {
            folder: folder.to_owned(),
            _file: file,
        }
    }

    /// The keys that are there. Blocks.
    pub fn keys(&self) -> Result<StoredKeys, KeysError> {
        StoredKeys::read(&self.folder)
    }

    /// A new key with a tag that no other key of the zone has.
    pub fn generate(
        &self,
        keys: &StoredKeys,
        zone: &NameBuf,
        algorithm: Algorithm,
    ) -> Result<SigningKey, KeysError> {
        loop {
            let key = SigningKey::generate(algorithm)?;
            let tag = key.dnskey().tag();
            if keys.of(zone).all(|stored| stored.key.dnskey.tag() != tag) {
                return Ok(key);
            }
        }
    }

    /// Writes the file of a new key, and says which. Blocks.
    pub fn add(&self, key: &KeyFile) -> Result<PathBuf, KeysError> {
        let zone = key.zone.to_string();
        let name = format!("{}{}{ENDING}", zone, key.dnskey.tag());
        let path = self.folder.join(name);
        write_key(&path, key)?;
        Ok(path)
    }

    /// Does what is to be done with the keys of a zone. Says what was done, one line for each. Blocks.
    pub fn apply(
        &self,
        keys: &StoredKeys,
        zone: &NameBuf,
        edits: &[KeyEdit],
    ) -> Result<Vec<String>, KeysError> {
        let mut done = Vec::new();
        for edit in edits {
            let with = |tag: u16| keys.of(zone).find(|it| it.key.dnskey.tag() == tag);
            match *edit {
                KeyEdit::Times(tag, times) => {
                    let Some(stored) = with(tag) else { continue };
                    let key = KeyFile {
                        times,
                        ..stored.key.clone()
                    };
                    write_key(&stored.path, &key)?;
                    let what = if times.ds_seen != stored.key.times.ds_seen {
                        "its DS record is at the parent"
                    } else if times.ds_gone != stored.key.times.ds_gone {
                        "the DS records at the parent are gone"
                    } else if times.remove != stored.key.times.remove {
                        "has a time to be removed"
                    } else {
                        "has other times"
                    };
                    done.push(format!("{}: {what}", key.label()));
                }
                KeyEdit::Delete(tag) => {
                    let Some(stored) = with(tag) else { continue };
                    let removed = fs::remove_file(&stored.path);
                    removed.map_err(|error| KeysError::file(&stored.path, error))?;
                    done.push(format!("{}: deleted", stored.key.label()));
                }
                KeyEdit::Succeed(algorithm, times) => {
                    let private = self.generate(keys, zone, algorithm)?;
                    let key = KeyFile {
                        zone: zone.clone(),
                        dnskey: private.dnskey().clone(),
                        private: Some(private.into()),
                        times,
                    };
                    self.add(&key)?;
                    done.push(format!("{}: made, a successor", key.label()));
                }
            }
        }
        Ok(done)
    }
}

/// Writes the file of a key.
fn write_key(path: &Path, key: &KeyFile) -> Result<(), KeysError> {
    let text = key.text()?;
    write_private(path, text.as_bytes())
}

/// Whether keys can be written in a folder, which need not be there. Blocks.
pub fn is_writable(folder: &Path) -> bool {
    let rights = AccessFlags::W_OK | AccessFlags::X_OK;
    let mut there = folder.ancestors().filter(|it| !it.as_os_str().is_empty());
    let there = there.find(|it| it.exists()).unwrap_or(Path::new("."));
    access(there, rights).is_ok()
}

/// Writes a file whole, for the user of its folder alone: a command of root leaves it to the daemon.
pub fn write_private(path: &Path, octets: &[u8]) -> Result<(), KeysError> {
    let failed = |error| KeysError::file(path, error);
    whole_file::write(path, &[], octets).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    give_to_owner(path, folder);
    Ok(())
}

/// Gives a file the user and group of a folder. Whoever is not root cannot, and need not.
fn give_to_owner(path: &Path, folder: &Path) {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    if let Ok(folder) = fs::metadata(folder) {
        let _ = chown(path, Some(folder.uid()), Some(folder.gid()));
    }
}

/// The file that is locked.
fn lock_file(folder: &Path) -> Result<File, KeysError> {
    let is_there = folder.exists();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| KeysError::file(folder, error))?;
    if !is_there {
        give_to_owner(folder, folder.parent().unwrap_or(Path::new(".")));
    }
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.create(true).append(true).mode(0o600).open(&path);
    let file = file.map_err(|error: io::Error| KeysError::file(&path, error))?;
    give_to_owner(&path, folder);
    Ok(file)
}
