//! What the daemon says of itself.

use serde::{Deserialize, Serialize};

/// The answer of `/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Whether it is ready (docs/names.md, decision 10).
    pub ready: bool,
    /// Lists of members that were not heard yet since the start, in words: it is not known which members
    /// there are.
    #[serde(default)]
    pub awaited: Vec<String>,
    /// Its state folder, from the root: the command line finds the control socket by it.
    pub state_dir: String,
}
