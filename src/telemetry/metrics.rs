//! Every metric, declared in this room alone.
//!
//! Names are `gazetteer_<room>_<what>_<unit>[_total]`. Labels come from closed sets: a member's
//! name at most, never a qname, a client or a service.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder};

use super::clock;
use super::contact::LastContact;
use super::counters::Counters;
use super::declare::{Declare, signed};
use super::health::HealthMetrics;
use super::keys::{KeyMetrics, KeyTimesShown};
use super::logs::{DroppedLines, LogThread};
use super::members::{MemberGauges, Members, Renewal, SourceEvent};
use super::serve::ServeMetrics;
use super::snapshot::{SnapshotGauges, SnapshotSums};
use crate::model::limits::{LIMITS, Limit, MESSAGE, TCP_UNSENT};
use crate::model::{EventKind, UnixSeconds};

/// What became of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaOutcome {
    /// It was folded.
    Folded,
    /// Its epoch is over.
    Stale,
    /// Its member is not in the configuration.
    Unknown,
}

/// All metrics of the process. Made once, and passed on by `Arc`.
#[derive(Debug)]
pub struct Metrics {
    /// What [`Metrics::render`] shows.
    registry: Registry,
    /// The DNS counters.
    counters: Counters,
    /// The same, as they were last shown.
    serve: ServeMetrics,
    /// What is shown of members.
    members: Members,
    /// What is shown of probes.
    health: HealthMetrics,
    /// What is shown of DNSSEC keys.
    keys: KeyMetrics,
    /// Whether the daemon is ready.
    ready: IntGauge,
    /// Sums of the present snapshot.
    snapshot: SnapshotGauges,
    /// Snapshots published.
    publications: IntCounter,
    /// Deltas, by what became of them.
    deltas: IntCounterVec,
    /// Replaced snapshots that somebody still reads.
    retired: IntGauge,
    /// Whether the brake is on.
    brake: IntGauge,
    /// Transitions, by what they are of.
    transitions: IntCounterVec,
    /// Shards that are suppressed.
    damped: IntGauge,
    /// Whether answers are frozen.
    frozen: IntGauge,
    /// Drains and cordons in force.
    drains: IntGauge,
    /// Failures to write persisted facts.
    persist_failures: IntCounter,
    /// What of the state folder cannot be used.
    state_troubles: IntGauge,
    /// How often each limit was met.
    limits: IntCounterVec,
    /// Log lines that nobody took.
    dropped_lines: DroppedLines,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let declare = Declare::new(&registry);
        let transitions = declare.counters(
            "gazetteer_publish_transitions_total",
            "State changes, by kind.",
            &["kind"],
        );
        for kind in EventKind::ALL {
            transitions.with_label_values(&[kind.as_str()]);
        }
        let limits = declare.counters(
            "gazetteer_limit_exceeded_total",
            "Requests beyond a limit, by limit.",
            &["limit"],
        );
        for limit in LIMITS {
            limits.with_label_values(&[limit.name]);
        }
        let build = declare.gauges(
            "gazetteer_build_info",
            "Always 1; its label says which version runs.",
            &["version"],
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Self {
            counters: Counters::new(&declare),
            serve: ServeMetrics::new(
                &declare,
                limits.with_label_values(&[TCP_UNSENT.name]),
                limits.with_label_values(&[MESSAGE.name]),
            ),
            members: Members::new(&declare),
            health: HealthMetrics::new(&declare),
            keys: KeyMetrics::new(&declare),
            ready: declare.gauge(
                "gazetteer_publish_ready",
                "1 while the daemon is ready, as /readyz says.",
            ),
            snapshot: SnapshotGauges::new(&declare),
            publications: declare.counter(
                "gazetteer_publish_publications_total",
                "Snapshots published.",
            ),
            deltas: declare.counters(
                "gazetteer_publish_deltas_total",
                "Changes received from sources, by outcome.",
                &["outcome"],
            ),
            retired: declare.gauge(
                "gazetteer_publish_retired_snapshots",
                "Replaced snapshots that are still being read.",
            ),
            brake: declare.gauge(
                "gazetteer_publish_member_loss_brake",
                "1 while so many members are lost at once that all are held.",
            ),
            transitions,
            damped: declare.gauge(
                "gazetteer_publish_damped_shards",
                "Shards that are ready and suppressed since they went out too often.",
            ),
            frozen: declare.gauge(
                "gazetteer_publish_frozen",
                "1 while an operator has answers stay as they are.",
            ),
            drains: declare.gauge(
                "gazetteer_publish_drains",
                "Drains and cordons of operators in force.",
            ),
            persist_failures: declare.counter(
                "gazetteer_publish_persist_failures_total",
                "Failures to write persisted facts.",
            ),
            state_troubles: declare.gauge(
                "gazetteer_publish_state_dir_errors",
                "Parts of the state folder that cannot be used; /readyz?verbose names them.",
            ),
            limits,
            dropped_lines: DroppedLines::new(&declare),
            registry,
        }
    }

