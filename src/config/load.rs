//! The configuration with its members folder, as both are on disk.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::file;
use super::fragments::{Fragment, RefusedFragment, list};
use super::member_object::ObjectMember;
use super::problem::Problem;
use super::read::read;
use super::settings::Config;
use super::zone_records::read_statics;
use crate::model::MemberList;
use crate::model::limits::CONFIGURATION_FILE;

/// A configuration with what it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is right of it.
    pub config: Config,
    /// The octets of its file.
    pub octets: Vec<u8>,
    /// Fragments that were read.
    pub fragments: Vec<Fragment>,
    /// Members of objects of the host cluster, as they were known.
    pub objects: Vec<ObjectMember>,
    /// Lists of members that were heard, now or by an earlier process: their members are those here.
    pub listed: BTreeSet<MemberList>,
    /// Fragments that are not taken.
    pub refused: Vec<RefusedFragment>,
    /// Where the file names members that are not there.
    pub unknown: Vec<Problem>,
}

impl Loaded {
    /// Lists that may name members that are not here: those that are asked for, or are there and cannot be
    /// read, and were never heard.
    pub fn unheard(&self) -> BTreeSet<MemberList> {
        let membership = &self.config.membership;
        let is_asked_for = |list: &MemberList| match list {
            MemberList::Folder => {
                let mut refused = self.refused.iter();
                refused.any(|one| one.path == membership.folder)
            }
            MemberList::Secrets | MemberList::Profiles => membership.asks_host_for(*list),
        };
        let lists = MemberList::ALL.into_iter();
        lists
            .filter(|list| is_asked_for(list) && !self.listed.contains(list))
            .collect()
    }
}

/// The configuration of a file and of those fragments of its members folder that are right.
///
/// Errors are every problem of the file, in file order, never none of them.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    load_all(path).map(|loaded| loaded.config)
}

/// Reads a configuration file and the fragments of its members folder, where there is one.
///
/// Errors are every problem of the file, in file order, never none of them. What is wrong with
/// fragments is in [`Loaded::refused`].
pub fn load_all(path: &Path) -> Result<Loaded, Vec<Problem>> {
    let octets = read(path, &CONFIGURATION_FILE).map_err(|error| vec![error.into()])?;
    let folder = file::folder_of(&octets, path);
    let (mut fragments, mut unread) = (Vec::new(), Vec::new());
    let (mut has_folder, mut listed) = (false, BTreeSet::new());
    match list(&folder) {
        Ok(listing) => {
            has_folder = true;
            listed.insert(MemberList::Folder);
            for (path, read) in listing {
                match read {
                    Ok(octets) => fragments.push(Fragment {
                        path,
                        octets: octets.to_vec(),
                    }),
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
    let composed = file::compose(octets.clone(), path, given, &[])?;
    let config = read_statics(composed.config, &octets)?;
    let mut refused = composed.refused;
    refused.extend(unread);
    Ok(Loaded {
        config,
        octets,
        fragments,
        objects: Vec::new(),
        listed,
        refused,
        unknown: composed.unknown,
    })
}
