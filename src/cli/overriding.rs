//! The task that watches the overrides of a host cluster.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Source};
use crate::publish;
use crate::sources::kubernetes::HostClient;
use crate::sources::members::follow_overrides;
use crate::telemetry::Metrics;

/// The task, and what it watches.
#[derive(Debug)]
pub(super) struct Overriding {
    /// What it watches; without it there is no task.
    watched: Option<WatchedOverrides>,
    /// The task.
    task: TaskTracker,
    /// Ends it.
    cancel: CancellationToken,
    /// Where it is counted that an answer is too large.
    metrics: Arc<Metrics>,
    /// Runs it.
    runtime: Handle,
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
        runtime: Handle,
    ) -> Self {
        let (watched, cancel) = (WatchedOverrides::of(config), CancellationToken::new());
        let task = TaskTracker::new();
        if let Some(WatchedOverrides { source, object }) = watched.clone() {
            let client = Arc::new(HostClient::new(source));
            let (to, metrics) = (handle.host_overrides.clone(), Arc::clone(metrics));
            let cancelled = cancel.clone();
            let run = async move {
                let follow = follow_overrides(client, object, to, metrics);
                // Whether it was cancelled or nobody receives makes no difference.
                let _ = cancelled.run_until_cancelled(follow).await;
            };
            task.spawn_on(run, &runtime);
        }
        task.close();
        Self {
            watched,
            task,
            cancel,
            metrics: Arc::clone(metrics),
            runtime,
        }
    }

    /// Starts anew when the configuration names another `ConfigMap`, or another host cluster.
    pub(super) async fn apply(&mut self, config: &Config, handle: &publish::Handle) {
        if self.watched != WatchedOverrides::of(config) {
            self.cancel.cancel();
            self.task.wait().await;
            *self = Self::start(config, handle, &self.metrics, self.runtime.clone());
        }
    }

    /// Ends watching.
    pub(super) async fn shutdown(self) {
        self.cancel.cancel();
        self.task.wait().await;
    }
}
