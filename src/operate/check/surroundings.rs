//! What the command line knows and this room does not: it is asked for it. Each question may block.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::CheckFinding;
use crate::config::Config;
use crate::model::{Identity, UnixSeconds};
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
}

/// What the running daemon says of itself.
#[derive(Debug, Default)]
pub struct CheckedDaemon {
    /// Whether it is ready (docs/names.md, decision 10).
    pub is_ready: bool,
    /// Its state folder.
    pub state_dir: String,
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

/// A drain or a cordon.
#[derive(Debug)]
pub struct CheckedDrain {
    /// What is drained, as in commands.
    pub target: String,
    /// Since when.
    pub since: UnixSeconds,
}

/// What is asked of the command line.
pub trait CheckSurroundings: Send + Sync {
    /// Reads the configuration and the files that it names.
    fn files(&self) -> CheckedFiles;

    /// What the daemon of a configuration says. The error is that none was found, and where it was
    /// looked for.
    fn daemon(&self, config: &Config) -> Result<CheckedDaemon, String>;

    /// Which clusters the members were when a daemon kept their facts here.
    fn identities(&self, config: &Arc<Config>) -> BTreeMap<Label, Identity>;
}
