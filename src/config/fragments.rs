//! The folder of members: one file for each, with the keys of `[[member]]`, refused for itself when it
//! is wrong.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::Problem;
use super::read::{ReadError, read};
use crate::model::limits::CONFIGURATION_FILE;

/// The folder beside the configuration that holds fragments once it is there.
pub(super) const FOLDER: &str = "members.d";

/// How the names of fragments end.
const ENDING: &str = ".toml";

/// A file of the members folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub octets: Vec<u8>,
}

/// A fragment that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedFragment {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, never nothing.
    pub problems: Vec<Problem>,
}

/// The files of a members folder, by name in octet order, with what each holds or why it cannot be
/// read.
pub type FragmentListing = Vec<(PathBuf, Result<Arc<[u8]>, ReadError>)>;

/// Lists and reads the fragments of a folder. Blocks.
pub fn list(folder: &Path) -> io::Result<FragmentListing> {
    let paths = fragment_files(folder)?.into_iter();
    let files = paths.map(|path| {
        let octets = read_fragment(&path);
        (path, octets)
    });
    Ok(files.collect())
}

/// The files of a members folder, by name in octet order. Blocks.
pub fn fragment_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(ENDING) && !name.starts_with('.')) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What the file of a fragment is called without its ending, which is what its member is called.
pub fn fragment_name(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Reads a file of a members folder. Blocks.
pub fn read_fragment(path: &Path) -> Result<Arc<[u8]>, ReadError> {
    read(path, &CONFIGURATION_FILE).map(Into::into)
}
