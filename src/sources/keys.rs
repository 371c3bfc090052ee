//! The keys that zones are signed with: their folder, watched by content, and what each is by the clock.
//!
//! A change of the folder is taken whole or refused whole; what was right before stays. What keys are is
//! told to the writer whenever a file or the clock changes it.
//!
//! ```text
//! folder ──▶ KeyKeeper ──KeysByZone──▶ publish
//!    ▲           │ hourly
//!    └── tend ◀──┴──DS?──▶ name servers of the zone above
//! ```

mod keeper;
mod parent;
mod settings;
mod tend;

use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::keeper::{KeyKeeper, KnownKeys};
pub use self::settings::{KeysOfConfig, KeysTold};
pub use self::tend::tend;
use super::blocking::blocking;
use super::watch::folders_of;
use crate::keys::is_writable;
use crate::telemetry::{Metrics, clock};

/// How often the folder is looked at without an event: some file systems send none.
const POLL: Duration = Duration::from_secs(5);

/// How long a folder must stay the same before it counts.
const SETTLE: Duration = Duration::from_millis(20);

/// How often keys are tended.
const TEND: Duration = Duration::from_secs(3_600);

/// Follows the folder and the clock until `cancel`, and tends the keys if that is the daemon's to do.
pub async fn run(
    keeper: KeyKeeper,
    told: KeysTold,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
) {
    let follow = follow(keeper, &told, &metrics);
    cancel.run_until_cancelled(follow).await;
}

/// Follows the folder and the clock.
async fn follow(mut keeper: KeyKeeper, told: &KeysTold, metrics: &Metrics) {
    let config = keeper.config().clone();
    let look = Arc::new(Notify::new());
    let wake = Arc::clone(&look);
    let events = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is an event too.
        if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
            wake.notify_one();
        }
    });
    let mut events = events.ok();
    let folder = config.folder.clone();
    let tends = blocking(move || is_writable(&folder)).await;
    let tends = config.tend.unwrap_or(tends);
    let mut due = Instant::now();
    loop {
        keeper = blocking(move || {
            keeper.look(clock::now());
            keeper
        })
        .await;
        let now = clock::now();
        keeper.tell(told, metrics, now);
        if tends && due <= Instant::now() {
            due = Instant::now() + TEND;
            match tend(&config, false).await {
                Ok(done) => done.iter().for_each(|line| info!("{line}")),
                Err(error) => warn!(%error, "keys cannot be tended"),
            }
            continue;
        }
        if let Some(events) = &mut events {
            // A folder that was replaced needs a new watch; the poll is the net.
            let mut folders = folders_of(&config.folder);
            folders.push(config.folder.clone());
            for folder in &folders {
                let _ = events.watch(folder, RecursiveMode::NonRecursive);
            }
        }
        let next = keeper.next_change(now);
        let until = next.map(|next| Duration::from_secs(next.0.saturating_sub(clock::now().0)));
        let wait = until.map_or(POLL, |until| until.min(POLL));
        tokio::select! {
            () = look.notified() => tokio::time::sleep(SETTLE).await,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
#[path = "keys/tests.rs"]
mod tests;
