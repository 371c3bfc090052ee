//! Watches a folder of fragments by content, through symlink swaps, with a slow poll as a net. An
//! event is only a reason to look, and a file that looks as before is not read again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

use crate::config::read::ReadError;
use crate::config::{FragmentListing, fragment_files, read_fragment};
use crate::model::UnixSeconds;
use crate::sources::blocking::blocking;
use crate::sources::watch::{Pace, Stamp, folders_of};
use crate::telemetry::clock;

/// Watches a folder of fragments.
pub struct MembersFolder {
    folder: PathBuf,
    /// What it was when it was last reported; `None` before the first report.
    seen: Option<Seen>,
    /// What it was when it was last looked at.
    known: KnownFolder,
    /// The folders that are watched: its own, and those that symlinks on the way lead through.
    watched: BTreeSet<PathBuf>,
    events: Option<RecommendedWatcher>,
    look: Arc<Notify>,
    pace: Pace,
}

/// What a folder holds: its files with their content, or why there is no list.
type Seen = Result<Vec<(PathBuf, Option<Arc<[u8]>>)>, io::ErrorKind>;

/// What a folder was when it was looked at.
#[derive(Debug, Default)]
struct KnownFolder {
    /// The folder itself.
    stamp: Option<Stamp>,
    /// Files that could be read, and are not read again while they look the same.
    files: BTreeMap<PathBuf, KnownFile>,
}

/// A file as it was read.
#[derive(Debug)]
struct KnownFile {
    /// What it looked like just before.
    stamp: Stamp,
    /// A further change is sure to show in that.
    is_settled: bool,
    /// What it held.
    octets: Arc<[u8]>,
}

/// A folder as it was looked at just now.
struct Looked {
    known: KnownFolder,
    listing: io::Result<FragmentListing>,
    /// The folders that a change of it shows in; `None` where they are those of before.
    folders: Option<BTreeSet<PathBuf>>,
}

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
            known: KnownFolder::default(),
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
            let mut listing = self.look().await;
            let mut now = seen(&listing);
            if self.seen.is_some() && self.seen.as_ref() != Some(&now) {
                // What is being written in place is not taken half-written.
                for _ in 0..20 {
                    tokio::time::sleep(self.pace.settle).await;
                    listing = self.look().await;
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
    async fn look(&mut self) -> io::Result<FragmentListing> {
        let folder = self.folder.clone();
        // What is not given back, as nobody waited for it, is read again.
        let known = std::mem::take(&mut self.known);
        let (now, pace) = (clock::now(), self.pace);
        let looked = blocking(move || known.look(&folder, (now, pace), read_fragment)).await;
        self.known = looked.known;
        if let Some(folders) = looked.folders {
            self.watch(folders);
        }
        looked.listing
    }

    /// Watches these folders and no others. A folder that was replaced by another of its name needs a
    /// new watch, which looks the same from here, so all are watched again.
    fn watch(&mut self, folders: BTreeSet<PathBuf>) {
        let Some(events) = &mut self.events else {
            return;
        };
        for gone in self.watched.difference(&folders) {
            // It may be gone already, and its watch with it.
            let _ = events.unwatch(gone);
        }
        for new in &folders {
            let watched = events.watch(new, RecursiveMode::NonRecursive);
            if let (Err(error), false) = (watched, self.watched.contains(new))
                && new.exists()
            {
                warn!(folder = %new.display(), %error, "no events of a folder, it is polled");
            }
        }
        self.watched = folders;
    }
}

impl std::fmt::Debug for MembersFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MembersFolder")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl KnownFolder {
    /// Looks at a folder: lists it, and reads those of its files that do not look as before. Blocks.
    fn look(
        mut self,
        folder: &Path,
        (now, pace): (UnixSeconds, Pace),
        read: impl Fn(&Path) -> Result<Arc<[u8]>, ReadError>,
    ) -> Looked {
        let stamp = Stamp::of(folder);
        let mut has_changed = self.stamp != Some(stamp);
        let mut known = Self {
            stamp: Some(stamp),
            files: BTreeMap::new(),
        };
        let paths = fragment_files(folder);
        let listing = paths.map(|paths| {
            let mut listing = FragmentListing::new();
            for path in paths {
                let stamp = Stamp::of(&path);
                let before = self.files.remove(&path);
                if let Some(file) = before.filter(|it| it.is_settled && it.stamp == stamp) {
                    listing.push((path.clone(), Ok(Arc::clone(&file.octets))));
                    known.files.insert(path, file);
                    continue;
                }
                has_changed = true;
                let octets = read(&path);
                if let Ok(octets) = &octets {
                    let file = KnownFile {
                        stamp,
                        is_settled: stamp.is_settled(now, pace.coarse),
                        octets: Arc::clone(octets),
                    };
                    known.files.insert(path.clone(), file);
                }
                listing.push((path, octets));
            }
            listing
        });
        has_changed |= !self.files.is_empty();
        let folders = has_changed.then(|| {
            let files = listing.iter().flatten().map(|(path, _)| path.as_path());
            let mut folders: BTreeSet<PathBuf> = files.flat_map(folders_of).collect();
            folders.extend(folders_of(folder));
            folders.insert(folder.to_owned());
            folders
        });
        Looked {
            known,
            listing,
            folders,
        }
    }
}

