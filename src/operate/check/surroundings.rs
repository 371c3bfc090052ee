//! What the command line knows and this room does not: it is asked for it. Each question may block.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::CheckFinding;
use crate::config::{Config, ObjectMember};
use crate::model::{Identity, MemberOrigin, UnixSeconds};
use crate::names::Label;

/// The configuration, and what is wrong or odd with its files. No findings are good ones.
#[derive(Debug, Default)]
pub struct CheckedFiles {
    /// The configuration, if it is right.
    pub config: Option<Arc<Config>>,
    /// Of the configuration itself.
    pub of_config: Vec<CheckFinding>,
    /// Of facts files.
    pub of_facts: Vec<CheckFinding>,
    /// Of fragments.
    pub of_fragments: Vec<CheckFinding>,
    /// Of objects of the host cluster.
    pub of_objects: Vec<CheckFinding>,
}

/// What the running daemon says of itself.
#[derive(Debug, Default)]
pub struct CheckedDaemon {
    /// Whether it is ready (docs/names.md, decision 10).
    pub is_ready: bool,
    /// Its state folder.
    pub state_dir: String,
    /// Arguments with which commands find it, after a blank; nothing where they find it by themselves.
    pub arguments: String,
    /// Members of the host cluster, as it sees them.
    pub host_members: Vec<CheckedHostMember>,
    /// Members that it does not watch, and why.
    pub unwatched: Vec<String>,
    /// What of its state folder cannot be used.
    pub troubles: Vec<String>,
    /// Since when answers are frozen.
    pub frozen: Option<String>,
    /// What is drained or cordoned.
    pub drains: Vec<CheckedDrain>,
    /// What a brake holds back, and the command that lets it through, if one does.
    pub held_back: Vec<(String, Option<String>)>,
}

/// A member of the host cluster, as the daemon sees it.
#[derive(Debug, Clone)]
pub struct CheckedHostMember {
    /// The member.
    pub name: Label,
    /// The object that names it.
    pub origin: MemberOrigin,
    /// Whether it is watched and in contact.
    pub is_ready: bool,
    /// Its status, and the reason.
    pub says: String,
}

/// A drain or a cordon.
#[derive(Debug)]
pub struct CheckedDrain {
    /// What is drained, as in commands.
    pub target: String,
    /// Since when.
    pub since: UnixSeconds,
}

/// The keys of a zone that is to be signed, as the zone above is to know them.
#[derive(Debug, Clone)]
pub struct CheckedKeys {
    /// The zone in letters, without a dot at the end.
    pub zone: String,
    /// Its keys.
    pub keys: Vec<CheckedKey>,
    /// The zone above is asked to delete its DS records (RFC 8078, section 4).
    pub is_leaving: bool,
    /// The zone is not signed any more.
    pub is_unsigned: bool,
}

/// A key of such a zone.
#[derive(Debug, Clone)]
pub struct CheckedKey {
    /// Its algorithm and tag, such as `13/34428`.
    pub name: String,
    /// The rdata of the DS records that may be made of it.
    pub ds: Vec<Vec<u8>>,
    /// It signs the DNSKEY RRset: a DS record of it leads to answers that hold.
    pub signs_keys: bool,
    /// The zone above is asked for its DS record.
    pub is_asked: bool,
}

/// What is asked of the command line.
pub trait CheckSurroundings: Send + Sync {
    /// Reads the configuration and the files that it names, with the members of objects of the host
    /// cluster.
    fn files(&self, objects: &[ObjectMember]) -> CheckedFiles;

    /// What the daemon of a configuration says. The error is that none was found, and where it was
    /// looked for.
    fn daemon(&self, config: &Config) -> Result<CheckedDaemon, String>;

    /// The keys of the zones that are to be signed. The error is why they cannot be read.
    fn keys(&self, config: &Config) -> Result<Vec<CheckedKeys>, String>;

    /// Which clusters the members were when a daemon kept their facts here.
    fn identities(&self, config: &Arc<Config>) -> BTreeMap<Label, Identity>;
}
