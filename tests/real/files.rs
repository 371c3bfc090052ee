//! Files of a test: written whole or not at all, since the daemon watches some of them.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

/// Writes a file by renaming a complete one over it, with the owner and the rights of that one, as editors do:
/// who may read the file still may.
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) {
    let folder = path.parent().expect("a file in a folder");
    std::fs::create_dir_all(folder).expect("folder for a test file");
    let mut file = tempfile::NamedTempFile::new_in(folder).expect("temporary file");
    file.write_all(text.as_ref()).expect("test file written");
    if let Ok(before) = std::fs::metadata(path) {
        let file = file.as_file();
        fchown(file, Some(before.uid()), Some(before.gid())).expect("test file given away");
        let rights = before.permissions();
        file.set_permissions(rights).expect("rights of a test file");
    }
    file.persist(path).expect("test file renamed into place");
}

/// Copies a folder with everything in it over another, which is removed first.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).expect("old folder removed");
    }
    std::fs::create_dir_all(to).expect("folder created");
    for entry in std::fs::read_dir(from).expect("folder read") {
        let entry = entry.expect("folder entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("file type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("file copied");
        }
    }
}

/// The last lines of a file, or a note that there are none.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    let from = all.len().saturating_sub(lines);
    let tail = all.get(from..).unwrap_or_default().join("\n");
    format!("--- {} ({} lines)\n{tail}\n", path.display(), all.len())
}
