//! Watches files by content, through symlink swaps, with a slow poll as a net.
//!
//! A `ConfigMap` volume changes by the swap of a symlink beside the file, editors replace files by
//! rename, and both drop a watch on the file itself. So the folders of the file and of every
//! symlink on the way to it are watched, an event there is only a reason to look, and a change is
//! a difference of content.

mod entries;
mod stamp;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::warn;

use self::entries::{Touched, WatchedEntries, entries_of, folders};
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

/// Watches a set of files. Only files that may have changed are read again.
pub struct FileWatch {
    /// The files, by their paths as they were given.
    files: BTreeMap<PathBuf, WatchedFile>,
    /// Files to look at, whatever is known of them.
    due: BTreeSet<PathBuf>,
    /// What is watched now.
    entries: Arc<WatchedEntries>,
    /// What the thread that gets events knows and has noticed.
    shared: Arc<Mutex<Noticed>>,
    /// Says when to look; `None` when the platform gives no events, which leaves the poll.
    events: Option<RecommendedWatcher>,
    /// Set by an event.
    look: Arc<Notify>,
    /// How large each file may be.
    limit: &'static Limit,
    /// The intervals.
    pace: Pace,
}

/// What is known of a file.
#[derive(Debug, Default)]
struct WatchedFile {
    /// What it held when it was last reported; `None` before the first report.
    seen: Option<Fingerprint>,
    /// What it looked like just before it was read, if another change is sure to show.
    stamp: Option<Stamp>,
    /// Where a change can give it another content.
    entries: WatchedEntries,
}

