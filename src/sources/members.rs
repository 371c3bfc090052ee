//! Members that come from elsewhere than the configuration: a folder of fragments. Other origins may
//! join it, each with a list of its own and [`Presence`] for who is gone.

mod host;
mod overrides;
mod presence;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

pub use self::host::{HostChange, HostMembers};
pub use self::overrides::follow_overrides;
pub use self::presence::Presence;
use super::blocking::blocking;
use super::watch::{Pace, folders_of};
use crate::config::{FragmentListing, list};

/// Watches a folder of fragments by content, through symlink swaps, with a slow poll as a net. An
/// event is only a reason to look.
pub struct MembersFolder {
    folder: PathBuf,
    /// What it was when it was last reported; `None` before the first report.
    seen: Option<Seen>,
    /// The folders that are watched: its own, and those that symlinks on the way lead through.
    watched: BTreeSet<PathBuf>,
    events: Option<RecommendedWatcher>,
    look: Arc<Notify>,
    pace: Pace,
}

/// What a folder holds: its files with their content, or why there is no list.
type Seen = Result<Vec<(PathBuf, Option<Vec<u8>>)>, io::ErrorKind>;

impl MembersFolder {
    /// Follows a folder, which need not be there.
    pub fn new(folder: PathBuf) -> Self {
        let look = Arc::new(Notify::new());
        let wake = Arc::clone(&look);
        let events = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is an event too.
            if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
                wake.notify_one();
            }
        });
        Self {
            folder,
            seen: None,
            watched: BTreeSet::new(),
            events: events.ok(),
            look,
            pace: Pace::default(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until the folder is other than when it was last reported, or until `due`, and says what it
    /// holds. The first call says it at once. Safe to cancel.
    pub async fn changed(&mut self, due: Option<Instant>) -> io::Result<FragmentListing> {
        loop {
            let is_due = due.is_some_and(|due| due <= Instant::now());
            let mut listing = self.read().await;
            let mut now = seen(&listing);
            if self.seen.is_some() && self.seen.as_ref() != Some(&now) {
                // What is being written in place is not taken half-written.
                for _ in 0..20 {
                    tokio::time::sleep(self.pace.settle).await;
                    listing = self.read().await;
                    let before = std::mem::replace(&mut now, seen(&listing));
                    if before == now {
                        break;
                    }
                }
            }
            if is_due || self.seen.as_ref() != Some(&now) {
                self.seen = Some(now);
                return listing;
            }
            let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
            let wait = wait.map_or(self.pace.poll, |wait| wait.min(self.pace.poll));
            tokio::select! {
                () = self.look.notified() => tokio::time::sleep(self.pace.settle).await,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Lists the folder, and watches what a change of it shows in.
    async fn read(&mut self) -> io::Result<FragmentListing> {
        let folder = self.folder.clone();
        let (listing, folders) = blocking(move || {
            let listing = list(&folder);
            let files = listing.iter().flatten().map(|(path, _)| path.as_path());
            let mut folders: BTreeSet<PathBuf> = files.flat_map(folders_of).collect();
            folders.extend(folders_of(&folder));
            folders.insert(folder);
            (listing, folders)
        })
        .await;
        if let Some(events) = &mut self.events {
            for gone in self.watched.difference(&folders) {
                // It may be gone already, and its watch with it.
                let _ = events.unwatch(gone);
            }
            for new in &folders {
                // A folder that was replaced by another of its name needs a new watch.
                let watched = events.watch(new, RecursiveMode::NonRecursive);
                if let (Err(error), false) = (watched, self.watched.contains(new))
                    && new.exists()
                {
                    warn!(folder = %new.display(), %error, "no events of a folder, it is polled");
                }
            }
            self.watched = folders;
        }
        listing
    }
}

impl std::fmt::Debug for MembersFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MembersFolder")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// What tells one listing from another.
fn seen(listing: &io::Result<FragmentListing>) -> Seen {
    match listing {
        Ok(files) => {
            let files = files.iter();
            let content = |(path, read): &(PathBuf, Result<Vec<u8>, _>)| {
                (path.clone(), read.as_ref().ok().cloned())
            };
            Ok(files.map(content).collect())
        }
        Err(error) => Err(error.kind()),
    }
}
