//! The task that keeps load balancer host names resolved.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::config::Config;
use crate::publish;
use crate::sources::hostnames;
use crate::sources::resolv_conf::{self, RESOLV_CONF};

/// The resolving task, and what it was started with.
#[derive(Debug)]
pub(super) struct Resolving {
    /// What it was started with.
    settings: Settings,
    /// Whom it asks; sent anew, also unchanged, they are read again.
    resolvers: watch::Sender<Vec<SocketAddr>>,
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
    /// What host names have to keep to.
    rules: hostnames::Rules,
}

impl Settings {
    /// The settings of a configuration.
    fn of(config: &Config) -> Self {
        let fleet = &config.fleet;
        let federations = fleet.federations.iter();
        let own_zones = federations.flat_map(|federation| {
            let domains = fleet.members.iter().filter_map(|(_, member)| {
                let domain = member.cluster_domain.as_ref()?;
                federation.local_apex(domain)
            });
            let apexes = [federation.apex.clone()].into_iter();
            apexes.chain(federation.clusterset.clone()).chain(domains)
        });
        Self {
            resolvers: config.resolvers.clone(),
            rules: hostnames::Rules {
                own_zones: own_zones.collect(),
                addresses: fleet.addresses,
            },
        }
    }
}

impl Resolving {
    /// Starts resolving, on `runtime`.
    pub(super) fn start(config: &Config, handle: &publish::Handle, runtime: Handle) -> Self {
        let (settings, cancel) = (Settings::of(config), CancellationToken::new());
        let resolvers = watch::Sender::new(settings.resolvers.clone());
        let task = TaskTracker::new();
        let run = hostnames::run(
            handle.hostnames.clone(),
            resolvers.subscribe(),
            settings.rules.clone(),
            handle.deltas.clone(),
            cancel.clone(),
        );
        task.spawn_on(run, &runtime);
        let (path, sender) = (RESOLV_CONF.into(), resolvers.clone());
        task.spawn_on(resolv_conf::run(path, sender, cancel.clone()), &runtime);
        task.close();
        Self {
            settings,
            resolvers,
            task,
            cancel,
            runtime,
        }
    }

    /// Starts anew when the configuration has other zones, and asks other resolvers when it has
    /// those.
    pub(super) async fn apply(&mut self, config: &Arc<Config>, handle: &publish::Handle) {
        let new = Settings::of(config);
        if self.settings.rules == new.rules && self.settings.resolvers != new.resolvers {
            self.resolvers.send_replace(new.resolvers.clone());
            self.settings = new;
        } else if self.settings != new {
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
