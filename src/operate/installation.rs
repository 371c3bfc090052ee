//! Which installation joins: one configuration and the daemons that run it. Several may join one
//! cluster, and none cuts another off.

use std::fmt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;

use super::certificate::hexadecimal;
use super::error::OperateError;
use super::file;

/// Holds the octets that an installation's id is made of, in the members folder.
const FILE: &str = ".installation";

/// Eight hexadecimal digits, in the names and labels of what an installation makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The digits.
    digits: String,
    /// What a members folder is to hold and does not yet.
    unwritten: Option<String>,
}

impl Installation {
    /// The installation of a seed: the beginning of its SHA-256.
    pub(super) fn of(seed: &[u8]) -> Self {
        let mut digits = hexadecimal(digest(&SHA256, seed).as_ref());
        digits.truncate(8);
        Self {
            digits,
            unwritten: None,
        }
    }

    /// The one that made a ServiceAccount of this name.
    pub(super) fn of_account(account: &str) -> Option<Self> {
        let digits = account.strip_prefix("gazetteer-")?;
        let is_id = digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_id.then(|| Self {
            digits: digits.to_owned(),
            unwritten: None,
        })
    }

    /// That of a members folder; a new one, if the folder has none. Writes nothing.
    pub fn of_folder(folder: &Path) -> Result<Self, OperateError> {
        let path = folder.join(FILE);
        if let Some(text) = file::text(&path)? {
            let seed = text.trim();
            let is_seed = seed.len() == 32 && seed.bytes().all(|one| one.is_ascii_hexdigit());
            if !is_seed {
                let why = "not 32 hexadecimal digits: restore it from a backup, or remove it to join anew";
                return Err(OperateError::file(&path, &why));
            }
            return Ok(Self::of(seed.as_bytes()));
        }
        let mut octets = [0; 16];
        let failed = |_| OperateError::file(&path, &"no random octets to be had");
        rand::fill(&mut octets).map_err(failed)?;
        let seed = hexadecimal(&octets);
        let new = Self::of(seed.as_bytes());
        Ok(Self {
            unwritten: Some(seed),
            ..new
        })
    }

    /// Whether it is new, and nothing can have been made by it.
    pub(super) fn is_new(&self) -> bool {
        self.unwritten.is_some()
    }

    /// Leaves a new one in its folder.
    pub fn keep(&self, folder: &Path) -> Result<(), OperateError> {
        let Some(seed) = &self.unwritten else {
            return Ok(());
        };
        let path = folder.join(FILE);
        file::make_folder(folder)?;
        if file::text(&path)?.is_some() {
            let why = "another join has just made it: give the command again";
            return Err(OperateError::file(&path, &why));
        }
        file::write(&path, &format!("{seed}\n"))
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_installation_for_ever() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("members.d");
        let first = Installation::of_folder(&folder).unwrap();
        assert!(first.is_new() && !folder.exists());
        first.keep(&folder).unwrap();
        let again = Installation::of_folder(&folder).unwrap();
        assert_eq!(again.to_string(), first.to_string());
        assert!(!again.is_new() && first.keep(&folder).is_err());
        assert_eq!(first.to_string().len(), 8);
        let account = format!("gazetteer-{first}");
        assert_eq!(Installation::of_account(&account), Some(again));
        assert_eq!(Installation::of_account("gazetteer-token"), None);
        file::write(&folder.join(FILE), "x\n").unwrap();
        let error = Installation::of_folder(&folder).unwrap_err();
        assert!(error.to_string().contains(".installation"), "{error}");
    }
}
