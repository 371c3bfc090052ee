//! Metrics of the DNS workers.

use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec};

use super::counters::{Counters, RCODES, TransportLabel};
use super::declare::Declare;

/// The sums of the workers' counters, as they were last shown.
#[derive(Debug)]
pub(super) struct ServeMetrics {
    /// Held while the sums are brought up, so that two who look at once count nothing twice.
    one_at_a_time: Mutex<()>,
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
    /// Zone hints that were ignored.
    hints_ignored: IntCounter,
    /// TCP connections closed at once because a limit was reached.
    refused: IntCounter,
    /// TCP connections closed because their clients did not take their responses.
    unread: IntCounter,
    /// Datagrams that the kernel dropped.
    kernel_drops: IntCounter,
    /// Responses that have not all records, as no message holds them.
    over_message: IntCounter,
}

impl ServeMetrics {
    /// All at zero. `unread` is the counter of the limit that clients meet who do not take their
    /// responses, `over_message` that of responses that have not all records.
    pub(super) fn new(declare: &Declare, unread: IntCounter, over_message: IntCounter) -> Self {
        Self {
            one_at_a_time: Mutex::new(()),
            queries: declare.counters(
                "gazetteer_serve_queries_total",
                "DNS queries received.",
                &["transport"],
            ),
            responses: declare.counters(
                "gazetteer_serve_responses_total",
                "DNS responses made.",
                &["rcode"],
            ),
            truncated: declare.counter(
                "gazetteer_serve_truncated_total",
                "DNS responses with TC set.",
            ),
            dropped: declare.counter(
                "gazetteer_serve_dropped_total",
                "Messages that got no response.",
            ),
            send_errors: declare.counter(
                "gazetteer_serve_send_errors_total",
                "DNS responses that could not be sent.",
            ),
            panics: declare.counter(
                "gazetteer_serve_panics_total",
                "Messages whose processing panicked.",
            ),
            hints_ignored: declare.counter(
                "gazetteer_serve_zone_hints_ignored_total",
                "Zone hints that were ignored: of a sender that is not trusted, or naming nothing known.",
            ),
            refused: declare.counter(
                "gazetteer_serve_tcp_refused_total",
                "TCP connections closed at once as there are too many.",
            ),
            unread,
            kernel_drops: declare.counter(
                "gazetteer_serve_udp_kernel_drops_total",
                "Datagrams that the kernel dropped as a receive buffer was full.",
            ),
            over_message,
        }
    }

    /// Raises the sums to what the workers have counted.
    pub(super) fn show(&self, counters: &Counters) {
        let _guard = self.one_at_a_time.lock();
        let totals = counters.totals();
        let raise = |counter: &IntCounter, to: u64| counter.inc_by(to - counter.get());
        for (transport, to) in TransportLabel::ALL.into_iter().zip(totals.queries) {
            raise(&self.queries.with_label_values(&[transport.as_str()]), to);
        }
        for ((_, rcode), to) in RCODES.into_iter().zip(totals.responses) {
            raise(&self.responses.with_label_values(&[rcode]), to);
        }
        raise(&self.truncated, totals.truncated);
        raise(&self.dropped, totals.dropped);
        raise(&self.send_errors, totals.send_errors);
        raise(&self.panics, totals.panics);
        raise(&self.hints_ignored, totals.hints_ignored);
        raise(&self.refused, totals.refused);
        raise(&self.unread, totals.unread);
        raise(&self.kernel_drops, totals.kernel_drops);
        raise(&self.over_message, totals.over_message);
    }
}
