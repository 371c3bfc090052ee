//! Every metric, declared in one place.
//!
//! Names are `gazetteer_<room>_<what>_<unit>[_total]`. Labels come from closed sets: a member's
//! name at most, never a qname, a client or a service.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use super::counters::{Counters, RCODES, Totals, Transport};
use crate::model::{MemberState, UnixSeconds};
use crate::names::Label;

/// The values of the label `state`.
const STATES: [&str; 6] = [
    "syncing",
    "never-synced",
    "ready",
    "held",
    "lost",
    "returning",
];

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

/// Something that happened between a source and its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceEvent {
    /// Lists were started anew.
    Relist,
    /// A list or watch failed.
    Failure,
    /// A heartbeat failed.
    Heartbeat,
    /// An object could not be read, and was left out.
    Malformed,
}

/// Sums that hold for a whole snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotSums {
    /// Which publication it is.
    pub generation: u64,
    /// Its SOA serial.
    pub serial: u32,
    /// Services that exist, of all federations.
    pub services: usize,
    /// Services that a member has but that do not count as exports.
    pub ignored: usize,
    /// Services with a name that is too long to be published.
    pub unpublished: usize,
    /// Services whose members disagree.
    pub disagreeing: usize,
}

/// What is shown of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberGauges {
    /// Its state.
    pub state: MemberState,
    /// When its facts were last live; `None` while they are, or when there are none.
    pub last_live: Option<UnixSeconds>,
    /// Services that it exports.
    pub services: usize,
    /// Warnings about it.
    pub warnings: usize,
}

