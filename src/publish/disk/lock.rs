//! The lock of a folder: one daemon uses it at a time. Only another daemon of the same user is
//! refused: whatever else is wrong with the lock, and whoever else holds it, stops nothing.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file that is locked, as long as its process runs, however that ends.
const NAME: &str = "lock";

/// Why a folder is not locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon uses it: stop it, or use another folder.
    #[error("{path}: gazetteer is already running with it", path = .0.display())]
    Taken(PathBuf),
    /// It cannot be locked, so two daemons may come to use it: correct the folder or its rights.
    #[error("{path}: {source}", path = .path.display())]
    Unusable {
        /// The folder or the lock file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Makes a folder if need be, for its user alone, and locks it, until the file is dropped.
pub fn lock_folder(folder: &Path) -> Result<File, LockError> {
    let unusable = |path: &Path, source| LockError::Unusable {
        path: path.to_owned(),
        source,
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, error))?;
    let path = folder.join(NAME);
    let file = open(&path).map_err(|error| unusable(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) if is_ours(&file) => Err(LockError::Taken(folder.to_owned())),
        Err(TryLockError::WouldBlock) => {
            let error = io::Error::other("another user has locked it");
            Err(unusable(&path, error))
        }
        Err(TryLockError::Error(error)) => Err(unusable(&path, error)),
    }
}

/// Opens the lock file, through no link, waiting for nobody. Where nothing can be written, one that
/// is there will do.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let made = options.create(true).append(true).mode(0o600).open(path);
    let file = made.or_else(|error| {
        let mut options = OpenOptions::new();
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        options.read(true).open(path).map_err(|_| error)
    })?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("expected a regular file"));
    }
    // Who cannot open it cannot lock it either; files of earlier builds were open to all.
    if file.metadata()?.mode() & 0o077 != 0 {
        // On a file system that takes nothing it stays as it is.
        let _ = file.set_permissions(Permissions::from_mode(0o600));
    }
    Ok(file)
}

/// Whether a process of the same user, or one that cannot be told, holds the lock of a file.
fn is_ours(file: &File) -> bool {
    let Ok(inode) = file.metadata().map(|metadata| metadata.ino()) else {
        return true;
    };
    let us = fs::metadata("/proc/self").map(|this| this.uid());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut holders = locks
        .lines()
        .filter_map(|line| holder(line, inode))
        .peekable();
    let is_unknown = holders.peek().is_none();
    let is_ours = |pid: u32| {
        let them = fs::metadata(format!("/proc/{pid}")).map(|process| process.uid());
        match (&us, them) {
            (Ok(us), Ok(them)) => *us == them,
            _ => true,
        }
    };
    is_unknown || holders.any(is_ours)
}

/// The process that holds a lock of a file, as a line of `/proc/locks` says (`proc_locks(5)`):
/// `1: FLOCK  ADVISORY  WRITE 708 08:01:131587 0 EOF`.
fn holder(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, "FLOCK", _, _, pid, place, ..] = words.as_slice() else {
        return None;
    };
    let of = place.rsplit(':').next()?.parse::<u64>().ok()?;
    (of == inode).then(|| pid.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_daemon_locks_a_folder_and_a_strange_thing_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/state");
        let held = lock_folder(&path).unwrap();
        let mode = fs::metadata(path.join(NAME)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(lock_folder(&path), Err(LockError::Taken(_))));
        drop(held);
        drop(lock_folder(&path).unwrap());
        fs::remove_file(path.join(NAME)).unwrap();
        fs::create_dir(path.join(NAME)).unwrap();
        let unusable = lock_folder(&path);
        assert!(unusable.is_err() && !matches!(unusable, Err(LockError::Taken(_))));
        let file = folder.path().join("file");
        drop(File::create(&file).unwrap());
        let unusable = lock_folder(&file);
        assert!(
            matches!(unusable, Err(LockError::Unusable { .. })),
            "{unusable:?}"
        );
    }

    #[test]
    fn holders_are_read_as_the_kernel_writes_them() {
        let line = "1: FLOCK  ADVISORY  WRITE 708 08:01:131587 0 EOF";
        assert_eq!(holder(line, 131_587), Some(708));
        assert_eq!(holder(line, 7), None);
        assert_eq!(
            holder("2: -> POSIX  ADVISORY  WRITE 708 08:01:7 0 EOF", 7),
            None
        );
    }
}
