//! The task that follows the DNSSEC keys.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::configured_task::ConfiguredTask;
use crate::config::Config;
use crate::keys::KeysByZone;
use crate::sources::keys::{self, KeyKeeper, KeysOfConfig, KeysTold, KnownKeys};
use crate::telemetry::{KeyTimesShown, Metrics, clock};

/// The task.
#[derive(Debug)]
pub(super) struct FollowedKeys {
    /// The task, and what it follows.
    task: ConfiguredTask<KeysOfConfig>,
    /// Where it tells of keys.
    told: KeysTold,
    /// The keys that were last right.
    known: KnownKeys,
    /// Where it shows them.
    metrics: Arc<Metrics>,
}

impl FollowedKeys {
    /// Reads the keys that a configuration needs, and goes on following them on `runtime`. What it gives
    /// back has them already: nothing is answered unsigned. Blocks.
    pub(super) fn load(
        config: &Config,
        metrics: &Arc<Metrics>,
        runtime: Handle,
    ) -> (Self, watch::Receiver<Arc<KeysByZone>>) {
        let (keys_to, keys) = watch::channel(Arc::default());
        let told = KeysTold {
            keys: keys_to,
            troubles: watch::channel(None).0,
        };
        let known = KnownKeys::default();
        let (metrics, followed) = (Arc::clone(metrics), KeysOfConfig::of(config));
        let task = start(followed, (&told, &known, &metrics), runtime);
        let signing = Self {
            task,
            told,
            known,
            metrics,
        };
        (signing, keys)
    }

    /// What is wrong with keys, for people; `None` where no zone is to be signed.
    pub(super) fn troubles(&self) -> watch::Receiver<Option<Arc<Vec<String>>>> {
        self.told.troubles.subscribe()
    }

    /// Starts anew when the configuration says otherwise.
    pub(super) async fn apply(&mut self, config: &Config) {
        let followed = KeysOfConfig::of(config);
        if self.task.runs_on(followed.as_ref()) {
            return;
        }
        self.task.shutdown().await;
        let outlets = (&self.told, &self.known, &self.metrics);
        self.task = start(followed, outlets, self.task.runtime().clone());
    }

    /// Ends following.
    pub(super) async fn shutdown(self) {
        self.task.shutdown().await;
    }
}

/// Looks at the keys once, and starts to follow them.
fn start(
    followed: Option<KeysOfConfig>,
    (told, known, metrics): (&KeysTold, &KnownKeys, &Arc<Metrics>),
    runtime: Handle,
) -> ConfiguredTask<KeysOfConfig> {
    if followed.is_none() {
        told.keys.send_replace(Arc::default());
        told.troubles.send_replace(None);
        metrics.show_keys(&KeyTimesShown::default());
    }
    ConfiguredTask::start(followed, runtime, |followed, cancel| {
        let mut keeper = KeyKeeper::new(followed, Arc::clone(known));
        let now = clock::now();
        keeper.look(now);
        keeper.tell(told, metrics, now);
        keys::run(keeper, told.clone(), Arc::clone(metrics), cancel)
    })
}