/// What events are of and have said.
#[derive(Debug, Default)]
struct Noticed {
    /// What matters: others in the same folders are no reason to look.
    entries: Arc<WatchedEntries>,
    /// What of it events were of, since that was last asked.
    touched: Touched,
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
        let shared = Arc::new(Mutex::new(Noticed::default()));
        let (wake, noticed) = (Arc::clone(&look), Arc::clone(&shared));
        let events = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let mut noticed = noticed.lock();
            let touched = match event {
                Ok(event) => Touched::by(&event, &noticed.entries),
                Err(_) => Touched::Any,
            };
            if noticed.touched.add(touched) {
                wake.notify_one();
            }
        });
        if let Err(error) = &events {
            warn!(%error, poll = ?pace.poll, "no file notifications, polling instead");
        }
        let paths = paths.into_iter();
        Self {
            files: paths.map(|path| (path, WatchedFile::default())).collect(),
            due: BTreeSet::new(),
            entries: Arc::default(),
            shared,
            events: events.ok(),
            look,
            limit,
            pace,
        }
    }

    /// Watches these files and no others. Those that are new are reported by the next
    /// [`changed`](Self::changed), as they are.
    pub fn follow(&mut self, paths: &BTreeSet<PathBuf>) {
        self.files.retain(|path, _| paths.contains(path));
        self.due.retain(|path| paths.contains(path));
        for path in paths {
            if !self.files.contains_key(path) {
                self.files.insert(path.clone(), WatchedFile::default());
            }
        }
        self.unite();
    }

    /// Waits until the content of a file differs from what was last reported, and reports every
    /// such file. The first call reports every file at once, as it is. Safe to cancel: what was
    /// not reported is reported by the next call.
    pub async fn changed(&mut self) -> Vec<Changed> {
        loop {
            let due = self.due();
            if !due.is_empty() {
                let changes = self.look_at(&due).await;
                self.due.clear();
                if !changes.is_empty() {
                    return changes;
                }
            }
            loop {
                tokio::select! {
                    () = self.look.notified() => {
                        tokio::time::sleep(self.pace.settle).await;
                        break;
                    }
                    () = tokio::time::sleep(self.pace.poll) => {
                        let touched = self.touched().await;
                        self.due.extend(touched);
                        if !self.due.is_empty() {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// The files to look at: those that were never reported, and those that events were of.
    fn due(&mut self) -> BTreeSet<PathBuf> {
        let touched = std::mem::take(&mut self.shared.lock().touched);
        for (path, file) in &self.files {
            if file.seen.is_none() || touched.concerns(&file.entries) {
                self.due.insert(path.clone());
            }
        }
        self.due.clone()
    }

    /// Reads files until their content stays the same, and returns what of it is news.
    async fn look_at(&mut self, due: &BTreeSet<PathBuf>) -> Vec<Changed> {
        let mut found = self.read(due).await;
        let mut rounds = 0;
        while self.differs(&found) && rounds < MAX_SETTLE {
            // A large file is in memory once.
            let before = fingerprints(&std::mem::take(&mut found));
            tokio::time::sleep(self.pace.settle).await;
            found = self.read(due).await;
            let settled = fingerprints(&found) == before;
            rounds += 1;
            if settled {
                break;
            }
        }
        self.take(found)
    }

    /// The files that may have changed since they were read.
    async fn touched(&self) -> Vec<PathBuf> {
        let files = self.files.iter();
        let files: Vec<_> = files
            .map(|(path, file)| (path.clone(), file.stamp))
            .collect();
        let look = move || {
            let touched = files.into_iter();
            let touched = touched.filter(|(path, stamp)| Some(Stamp::of(path)) != *stamp);
            touched.map(|(path, _)| path).collect()
        };
        blocking(look).await
    }

    /// Makes the next [`changed`](Self::changed) report every file at once, as it is then.
    pub fn forget(&mut self) {
        self.files.values_mut().for_each(|file| file.seen = None);
    }

    /// Whether what was found of files that were reported already is not what was.
    fn differs(&self, found: &[Found]) -> bool {
        let seen = |file: &Found| self.files.get(&file.path)?.seen;
        let mut is_any = false;
        for file in found {
            match seen(file) {
                // What is new is reported at once.
                None => return false,
                Some(seen) => is_any |= seen != file.print,
            }
        }
        is_any
    }

    /// Remembers what was found, and returns what of it is news.
    fn take(&mut self, found: Vec<Found>) -> Vec<Changed> {
        let mut changes = Vec::new();
        for file in found {
            let watched = self.files.entry(file.path.clone()).or_default();
            if watched.seen != Some(file.print) {
                watched.seen = Some(file.print);
                changes.push(Changed {
                    path: file.path,
                    content: file.content,
                    written: file.written,
                });
            }
        }
        changes
    }

    /// Reads files, off the async workers, and watches the folders that matter to them now.
    async fn read(&mut self, due: &BTreeSet<PathBuf>) -> Vec<Found> {
        loop {
            let (paths, limit) = (due.clone(), self.limit);
            let read = move || {
                let files = paths.into_iter().map(|path| Found::read(path, limit));
                files.collect::<Vec<_>>()
            };
            let found = blocking(read).await;
            let is_known = self.watch(&found);
            // What changed before its folder was watched gave no event: look again.
            if is_known || self.events.is_none() {
                return found;
            }
        }
    }

    /// Watches the folders of files as they were found. A folder that was replaced by another of its name needs
    /// a new watch, which looks the same from here, so all of theirs are watched again. Returns whether nothing
    /// matters that did not before.
    fn watch(&mut self, found: &[Found]) -> bool {
        let now = clock::now();
        let mut is_known = true;
        for file in found {
            let watched = self.files.entry(file.path.clone()).or_default();
            let is_settled = file.stamp.is_settled(now, self.pace.coarse);
            watched.stamp = is_settled.then_some(file.stamp);
            if watched.entries != file.entries {
                watched.entries.clone_from(&file.entries);
                is_known = false;
            }
        }
        let before = Arc::clone(&self.entries);
        if !is_known {
            self.unite();
        }
        let Some(events) = &mut self.events else {
            return is_known;
        };
        let before = folders(&before);
        let own: BTreeSet<&Path> = found
            .iter()
            .flat_map(|file| folders(&file.entries))
            .collect();
        for folder in own {
            let watched = events.watch(folder, RecursiveMode::NonRecursive);
            if let (Err(error), false) = (watched, before.contains(folder)) {
                warn!(folder = %folder.display(), %error, poll = ?self.pace.poll,
                    "no file notifications for a folder, polling its files instead");
            }
        }
        is_known
    }

    /// Puts together what matters to all files, and ends the watches of folders that do not any more.
    fn unite(&mut self) {
        let files = self.files.values();
        let entries = Arc::new(files.flat_map(|file| &file.entries).cloned().collect());
        let before = std::mem::replace(&mut self.entries, Arc::clone(&entries));
        self.shared.lock().entries = entries;
        let Some(events) = &mut self.events else {
            return;
        };
        for gone in folders(&before).difference(&folders(&self.entries)) {
            // It may be gone already, and its watch with it.
            let _ = events.unwatch(gone);
        }
    }
}

impl std::fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWatch")
            .field("files", &self.files)
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
    /// What it looked like just before.
    stamp: Stamp,
    /// Where a change could have given it another content just before.
    entries: WatchedEntries,
}

impl Found {
    /// Reads the file.
    fn read(path: PathBuf, limit: &'static Limit) -> Self {
        let entries = entries_of(&path);
        let stamp = Stamp::of(&path);
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
            stamp,
            entries,
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
