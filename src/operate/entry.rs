//! What is written down of a member, and what of it is read again.

use std::path::PathBuf;

use super::credential::MemberCredential;
use crate::config::Source;
use crate::names::Label;

/// A member of the configuration's own.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// Its name.
    pub name: Label,
    /// Where its facts come from.
    pub source: Source,
}

/// What is written down of a member.
#[derive(Debug, Default)]
pub(super) struct KnownMember {
    /// Its credential, if `join` wrote it.
    pub(super) credential: Option<MemberCredential>,
    /// It is written down, if not by `join`: where.
    pub(super) foreign: Option<String>,
    /// Something is written down beside the credential, which stays.
    pub(super) has_definition: bool,
    /// The daemon may not renew its token.
    pub(super) is_ending: bool,
}

impl KnownMember {
    /// Whether the member is written down at all.
    pub(super) fn is_there(&self) -> bool {
        self.credential.is_some() || self.has_definition || self.foreign.is_some()
    }
}

/// A kubeconfig of another member.
pub(super) struct Other {
    /// The member.
    pub(super) name: Label,
    /// The kubeconfig.
    pub(super) text: String,
    /// Where it is from.
    pub(super) path: PathBuf,
    /// The context in it.
    pub(super) context: String,
}

/// What is written of a member.
pub(super) struct MemberEntry<'e> {
    /// The member.
    pub(super) name: &'e Label,
    /// Its credential; `None` leaves the one that is there.
    pub(super) credential: Option<&'e MemberCredential>,
    /// Keys of the member beside its name and its source, in TOML.
    pub(super) keys: String,
    /// The daemon may not renew its token.
    pub(super) is_ending: bool,
}

/// The source of a member in a fragment or a Secret, as far as it says more than where the kubeconfig is.
pub(super) fn is_ending(table: &toml::Table) -> bool {
    let source = table.get("source").and_then(|source| source.get("renew"));
    source.and_then(toml::Value::as_bool) == Some(false)
}
