//! The task that reads the GeoIP database.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::publish;
use crate::sources::geoip;
use crate::telemetry::Metrics;

/// The task, and the file that it reads.
#[derive(Debug)]
pub(super) struct Locating {
    /// The file; without one there is no task.
    path: Option<PathBuf>,
    /// The task.
    task: TaskTracker,
    /// Ends it.
    cancel: CancellationToken,
    /// Where it is counted that a file is too large.
    metrics: Arc<Metrics>,
    /// Runs it.
    runtime: Handle,
}

impl Locating {
    /// Starts reading what the configuration names, on `runtime`.
    pub(super) fn start(
        config: &Config,
        handle: &publish::Handle,
        metrics: &Arc<Metrics>,
        runtime: Handle,
    ) -> Self {
        let (path, cancel) = (config.geoip.clone(), CancellationToken::new());
        let task = TaskTracker::new();
        if let Some(path) = path.clone() {
            let metrics = Arc::clone(metrics);
            let run = geoip::run(path, handle.deltas.clone(), metrics, cancel.clone());
            task.spawn_on(run, &runtime);
        }
        task.close();
        Self {
            path,
            task,
            cancel,
            metrics: Arc::clone(metrics),
            runtime,
        }
    }

    /// Starts anew when the configuration names another file.
    pub(super) async fn apply(&mut self, config: &Config, handle: &publish::Handle) {
        if self.path != config.geoip {
            self.cancel.cancel();
            self.task.wait().await;
            *self = Self::start(config, handle, &self.metrics, self.runtime.clone());
        }
    }

    /// Ends reading.
    pub(super) async fn shutdown(self) {
        self.cancel.cancel();
        self.task.wait().await;
    }
}