/// What tells one listing from another.
fn seen(listing: &io::Result<FragmentListing>) -> Seen {
    match listing {
        Ok(files) => {
            let files = files.iter();
            let content = |(path, read): &(PathBuf, Result<Arc<[u8]>, _>)| {
                (path.clone(), read.as_ref().ok().cloned())
            };
            Ok(files.map(content).collect())
        }
        Err(error) => Err(error.kind()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    /// Looks at a folder some seconds from now. Returns what was read, and what the files hold.
    fn look(known: &mut KnownFolder, folder: &Path, seconds: u64) -> (Vec<String>, Vec<String>) {
        let read = RefCell::new(Vec::new());
        let pace = Pace {
            coarse: Duration::from_secs(3),
            ..Pace::default()
        };
        let now = UnixSeconds(clock::now().0 + seconds);
        let looked = std::mem::take(known).look(folder, (now, pace), |path| {
            let name = path.file_stem().unwrap_or_default();
            read.borrow_mut().push(name.to_string_lossy().into_owned());
            read_fragment(path)
        });
        *known = looked.known;
        let held = looked.listing.unwrap().into_iter();
        let text = |octets: Arc<[u8]>| String::from_utf8(octets.to_vec()).unwrap();
        let held = held.map(|(_, octets)| octets.map_or_else(|_| "?".to_owned(), text));
        (read.into_inner(), held.collect())
    }

    #[test]
    fn a_file_that_looks_as_before_is_not_read_again() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let write = |name: &str, text: &str| {
            let new = folder.join("new");
            let mut file = fs::File::create(&new).unwrap();
            io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            fs::rename(new, folder.join(name)).unwrap();
        };
        write("a.toml", "1");
        write("b.toml", "1");
        fs::create_dir(folder.join("one")).unwrap();
        fs::create_dir(folder.join("two")).unwrap();
        write("one/c", "1");
        write("two/c", "2");
        symlink("one", folder.join("data")).unwrap();
        symlink("data/c", folder.join("c.toml")).unwrap();
        symlink("nowhere", folder.join("d.toml")).unwrap();
        let known = &mut KnownFolder::default();
        let both = |read: &[&str], held: &[&str]| {
            let all = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
            (all(read), all(held))
        };
        // They have just changed, and may change again without another time.
        let all = both(&["a", "b", "c", "d"], &["1", "1", "1", "?"]);
        assert_eq!(look(known, folder, 0), all);
        assert_eq!(look(known, folder, 60), all);
        // What cannot be read is tried each time.
        let none = both(&["d"], &["1", "1", "1", "?"]);
        assert_eq!(look(known, folder, 60), none);
        write("b.toml", "2");
        let one = both(&["b", "d"], &["1", "2", "1", "?"]);
        assert_eq!(look(known, folder, 60), one);
        // The swap of a symlink on the way changes no file.
        symlink("two", folder.join("swap")).unwrap();
        fs::rename(folder.join("swap"), folder.join("data")).unwrap();
        let swapped = both(&["c", "d"], &["1", "2", "2", "?"]);
        assert_eq!(look(known, folder, 60), swapped);
        fs::remove_file(folder.join("a.toml")).unwrap();
        let gone = both(&["d"], &["2", "2", "?"]);
        assert_eq!(look(known, folder, 60), gone);
    }
}
