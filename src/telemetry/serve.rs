//! Metrics of the DNS workers.

use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec};

use super::counters::{Counters, LimitAction, RCODES, TransportLabel};
use super::declare::Declare;
use super::signing::LANES;
use crate::model::RateClass;
use crate::wire::CookieResult;

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
    /// Requests with a cookie, by what it is worth.
    cookies: IntCounterVec,
    /// Responses beyond rate limits, by class and what became of them.
    rate_limited: IntCounterVec,
    /// TCP connections closed at once because a limit was reached.
    refused: IntCounter,
    /// TCP connections closed because their clients did not take their responses.
    unread: IntCounter,
    /// Datagrams that the kernel dropped.
    kernel_drops: IntCounter,
    /// Responses that have not all records, as no message holds them.
    over_message: IntCounter,
    /// Looks for signatures, by what came of it.
    signature_lookups: IntCounterVec,
    /// Signatures made, by the lane of the query.
    signatures: IntCounterVec,
    /// Queries for which no signature could be made in time, by lane.
    signatures_refused: IntCounterVec,
}

/// What comes of looking for a signature, in the order of [`Totals::signatures_found`].
///
/// [`Totals::signatures_found`]: super::counters::Totals::signatures_found
const FOUND: [&str; 3] = ["hit", "old", "miss"];

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
            cookies: declare.counters(
                "gazetteer_serve_cookies_total",
                "Requests with a DNS cookie, by what it is worth.",
                &["result"],
            ),
            rate_limited: declare.counters(
                "gazetteer_serve_rate_limited_total",
                "Responses beyond a rate limit, by their class and what became of them.",
                &["class", "action"],
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
            signature_lookups: declare.counters(
                "gazetteer_dnssec_lookups_total",
                "Signatures looked for: there, of the last slot and near their end, or not there.",
                &["result"],
            ),
            signatures: declare.counters(
                "gazetteer_dnssec_signatures_total",
                "Signatures made, for queries of names that exist or not.",
                &["lane"],
            ),
            signatures_refused: declare.counters(
                "gazetteer_dnssec_refused_total",
                "Queries answered with TC or SERVFAIL as no signature could be made in time.",
                &["lane"],
            ),
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
        for (result, to) in CookieResult::ALL.into_iter().zip(totals.cookies) {
            raise(&self.cookies.with_label_values(&[result.as_str()]), to);
        }
        for (class, sums) in RateClass::ALL.into_iter().zip(totals.rate_limited) {
            for (action, to) in LimitAction::ALL.into_iter().zip(sums) {
                let labels = [class.as_str(), action.as_str()];
                raise(&self.rate_limited.with_label_values(&labels), to);
            }
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
        let raise_all = |counters: &IntCounterVec, labels: &[&str], to: &[u64]| {
            for (label, to) in labels.iter().zip(to) {
                raise(&counters.with_label_values(&[*label]), *to);
            }
        };
        let found = &totals.signatures_found;
        raise_all(&self.signature_lookups, &FOUND, found);
        raise_all(&self.signatures, &LANES, &totals.signatures_made);
        let refused = &totals.signatures_refused;
        raise_all(&self.signatures_refused, &LANES, refused);
    }
}
