//! Metrics of the present snapshot.

use prometheus::IntGauge;

use super::declare::{Declare, signed};

/// Sums that hold for a whole snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotSums {
    /// Which publication it is.
    pub generation: u64,
    /// Its SOA serial.
    pub serial: u32,
    /// Services that exist, of all federations.
    pub services: usize,
    /// Those that no member has ready.
    pub without_member: usize,
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
    /// Services that no member has ready.
    without_member: IntGauge,
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
            without_member: declare.gauge(
                "gazetteer_snapshot_services_without_member",
                "Services that exist, and that no member has ready, with an address, and not drained.",
            ),
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
    pub(super) fn set(&self, sums: &SnapshotSums) {
        self.generation.set(signed(sums.generation));
        self.serial.set(i64::from(sums.serial));
        self.services.set(signed(sums.services));
        self.without_member.set(signed(sums.without_member));
        self.ignored.set(signed(sums.ignored));
        self.unpublished.set(signed(sums.unpublished));
        self.disagreeing.set(signed(sums.disagreeing));
        self.unprobed.set(signed(sums.unprobed));
        self.contested.set(signed(sums.contested));
    }
}
