//! Which members the folder of fragments and the objects of the host cluster have given, as the state
//! folder keeps it: a restart while one of these is gone goes on with them. No credentials are kept:
//! fragments name them, and of an object only what else it says is kept.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::read::read_text;
use crate::config::{Fragment, MemberObject, ObjectMember};
use crate::model::limits::CONFIGURATION_FILE;

/// The file in the state folder.
const NAME: &str = "members.json";

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    fragments: Vec<KeptFragment>,
    #[serde(default)]
    objects: Vec<KeptObject>,
}

/// An object of the host cluster that was right.
#[derive(Debug, Serialize, Deserialize)]
struct KeptObject {
    kind: KeptKind,
    namespace: String,
    name: String,
    #[serde(default)]
    key: String,
    member: String,
    keys: String,
}

/// A kind of object.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KeptKind {
    Secret,
    ClusterProfile,
}

impl From<&ObjectMember> for KeptObject {
    fn from(member: &ObjectMember) -> Self {
        let (kind, namespace, name, key) = match member.object.clone() {
            MemberObject::Secret {
                namespace,
                name,
                key,
            } => (KeptKind::Secret, namespace, name, key),
            MemberObject::Profile { namespace, name } => {
                (KeptKind::ClusterProfile, namespace, name, String::new())
            }
        };
        Self {
            kind,
            namespace,
            name,
            key,
            member: member.name.clone(),
            keys: member.keys.clone(),
        }
    }
}

impl From<KeptObject> for ObjectMember {
    fn from(kept: KeptObject) -> Self {
        let (namespace, name, key) = (kept.namespace, kept.name, kept.key);
        Self {
            object: match kept.kind {
                KeptKind::Secret => MemberObject::Secret {
                    namespace,
                    name,
                    key,
                },
                KeptKind::ClusterProfile => MemberObject::Profile { namespace, name },
            },
            name: kept.member,
            keys: kept.keys,
        }
    }
}

/// The members that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeptMembers {
    /// Fragments of the members folder.
    pub(super) fragments: Vec<Fragment>,
    /// Objects of the host cluster.
    pub(super) objects: Vec<ObjectMember>,
}

/// A fragment that was right.
#[derive(Debug, Serialize, Deserialize)]
struct KeptFragment {
    path: PathBuf,
    text: String,
}

/// What was kept; nothing where that cannot be read, and why, if it is there.
pub(super) fn read(state_dir: &Path) -> (KeptMembers, Option<String>) {
    let text = match read_text(&state_dir.join(NAME), &CONFIGURATION_FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return (KeptMembers::default(), None),
        Err(error) => return (KeptMembers::default(), Some(error.to_string())),
    };
    match serde_json::from_str::<Kept>(&text) {
        Ok(kept) => {
            let fragments = kept.fragments.into_iter().map(|kept| Fragment {
                path: kept.path,
                octets: kept.text.into_bytes(),
            });
            let fragments = fragments.collect();
            let objects = kept.objects.into_iter().map(Into::into).collect();
            (KeptMembers { fragments, objects }, None)
        }
        Err(error) => (KeptMembers::default(), Some(format!("{NAME}: {error}"))),
    }
}

/// Keeps members, in place of those that were kept before. Blocks.
pub(super) fn write(state_dir: &Path, members: &KeptMembers) -> io::Result<()> {
    let kept = Kept {
        version: 1,
        objects: members.objects.iter().map(Into::into).collect(),
        fragments: (members.fragments)
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
