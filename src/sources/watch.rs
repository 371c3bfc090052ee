//! Watches files by content, through symlink swaps, with a slow poll as a net.
//!
//! A `ConfigMap` volume changes by the swap of a symlink beside the file, editors replace files by
//! rename, and both drop a watch on the file itself. So the folders of the file and of every
//! symlink on the way to it are watched, an event there is only a reason to look, and a change is
//! a difference of content.

mod entries;
mod stamp;

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::warn;

use self::entries::{WatchedEntries, entries_of, folders, matters};
pub(super) use self::stamp::Stamp;
pub use self::stamp::Written;
use super::blocking::blocking;
use crate::config::read::{ReadError, read};
use crate::model::limits::Limit;
use crate::telemetry::clock;

/// The folders in which a change can give `path` another content.
pub(super) fn folders_of(path: &Path) -> Vec<PathBuf> {
    let entries = entries_of(path).into_iter();
    entries.map(|(folder, _)| folder).collect()
}

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
    /// How long ago a file must have changed for its times alone to tell another change, in whole
    /// seconds. One that changed later is read whenever it is looked at.
    pub coarse: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(20),
            poll: Duration::from_secs(5),
            coarse: Duration::from_secs(3),
        }
    }
}

/// A file whose content is not what it was.
#[derive(Debug)]
pub struct Changed {
    /// The path, as it was given.
    pub path: PathBuf,
    /// What it holds now; an error when it is missing or cannot be read.
    pub content: Result<Vec<u8>, ReadError>,
    /// Which writing of the file was read, or the one before it.
    pub written: Option<Written>,
}

/// Watches a fixed set of files.
pub struct FileWatch {
    /// What each file held when it was last reported; `None` before the first report.
    seen: BTreeMap<PathBuf, Option<Fingerprint>>,
    /// What each file looked like just before it was read, if another change is sure to show.
    stamps: Option<Vec<Stamp>>,
    /// What is watched now.
    entries: WatchedEntries,
    /// The same for the thread that gets events: others in the same folders are no reason to look.
    shared: Arc<Mutex<WatchedEntries>>,
    /// Says when to look; `None` when the platform gives no events, which leaves the poll.
    events: Option<RecommendedWatcher>,
    /// Set by an event.
    look: Arc<Notify>,
    /// How large each file may be.
    limit: &'static Limit,
    /// The intervals.
    pace: Pace,
}

impl FileWatch {
    /// A watch on `paths`, whose files may be as large as `limit`. Nothing is read before the first
    /// [`changed`](Self::changed).
    pub fn new(paths: impl IntoIterator<Item = PathBuf>, limit: &'static Limit) -> Self {
        Self::with_pace(paths, limit, Pace::default())
    }

    /// As [`new`](Self::new), with other intervals.
    pub fn with_pace(
        paths: impl IntoIterator<Item = PathBuf>,
        limit: &'static Limit,
        pace: Pace,
    ) -> Self {
        let look = Arc::new(Notify::new());
        let shared = Arc::new(Mutex::new(WatchedEntries::new()));
        let (wake, entries) = (Arc::clone(&look), Arc::clone(&shared));
        let events = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| matters(&event, &entries.lock())) {
                wake.notify_one();
            }
        });
        if let Err(error) = &events {
            warn!(%error, poll = ?pace.poll, "no file notifications, polling instead");
        }
        Self {
            seen: paths.into_iter().map(|path| (path, None)).collect(),
            stamps: None,
            entries: WatchedEntries::new(),
            shared,
            events: events.ok(),
            look,
            limit,
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
                // A large file is in memory once.
                let before = fingerprints(&std::mem::take(&mut found));
                tokio::time::sleep(self.pace.settle).await;
                found = self.read().await;
                let settled = fingerprints(&found) == before;
                rounds += 1;
                if settled {
                    break;
                }
            }
            let changes = self.take(found);
            if !changes.is_empty() {
                return changes;
            }
            loop {
                tokio::select! {
                    () = self.look.notified() => {
                        tokio::time::sleep(self.pace.settle).await;
                        break;
                    }
                    () = tokio::time::sleep(self.pace.poll) => {
                        if !self.is_untouched().await {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Whether no file can have changed since it was read.
    async fn is_untouched(&self) -> bool {
        let Some(stamps) = self.stamps.clone() else {
            return false;
        };
        let paths: Vec<PathBuf> = self.seen.keys().cloned().collect();
        let look = move || paths.iter().map(|path| Stamp::of(path)).eq(stamps);
        blocking(look).await
    }

    /// Makes the next [`changed`](Self::changed) report every file at once, as it is then.
    pub fn forget(&mut self) {
        self.seen.values_mut().for_each(|seen| *seen = None);
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
                    written: file.written,
                });
            }
        }
        changes
    }

    /// Watches the folders that matter now, and reads every file, off the async workers.
    async fn read(&mut self) -> Vec<Found> {
        loop {
            let paths: Vec<PathBuf> = self.seen.keys().cloned().collect();
            let (now, coarse, limit) = (clock::now(), self.pace.coarse, self.limit);
            let read = move || {
                let entries: WatchedEntries =
                    paths.iter().flat_map(|path| entries_of(path)).collect();
                let stamps: Vec<_> = paths.iter().map(|path| Stamp::of(path)).collect();
                let files = paths.into_iter().map(|path| Found::read(path, limit));
                let files: Vec<_> = files.collect();
                (entries, stamps, files)
            };
            let (entries, stamps, files) = blocking(read).await;
            let are_settled = stamps.iter().all(|stamp| stamp.is_settled(now, coarse));
            self.stamps = are_settled.then_some(stamps);
            let known = entries == self.entries;
            self.watch(entries);
            // What changed before its folder was watched gave no event: look again.
            if known || self.events.is_none() {
                return files;
            }
        }
    }

    /// Watches the folders of `entries` and no others. A folder that was replaced by another of its
    /// name needs a new watch, which looks the same from here, so all are watched again.
    fn watch(&mut self, entries: WatchedEntries) {
        let Some(events) = &mut self.events else {
            return;
        };
        self.shared.lock().clone_from(&entries);
        let before = folders(&self.entries);
        let now = folders(&entries);
        for gone in before.difference(&now) {
            // It may be gone already, and its watch with it.
            let _ = events.unwatch(gone);
        }
        for folder in &now {
            let watched = events.watch(folder, RecursiveMode::NonRecursive);
            if let (Err(error), false) = (watched, before.contains(folder)) {
                warn!(folder = %folder.display(), %error, poll = ?self.pace.poll,
                    "no file notifications for a folder, polling its files instead");
            }
        }
        self.entries = entries;
    }
}

impl std::fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWatch")
            .field("files", &self.seen)
            .field("entries", &self.entries)
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
    content: Result<Vec<u8>, ReadError>,
    /// Which writing it was just before.
    written: Option<Written>,
}

impl Found {
    /// Reads the file.
    fn read(path: PathBuf, limit: &'static Limit) -> Self {
        let written = Written::of(&path);
        let content = read(&path, limit);
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
            written,
        }
    }
}

/// Only the fingerprints, for comparison.
fn fingerprints(found: &[Found]) -> Vec<Fingerprint> {
    found.iter().map(|file| file.print).collect()
}

#[cfg(test)]
#[path = "tests/watch.rs"]
mod tests;
