//! Metrics of DNSSEC keys.

use std::collections::BTreeMap;

use prometheus::{IntGauge, IntGaugeVec};

use super::declare::{Declare, signed};
use crate::model::UnixSeconds;

/// What is shown of the times of keys.
#[derive(Debug, Default)]
pub struct KeyTimesShown {
    /// Zones that are to be signed and have no usable key.
    pub unusable: usize,
    /// Whether what the folder holds is refused.
    pub refused: bool,
    /// Seconds until the next step of each kind.
    steps: BTreeMap<&'static str, u64>,
    /// How long the key that waits longest for its DS record has waited, in seconds.
    wait: u64,
}

impl KeyTimesShown {
    /// A step at a time, if there is one and it is to come.
    pub fn until(&mut self, step: &'static str, time: Option<UnixSeconds>, now: UnixSeconds) {
        if let Some(time) = time.filter(|time| *time > now) {
            let left = time.0 - now.0;
            let least = self.steps.entry(step).or_insert(left);
            *least = left.min(*least);
        }
    }

    /// A key has waited for its DS record since then.
    pub fn waits(&mut self, since: UnixSeconds, now: UnixSeconds) {
        self.wait = self.wait.max(now.0.saturating_sub(since.0));
    }
}

/// The metrics of keys.
#[derive(Debug)]
pub(super) struct KeyMetrics {
    /// Seconds until the next step.
    until: IntGaugeVec,
    /// Seconds that a key has waited for its DS record.
    wait: IntGauge,
    /// Zones without a usable key.
    unusable: IntGauge,
    /// Whether what the folder holds is refused.
    refused: IntGauge,
}

impl KeyMetrics {
    /// All at zero.
    pub(super) fn new(declare: &Declare) -> Self {
        Self {
            until: declare.gauges(
                "gazetteer_dnssec_key_seconds_until",
                "Time until a key takes its next step, by step; none while there is none.",
                &["step"],
            ),
            wait: declare.gauge(
                "gazetteer_dnssec_ds_wait_seconds",
                "How long a key has waited for its DS record at the parent; 0 while none does.",
            ),
            unusable: declare.gauge(
                "gazetteer_dnssec_zones_without_key",
                "Zones that are to be signed, have no usable key, and are not answered.",
            ),
            refused: declare.gauge(
                "gazetteer_dnssec_key_files_refused",
                "1 while the key files are wrong, and the keys in memory are those of before.",
            ),
        }
    }

    /// Shows them.
    pub(super) fn show(&self, shown: &KeyTimesShown) {
        self.until.reset();
        for (step, left) in &shown.steps {
            self.until.with_label_values(&[step]).set(signed(*left));
        }
        self.wait.set(signed(shown.wait));
        self.unusable.set(signed(shown.unusable));
        self.refused.set(i64::from(shown.refused));
    }
}
