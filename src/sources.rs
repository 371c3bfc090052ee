//! Where facts come from: each source turns what it watches into deltas for the one writer.
//!
//! A source is a conversion (pure, synchronous) and a driver (asynchronous) that sends
//! [`Delta`](crate::model::Delta)s on a bounded channel; a full channel makes the source wait.
//! Nothing here decides an answer, and nothing that a source fails to say removes a name: only an
//! explicit delete, or absence from a completed list (docs/names.md, decision 5).
//!
//! ```text
//! facts files ──▶ file ────────┐
//! documents ────▶ url ─────────┤
//! API servers ──▶ kubernetes ──┼──Delta──▶ publish
//! resolvers ────▶ hostnames ───┤
//! GeoIP file ───▶ geoip ───────┘
//! folder ───────▶ members ──which there are──▶ configuration
//! folder ───────▶ keys ──what zones are signed with──▶ publish
//!      watch: changes of files by content, for `file`, the configuration and kubeconfigs
//! ```

pub mod blocking;
pub mod cookie_secrets;
pub mod file;
pub mod geoip;
pub mod hostnames;
pub mod keys;
pub mod kubernetes;
pub mod members;
pub mod resolv_conf;
mod supervisor;
mod unconfirmed;
pub mod url;
pub mod watch;

pub use supervisor::{Lifetime, Supervisor};
pub use unconfirmed::{ConfirmedMembers, UnconfirmedMembers};
