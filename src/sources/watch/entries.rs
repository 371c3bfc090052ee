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

/// Whether an event is a reason to look. Our own reading is an event too.
pub(super) fn matters(event: &notify::Event, entries: &WatchedEntries) -> bool {
    let concerns = |path: &PathBuf| {
        let is = |(folder, entry): &(PathBuf, PathBuf)| path == entry || path == folder;
        entries.iter().any(is)
    };
    let is_read = matches!(event.kind, EventKind::Access(_));
    let is_anywhere = event.paths.is_empty() || event.need_rescan();
    !is_read && (is_anywhere || event.paths.iter().any(concerns))
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
