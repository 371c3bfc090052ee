//! The library that moves the wall clock of a program under test.

use std::path::{Path, PathBuf};

/// Where Debian has libfaketime.
pub(crate) fn library() -> PathBuf {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let mut paths = folders.iter().map(|folder| {
        Path::new("/usr/lib")
            .join(folder)
            .join("faketime/libfaketime.so.1")
    });
    let found = paths.find(|path| path.is_file());
    found.expect("libfaketime is missing: install Debian's package faketime")
}
