//! Metrics of the present snapshot.

use parking_lot::Mutex;
use prometheus::{IntGauge, IntGaugeVec};

use super::declare::{Declare, signed};

/// Sums that hold for a whole snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotSums<'a> {
    /// Which publication it is.
    pub generation: u64,
    /// Its SOA serial.
    pub serial: u32,
    /// Services that exist, of all federations.
    pub services: usize,
    /// Those that no member has ready, by the name of their federation.
    pub without_member: Vec<(&'a str, usize)>,
    /// Services that a member has but that do not count as exports.
    pub ignored: usize,
    /// Services with a name that is too long to be published.
    pub unpublished: usize,
    /// Services whose members disagree.
    pub disagreeing: usize,
    /// Addresses that are not probed as there are too many.
    pub unprobed: usize,
    /// Networks that several members claim.
    pub contested: usize,
}

/// The same, as they are shown.
#[derive(Debug)]
pub(super) struct SnapshotGauges {
    /// Which publication the present snapshot is.
    generation: IntGauge,
    /// Its SOA serial.
    serial: IntGauge,
    /// Services that exist.
    services: IntGauge,
    /// Services of a federation that no member has ready.
    without_member: IntGaugeVec,
    /// The same for each federation that there is, in their order.
    federations: Mutex<Vec<(Box<str>, IntGauge)>>,
    /// Services that do not count as exports.
    ignored: IntGauge,
    /// Services with a name that is too long.
    unpublished: IntGauge,
    /// Services whose members disagree.
    disagreeing: IntGauge,
    /// Addresses that are not probed.
    unprobed: IntGauge,
    /// Networks that several members claim.
    contested: IntGauge,
}

impl SnapshotGauges {
    /// All at zero.
    pub(super) fn new(declare: &Declare) -> Self {
        Self {
            generation: declare.gauge(
                "gazetteer_snapshot_generation",
                "Publications of this process.",
            ),
            serial: declare.gauge("gazetteer_snapshot_serial", "SOA serial."),
            services: declare.gauge(
                "gazetteer_snapshot_services",
                "Services that exist, of all federations.",
            ),
            without_member: declare.gauges(
                "gazetteer_snapshot_services_without_member",
                "Services that exist, and that no member has ready, with an address, and not drained.",
                &["federation"],
            ),
            federations: Mutex::default(),
            ignored: declare.gauge(
                "gazetteer_snapshot_ignored_exports",
                "Services that a member has but that do not count as exports of a federation.",
            ),
            unpublished: declare.gauge(
                "gazetteer_snapshot_unpublished_names",
                "Services with a name over 255 octets, which is not published.",
            ),
            disagreeing: declare.gauge(
                "gazetteer_snapshot_disagreements",
                "Services whose members disagree on how they are answered.",
            ),
            unprobed: declare.gauge(
                "gazetteer_snapshot_unprobed_addresses",
                "Addresses that are not probed as there are over 65,536.",
            ),
            contested: declare.gauge(
                "gazetteer_snapshot_contested_networks",
                "Networks that several members claim, which therefore decide nothing.",
            ),
        }
    }

    /// Shows those of a snapshot.
    pub(super) fn set(&self, sums: &SnapshotSums<'_>) {
        self.generation.set(signed(sums.generation));
        self.serial.set(i64::from(sums.serial));
        self.services.set(signed(sums.services));
        self.show_without_member(&sums.without_member);
        self.ignored.set(signed(sums.ignored));
        self.unpublished.set(signed(sums.unpublished));
        self.disagreeing.set(signed(sums.disagreeing));
        self.unprobed.set(signed(sums.unprobed));
        self.contested.set(signed(sums.contested));
    }

    /// Shows how many services no member has ready, of these federations and no others.
    fn show_without_member(&self, now: &[(&str, usize)]) {
        let mut shown = self.federations.lock();
        let are_same = shown.len() == now.len()
            && (shown.iter().zip(now)).all(|((name, _), (other, _))| **name == **other);
        if !are_same {
            self.without_member.reset();
            let gauge = |name| self.without_member.with_label_values(&[name]);
            *shown = (now.iter().map(|(name, _)| ((*name).into(), gauge(name)))).collect();
        }
        for ((_, gauge), (_, count)) in shown.iter().zip(now) {
            gauge.set(signed(*count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_member_is_shown_for_each_federation_that_there_is() {
        let metrics = crate::telemetry::Metrics::new();
        let shown = |without_member: &[(&'static str, usize)]| {
            metrics.published(&SnapshotSums {
                without_member: without_member.to_vec(),
                ..SnapshotSums::default()
            });
            let text = metrics.render(crate::model::UnixSeconds(0));
            let of = text
                .lines()
                .filter_map(|line| line.strip_prefix("gazetteer_snapshot_services_without_member"));
            of.map(str::to_owned).collect::<Vec<_>>()
        };
        let [a, b, c] = ["a", "b", "c"];
        assert_eq!(
            shown(&[(a, 0), (b, 2)]),
            ["{federation=\"a\"} 0", "{federation=\"b\"} 2"]
        );
        assert_eq!(
            shown(&[(a, 1), (b, 0)]),
            ["{federation=\"a\"} 1", "{federation=\"b\"} 0"]
        );
        assert_eq!(
            shown(&[(b, 3), (c, 0)]),
            ["{federation=\"b\"} 3", "{federation=\"c\"} 0"]
        );
    }
}
