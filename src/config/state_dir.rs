//! Where the last facts are kept when the configuration does not say.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::{env, fs};

/// The platform's state folder: what systemd gives (`STATE_DIRECTORY`), else
/// `$XDG_STATE_HOME/gazetteer`, else `/var/lib/gazetteer` for root, else
/// `~/.local/state/gazetteer`. `None` when there is no home either.
pub fn default_state_dir() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folders) = set("STATE_DIRECTORY") {
        return env::split_paths(&folders).next();
    }
    if let Some(state) = set("XDG_STATE_HOME") {
        return Some(PathBuf::from(state).join("gazetteer"));
    }
    // The owner of this is the effective user of the process.
    if fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0) {
        return Some(PathBuf::from("/var/lib/gazetteer"));
    }
    set("HOME").map(|home| PathBuf::from(home).join(".local/state/gazetteer"))
}
