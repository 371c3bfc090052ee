//! Which members the folder of fragments and the objects of the host cluster have given, as the state
//! folder keeps it: a restart while one of these is gone goes on with them. No credentials are kept:
//! fragments name them, and of an object only what else it says is kept.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::read::read_text;
use crate::config::{self, Fragment, Loaded, MemberObject, ObjectMember, Problem, fragment_name};
use crate::model::MemberList;
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
    /// Lists that were heard: [`MemberList::origin`] of each.
    #[serde(default)]
    listed: Vec<String>,
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
    /// Lists that have named them.
    pub(super) listed: BTreeSet<MemberList>,
}

/// A fragment that was right.
#[derive(Debug, Serialize, Deserialize)]
struct KeptFragment {
    path: PathBuf,
    text: String,
}

/// What was kept; nothing where that cannot be read, and why, if it is there.
fn read(state_dir: &Path) -> (KeptMembers, Option<String>) {
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
            let is_listed = |list: &MemberList| kept.listed.iter().any(|one| one == list.origin());
            let members = KeptMembers {
                fragments,
                objects,
                listed: MemberList::ALL.into_iter().filter(is_listed).collect(),
            };
            (members, None)
        }
        Err(error) => (KeptMembers::default(), Some(format!("{NAME}: {error}"))),
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
/// and the members folder does not say: their files may be gone for a moment. Those of objects of the
/// host cluster are as they are kept. Blocks.
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
    let lost = kept.fragments.into_iter();
    let lost = lost.filter(|fragment| !there.contains(&fragment_name(&fragment.path)));
    let lost: Vec<Fragment> = lost.map(|it| in_folder(it, &folder)).collect();
    let membership = &loaded.config.membership;
    let objects = kept.objects.into_iter();
    let objects = objects.filter(|one| membership.asks_host_for(one.object.list()));
    loaded.objects = objects.collect();
    loaded.listed.extend(kept.listed);
    if lost.is_empty() && loaded.objects.is_empty() {
        return Ok(KnownMembers { loaded, notes });
    }
    notes.extend(lost.iter().map(|fragment| {
        let path = fragment.path.display();
        format!("{path}: not there, its member stays as it was")
    }));
    loaded.fragments.extend(lost);
    let path = loaded.config.path.clone();
    let fragments = Some(&*loaded.fragments);
    let objects = &loaded.objects;
    let composed = config::compose(loaded.octets.clone(), &path, fragments, objects)?;
    let statics = loaded.config.fleet.statics.clone();
    loaded.config = config::with_statics(composed.config, statics);
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

/// Keeps members, in place of those that were kept before. Blocks.
pub(super) fn write(state_dir: &Path, members: &KeptMembers) -> io::Result<()> {
    let kept = Kept {
        version: 1,
        objects: members.objects.iter().map(Into::into).collect(),
        listed: (members.listed.iter())
            .map(|list| list.origin().to_owned())
            .collect(),
        fragments: (members.fragments)
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
