//! Files beside a configuration, written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::error::OperateError;
use crate::config::read;
use crate::model::limits::CONFIGURATION_FILE;

/// A file that its owner and the group of its folder may read: the daemon need not be root.
const MODE: u32 = 0o640;

/// The text of a file; `None` if it is not there.
pub(super) fn text(path: &Path) -> Result<Option<String>, OperateError> {
    match read::read_text(path, &CONFIGURATION_FILE) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OperateError::file(path, &error.reason)),
    }
}

/// Makes a folder, of the group of the folder that it is in.
pub(super) fn make_folder(path: &Path) -> Result<(), OperateError> {
    let made = DirBuilder::new().mode(0o750).create(path);
    match made {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(OperateError::file(path, &error)),
    }
    give_to_group(path, path.parent().unwrap_or(Path::new(".")));
    Ok(())
}

/// Refuses a folder in which no file can be made.
pub(super) fn check_writable(folder: &Path) -> Result<(), OperateError> {
    // An empty path is where the program was started.
    let folder = folder.join(".");
    access(&folder, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|error| OperateError::Refused(format!("{}: {error}", folder.display())))
}

/// Writes a file by renaming a complete one over it; what is written survives a crash.
pub(super) fn write(path: &Path, text: &str) -> Result<(), OperateError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Not called as a fragment is.
    let new = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = replace(&new, path, folder, text);
    written.map_err(|error| {
        // The first error is the one to tell of.
        let _ = fs::remove_file(&new);
        OperateError::file(path, &error)
    })
}

/// Writes `new` in full, and renames it to `path`.
fn replace(new: &Path, path: &Path, folder: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    // Nobody else's until it has its group.
    let mut file = options.write(true).create_new(true).mode(0o600).open(new)?;
    file.write_all(text.as_bytes())?;
    give_to_group(new, folder);
    file.set_permissions(fs::Permissions::from_mode(MODE))?;
    file.sync_all()?;
    fs::rename(new, path)?;
    File::open(folder)?.sync_all()
}

/// Gives a file the group of a folder. Whoever is not in that group cannot, and need not: then the
/// daemon is the same user.
fn give_to_group(path: &Path, folder: &Path) {
    if let Ok(folder) = fs::metadata(folder) {
        let _ = chown(path, None, Some(folder.gid()));
    }
}

/// Removes a file. Says whether it was there.
pub(super) fn remove(path: &Path) -> Result<bool, OperateError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OperateError::file(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_not_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.kubeconfig");
        assert_eq!(text(&path).unwrap(), None);
        for content in ["one", "two"] {
            write(&path, content).unwrap();
            assert_eq!(text(&path).unwrap().as_deref(), Some(content));
        }
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
        let nowhere = folder.path().join("none").join("m.kubeconfig");
        let error = write(&nowhere, "one").unwrap_err().to_string();
        assert!(error.contains("m.kubeconfig"), "{error}");
    }
}
