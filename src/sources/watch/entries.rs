//! Where a change can give a file another content.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use notify::EventKind;

/// How many links of symlinks are followed before a path counts as a loop.
const MAX_LINKS: usize = 40;

/// Folders, and the entries in them that matter.
pub(super) type WatchedEntries = BTreeSet<(PathBuf, PathBuf)>;

/// The folders alone.
pub(super) fn folders(entries: &WatchedEntries) -> BTreeSet<&Path> {
    entries.iter().map(|(folder, _)| folder.as_path()).collect()
}

/// What events were of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// These folders and entries of them.
    Paths(BTreeSet<PathBuf>),
    /// Perhaps all.
    Any,
}

impl Default for Touched {
    fn default() -> Self {
        Self::Paths(BTreeSet::new())
    }
}

impl Touched {
    /// What an event is of, as far as it matters. Our own reading is an event too.
    pub(super) fn by(event: &notify::Event, entries: &WatchedEntries) -> Self {
        if matches!(event.kind, EventKind::Access(_)) {
            return Self::default();
        }
        if event.paths.is_empty() || event.need_rescan() {
            return Self::Any;
        }
        let paths = event.paths.iter();
        let paths = paths.filter(|path| is_entry(path, entries) || is_folder(path, entries));
        Self::Paths(paths.cloned().collect())
    }

    /// Adds what another event was of. Returns whether that is anything.
    pub(super) fn add(&mut self, other: Self) -> bool {
        match (&mut *self, other) {
            (_, Self::Paths(paths)) if paths.is_empty() => return false,
            (Self::Paths(known), Self::Paths(paths)) => known.extend(paths),
            (_, Self::Any) => *self = Self::Any,
            (Self::Any, Self::Paths(_)) => {}
        }
        true
    }

    /// Whether anything of these entries was touched.
    pub(super) fn concerns(&self, entries: &WatchedEntries) -> bool {
        match self {
            Self::Any => true,
            Self::Paths(paths) if paths.is_empty() => false,
            Self::Paths(paths) => entries
                .iter()
                .any(|(folder, entry)| paths.contains(entry) || paths.contains(folder)),
        }
    }
}

/// Whether a path is an entry that matters.
fn is_entry(path: &Path, entries: &WatchedEntries) -> bool {
    let folder = path.parent().unwrap_or(Path::new(""));
    entries.contains(&(folder.to_owned(), path.to_owned()))
}

/// Whether a path is a folder with entries that matter.
fn is_folder(path: &Path, entries: &WatchedEntries) -> bool {
    let mut of_it = entries.range((path.to_owned(), PathBuf::new())..);
    of_it.next().is_some_and(|(folder, _)| folder == path)
}

/// Where a change can give `path` another content: the entries of the file itself, and of every
/// symlink on the way to it. Where one is missing, the place where it would be.
pub(super) fn entries_of(path: &Path) -> WatchedEntries {
    let mut entries = WatchedEntries::new();
    let Ok(path) = std::path::absolute(path) else {
        return entries;
    };
    let mut rest: Vec<_> = path.components().rev().map(owned).collect();
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        let parent = at.clone();
        at.push(&part);
        if let Ok(target) = std::fs::read_link(&at) {
            entries.insert((parent.clone(), at));
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
            entries.insert((parent, at));
            break;
        }
    }
    entries
}

/// A component that outlives its path.
fn owned(part: Component<'_>) -> PathBuf {
    PathBuf::from(part.as_os_str())
}
