//! Watches files by content, through symlink swaps, with a slow poll as a net.
//!
//! A `ConfigMap` volume changes by the swap of a symlink beside the file, editors replace files by
//! rename, and both drop a watch on the file itself. So the folders of the file and of every
//! symlink on the way to it are watched, an event there is only a reason to look, and a change is
//! a difference of content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tracing::warn;

/// The largest file that is read, in octets; larger ones are errors.
const MAX_FILE: u64 = 256 << 20;

/// How many links of symlinks are followed before a path counts as a loop.
const MAX_LINKS: usize = 40;

/// How often a content that keeps changing is read again before it is taken as it is.
const MAX_SETTLE: usize = 20;

/// The intervals of a [`FileWatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a content must stay the same before it counts: a file that is being written in
    /// place is not read half-written.
    pub settle: Duration,
    /// How often to look without an event: some file systems send none.
    pub poll: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(50),
            poll: Duration::from_secs(5),
        }
    }
}

/// A file whose content is not what it was.
#[derive(Debug)]
pub struct Changed {
    /// The path, as it was given.
    pub path: PathBuf,
    /// What it holds now; an error when it is missing or cannot be read.
    pub content: io::Result<Vec<u8>>,
}

/// Watches a fixed set of files.
pub struct FileWatch {
    /// What each file held when it was last reported; `None` before the first report.
    seen: BTreeMap<PathBuf, Option<Fingerprint>>,
    /// The folders that are watched now.
    folders: BTreeSet<PathBuf>,
    /// Says when to look; `None` when the platform gives no events, which leaves the poll.
    events: Option<RecommendedWatcher>,
    /// Set by an event.
    look: Arc<Notify>,
    /// The intervals.
    pace: Pace,
}

impl FileWatch {
    /// A watch on `paths`. Nothing is read before the first [`changed`](Self::changed).
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self::with_pace(paths, Pace::default())
    }

    /// As [`new`](Self::new), with other intervals.
    pub fn with_pace(paths: impl IntoIterator<Item = PathBuf>, pace: Pace) -> Self {
        let look = Arc::new(Notify::new());
        let wake = Arc::clone(&look);
        let events = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is an event too.
            if !matches!(event, Ok(ref event) if matches!(event.kind, EventKind::Access(_))) {
                wake.notify_one();
            }
        });
        if let Err(error) = &events {
            warn!(%error, poll = ?pace.poll, "no file events, files are polled");
        }
        Self {
            seen: paths.into_iter().map(|path| (path, None)).collect(),
            folders: BTreeSet::new(),
            events: events.ok(),
            look,
            pace,
        }
    }

    /// Waits until the content of a file differs from what was last reported, and reports every
    /// such file. The first call reports every file at once, as it is. Safe to cancel: what was
    /// not reported is reported by the next call.
    pub async fn changed(&mut self) -> Vec<Changed> {
        loop {
            let mut found = self.read().await;
            let mut rounds = 0;
            while self.differs(&found) && !self.is_first() && rounds < MAX_SETTLE {
                tokio::time::sleep(self.pace.settle).await;
                let again = self.read().await;
                let settled = fingerprints(&again) == fingerprints(&found);
                found = again;
                rounds += 1;
                if settled {
                    break;
                }
            }
            let changes = self.take(found);
            if !changes.is_empty() {
                return changes;
            }
            tokio::select! {
                () = self.look.notified() => tokio::time::sleep(self.pace.settle).await,
                () = tokio::time::sleep(self.pace.poll) => {}
            }
        }
    }

    /// Whether nothing was reported yet.
    fn is_first(&self) -> bool {
        self.seen.values().any(Option::is_none)
    }

    /// Whether what was found is not what was last reported.
    fn differs(&self, found: &[Found]) -> bool {
        found
            .iter()
            .any(|file| self.seen.get(&file.path) != Some(&Some(file.print)))
    }

    /// Remembers what was found, and returns what of it is news.
    fn take(&mut self, found: Vec<Found>) -> Vec<Changed> {
        let mut changes = Vec::new();
        for file in found {
            let seen = self.seen.entry(file.path.clone()).or_default();
            if *seen != Some(file.print) {
                *seen = Some(file.print);
                changes.push(Changed {
                    path: file.path,
                    content: file.content,
                });
            }
        }
        changes
    }

    /// Watches the folders that matter now, and reads every file, off the async workers.
    async fn read(&mut self) -> Vec<Found> {
        loop {
            let paths: Vec<PathBuf> = self.seen.keys().cloned().collect();
            let read = tokio::task::spawn_blocking(move || {
                let folders: BTreeSet<_> = paths.iter().flat_map(|path| folders(path)).collect();
                let files: Vec<_> = paths.into_iter().map(Found::read).collect();
                (folders, files)
            });
            let Ok((folders, files)) = read.await else {
                // The runtime shuts down.
                return Vec::new();
            };
            let known = folders == self.folders;
            self.watch(folders);
            // What changed before its folder was watched gave no event: look again.
            if known || self.events.is_none() {
                return files;
            }
        }
    }

    /// Watches `folders` and no others. A folder that was replaced by another of its name needs a
    /// new watch, which looks the same from here, so all are watched again.
    fn watch(&mut self, folders: BTreeSet<PathBuf>) {
        let Some(events) = &mut self.events else {
            return;
        };
        for gone in self.folders.difference(&folders) {
            // It may be gone already, and its watch with it.
            let _ = events.unwatch(gone);
        }
        for folder in &folders {
            let watched = events.watch(folder, RecursiveMode::NonRecursive);
            if let (Err(error), false) = (watched, self.folders.contains(folder)) {
                warn!(folder = %folder.display(), %error, poll = ?self.pace.poll,
                    "no file events for a folder, its files are polled");
            }
        }
        self.folders = folders;
    }
}

