//! Whether a file may have changed, without reading it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::model::UnixSeconds;

/// What changes with a file: where it is, how long, and when it last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Stamp {
    /// Device and inode, octets, seconds and nanoseconds of the last change.
    Is([u64; 3], [i64; 2]),
    /// There is none to be seen.
    Error(io::ErrorKind),
}

impl Stamp {
    /// That of a file, links followed.
    pub(in super::super) fn of(path: &Path) -> Self {
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
    pub(in super::super) fn is_settled(self, now: UnixSeconds, coarse: Duration) -> bool {
        match self {
            Self::Is(_, [seconds, _]) => u64::try_from(seconds)
                .is_ok_and(|seconds| seconds.saturating_add(coarse.as_secs()) <= now.0),
            Self::Error(_) => true,
        }
    }
}

/// Which writing of a file this is: another one gives another, also where it writes the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Device and inode: another file may have taken the place.
    file: [u64; 2],
    /// Seconds and nanoseconds of the last writing.
    at: [i64; 2],
}

impl Written {
    /// That of a file, links followed; `None` where there is none. Blocks.
    pub(in super::super) fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self {
            file: [file.dev(), file.ino()],
            at: [file.mtime(), file.mtime_nsec()],
        })
    }
}
