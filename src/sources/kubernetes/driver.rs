//! The asynchronous part: one set of tasks per member.
//!
//! ```text
//! follow(Services) ───┐
//! follow(Slices) ─────┤
//! follow(Nodes) ──────┼─TaskReport─▶ session ──▶ index, contact ──Delta──▶ the writer
//! optional(Exports,   │                  │
//!   Gateways, …) ─────┤                  │
//! heartbeat, identity ┘                  └─ a new client when credentials change
//! ```
//!
//! Lists and watches are driven here and not by `kube::runtime::watcher`: that one says neither
//! when a watch has started nor why it did not, which is what decides whether a member is held
//! (docs/names.md, decision 5), and it repeats a failed start from the same version for ever.

mod contact;
mod delta_sender;
mod expiries;
mod follow;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod heartbeat;
mod identity;
mod link;
mod list;
mod optional;
mod pauses;
mod read;
mod renew;
mod renewal;
mod session;
mod sessions;
mod timing;
mod token_request;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tracing::{Instrument, info_span};

pub use self::timing::Timing;
use super::super::Lifetime;
use super::super::unconfirmed::Unconfirmed;
use super::client::{ClientOrigin, KeptToken, ObjectCredentials};
use crate::telemetry::Metrics;

/// Where credentials come from and are kept that the configuration does not have.
#[derive(Debug, Clone, Default)]
pub struct CredentialStore {
    /// The folder of renewed tokens.
    pub folder: PathBuf,
    /// What objects of the host cluster say.
    pub objects: ObjectCredentials,
}

/// Watches a member for its lifetime, and says what it sees.
///
/// Never ends by itself while somebody receives, and never fails: what goes wrong is said as a
/// loss, and tried again. A full queue makes it wait, and nothing is lost by that. `lists` bounds
/// how many lists all members make at once; a member that does not answer gives its place back. Renewed
/// tokens are kept as `credentials` says.
pub async fn run(
    lifetime: Lifetime,
    lists: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    credentials: &CredentialStore,
) {
    run_with(lifetime, lists, metrics, credentials, &Timing::default()).await;
}

/// [`run`] with other times.
pub async fn run_with(
    lifetime: Lifetime,
    lists: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    credentials: &CredentialStore,
    timing: &Timing,
) {
    let Lifetime {
        source,
        epoch,
        deltas,
        unconfirmed,
        cancel,
    } = lifetime;
    let span = info_span!("source", member = %source.member);
    let sender = delta_sender::DeltaSender::new(source.member.clone(), epoch, deltas, metrics);
    let unconfirmed = Unconfirmed::new(source.member.clone(), unconfirmed, timing.confirm);
    let origin = ClientOrigin {
        source: source.source.clone(),
        kept: KeptToken::of_source(&source, &credentials.folder),
        objects: credentials.objects.clone(),
    };
    let run = sessions::run(&source, &origin, sender, unconfirmed, lists, timing).instrument(span);
    // Whether it was cancelled or nobody receives makes no difference to the caller.
    let _ = cancel.run_until_cancelled(run).await;
}
