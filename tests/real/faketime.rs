//! The library that moves the wall clock of a program under test.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where Debian has libfaketime.
fn library() -> PathBuf {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let mut paths = folders.iter().map(|folder| {
        Path::new("/usr/lib")
            .join(folder)
            .join("faketime/libfaketime.so.1")
    });
    let found = paths.find(|path| path.is_file());
    found.expect("libfaketime is missing: install Debian's package faketime")
}

/// Variables with which a program has the wall clock that a file says (`+60s`), looked at each second. The
/// monotonic clock stays true.
pub(crate) fn settings(offset: &Path) -> [(&'static str, OsString); 4] {
    [
        ("LD_PRELOAD", library().into()),
        ("FAKETIME_TIMESTAMP_FILE", offset.into()),
        ("FAKETIME_CACHE_DURATION", "1".into()),
        ("DONT_FAKE_MONOTONIC", "1".into()),
    ]
}
