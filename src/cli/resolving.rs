//! The task that keeps load balancer host names resolved.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::config::Config;
use crate::publish;
use crate::sources::hostnames;
use crate::wire::NameBuf;

/// The resolving task, and what it was started with.
#[derive(Debug)]
pub(super) struct Resolving {
    /// What it was started with.
    settings: Settings,
    /// The task.
    task: TaskTracker,
    /// Ends it.
    cancel: CancellationToken,
    /// Runs it.
    runtime: Handle,
}

/// What resolving depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Settings {
    /// Whom it asks; none means the system's.
    resolvers: Vec<SocketAddr>,
    /// The zones that this process answers for, in configuration order.
    apexes: Vec<NameBuf>,
}

impl Settings {
    /// The settings of a configuration.
    fn of(config: &Config) -> Self {
        let federations = config.fleet.federations.iter();
        Self {
            resolvers: config.resolvers.clone(),
            apexes: federations
                .map(|federation| federation.apex.clone())
                .collect(),
        }
    }
}

impl Resolving {
    /// Starts resolving, on `runtime`.
    pub(super) fn start(config: &Config, handle: &publish::Handle, runtime: Handle) -> Self {
        let (settings, cancel) = (Settings::of(config), CancellationToken::new());
        let task = TaskTracker::new();
        let run = hostnames::run(
            handle.hostnames.clone(),
            settings.resolvers.clone(),
            settings.apexes.clone(),
            handle.deltas.clone(),
            cancel.clone(),
        );
        task.spawn_on(run, &runtime);
        task.close();
        Self {
            settings,
            task,
            cancel,
            runtime,
        }
    }

    /// Starts anew when the configuration has other resolvers or apexes.
    pub(super) async fn apply(&mut self, config: &Arc<Config>, handle: &publish::Handle) {
        if self.settings != Settings::of(config) {
            info!("resolving restarts");
            self.cancel.cancel();
            self.task.wait().await;
            *self = Self::start(config, handle, self.runtime.clone());
        }
    }

    /// Ends resolving.
    pub(super) async fn shutdown(self) {
        self.cancel.cancel();
        self.task.wait().await;
    }
}
