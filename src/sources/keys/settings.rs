//! What keys depend on, and where it is told what they are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Config, ZoneSigning};
use crate::dnssec::{MadeSignatures, SignatureTimes};
use crate::keys::{KeyDelays, KeysByZone};
use crate::wire::NameBuf;

/// What of the configuration keys depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysOfConfig {
    /// The folder of key files.
    pub folder: PathBuf,
    /// How long what takes.
    pub delays: KeyDelays,
    /// How long signatures are valid, and how often they are made anew.
    pub times: SignatureTimes,
    /// Whether the daemon tends keys; `None`: where it can write the folder.
    pub tend: Option<bool>,
    /// The zones that are to be signed.
    pub zones: Vec<(NameBuf, ZoneSigning)>,
}

impl KeysOfConfig {
    /// What a configuration says; `None` where no zone is to be signed.
    pub fn of(config: &Config) -> Option<Self> {
        let zones = config.signed_zones();
        let zones: Vec<_> = zones
            .map(|(apex, signing)| (apex.clone(), signing.clone()))
            .collect();
        (!zones.is_empty()).then(|| Self {
            folder: config.dnssec.keys.clone(),
            delays: (&config.dnssec).into(),
            times: SignatureTimes {
                refresh: seconds(config.dnssec.refresh),
                validity: seconds(config.dnssec.validity),
            },
            tend: config.dnssec.tend,
            zones,
        })
    }
}

/// A duration in whole seconds.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// Where it is told what keys are.
#[derive(Debug, Clone)]
pub struct KeysTold {
    /// What zones are signed with.
    pub keys: watch::Sender<Arc<KeysByZone>>,
    /// What is wrong with keys, for people; `None` where no zone is to be signed.
    pub troubles: watch::Sender<Option<Arc<Vec<String>>>>,
    /// Where the signatures of the RRsets of keys are kept, which are made ahead.
    pub signatures: Arc<MadeSignatures>,
}
