//! Metrics of probes.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::declare::Declare;
use crate::model::Verdict;

/// What came of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// It passed.
    Passed,
    /// It failed, and something answered.
    Answered,
    /// It failed, and nothing was heard.
    Silent,
    /// Our own host could not ask.
    Local,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// The metrics of probes.
#[derive(Debug)]
pub struct HealthMetrics {
    /// Targets that have not passed yet, then by verdict.
    targets: [IntGauge; 5],
    /// Probes, by what came of them.
    probes: [IntCounter; 4],
    /// How late probes start.
    lateness: Histogram,
    /// Whether verdicts of a family are held.
    held: [IntGauge; 2],
}

impl HealthMetrics {
    /// All at zero.
    pub(super) fn new(declare: &Declare) -> Self {
        let targets = declare.gauges(
            "gazetteer_health_targets",
            "Probed targets, by verdict; unknown until the first pass.",
            &["verdict"],
        );
        let probes = declare.counters(
            "gazetteer_health_probes_total",
            "Probes, by what came of them; answered and silent are failures, local ones say \
             nothing of the target.",
            &["result"],
        );
        let held = declare.gauges(
            "gazetteer_health_verdicts_suspended",
            "1 while nothing of an address family is heard and so no verdict worsens.",
            &["family"],
        );
        Self {
            targets: ["unknown", "up", "suspect", "down", "damped"]
                .map(|verdict| targets.with_label_values(&[verdict])),
            probes: ["passed", "answered", "silent", "local"]
                .map(|result| probes.with_label_values(&[result])),
            lateness: declare.histogram(
                "gazetteer_health_start_lateness_seconds",
                "Delay of the start of probes.",
                &[
                    0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0,
                ],
            ),
            held: ["ipv4", "ipv6"].map(|family| held.with_label_values(&[family])),
        }
    }

    /// A target went from one verdict to another; `None` is unknown.
    pub fn turned(&self, from: Option<Verdict>, to: Option<Verdict>) {
        self.gone(from);
        self.targets(to).inc();
    }

    /// A target is new: its verdict, `None` for unknown.
    pub fn came(&self, verdict: Option<Verdict>) {
        self.targets(verdict).inc();
    }

    /// A target is no more.
    pub fn gone(&self, verdict: Option<Verdict>) {
        self.targets(verdict).dec();
    }

    /// A probe ended that began so long after it was due.
    pub fn probed(&self, result: Probed, lateness: Duration) {
        let [passed, answered, silent, local] = &self.probes;
        match result {
            Probed::Passed => passed.inc(),
            Probed::Answered => answered.inc(),
            Probed::Silent => silent.inc(),
            Probed::Local => local.inc(),
        }
        self.lateness.observe(lateness.as_secs_f64());
    }

    /// Whether verdicts of a family are held.
    pub fn set_held(&self, family: AddressFamily, is_held: bool) {
        let [ipv4, ipv6] = &self.held;
        let gauge = match family {
            AddressFamily::Ipv4 => ipv4,
            AddressFamily::Ipv6 => ipv6,
        };
        gauge.set(i64::from(is_held));
    }

    /// Forgets every target and hold, as probing begins anew.
    pub fn reset(&self) {
        for gauge in self.targets.iter().chain(&self.held) {
            gauge.set(0);
        }
    }

    /// The gauge of a verdict.
    fn targets(&self, verdict: Option<Verdict>) -> &IntGauge {
        let [unknown, up, suspect, down, damped] = &self.targets;
        match verdict {
            None | Some(Verdict::Unknown) => unknown,
            Some(Verdict::Up) => up,
            Some(Verdict::Suspect) => suspect,
            Some(Verdict::Down) => down,
            Some(Verdict::Damped) => damped,
        }
    }
}
