//! The files that credentials come from, watched by content.
//!
//! They are looked at often instead of being waited for: of each member there are a few small ones, and
//! the kernel gives a user fewer places that wait for events than there may be members.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::super::watch::Stamp;
use crate::config::read;
use crate::model::limits::CONFIGURATION_FILE;
use crate::telemetry::clock;

/// How long ago a file must have changed for its times alone to tell another change. One that changed
/// later is read whenever it is looked at.
const COARSE: Duration = Duration::from_secs(3);

/// Tells a hash of what an object says now.
#[derive(Clone)]
struct ObjectHash(Arc<dyn Fn() -> u64 + Send + Sync>);

impl fmt::Debug for ObjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectHash")
    }
}

/// Files, or an object of the host cluster, and what was in them.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Files {
    /// Where they are.
    paths: Vec<PathBuf>,
    /// The object.
    object: Option<ObjectHash>,
    /// What the file system said of each before it was read.
    stamps: Vec<Stamp>,
    /// Whether another change is sure to show in that.
    are_settled: bool,
    /// A hash of their contents.
    contents: u64,
}

impl Files {
    /// Reads files. Blocks.
    pub(super) fn read(paths: Vec<PathBuf>) -> Self {
        let mut files = Self {
            paths,
            ..Self::default()
        };
        files.refresh();
        files
    }

    /// An object of the host cluster as it is now, which `hash` tells.
    pub(super) fn of_object(hash: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            contents: hash(),
            object: Some(ObjectHash(Arc::new(hash))),
            ..Self::default()
        }
    }

    /// Makes the next look find a change: a file was written while it was read.
    pub(super) fn distrust(&mut self) {
        self.are_settled = false;
        self.contents = !self.contents;
    }

    /// Whether the contents have changed since they were read or last asked for. Blocks.
    pub(in super::super) fn refresh(&mut self) -> bool {
        if let Some(ObjectHash(hash)) = &self.object {
            let contents = hash();
            return std::mem::replace(&mut self.contents, contents) != contents;
        }
        let stamps: Vec<_> = self.paths.iter().map(|path| Stamp::of(path)).collect();
        if self.are_settled && stamps == self.stamps {
            return false;
        }
        let now = clock::now();
        self.are_settled = stamps.iter().all(|stamp| stamp.is_settled(now, COARSE));
        self.stamps = stamps;
        let contents = contents(&self.paths);
        std::mem::replace(&mut self.contents, contents) != contents
    }
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
        // In place, as long, and at once.
        std::fs::write(&path, "owe").unwrap();
        assert!(files.refresh());
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
