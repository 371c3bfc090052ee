//! Which members the folder of fragments has given, as the state folder keeps it: a restart while the
//! folder is gone goes on with them. Fragments name credentials and hold none.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Fragment;
use crate::config::read::read_text;
use crate::model::limits::CONFIGURATION_FILE;

/// The file in the state folder.
const NAME: &str = "members.json";

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    fragments: Vec<KeptFragment>,
}

/// A fragment that was right.
#[derive(Debug, Serialize, Deserialize)]
struct KeptFragment {
    path: PathBuf,
    text: String,
}

/// What was kept; nothing where that cannot be read, and why, if it is there.
pub(super) fn read(state_dir: &Path) -> (Vec<Fragment>, Option<String>) {
    let text = match read_text(&state_dir.join(NAME), &CONFIGURATION_FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return (Vec::new(), None),
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    match serde_json::from_str::<Kept>(&text) {
        Ok(kept) => {
            let fragments = kept.fragments.into_iter().map(|kept| Fragment {
                path: kept.path,
                octets: kept.text.into_bytes(),
            });
            (fragments.collect(), None)
        }
        Err(error) => (Vec::new(), Some(format!("{NAME}: {error}"))),
    }
}

/// Keeps fragments, in place of those that were kept before. Blocks.
pub(super) fn write(state_dir: &Path, fragments: &[Fragment]) -> io::Result<()> {
    let kept = Kept {
        version: 1,
        fragments: fragments
            .iter()
            .map(|fragment| KeptFragment {
                path: fragment.path.clone(),
                text: String::from_utf8_lossy(&fragment.octets).into_owned(),
            })
            .collect(),
    };
    let new = state_dir.join(format!("{NAME}.new"));
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(&kept)?)?;
    file.sync_all()?;
    fs::rename(&new, state_dir.join(NAME))
}
