//! The folder of key files: read whole, or refused whole.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{getegid, getgroups};
use zeroize::Zeroizing;

use super::error::KeysError;
use crate::config::read::{read, text};
use crate::config::{KeyFile, parse_key};
use crate::model::limits::{KEY_FILE, KEY_FILES};
use crate::wire::NameBuf;

/// How the names of key files end.
pub(super) const ENDING: &str = ".key.toml";

/// A key, and the file that it is in.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub key: KeyFile,
}

/// All keys of a folder.
#[derive(Debug, Clone, Default)]
pub struct StoredKeys(pub Vec<StoredKey>);

impl StoredKeys {
    /// Reads a folder; one that is not there has no keys. Blocks.
    ///
    /// # Errors
    /// With every file that is wrong: then none of them counts.
    pub fn read(folder: &Path) -> Result<Self, KeysError> {
        let mut keys = Vec::new();
        let mut problems = Vec::new();
        for path in key_files(folder)? {
            match read_key(&path) {
                Ok(key) => keys.push(StoredKey { path, key }),
                Err(KeysError::Refused(found)) => problems.extend(found),
                Err(error) => return Err(error),
            }
        }
        let mut first: BTreeMap<(&NameBuf, u16), &Path> = BTreeMap::new();
        for StoredKey { path, key } in &keys {
            let tag = key.dnskey.tag();
            if let Some(earlier) = first.insert((&key.zone, tag), path) {
                let zone = key.zone.to_string();
                problems.push(format!(
                    "{}: zone {} has another key with the tag {tag}: {}",
                    path.display(),
                    zone.trim_end_matches('.'),
                    earlier.display()
                ));
            }
        }
        if problems.is_empty() {
            Ok(Self(keys))
        } else {
            Err(KeysError::Refused(problems))
        }
    }

    /// The keys of a zone.
    pub fn of<'k>(&'k self, zone: &'k NameBuf) -> impl Iterator<Item = &'k StoredKey> {
        self.0.iter().filter(move |stored| stored.key.zone == *zone)
    }
}

/// What tells one content of a folder from another, or what the system says of it. Blocks.
pub fn fingerprint(folder: &Path) -> Option<u64> {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    for path in key_files(folder).ok()? {
        hasher.write(path.as_os_str().as_encoded_bytes());
        if let Ok(file) = fs::metadata(&path) {
            hasher.write_u64(u64::from(file.mode()) << 32 | u64::from(file.gid()));
        }
        match read(&path, &KEY_FILE).map(Zeroizing::new) {
            Ok(octets) => hasher.write(&octets),
            Err(error) => hasher.write(error.to_string().as_bytes()),
        }
    }
    Some(hasher.finish())
}

/// The key files of a folder, by name.
fn key_files(folder: &Path) -> Result<Vec<PathBuf>, KeysError> {
    let failed = |error| KeysError::file(folder, error);
    let mut paths = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(paths),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(ENDING) && !name.starts_with('.')) {
            paths.push(path);
        }
        if paths.len() > KEY_FILES.length() {
            let limit = &KEY_FILES;
            let what = format!("{}: more than {} keys", folder.display(), limit.most);
            return Err(KeysError::Exceeded { what, limit });
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads a key file. The error is every thing that is wrong with it.
fn read_key(path: &Path) -> Result<KeyFile, KeysError> {
    let shown = path.display();
    let refused = |line: String| KeysError::Refused(vec![line]);
    let file = fs::metadata(path).map_err(|error| refused(format!("{shown}: {error}")))?;
    let mode = file.mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(refused(format!(
            "{shown}: readable by everyone ({mode:04o}); chmod 640"
        )));
    }
    if mode & 0o070 != 0 && !is_own_group(file.gid()) {
        let group = file.gid();
        return Err(refused(format!(
            "{shown}: open to group {group}, which this process is not in ({mode:04o}); chmod 600"
        )));
    }
    let octets = read(path, &KEY_FILE).map_err(|error| match error.limit() {
        Some(limit) => KeysError::Exceeded {
            what: error.to_string(),
            limit,
        },
        None => refused(error.to_string()),
    })?;
    let text = text(path, octets).map_err(|error| refused(error.to_string()))?;
    let text = Zeroizing::new(text);
    parse_key(&text, path).map_err(|problems| {
        let lines = problems.iter().map(ToString::to_string);
        KeysError::Refused(lines.collect())
    })
}

/// Whether the process is in a group.
fn is_own_group(group: u32) -> bool {
    let others = getgroups().unwrap_or_default();
    getegid().as_raw() == group || others.iter().any(|other| other.as_raw() == group)
}
