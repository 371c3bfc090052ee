//! Files that are written whole, for their user alone.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Nobody else's.
const MODE: u32 = 0o600;

/// Writes a file, and the same again to `copies` in its folder, so that at every moment each is the old or
/// the new one, whole. Returns the file, once all is on disk. Blocks.
pub fn write(path: &Path, copies: &[&Path], octets: &[u8]) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // It may not have been there at the start.
    fs::create_dir_all(folder)?;
    // First what may fail.
    let file = write_beside(path, octets)?;
    for copy in copies {
        write_beside(copy, octets)?;
    }
    for path in [path].iter().chain(copies) {
        fs::rename(beside(path), path)?;
    }
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Writes what is to be a file.
fn write_beside(path: &Path, octets: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(MODE);
    let mut file = options.open(beside(path))?;
    // One that a crash has left may be another's to read.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(octets)?;
    file.sync_all()?;
    Ok(file)
}

/// What a file is called until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    new.into()
}
