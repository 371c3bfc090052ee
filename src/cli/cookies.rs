//! The task that follows the secrets of DNS cookies.

use std::sync::Arc;

use tokio::runtime::Handle;
use tracing::warn;

use super::configured_task::ConfiguredTask;
use crate::config::Config;
use crate::publish::Storage;
use crate::serve::Guard;
use crate::sources::blocking;
use crate::sources::cookie_secrets::{self, CookieOrigin, ReadSecrets};
use crate::telemetry::Metrics;
use crate::wire::CookieSecrets;

/// The part of the state folder that holds our own secrets.
const PART: &str = "cookie-secrets";

/// The task.
#[derive(Debug)]
pub(super) struct Cookies {
    /// The task, and where it has secrets from.
    task: ConfiguredTask<CookieOrigin>,
    /// Where it tells what they are, and what is wrong.
    outlets: Outlets,
}

/// Where secrets and what is wrong with them are told.
#[derive(Debug, Clone)]
struct Outlets {
    guard: Arc<Guard>,
    storage: Storage,
    metrics: Arc<Metrics>,
}

impl Cookies {
    /// Reads the secrets of a configuration, and goes on following them on `runtime`. What it gives back has
    /// them already. Blocks.
    pub(super) fn load(
        config: &Config,
        storage: &Storage,
        metrics: &Arc<Metrics>,
        runtime: Handle,
    ) -> Self {
        let outlets = Outlets {
            guard: Arc::new(Guard::new(CookieSecrets::default())),
            storage: storage.clone(),
            metrics: Arc::clone(metrics),
        };
        let origin = origin(config);
        let first = cookie_secrets::read_first(&origin, None);
        Self {
            task: start(origin, first, &outlets, runtime),
            outlets,
        }
    }

    /// What has the secrets.
    pub(super) fn guard(&self) -> &Arc<Guard> {
        &self.outlets.guard
    }

    /// Starts anew when the configuration has them from elsewhere.
    pub(super) async fn apply(&mut self, config: &Config) {
        let origin = origin(config);
        if self.task.runs_on(Some(&origin)) {
            return;
        }
        self.task.shutdown().await;
        let (from, before) = (origin.clone(), self.outlets.guard.secrets());
        let read = move || cookie_secrets::read_first(&from, Some(before));
        let read = blocking::blocking(read);
        let (first, runtime) = (read.await, self.task.runtime().clone());
        self.task = start(origin, first, &self.outlets, runtime);
    }

    /// Ends following.
    pub(super) async fn shutdown(self) {
        self.task.shutdown().await;
    }
}

/// Where a configuration has secrets from.
fn origin(config: &Config) -> CookieOrigin {
    match &config.clients.cookie_secrets {
        Some(path) => CookieOrigin::Shared(path.clone()),
        None => CookieOrigin::Own(config.state_dir.clone()),
    }
}

/// Takes the first secrets into use, and starts to follow them.
fn start(
    origin: CookieOrigin,
    first: ReadSecrets,
    outlets: &Outlets,
    runtime: Handle,
) -> ConfiguredTask<CookieOrigin> {
    let secrets = first.secrets.clone();
    outlets.tell(&origin, first);
    ConfiguredTask::start(Some(origin), runtime, |origin, cancel| {
        let (told, from) = (outlets.clone(), origin.clone());
        let tell = move |read| told.tell(&from, read);
        let metrics = Arc::clone(&outlets.metrics);
        cookie_secrets::run(origin, secrets, tell, metrics, cancel)
    })
}

impl Outlets {
    /// Takes secrets into use, and says what is wrong with where they are kept.
    fn tell(&self, origin: &CookieOrigin, read: ReadSecrets) {
        self.guard.set_secrets(read.secrets);
        match (origin, read.trouble) {
            (CookieOrigin::Own(_), Some(why)) => self.storage.fails(PART, why),
            (_, None) => self.storage.works(PART),
            (CookieOrigin::Shared(_), Some(error)) => warn!(
                error,
                "secrets of DNS cookies cannot be used; until they can, cookies are made by those before, or by this server's own"
            ),
        }
    }
}