/// All metrics of the process. Made once, and passed on by `Arc`.
#[derive(Debug)]
pub struct Metrics {
    /// What [`Metrics::render`] shows, less the DNS counters.
    registry: Registry,
    /// The DNS counters.
    counters: Counters,
    /// Sums of the present snapshot.
    generation: IntGauge,
    serial: IntGauge,
    services: IntGauge,
    ignored: IntGauge,
    unpublished: IntGauge,
    disagreeing: IntGauge,
    /// Snapshots published.
    publications: IntCounter,
    /// Deltas, by what became of them.
    deltas: IntCounterVec,
    /// Replaced snapshots that somebody still reads.
    retired: IntGauge,
    /// Whether the brake is on.
    brake: IntGauge,
    /// 1 for the state that a member is in.
    member_state: IntGaugeVec,
    /// How long ago a member's facts were last live; set when somebody looks.
    source_age: IntGaugeVec,
    /// When each member's facts were last live. Locked while somebody looks, so that the counters
    /// are brought up by one at a time.
    last_live: Mutex<BTreeMap<Label, Option<UnixSeconds>>>,
    /// Queries, by transport.
    queries: IntCounterVec,
    /// Responses, by response code.
    responses: IntCounterVec,
    /// Responses with TC set.
    truncated: IntCounter,
    /// Messages without a response.
    dropped: IntCounter,
    /// Responses that could not be sent.
    send_errors: IntCounter,
    /// Messages whose processing panicked.
    panics: IntCounter,
    /// Services that a member exports.
    member_services: IntGaugeVec,
    /// Warnings about a member.
    member_warnings: IntGaugeVec,
    /// Octets of a member's persisted facts.
    persisted: IntGaugeVec,
    /// Failures to write persisted facts.
    persist_failures: IntCounter,
    /// Events of sources.
    source_events: IntCounterVec,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers a metric.
fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<C>,
) -> C {
    let metric = metric.expect("names and labels are constants of the right form");
    let registered = registry.register(Box::new(metric.clone()));
    registered.expect("each metric is registered once, in a registry of its own");
    metric
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let gauge = |name, help| register(&registry, IntGauge::new(name, help));
        let counter = |name, help| register(&registry, IntCounter::new(name, help));
        let gauges = |name, help, labels: &[&str]| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let counters = |name, help, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        Self {
            counters: Counters::default(),
            generation: gauge(
                "gazetteer_snapshot_generation",
                "Publications of this process.",
            ),
            serial: gauge("gazetteer_snapshot_serial", "SOA serial."),
            services: gauge(
                "gazetteer_snapshot_services",
                "Services that exist, of all federations.",
            ),
            ignored: gauge(
                "gazetteer_snapshot_ignored_exports",
                "Services that a member has but that do not count as exports of a federation.",
            ),
            unpublished: gauge(
                "gazetteer_snapshot_unpublished_names",
                "Services with a name over 255 octets, which is not published.",
            ),
            disagreeing: gauge(
                "gazetteer_snapshot_disagreements",
                "Services whose members disagree on how they are answered.",
            ),
            publications: counter(
                "gazetteer_publish_publications_total",
                "Snapshots published.",
            ),
            deltas: counters(
                "gazetteer_publish_deltas_total",
                "Changes from sources, by what became of them.",
                &["outcome"],
            ),
            retired: gauge(
                "gazetteer_publish_retired_snapshots",
                "Replaced snapshots that are still being read.",
            ),
            brake: gauge(
                "gazetteer_publish_brake",
                "1 while so many members are lost at once that all are held.",
            ),
            member_state: gauges(
                "gazetteer_publish_member_state",
                "1 for the state that a member is in.",
                &["member", "state"],
            ),
            source_age: gauges(
                "gazetteer_publish_source_age_seconds",
                "How long ago a member's facts were last live; 0 while they are.",
                &["member"],
            ),
            last_live: Mutex::default(),
            queries: counters(
                "gazetteer_serve_queries_total",
                "DNS queries received.",
                &["transport"],
            ),
            responses: counters(
                "gazetteer_serve_responses_total",
                "DNS responses made.",
                &["rcode"],
            ),
            truncated: counter(
                "gazetteer_serve_truncated_total",
                "DNS responses with TC set.",
            ),
            dropped: counter(
                "gazetteer_serve_dropped_total",
                "Messages that got no response.",
            ),
            send_errors: counter(
                "gazetteer_serve_send_errors_total",
                "DNS responses that could not be sent.",
            ),
            panics: counter(
                "gazetteer_serve_panics_total",
                "Messages whose processing panicked.",
            ),
            member_services: gauges(
                "gazetteer_publish_member_services",
                "Services that a member exports.",
                &["member"],
            ),
            member_warnings: gauges(
                "gazetteer_publish_member_warnings",
                "Warnings about a member, as `gazetteer clusters` shows them.",
                &["member"],
            ),
            persisted: gauges(
                "gazetteer_publish_persisted_bytes",
                "Size of a member's persisted facts.",
                &["member"],
            ),
            persist_failures: counter(
                "gazetteer_publish_persist_failures_total",
                "Failures to write persisted facts.",
            ),
            source_events: counters(
                "gazetteer_sources_events_total",
                "What happened between a source and its member.",
                &["member", "event"],
            ),
            registry,
        }
    }

    /// The counters of the DNS workers.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A snapshot was published.
    pub fn published(&self, sums: &SnapshotSums) {
        self.publications.inc();
        self.generation.set(signed(sums.generation));
        self.serial.set(i64::from(sums.serial));
        self.services.set(signed(sums.services));
        self.ignored.set(signed(sums.ignored));
        self.unpublished.set(signed(sums.unpublished));
        self.disagreeing.set(signed(sums.disagreeing));
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

    /// What is shown of a member.
    pub fn set_member(&self, member: &Label, gauges: &MemberGauges) {
        let name = member.as_str();
        let present = state(gauges.state);
        for state in STATES {
            let gauge = self.member_state.with_label_values(&[name, state]);
            gauge.set(i64::from(state == present));
        }
        self.member_services
            .with_label_values(&[name])
            .set(signed(gauges.services));
        self.member_warnings
            .with_label_values(&[name])
            .set(signed(gauges.warnings));
        self.last_live
            .lock()
            .insert(member.clone(), gauges.last_live);
    }

    /// The size of a member's persisted facts.
    pub fn set_persisted(&self, member: &Label, octets: u64) {
        self.persisted
            .with_label_values(&[member.as_str()])
            .set(signed(octets));
    }

    /// Persisted facts could not be written.
    pub fn persist_failed(&self) {
        self.persist_failures.inc();
    }

    /// Something happened between a source and its member.
    pub fn source_event(&self, member: &Label, event: SourceEvent) {
        let event = match event {
            SourceEvent::Relist => "relist",
            SourceEvent::Failure => "failure",
            SourceEvent::Heartbeat => "heartbeat-failure",
            SourceEvent::Malformed => "malformed-object",
        };
        self.source_events
            .with_label_values(&[member.as_str(), event])
            .inc();
    }

    /// Forgets a member that was taken out of the configuration.
    pub fn remove_member(&self, member: &Label) {
        let name = member.as_str();
        self.last_live.lock().remove(member);
        for state in STATES {
            // A series that never was needs no removal.
            let _ = self.member_state.remove_label_values(&[name, state]);
        }
        for gauges in [
            &self.member_services,
            &self.member_warnings,
            &self.persisted,
            &self.source_age,
        ] {
            let _ = gauges.remove_label_values(&[name]);
        }
    }

    /// The text that Prometheus reads.
    pub fn render(&self, now: UnixSeconds) -> String {
        let last_live = self.last_live.lock();
        for (member, last_live) in last_live.iter() {
            let age = last_live.map_or(0, |at| now.0.saturating_sub(at.0));
            self.source_age
                .with_label_values(&[member.as_str()])
                .set(signed(age));
        }
        self.bring_up(&self.counters.totals());
        let families = self.registry.gather();
        let text = TextEncoder::new().encode_to_string(&families);
        text.unwrap_or_else(|error| format!("# {error}\n"))
    }

    /// Raises the DNS counters to what the workers counted.
    fn bring_up(&self, totals: &Totals) {
        let raise = |counter: &IntCounter, to: u64| counter.inc_by(to - counter.get());
        for (transport, to) in Transport::ALL.into_iter().zip(totals.queries) {
            raise(&self.queries.with_label_values(&[transport.as_str()]), to);
        }
        for ((_, rcode), to) in RCODES.into_iter().zip(totals.responses) {
            raise(&self.responses.with_label_values(&[rcode]), to);
        }
        raise(&self.truncated, totals.truncated);
        raise(&self.dropped, totals.dropped);
        raise(&self.send_errors, totals.send_errors);
        raise(&self.panics, totals.panics);
    }
}

