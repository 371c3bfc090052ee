//! `gazetteer check --live`: a federation looked at from end to end (docs/checks.md).
//!
//! ```text
//!                 ┌ files, host                               surroundings: what the
//! run, in rounds ─┼ daemon                                      command line knows
//!                 ├ member: reach ─▶ credential ─▶ rights ─▶ nodes, exports ─▶ compare, with the others
//!                 └ dns_round: dns
//!                      │ each check within its limit: checker
//!                      └▶ finding ─▶ line ─▶ report
//! ```
//!
//! Nothing here changes anything, and nothing is contacted that the configuration does not name.

mod checker;
mod compare;
mod credential;
mod daemon;
mod dns;
mod dns_round;
mod exports;
mod files;
mod finding;
mod host;
mod id;
mod lengths;
mod line;
mod member;
mod mending;
mod networks;
mod nodes;
mod reach;
mod report;
mod rights;
mod run;
mod settings;
mod surroundings;

pub use finding::CheckFinding;
pub use id::{CHECKS, CheckId};
pub use report::CheckReport;
pub use run::check;
pub use settings::CheckSettings;
pub use surroundings::{
    CheckSurroundings, CheckedDaemon, CheckedDrain, CheckedFiles, CheckedHostMember, CheckedKey,
    CheckedKeys,
};
