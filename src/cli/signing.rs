//! The task that follows the DNSSEC keys.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::configured_task::ConfiguredTask;
use crate::config::{Config, DnssecSettings};
use crate::dnssec::{MadeSignatures, SigningLimits};
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
    ) -> anyhow::Result<(Self, watch::Receiver<Arc<KeysByZone>>)> {
        let (keys_to, keys) = watch::channel(Arc::default());
        let told = KeysTold {
            keys: keys_to,
            troubles: watch::channel(None).0,
            signatures: Arc::new(signatures(&config.dnssec)?),
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
        Ok((signing, keys))
    }

    /// The signatures that are made with them.
    pub(super) fn signatures(&self) -> &Arc<MadeSignatures> {
        &self.told.signatures
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

/// The table of signatures, which stays empty until an apex is signed.
fn signatures(settings: &DnssecSettings) -> anyhow::Result<MadeSignatures> {
    let mut key = [0; 16];
    aws_lc_rs::rand::fill(&mut key).context("random octets")?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut limits = SigningLimits::of_cores(cores);
    limits.cache = settings.cache;
    limits.absent_signatures = settings.absent_signatures;
    if settings.signers > 0 {
        limits.signers = settings.signers;
    }
    Ok(MadeSignatures::new(limits, key))
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