/// The label of a state.
fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::Syncing(_) => "syncing",
        MemberState::NeverSynced => "never-synced",
        MemberState::Ready => "ready",
        MemberState::Held => "held",
        MemberState::Lost => "lost",
        MemberState::Returning => "returning",
    }
}

/// A number as gauges take it.
fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_and_the_workers_show_and_a_removed_member_does_not() {
        let metrics = Metrics::new();
        let member: Label = "a".parse().unwrap();
        let gauges = MemberGauges {
            state: MemberState::Held,
            last_live: Some(UnixSeconds(100)),
            services: 3,
            warnings: 0,
        };
        metrics.set_member(&member, &gauges);
        let worker = metrics.counters().worker();
        worker.query(Transport::Udp);
        worker.response(3);
        for _ in 0..2 {
            let text = metrics.render(UnixSeconds(130));
            for line in [
                "gazetteer_publish_member_state{member=\"a\",state=\"held\"} 1",
                "gazetteer_publish_member_state{member=\"a\",state=\"ready\"} 0",
                "gazetteer_publish_source_age_seconds{member=\"a\"} 30",
                "gazetteer_serve_queries_total{transport=\"udp\"} 1",
                "gazetteer_serve_responses_total{rcode=\"NXDOMAIN\"} 1",
            ] {
                assert!(text.lines().any(|other| other == line), "{line}\n{text}");
            }
        }
        metrics.remove_member(&member);
        assert!(!metrics.render(UnixSeconds(130)).contains("member=\"a\""));
    }
}
