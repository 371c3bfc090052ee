//! The thread that probes.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::check::Checks;
use super::driver::Driver;
use super::history::ProbeOutcome;
use crate::model::{Delta, Findings, ProbeTarget, ProbeTargets};
use crate::telemetry::Metrics;

/// How many probes may run at once. At a second for a probe that nobody answers, this is as many
/// silent targets a second.
const AT_ONCE: usize = 4096;

/// Probes have one in so many of the files that may be open, when that is less.
const SHARE_OF_FILES: u64 = 2;

/// How long after a failure of its own probing begins again.
const RESTART_DELAY: Duration = Duration::from_secs(5);

/// The thread that probes. Dropping it lets it go on until it is cancelled.
#[derive(Debug)]
pub struct Prober {
    /// Ends it.
    cancel: CancellationToken,
    /// The thread.
    thread: JoinHandle<()>,
}

impl Prober {
    /// Ends it, with every probe that runs. Blocks, for a moment.
    pub fn stop(self) {
        self.cancel.cancel();
        if self.thread.join().is_err() {
            error!("the thread of probes panicked");
        }
    }
}

/// Starts a thread that probes `targets`, and says what comes of it, until `cancel`, until there is
/// no sender of `targets`, or until nobody receives.
///
/// `findings` says what is known of addresses from before: new targets go on from it.
///
/// `deltas` gets [`Delta::Probed`]: transitions, several in one when they come together; and
/// [`Delta::FirstProbes`] once. When it is full, probes go on, and the last state of each target is
/// sent as soon as there is room.
pub fn spawn(
    targets: watch::Receiver<ProbeTargets>,
    findings: watch::Receiver<Findings>,
    deltas: mpsc::Sender<Delta>,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
) -> io::Result<Prober> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let until = cancel.clone();
    let thread = thread::Builder::new()
        .name("health".into())
        .spawn(move || {
            let checks = Arc::<Checks>::default();
            let ask = move |target| Arc::clone(&checks).ask(target);
            let driver = move || {
                let metrics = Arc::clone(&metrics);
                Driver::new(deltas.clone(), findings.clone(), metrics, at_once())
            };
            runtime.block_on(keep(targets, driver, ask, until));
        })?;
    Ok(Prober { cancel, thread })
}

/// How many probes may run at once.
fn at_once() -> usize {
    // `None` is no limit.
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let share = usize::try_from(files / SHARE_OF_FILES).unwrap_or(AT_ONCE);
    let at_once = share.clamp(1, AT_ONCE);
    debug!(at_once, "probing");
    at_once
}

/// Probes until `cancel`. After a failure of its own it begins anew, with every target unknown.
pub(super) async fn keep<F>(
    targets: watch::Receiver<ProbeTargets>,
    driver: impl Fn() -> Driver,
    ask: impl Fn(ProbeTarget) -> F + Clone + Send + 'static,
    cancel: CancellationToken,
) where
    F: Future<Output = ProbeOutcome> + Send + 'static,
{
    let run = async {
        loop {
            let mut tasks = JoinSet::new();
            tasks.spawn(driver().run(targets.clone(), ask.clone()));
            match tasks.join_next().await {
                Some(Err(error)) if error.is_panic() => {
                    error!(%error, restart = ?RESTART_DELAY, "probing failed");
                    tokio::time::sleep(RESTART_DELAY).await;
                }
                _ => return,
            }
        }
    };
    cancel.run_until_cancelled(run).await;
}

#[cfg(test)]
#[path = "tests/thread.rs"]
mod tests;
