//! The task that keeps load balancer host names resolved.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::publish;

/// The resolving task, and the resolvers that it asks.
#[derive(Debug)]
pub(super) struct Resolving {
    /// What it asks; none means the system's.
    resolvers: Vec<SocketAddr>,
    /// The task.
    task: TaskTracker,
    /// Ends it.
    cancel: CancellationToken,
}

impl Resolving {
    /// Starts resolving.
    pub(super) fn start(config: &Config, _handle: &publish::Handle) -> Self {
        let (task, cancel) = (TaskTracker::new(), CancellationToken::new());
        task.close();
        Self {
            resolvers: config.resolvers.clone(),
            task,
            cancel,
        }
    }

    /// Asks other resolvers when the configuration names others.
    pub(super) async fn apply(&mut self, config: &Arc<Config>, handle: &publish::Handle) {
        if self.resolvers != config.resolvers {
            self.cancel.cancel();
            self.task.wait().await;
            *self = Self::start(config, handle);
        }
    }

    /// Ends resolving.
    pub(super) async fn shutdown(self) {
        self.cancel.cancel();
        self.task.wait().await;
    }
}