impl std::fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWatch")
            .field("files", &self.seen)
            .field("folders", &self.folders)
            .finish_non_exhaustive()
    }
}

/// What tells one content from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fingerprint {
    /// The hash of the content, and its length.
    Content(u64, usize),
    /// It cannot be read.
    Error(io::ErrorKind),
}

/// A file as it was read.
struct Found {
    /// The path, as it was given.
    path: PathBuf,
    /// What tells this content from another.
    print: Fingerprint,
    /// The content.
    content: io::Result<Vec<u8>>,
}

impl Found {
    /// Reads the file.
    fn read(path: PathBuf) -> Self {
        let content = read(&path);
        let print = match &content {
            Ok(octets) => {
                let hash = foldhash::fast::FixedState::default().hash_one(octets);
                Fingerprint::Content(hash, octets.len())
            }
            Err(error) => Fingerprint::Error(error.kind()),
        };
        Self {
            path,
            print,
            content,
        }
    }
}

/// Only the fingerprints, for comparison.
fn fingerprints(found: &[Found]) -> Vec<Fingerprint> {
    found.iter().map(|file| file.print).collect()
}

/// The content of a regular file of a sane size; a pipe or a device would never end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let mut octets = Vec::new();
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(octets)
}

/// The folders in which a change can give `path` another content: those that hold the file, and
/// every symlink on the way to it. Where a folder is missing, the nearest one that exists.
fn folders(path: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let Ok(path) = std::path::absolute(path) else {
        return folders;
    };
    let mut rest: Vec<_> = path.components().rev().map(owned).collect();
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        let parent = at.clone();
        at.push(&part);
        if let Ok(target) = std::fs::read_link(&at) {
            folders.insert(parent.clone());
            links += 1;
            if links > MAX_LINKS {
                break;
            }
            // An absolute target replaces the path so far when it is pushed.
            rest.extend(target.components().rev().map(owned));
            at = parent;
        } else if part.as_os_str() == ".." {
            at = parent.parent().map_or(parent.clone(), Path::to_path_buf);
        } else if !at.exists() || rest.is_empty() {
            folders.insert(parent);
            break;
        }
    }
    folders
}

/// A component that outlives its path.
fn owned(part: Component<'_>) -> PathBuf {
    PathBuf::from(part.as_os_str())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// No look without an event.
    const EVENTS_ONLY: Pace = Pace {
        settle: Duration::from_millis(5),
        poll: Duration::from_secs(3600),
    };

    /// Writes a file in place.
    #[expect(clippy::disallowed_methods, reason = "tests write as editors do")]
    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
    }

    /// The next changes as path and content, in order; a missing file has none.
    async fn next(watch: &mut FileWatch) -> Vec<(PathBuf, Option<String>)> {
        let changes = tokio::time::timeout(Duration::from_secs(20), watch.changed());
        let text = |content: io::Result<Vec<u8>>| Some(String::from_utf8(content.ok()?).unwrap());
        let changes = changes.await.expect("a change in time");
        changes
            .into_iter()
            .map(|change| (change.path, text(change.content)))
            .collect()
    }

    #[tokio::test]
    async fn first_call_reports_every_file_and_later_ones_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
        write(&a, "1");
        write(&b, "1");
        let mut watch = FileWatch::with_pace([a.clone(), b.clone(), c.clone()], EVENTS_ONLY);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            next(&mut watch).await,
            [
                (a.clone(), some("1")),
                (b.clone(), some("1")),
                (c.clone(), None)
            ]
        );
        write(&a, "1");
        write(&b, "2");
        assert_eq!(next(&mut watch).await, [(b.clone(), some("2"))]);
        let new = folder.path().join("new");
        write(&new, "3");
        std::fs::rename(&new, &c).unwrap();
        assert_eq!(next(&mut watch).await, [(c.clone(), some("3"))]);
        std::fs::remove_file(&a).unwrap();
        assert_eq!(next(&mut watch).await, [(a.clone(), None)]);
    }

    #[tokio::test]
    async fn swap_of_a_config_map_link_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("mount");
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir_all(root.join(version)).unwrap();
            write(&root.join(version).join("facts.toml"), text);
        }
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/facts.toml", root.join("facts.toml")).unwrap();
        // Reached through one more link, in another folder.
        let path = folder.path().join("link.toml");
        symlink(root.join("facts.toml"), &path).unwrap();
        let mut watch = FileWatch::with_pace([path.clone()], EVENTS_ONLY);
        assert_eq!(next(&mut watch).await, [(path.clone(), Some("one".into()))]);
        symlink("..2", root.join("..tmp")).unwrap();
        std::fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
        assert_eq!(next(&mut watch).await, [(path.clone(), Some("two".into()))]);
        write(&root.join("..2/facts.toml"), "three");
        assert_eq!(next(&mut watch).await, [(path, Some("three".into()))]);
    }

    #[tokio::test]
    async fn file_in_a_folder_that_comes_later_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x/y/file");
        let mut watch = FileWatch::with_pace([path.clone()], EVENTS_ONLY);
        assert_eq!(next(&mut watch).await, [(path.clone(), None)]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, "here");
        assert_eq!(next(&mut watch).await, [(path, Some("here".into()))]);
    }

    #[tokio::test]
    async fn poll_sees_changes_without_events() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let poll = Duration::from_millis(5);
        let mut watch = FileWatch::with_pace(
            [path.clone()],
            Pace {
                poll,
                ..EVENTS_ONLY
            },
        );
        watch.events = None;
        assert_eq!(next(&mut watch).await, [(path.clone(), None)]);
        write(&path, "here");
        assert_eq!(next(&mut watch).await, [(path, Some("here".into()))]);
    }
}
