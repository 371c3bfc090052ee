//! What an operator's commands make and take away in member clusters, with rights of the operator:
//! `gazetteer join` and `unjoin` (docs/membership.md); and `gazetteer check --live`, which looks at all
//! of a federation with the rights of the daemon (docs/checks.md).
//!
//! The one room that writes to Kubernetes. No room of the daemon imports it: the daemon reads.
//!
//! ```text
//! look ─▶ make ─▶ prove ─▶ tell
//!  │        │       │        └ the members folder, or a Secret of a host cluster
//!  │        │       └ the new credential lists and watches each kind
//!  │        └ ServiceAccount, role, bindings, token
//!  └ everything that can refuse: TLS, names, which cluster it is, rights, a dry run
//! ```

mod api;
mod apply;
mod certificate;
mod check;
mod cluster;
mod contexts;
mod credential;
mod entry;
mod error;
mod file;
mod folder;
mod followed;
mod held;
mod host;
mod installation;
mod join;
mod joining;
mod look;
mod looked;
mod manifest;
mod name;
mod place;
mod printed;
mod progress;
mod prove;
mod review;
mod shared_overrides;
mod shell;
mod spans;
mod token;
mod twin;
mod unjoin;

pub use check::{
    CHECKS, CheckFinding, CheckId, CheckReport, CheckSettings, CheckSurroundings, CheckedDaemon,
    CheckedDrain, CheckedFiles, CheckedHostMember, CheckedKey, CheckedKeys, check,
};
pub use contexts::{ApiTrust, ContextChoice};
pub use entry::Neighbour;
pub use error::OperateError;
pub use installation::Installation;
pub use join::{JoinOutcome, TokenFacts, join};
pub use joining::Joining;
pub use manifest::{Mode, Names};
pub use name::{member_name, object_name};
pub use place::Where;
pub use printed::printed;
pub use progress::{Progress, Step, StepMark};
pub use shared_overrides::{FoundOverrides, OverridesMap, OverridesPlace};
pub use shell::quoted;
pub use unjoin::{Leaving, Unjoining};
