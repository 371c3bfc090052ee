//! The folder of members: one file for each, with the keys of `[[member]]`, refused for itself when it
//! is wrong.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file;
use super::problem::Problem;
use super::read::{ReadError, read};
use super::settings::Config;
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
pub type Listing = Vec<(PathBuf, Result<Vec<u8>, ReadError>)>;

/// A configuration with what it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is right of it.
    pub config: Config,
    /// The octets of its file.
    pub octets: Vec<u8>,
    /// Fragments that were read.
    pub fragments: Vec<Fragment>,
    /// Fragments that are not taken.
    pub refused: Vec<RefusedFragment>,
}

/// Lists and reads the fragments of a folder. Blocks.
pub fn list(folder: &Path) -> io::Result<Listing> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(ENDING) && !name.starts_with('.')) {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let octets = read(&path, &CONFIGURATION_FILE);
        (path, octets)
    };
    Ok(paths.into_iter().map(read).collect())
}

/// Reads a configuration file and the fragments of its members folder, where there is one.
///
/// Errors are every problem of the file, in file order, never none of them. What is wrong with
/// fragments is in [`Loaded::refused`].
pub fn load_all(path: &Path) -> Result<Loaded, Vec<Problem>> {
    let octets = read(path, &CONFIGURATION_FILE).map_err(|error| vec![error.into()])?;
    let folder = file::folder_of(&octets, path);
    let (mut fragments, mut unread) = (Vec::new(), Vec::new());
    let mut has_folder = false;
    match list(&folder) {
        Ok(listing) => {
            has_folder = true;
            for (path, read) in listing {
                match read {
                    Ok(octets) => fragments.push(Fragment { path, octets }),
                    Err(error) => unread.push(RefusedFragment {
                        path,
                        problems: vec![error.into()],
                    }),
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            has_folder = true;
            let problems = vec![Problem::whole(&folder, error.to_string())];
            let path = folder;
            unread.push(RefusedFragment { path, problems });
        }
    }
    let given = has_folder.then_some(&*fragments);
    let (config, mut refused) = file::compose(octets.clone(), path, given)?;
    refused.extend(unread);
    Ok(Loaded {
        config,
        octets,
        fragments,
        refused,
    })
}
