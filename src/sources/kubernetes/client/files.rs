//! The files that credentials come from, watched by content.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::config::read;
use crate::model::limits::CONFIGURATION_FILE;

/// Files and what was in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Files {
    /// Where they are.
    paths: Vec<PathBuf>,
    /// What the file system says of each: enough to see that nothing was written.
    stamps: Vec<Option<Stamp>>,
    /// A hash of their contents.
    contents: u64,
}

/// What the file system says of a file, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    /// Its device and number.
    inode: (u64, u64),
    /// Its length.
    length: u64,
    /// When it was written, in seconds and nanoseconds.
    written: (i64, i64),
}

impl Files {
    /// Reads files. Blocks.
    pub(super) fn read(paths: Vec<PathBuf>) -> Self {
        let stamps = stamps(&paths);
        let contents = contents(&paths);
        Self {
            paths,
            stamps,
            contents,
        }
    }

    /// Makes the next look find a change: a file was written while it was read.
    pub(super) fn distrust(&mut self) {
        self.stamps.clear();
        self.contents = !self.contents;
    }

    /// Whether the contents have changed since they were read or last asked for. Blocks.
    pub(in super::super) fn refresh(&mut self) -> bool {
        let stamps = stamps(&self.paths);
        if stamps == self.stamps {
            return false;
        }
        self.stamps = stamps;
        let contents = contents(&self.paths);
        std::mem::replace(&mut self.contents, contents) != contents
    }
}

/// What the file system says of files; `None` for those that are not there.
fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths
        .iter()
        .map(|path| std::fs::metadata(path).ok().as_ref().map(Stamp::of))
        .collect()
}

/// A hash of the contents of files; one that cannot be read within the limit is as one that is not
/// there.
fn contents(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        read::read(path, &CONFIGURATION_FILE).ok().hash(&mut hasher);
    }
    hasher.finish()
}

impl Stamp {
    /// The stamp in `metadata`.
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing of a test survives a crash"
    )]
    fn files_change_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut files = Files::read(vec![path.clone()]);
        assert!(!files.refresh());
        std::fs::write(&path, "one").unwrap();
        assert!(files.refresh());
        assert!(!files.refresh());
        std::fs::write(folder.path().join("next"), "one").unwrap();
        std::fs::rename(folder.path().join("next"), &path).unwrap();
        assert!(!files.refresh(), "another file with the same content");
        std::fs::write(folder.path().join("next"), "two").unwrap();
        std::fs::rename(folder.path().join("next"), &path).unwrap();
        assert!(files.refresh());
        std::fs::remove_file(&path).unwrap();
        assert!(files.refresh());
        files.distrust();
        assert!(files.refresh());
        assert!(!files.refresh());
    }
}
