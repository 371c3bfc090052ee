//! The task that reads the GeoIP database.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::configured_task::ConfiguredTask;
use crate::config::Config;
use crate::publish;
use crate::sources::geoip;
use crate::telemetry::Metrics;

/// The task.
#[derive(Debug)]
pub(super) struct Locating {
    /// The task, and the file that it reads.
    task: ConfiguredTask<PathBuf>,
    /// Where it is counted that a file is too large.
    metrics: Arc<Metrics>,
}

impl Locating {
    /// Starts reading what the configuration names, on `runtime`.
    pub(super) fn start(
        config: &Config,
        handle: &publish::Handle,
        metrics: &Arc<Metrics>,
        runtime: Handle,
    ) -> Self {
        let task = ConfiguredTask::start(config.geoip.clone(), runtime, |path, cancel| {
            geoip::run(path, handle.deltas.clone(), Arc::clone(metrics), cancel)
        });
        Self {
            task,
            metrics: Arc::clone(metrics),
        }
    }

    /// Starts anew when the configuration names another file.
    pub(super) async fn apply(&mut self, config: &Config, handle: &publish::Handle) {
        if !self.task.runs_on(config.geoip.as_ref()) {
            self.task.shutdown().await;
            *self = Self::start(config, handle, &self.metrics, self.task.runtime().clone());
        }
    }

    /// Ends reading.
    pub(super) async fn shutdown(self) {
        self.task.shutdown().await;
    }
}
