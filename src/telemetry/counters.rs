//! Counters of the DNS workers: each worker has its own, on its own cache lines, and they are
//! summed when somebody looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A message on a connection.
    Tcp,
}

impl Transport {
    /// Every transport, in the order of [`Totals::queries`].
    pub const ALL: [Self; 2] = [Self::Udp, Self::Tcp];

    /// The value of the label `transport`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// The response codes that are counted apart (RFC 1035 section 4.1.1, RFC 6891 section 9), in the
/// order of [`Totals::responses`]; anything else is counted as the last.
pub const RCODES: [(u16, &str); 8] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (16, "BADVERS"),
    (u16::MAX, "other"),
];

/// The counters of one worker. Additions are relaxed: no order between two counters is promised.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerCounters {
    /// Queries received, by transport.
    queries: [AtomicU64; 2],
    /// Responses made, by response code.
    responses: [AtomicU64; RCODES.len()],
    /// Responses with TC set.
    truncated: AtomicU64,
    /// Messages that got no response: not a query, cut short, or from port 0.
    dropped: AtomicU64,
    /// Responses that could not be sent.
    send_errors: AtomicU64,
    /// Messages whose processing panicked.
    panics: AtomicU64,
    /// TCP connections closed at once because a limit was reached.
    refused: AtomicU64,
}

impl WorkerCounters {
    /// A message came in that will be answered.
    pub fn query(&self, transport: Transport) {
        add(&self.queries[match transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
        }]);
    }

    /// A response was made; `rcode` includes the extended bits.
    pub fn response(&self, rcode: u16) {
        let known = RCODES.iter().position(|(code, _)| *code == rcode);
        if let Some(counter) = self.responses.get(known.unwrap_or(RCODES.len() - 1)) {
            add(counter);
        }
    }

    /// A response has TC set.
    pub fn truncated(&self) {
        add(&self.truncated);
    }

    /// A message gets no response.
    pub fn dropped(&self) {
        add(&self.dropped);
    }

    /// A response could not be sent.
    pub fn send_error(&self) {
        add(&self.send_errors);
    }

    /// The processing of a message panicked.
    pub fn panicked(&self) {
        add(&self.panics);
    }

    /// A TCP connection was closed at once because a limit was reached.
    pub fn refused(&self) {
        add(&self.refused);
    }
}

/// Counts one.
fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The sums over all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Queries received, in the order of [`Transport::ALL`].
    pub queries: [u64; 2],
    /// Responses made, in the order of [`RCODES`].
    pub responses: [u64; RCODES.len()],
    /// Responses with TC set.
    pub truncated: u64,
    /// Messages that got no response.
    pub dropped: u64,
    /// Responses that could not be sent.
    pub send_errors: u64,
    /// Messages whose processing panicked.
    pub panics: u64,
    /// TCP connections closed at once because a limit was reached.
    pub refused: u64,
}

/// The counters of all workers.
#[derive(Debug, Default)]
pub struct Counters {
    /// Every worker that ever was: a total never goes back. Locked to add one and to sum up only.
    workers: Mutex<Vec<Arc<WorkerCounters>>>,
}

impl Counters {
    /// The counters for a new worker: one for each UDP thread, and one for all TCP connections of
    /// a listener. Never one for each connection, since none is ever freed.
    pub fn worker(&self) -> Arc<WorkerCounters> {
        let worker = Arc::new(WorkerCounters::default());
        self.workers.lock().push(Arc::clone(&worker));
        worker
    }

    /// The sums over all workers.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for worker in self.workers.lock().iter() {
            sum(&mut totals.queries, &worker.queries);
            sum(&mut totals.responses, &worker.responses);
            totals.truncated += worker.truncated.load(Ordering::Relaxed);
            totals.dropped += worker.dropped.load(Ordering::Relaxed);
            totals.send_errors += worker.send_errors.load(Ordering::Relaxed);
            totals.panics += worker.panics.load(Ordering::Relaxed);
            totals.refused += worker.refused.load(Ordering::Relaxed);
        }
        totals
    }
}

/// Adds the values of `counters` to `totals`.
fn sum(totals: &mut [u64], counters: &[AtomicU64]) {
    for (total, counter) in totals.iter_mut().zip(counters) {
        *total += counter.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_sums_over_workers_that_ended_too() {
        let counters = Counters::default();
        let (first, second) = (counters.worker(), counters.worker());
        first.query(Transport::Udp);
        first.response(16);
        drop(first);
        second.query(Transport::Udp);
        second.query(Transport::Tcp);
        second.response(4242);
        second.truncated();
        let totals = counters.totals();
        assert_eq!(totals.queries, [2, 1]);
        assert_eq!(totals.responses, [0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((totals.truncated, totals.dropped), (1, 0));
    }
}
