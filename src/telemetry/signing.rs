//! Metrics of those who sign.

use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{Histogram, IntGauge, IntGaugeVec};
use tokio::time::Instant;

use super::clock;
use super::declare::{Declare, signed};
use crate::dnssec::{Lane, SignatureTable};

/// The values of the label `lane`, in the order of [`Lane`].
pub(super) const LANES: [&str; 2] = ["existing", "absent"];

/// The upper bounds of how long queries wait for a signature, in seconds.
const WAITS: [f64; 12] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0,
];

/// For how long at least a signature that was served counts among those near their end.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The metrics of those who sign.
#[derive(Debug)]
pub struct SigningMetrics {
    /// How long queries waited for a signature.
    waits: Histogram,
    /// Queries that wait, by lane.
    waiting: [IntGauge; 2],
    /// Rows of the table that are taken, by lane.
    used: [IntGauge; 2],
    /// What the signature that was served nearest to its end had left; no value for none.
    least_left: IntGaugeVec,
    /// The same, of a minute and the minute before.
    minutes: Mutex<LeastLeft>,
}

/// What signatures that were served had left at least, in seconds; `u32::MAX` for none.
#[derive(Debug)]
struct LeastLeft {
    /// Since then.
    since: Instant,
    /// Since that time.
    now: u32,
    /// Before it.
    before: u32,
}

impl SigningMetrics {
    /// All at zero.
    pub(super) fn new(declare: &Declare) -> Self {
        let by_lane = |name, help| {
            let gauges = declare.gauges(name, help, &["lane"]);
            LANES.map(|lane| gauges.with_label_values(&[lane]))
        };
        Self {
            waits: declare.histogram(
                "gazetteer_dnssec_sign_seconds",
                "From when a query was handed to those who sign until its response was sent.",
                &WAITS,
            ),
            waiting: by_lane(
                "gazetteer_dnssec_queue_depth",
                "Queries that wait for a signature.",
            ),
            used: by_lane(
                "gazetteer_dnssec_slots_used",
                "Signatures that are kept.",
            ),
            least_left: declare.gauges(
                "gazetteer_dnssec_signature_least_left_seconds",
                "The least that a signature had left of those served in the last minute or two; none while none is.",
                &[],
            ),
            minutes: Mutex::new(LeastLeft {
                since: clock::monotonic(),
                now: u32::MAX,
                before: u32::MAX,
            }),
        }
    }

    /// A query waits in a lane.
    pub fn waits(&self, lane: Lane) {
        of(&self.waiting, lane).inc();
    }

    /// A query that waited in a lane is taken.
    pub fn taken(&self, lane: Lane) {
        of(&self.waiting, lane).dec();
    }

    /// The response to a query that was handed over so long ago was sent.
    pub fn answered(&self, after: Duration) {
        self.waits.observe(after.as_secs_f64());
    }

    /// Shows how many signatures are kept.
    pub fn show_kept(&self, table: &SignatureTable) {
        for lane in [Lane::Existing, Lane::Absent] {
            of(&self.used, lane).set(signed(table.used(lane)));
        }
    }

    /// Shows the least that signatures had left, with that since the last call; `u32::MAX` for none.
    pub(super) fn show_least_left(&self, least_left: u32) {
        let mut minutes = self.minutes.lock();
        let now = clock::monotonic();
        let passed = now.duration_since(minutes.since);
        if passed >= REMEMBERED {
            minutes.before = if passed < 2 * REMEMBERED {
                minutes.now
            } else {
                u32::MAX
            };
            (minutes.since, minutes.now) = (now, u32::MAX);
        }
        minutes.now = minutes.now.min(least_left);
        let least = minutes.now.min(minutes.before);
        self.least_left.reset();
        if least < u32::MAX {
            self.least_left
                .with_label_values::<&str>(&[])
                .set(signed(least));
        }
    }
}

/// The gauge of a lane.
fn of(gauges: &[IntGauge; 2], lane: Lane) -> &IntGauge {
    let [existing, absent] = gauges;
    match lane {
        Lane::Existing => existing,
        Lane::Absent => absent,
    }
}
