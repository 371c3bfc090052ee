//! Which members the folder of fragments has given, as the state folder keeps it: a restart while the
//! folder is gone goes on with them. Fragments name credentials and hold none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::read::read_text;
use crate::config::{self, Fragment, Loaded, Problem, fragment_name};
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
fn read(state_dir: &Path) -> (Vec<Fragment>, Option<String>) {
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

/// A configuration as a daemon begins with it.
#[derive(Debug)]
pub(super) struct KnownMembers {
    /// With the members that are kept.
    pub(super) loaded: Loaded,
    /// What is to be said of these.
    pub(super) notes: Vec<String>,
}

/// Reads a configuration with its members folder, and goes on with members that the state folder keeps
/// and the members folder does not say: their files may be gone for a moment. Blocks.
///
/// Errors are every problem of the file, in file order, never none of them.
pub(super) fn load(file: &Path) -> Result<KnownMembers, Vec<Problem>> {
    let mut loaded = config::load_all(file)?;
    let (kept, trouble) = read(&loaded.config.state_dir);
    let unreadable = |trouble| format!("the members that were known are not: {trouble}");
    let mut notes: Vec<String> = trouble.map(unreadable).into_iter().collect();
    let folder = loaded.config.membership.folder.clone();
    let there = loaded.fragments.iter().map(|it| fragment_name(&it.path));
    let there: BTreeSet<String> = there.collect();
    let lost = kept.into_iter();
    let lost = lost.filter(|fragment| !there.contains(&fragment_name(&fragment.path)));
    let lost: Vec<Fragment> = lost.map(|it| in_folder(it, &folder)).collect();
    if lost.is_empty() {
        return Ok(KnownMembers { loaded, notes });
    }
    notes.extend(lost.iter().map(|fragment| {
        let path = fragment.path.display();
        format!("{path}: not there, its member stays as it was")
    }));
    loaded.fragments.extend(lost);
    let path = loaded.config.path.clone();
    let fragments = Some(&*loaded.fragments);
    let composed = config::compose(loaded.octets.clone(), &path, fragments)?;
    loaded.config = composed.config;
    loaded.unknown = composed.unknown;
    for one in composed.refused {
        if !loaded.refused.contains(&one) {
            loaded.refused.push(one);
        }
    }
    Ok(KnownMembers { loaded, notes })
}

/// The fragment with its path as the folder has it, if it was in that: whoever kept it may have been
/// started elsewhere.
fn in_folder(fragment: Fragment, folder: &Path) -> Fragment {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    let kept = absolute(&fragment.path);
    let is_there = kept.as_deref().and_then(Path::parent) == absolute(folder).as_deref();
    match fragment.path.file_name() {
        Some(name) if is_there => Fragment {
            path: folder.join(name),
            ..fragment
        },
        _ => fragment,
    }
}

/// Keeps fragments, in place of those that were kept before. Blocks.
pub(super) fn write(state_dir: &Path, fragments: &[Fragment]) -> io::Result<()> {
    let kept = Kept {
        version: 1,
        fragments: fragments
            .iter()
            .map(|fragment| KeptFragment {
                path: std::path::absolute(&fragment.path).unwrap_or_else(|_| fragment.path.clone()),
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
