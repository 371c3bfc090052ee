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
pub struct Installation(String);

impl Installation {
    /// The installation of a seed: the beginning of its SHA-256.
    pub(super) fn of(seed: &[u8]) -> Self {
        let mut digits = hexadecimal(digest(&SHA256, seed).as_ref());
        digits.truncate(8);
        Self(digits)
    }

    /// That of a members folder, which the first join makes. One that is only looked at keeps nothing.
    pub fn of_folder(folder: &Path, is_dry: bool) -> Result<Self, OperateError> {
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
        if !is_dry {
            file::make_folder(folder)?;
            file::write(&path, &format!("{seed}\n"))?;
        }
        Ok(Self::of(seed.as_bytes()))
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_installation_for_ever() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("members.d");
        Installation::of_folder(&folder, true).unwrap();
        assert!(!folder.exists());
        let first = Installation::of_folder(&folder, false).unwrap();
        assert_eq!(Installation::of_folder(&folder, false).unwrap(), first);
        assert_eq!(first.to_string().len(), 8);
        file::write(&folder.join(FILE), "x\n").unwrap();
        let error = Installation::of_folder(&folder, false).unwrap_err();
        assert!(error.to_string().contains(".installation"), "{error}");
    }
}
