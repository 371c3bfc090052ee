//! Files that are written whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file, and the same again to `copies` in its folder, so that at every moment each is the old or
/// the new one, whole. Returns the file, once all is on disk. Blocks.
pub(in crate::publish) fn write(path: &Path, copies: &[&Path], octets: &[u8]) -> io::Result<File> {
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
    let mut file = File::create(beside(path))?;
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