    /// Shows how many lines the thread that writes logs has dropped.
    #[must_use]
    pub fn with_logs(mut self, logs: &LogThread) -> Self {
        self.dropped_lines.count(logs);
        self
    }

    /// The counters of the DNS workers.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether the daemon is ready.
    pub fn set_ready(&self, is_ready: bool) {
        self.ready.set(i64::from(is_ready));
    }

    /// What is shown of probes.
    pub fn health(&self) -> &HealthMetrics {
        &self.health
    }

    /// The times of keys are these.
    pub fn show_keys(&self, shown: &KeyTimesShown) {
        self.keys.show(shown);
    }

    /// A snapshot was published.
    pub fn published(&self, sums: &SnapshotSums<'_>) {
        self.publications.inc();
        self.snapshot.set(sums);
    }

    /// A delta came.
    pub fn delta(&self, outcome: DeltaOutcome) {
        let value = match outcome {
            DeltaOutcome::Folded => "folded",
            DeltaOutcome::Stale => "stale",
            DeltaOutcome::Unknown => "unknown",
        };
        self.deltas.with_label_values(&[value]).inc();
    }

    /// How many replaced snapshots are still being read.
    pub fn set_retired(&self, retired: usize) {
        self.retired.set(signed(retired));
    }

    /// Whether the brake is on.
    pub fn set_braked(&self, is_braked: bool) {
        self.brake.set(i64::from(is_braked));
    }

    /// Something went from one state to another.
    pub fn transition(&self, kind: EventKind) {
        self.transitions.with_label_values(&[kind.as_str()]).inc();
    }

    /// How many shards are suppressed.
    pub fn set_damped(&self, shards: usize) {
        self.damped.set(signed(shards));
    }

    /// How many withdrawals of a member's shards are held back for confirmation.
    pub fn set_held_back(&self, member: &str, withdrawals: usize) {
        self.members.set_held_back(member, withdrawals);
    }

    /// How many members an origin gives.
    pub fn set_members(&self, origin: &str, members: usize) {
        self.members.set_origin(origin, members);
    }

    /// How much of an origin is refused.
    pub fn set_refused(&self, origin: &str, refused: usize) {
        self.members.set_refused(origin, refused);
    }

    /// How much of an origin is no member, and no mistake.
    pub fn set_ignored(&self, origin: &str, ignored: usize) {
        self.members.set_ignored(origin, ignored);
    }

    /// Whether it is not known yet which members an origin gives.
    pub fn set_awaited(&self, origin: &str, is_awaited: bool) {
        self.members.set_awaited(origin, is_awaited);
    }

    /// How many members wait for an operator's word that they are gone.
    pub fn set_members_held_back(&self, members: usize) {
        self.members.set_members_held_back(members);
    }

    /// Whether the overrides of the host cluster may not be up to date, and for how many seconds the host
    /// has been out of contact.
    pub fn set_host_overrides(&self, is_stale: bool, age: u64) {
        self.members.set_overrides(is_stale, age);
    }

    /// Whether answers are frozen.
    pub fn set_frozen(&self, is_frozen: bool) {
        self.frozen.set(i64::from(is_frozen));
    }

    /// How many drains and cordons are in force.
    pub fn set_drained(&self, drains: usize) {
        self.drains.set(signed(drains));
    }

