//! The task that watches the overrides of a host cluster.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::configured_task::ConfiguredTask;
use crate::config::{Config, Source};
use crate::publish;
use crate::sources::kubernetes::HostClients;
use crate::sources::members::follow_overrides;
use crate::telemetry::Metrics;

/// The task.
#[derive(Debug)]
pub(super) struct Overriding {
    /// The task, and what it watches.
    task: ConfiguredTask<WatchedOverrides>,
    /// Has the client of the host cluster.
    clients: HostClients,
    /// Where it is counted that an answer is too large.
    metrics: Arc<Metrics>,
}

/// A `ConfigMap`, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WatchedOverrides {
    /// The API of the host cluster.
    source: Source,
    /// The namespace and the name.
    object: (String, String),
}

impl WatchedOverrides {
    /// What a configuration names.
    fn of(config: &Config) -> Option<Self> {
        let host = config.membership.host.as_ref()?;
        Some(Self {
            source: host.source.clone(),
            object: (host.namespace.clone(), host.overrides.clone()?),
        })
    }
}

impl Overriding {
    /// Starts watching what the configuration names, on `runtime`.
    pub(super) fn start(
        config: &Config,
        handle: &publish::Handle,
        metrics: &Arc<Metrics>,
        (runtime, clients): (Handle, HostClients),
    ) -> Self {
        let watched = WatchedOverrides::of(config);
        let task = ConfiguredTask::start(watched, runtime, |watched, cancel| {
            let client = clients.of(&watched.source);
            let (to, metrics) = (handle.host_overrides.clone(), Arc::clone(metrics));
            async move {
                let follow = follow_overrides(client, watched.object, to, metrics);
                // Whether it was cancelled or nobody receives makes no difference.
                let _ = cancel.run_until_cancelled(follow).await;
            }
        });
        Self {
            task,
            clients,
            metrics: Arc::clone(metrics),
        }
    }

    /// Starts anew when the configuration names another `ConfigMap`, or another host cluster.
    pub(super) async fn apply(&mut self, config: &Config, handle: &publish::Handle) {
        if !self.task.runs_on(WatchedOverrides::of(config).as_ref()) {
            self.task.shutdown().await;
            let runs = (self.task.runtime().clone(), self.clients.clone());
            *self = Self::start(config, handle, &self.metrics, runs);
        }
    }

    /// Ends watching.
    pub(super) async fn shutdown(self) {
        self.task.shutdown().await;
    }
}
