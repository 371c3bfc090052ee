//! Whether a file may have changed, without reading it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::model::UnixSeconds;

/// What changes with a file: where it is, how long, and when it last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamp {
    /// Device and inode, octets, seconds and nanoseconds of the last change.
    Is([u64; 3], [i64; 2]),
    /// There is none to be seen.
    Error(io::ErrorKind),
}

impl Stamp {
    /// That of a file, links followed.
    pub(super) fn of(path: &Path) -> Self {
        match std::fs::metadata(path) {
            Ok(file) => Self::Is(
                [file.dev(), file.ino(), file.len()],
                [file.ctime(), file.ctime_nsec()],
            ),
            Err(error) => Self::Error(error.kind()),
        }
    }

    /// Whether a further change is sure to change it: clocks of file systems are coarse, so the last
    /// one must be as long ago as `coarse`.
    pub(super) fn is_settled(self, now: UnixSeconds, coarse: Duration) -> bool {
        match self {
            Self::Is(_, [seconds, _]) => u64::try_from(seconds)
                .is_ok_and(|seconds| seconds.saturating_add(coarse.as_secs()) <= now.0),
            Self::Error(_) => true,
        }
    }
}
