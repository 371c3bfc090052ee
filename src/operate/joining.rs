//! What an operator says of a member that is to be joined.

use std::path::PathBuf;

use super::contexts::{ApiTrust, ContextChoice};
use super::manifest::Mode;
use super::place::Where;
use crate::names::Label;

/// What is to be joined, and how.
#[derive(Debug, Clone)]
pub struct Joining {
    /// What the member is called; without one, as in its clusterset.
    pub name: Option<Label>,
    /// The operator's context of it.
    pub choice: ContextChoice,
    /// How its API is known.
    pub trust: ApiTrust,
    /// The file with certificates of authorities.
    pub authority: Option<PathBuf>,
    /// The daemon's side.
    pub place: Where,
    /// The namespace of its ServiceAccount.
    pub namespace: String,
    /// The name of its ServiceAccount, if that is not the installation's.
    pub account: Option<String>,
    /// How long a token is asked for, in seconds.
    pub lifetime: Option<u64>,
    /// How the token lives; without one as it does, or renewed by the daemon.
    pub mode: Option<Mode>,
    /// The token is replaced though it is good.
    pub renews: bool,
    /// The member's region, if its nodes are not to say it.
    pub region: Option<Label>,
    /// Its zones.
    pub zones: Vec<Label>,
    /// A member of that name that is another cluster is replaced.
    pub replaces: bool,
    /// Nothing is written.
    pub is_dry: bool,
}
