//! Objects of the host cluster, as members come from them.

use std::fmt;
use std::path::PathBuf;

use crate::model::MemberList;

/// An object of the host cluster that says how a member is reached. Their order is that of their members,
/// but for the names of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberObject {
    /// A kubeconfig in a Secret.
    Secret {
        /// The namespace of the Secret.
        namespace: String,
        /// Its name.
        name: String,
        /// Where the kubeconfig is in it.
        key: String,
    },
    /// A `ClusterProfile`.
    Profile {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl MemberObject {
    /// The list that has it.
    pub fn list(&self) -> MemberList {
        match self {
            Self::Secret { .. } => MemberList::Secrets,
            Self::Profile { .. } => MemberList::Profiles,
        }
    }
}

/// As messages call it.
impl fmt::Display for MemberObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret {
                namespace, name, ..
            } => write!(f, "secret {namespace}/{name}"),
            Self::Profile { namespace, name } => write!(f, "clusterprofile {namespace}/{name}"),
        }
    }
}

/// A member as an object of the host cluster has it. How it is reached is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMember {
    /// The object.
    pub object: MemberObject,
    /// What the member is called.
    pub name: String,
    /// Keys of `[[member]]` in TOML, as the object has them beside; often empty.
    pub keys: String,
}

impl ObjectMember {
    /// What problems name.
    pub fn path(&self) -> PathBuf {
        let object = &self.object;
        if self.keys.is_empty() {
            object.to_string().into()
        } else {
            format!("{object}/member.toml").into()
        }
    }
}