    /// Persisted facts could not be written.
    pub fn persist_failed(&self) {
        self.persist_failures.inc();
    }

    /// How many parts of the state folder cannot be used.
    pub fn set_state_troubles(&self, troubles: usize) {
        self.state_troubles.set(signed(troubles));
    }

    /// Somebody asked for more than a limit lets through.
    pub fn limit_exceeded(&self, limit: &Limit) {
        self.limit_exceeded_often(limit, 1);
    }

    /// The same, so often.
    pub fn limit_exceeded_often(&self, limit: &Limit, often: u64) {
        self.limits.with_label_values(&[limit.name]).inc_by(often);
    }

    /// What is shown of a member.
    pub fn set_member(&self, member: &str, gauges: &MemberGauges) {
        self.members.set(member, gauges);
    }

    /// The API of a member has answered.
    pub fn heard(&self, member: &str) {
        let now = clock::monotonic();
        let contacts = &self.members.contacts;
        contacts.note(member, |contact| contact.heard = Some(now));
    }

    /// When the API of a member was last heard, and how it is asked.
    pub fn contact(&self, member: &str) -> LastContact {
        self.members.contacts.get(member)
    }

    /// The size of a member's persisted facts.
    pub fn set_persisted(&self, member: &str, octets: u64) {
        self.members.set_persisted(member, octets);
    }

    /// Something happened between a source and its member.
    pub fn source_event(&self, member: &str, event: SourceEvent) {
        self.members.count(member, event);
    }

    /// Counts an attempt to renew the token for a member.
    pub fn count_renewal(&self, member: &str, result: Renewal) {
        self.members.count_renewal(member, result);
    }

    /// When what a member is asked with expires, if it does.
    pub fn set_credential_expiry(&self, member: &str, expires: Option<UnixSeconds>) {
        self.members.set_credential_expiry(member, expires);
    }

    /// When the certificate that a member's API shows expires, if it has shown one.
    pub fn set_certificate_expiry(&self, member: &str, expires: Option<UnixSeconds>) {
        self.members.set_certificate_expiry(member, expires);
    }

    /// Forgets a member that was taken out of the configuration.
    pub fn remove_member(&self, member: &str) {
        self.members.remove(member);
    }

    /// The text that Prometheus reads.
    pub fn render(&self, now: UnixSeconds) -> String {
        self.members.age(now);
        self.serve.show(&self.counters);
        let least_left = self.counters.take_least_left();
        self.counters.signing().show_least_left(least_left);
        self.dropped_lines.show();
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        text.unwrap_or_else(|error| format!("# {error}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MemberState;
    use crate::telemetry::Tally;
    use crate::telemetry::TransportLabel;

    #[test]
    fn a_member_and_the_workers_show_and_a_removed_member_does_not() {
        let metrics = Metrics::new();
        let member = "a";
        let gauges = MemberGauges {
            state: MemberState::Held,
            last_live: Some(UnixSeconds(100)),
            services: 3,
            warnings: 0,
        };
        metrics.set_member(member, &gauges);
        metrics.source_event(member, SourceEvent::Stall);
        let worker = metrics.counters().worker();
        let mut tally = Tally::default();
        tally.query(TransportLabel::Udp);
        tally.response(3);
        worker.add(&mut tally);
        for _ in 0..2 {
            let text = metrics.render(UnixSeconds(130));
            for line in [
                "gazetteer_publish_member_state{member=\"a\",state=\"held\"} 1",
                "gazetteer_publish_member_state{member=\"a\",state=\"ready\"} 0",
                "gazetteer_publish_source_age_seconds{member=\"a\"} 30",
                "gazetteer_sources_events_total{event=\"stall\",member=\"a\"} 1",
                "gazetteer_serve_queries_total{transport=\"udp\"} 1",
                "gazetteer_serve_responses_total{rcode=\"NXDOMAIN\"} 1",
            ] {
                assert!(text.lines().any(|other| other == line), "{line}\n{text}");
            }
        }
        metrics.remove_member(member);
        assert!(!metrics.render(UnixSeconds(130)).contains("member=\"a\""));
    }
}
