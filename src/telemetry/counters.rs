//! Counters of the DNS workers: each worker has its own, on its own cache lines, and they are
//! summed when somebody looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus::Registry;

use super::declare::Declare;
use super::signing::SigningMetrics;
use crate::dnssec::Lane;
use crate::model::RateClass;
use crate::wire::CookieResult;

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportLabel {
    /// A datagram.
    Udp,
    /// A message on a connection.
    Tcp,
}

impl TransportLabel {
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
pub const RCODES: [(u16, &str); 10] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (9, "NOTAUTH"),
    (16, "BADVERS"),
    (23, "BADCOOKIE"),
    (u16::MAX, "other"),
];

/// What becomes of a response beyond a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitAction {
    /// It is sent empty, with TC.
    Truncated,
    /// BADCOOKIE is sent instead, to a client that has sent a cookie.
    BadCookie,
    /// Nothing is sent.
    Dropped,
    /// It is sent: limits are only tried.
    Sent,
}

impl LimitAction {
    /// Every action, in the order of the inner lists of [`Totals::rate_limited`].
    pub const ALL: [Self; 4] = [Self::Truncated, Self::BadCookie, Self::Dropped, Self::Sent];

    /// The value of the label `action`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::BadCookie => "badcookie",
            Self::Dropped => "dropped",
            Self::Sent => "sent",
        }
    }
}

/// How many classes of responses are limited.
const CLASSES: usize = RateClass::ALL.len();

/// How many things may become of a response beyond a limit.
const ACTIONS: usize = LimitAction::ALL.len();

/// The counters of one worker. Additions are relaxed: no order between two counters is promised.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerCounters {
    /// What is counted for each batch of messages.
    tallied: [AtomicU64; TALLIED],
    /// Responses beyond rate limits.
    limited: [AtomicU64; LIMITED],
    /// What happens seldom: [`Totals::send_errors`] and what follows it.
    seldom: [AtomicU64; SELDOM],
    /// Seconds that a signature had left at least; `u32::MAX` for none.
    least_left: AtomicU32,
}

impl Default for WorkerCounters {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            tallied: std::array::from_fn(|_| zero()),
            limited: std::array::from_fn(|_| zero()),
            seldom: std::array::from_fn(|_| zero()),
            least_left: AtomicU32::new(u32::MAX),
        }
    }
}

/// How many counters a tally has: queries by transport, responses by response code,
/// [`Totals::truncated`] to [`Totals::signatures_refused`], and cookies.
const TALLIED: usize = COOKIES + CookieResult::ALL.len();

/// Where in a tally those stand that follow response codes.
const RARE: usize = QUERIES + RCODES.len();

/// The place of the first counter of cookies.
const COOKIES: usize = RARE + 5 + 3 + 2 + 2;

/// How many counters it has of responses beyond limits.
const LIMITED: usize = CLASSES * ACTIONS;

/// How many counters there are of what happens seldom.
const SELDOM: usize = 4;

/// How many of a tally count queries.
const QUERIES: usize = TransportLabel::ALL.len();

/// What a worker counted and has yet to add: numbers of its own cost nothing, shared ones do.
#[derive(Debug)]
pub struct Tally {
    usual: [u64; TALLIED],
    limited: [u64; LIMITED],
    /// Seconds that a signature had left at least; `u32::MAX` for none.
    least_left: u32,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            usual: [0; TALLIED],
            limited: [0; LIMITED],
            least_left: u32::MAX,
        }
    }
}

impl WorkerCounters {
    /// Adds what was counted, and clears it.
    pub fn add(&self, tally: &mut Tally) {
        let counters = self.tallied.iter().chain(&self.limited);
        let numbers = tally.usual.iter_mut().chain(&mut tally.limited);
        for (counter, number) in counters.zip(numbers) {
            let number = std::mem::take(number);
            if number != 0 {
                counter.fetch_add(number, Ordering::Relaxed);
            }
        }
        let least_left = std::mem::replace(&mut tally.least_left, u32::MAX);
        if least_left < u32::MAX {
            self.least_left.fetch_min(least_left, Ordering::Relaxed);
        }
    }

    /// Queries that it has received.
    pub fn queries(&self) -> u64 {
        let queries = self.tallied.iter().take(QUERIES);
        queries.map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    /// A response could not be sent.
    pub fn send_error(&self) {
        self.count(0, 1);
    }

    /// A TCP connection was closed at once because a limit was reached.
    pub fn refused(&self) {
        self.count(1, 1);
    }

    /// A TCP connection was closed because its client did not take its responses.
    pub fn unread(&self) {
        self.count(2, 1);
    }

    /// The kernel dropped this many datagrams before they could be received.
    pub fn kernel_dropped(&self, datagrams: u32) {
        self.count(3, datagrams.into());
    }

    /// Counts what happens seldom.
    fn count(&self, place: usize, number: u64) {
        if let Some(counter) = self.seldom.get(place) {
            counter.fetch_add(number, Ordering::Relaxed);
        }
    }
}

impl Tally {
    /// A message came in that will be answered.
    #[inline]
    pub fn query(&mut self, transport: TransportLabel) {
        self.count(match transport {
            TransportLabel::Udp => 0,
            TransportLabel::Tcp => 1,
        });
    }

    /// A response was made; `rcode` includes the extended bits.
    #[inline]
    pub fn response(&mut self, rcode: u16) {
        let known = RCODES.iter().position(|(code, _)| *code == rcode);
        self.count(QUERIES + known.unwrap_or(RCODES.len() - 1));
    }

    /// A response has TC set.
    pub fn truncated(&mut self) {
        self.count(RARE);
    }

    /// A message gets no response.
    pub fn dropped(&mut self) {
        self.count(RARE + 1);
    }

    /// The processing of a message panicked.
    pub fn panicked(&mut self) {
        self.count(RARE + 2);
    }

    /// A zone hint was ignored.
    pub fn hint_ignored(&mut self) {
        self.count(RARE + 3);
    }

    /// A response has not all records, as no message holds them.
    #[cold]
    pub fn over_message(&mut self) {
        self.count(RARE + 4);
    }

    /// Signatures were looked for: so many were there, so many near their end, and so many not there.
    #[cold]
    pub fn signatures_found(&mut self, found: [u32; 3]) {
        let places = self.usual.iter_mut().skip(RARE + 5);
        for (place, number) in places.zip(found) {
            *place += u64::from(number);
        }
    }

    /// A signature had so many seconds left when it was served; `u32::MAX` for none.
    #[cold]
    pub fn signature_left(&mut self, seconds: u32) {
        self.least_left = self.least_left.min(seconds);
    }

    /// Signatures were made, for queries of a lane.
    pub fn signatures_made(&mut self, lane: Lane, number: u32) {
        if let Some(place) = self.usual.get_mut(RARE + 8 + lane as usize) {
            *place += u64::from(number);
        }
    }

    /// A query needed a signature, and its lane had no place, or nobody made it in time.
    #[cold]
    pub fn refused_signature(&mut self, lane: Lane) {
        self.count(RARE + 10 + lane as usize);
    }

    /// A request has a cookie.
    #[inline]
    pub fn cookie(&mut self, result: CookieResult) {
        let place = CookieResult::ALL.iter().position(|one| *one == result);
        self.count(COOKIES + place.unwrap_or_default());
    }

    /// A response is beyond a rate limit.
    #[cold]
    pub fn rate_limited(&mut self, class: RateClass, action: LimitAction) {
        let class = RateClass::ALL.iter().position(|one| *one == class);
        let action = LimitAction::ALL.iter().position(|one| *one == action);
        let place = class.unwrap_or_default() * ACTIONS + action.unwrap_or_default();
        if let Some(number) = self.limited.get_mut(place) {
            *number += 1;
        }
    }

    /// Counts one.
    #[inline]
    fn count(&mut self, place: usize) {
        if let Some(number) = self.usual.get_mut(place) {
            *number += 1;
        }
    }
}

/// The sums over all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Queries received, in the order of [`TransportLabel::ALL`].
    pub queries: [u64; 2],
    /// Responses made, in the order of [`RCODES`].
    pub responses: [u64; RCODES.len()],
    /// Responses with TC set.
    pub truncated: u64,
    /// Messages that got no response.
    pub dropped: u64,
    /// Messages whose processing panicked.
    pub panics: u64,
    /// Zone hints that were ignored.
    pub hints_ignored: u64,
    /// Responses that have not all records, as no message holds them.
    pub over_message: u64,
    /// Signatures that were there when they were looked for, that were near their end, and that were
    /// not there.
    pub signatures_found: [u64; 3],
    /// Signatures made, for queries of names that exist and of others.
    pub signatures_made: [u64; 2],
    /// Queries that needed a signature and found no place to wait, or waited for too long over TCP, in the same
    /// order.
    pub signatures_refused: [u64; 2],
    /// Requests with a cookie, in the order of [`CookieResult::ALL`].
    pub cookies: [u64; CookieResult::ALL.len()],
    /// Responses beyond rate limits, in the order of [`RateClass::ALL`], then of [`LimitAction::ALL`].
    pub rate_limited: [[u64; ACTIONS]; CLASSES],
    /// Responses that could not be sent.
    pub send_errors: u64,
    /// TCP connections closed at once because a limit was reached.
    pub refused: u64,
    /// TCP connections closed because their clients did not take their responses.
    pub unread: u64,
    /// Datagrams that the kernel dropped before a worker could receive them.
    pub kernel_drops: u64,
}

/// The counters of all workers.
#[derive(Debug)]
pub struct Counters {
    /// Every worker that ever was: a total never goes back. Locked to add one and to sum up only.
    workers: Mutex<Vec<Arc<WorkerCounters>>>,
    /// What those who sign count.
    signing: Arc<SigningMetrics>,
}

impl Default for Counters {
    /// Counters that nobody is shown.
    fn default() -> Self {
        Self::new(&Declare::new(&Registry::new()))
    }
}

impl Counters {
    /// All at zero.
    pub(super) fn new(declare: &Declare) -> Self {
        Self {
            workers: Mutex::default(),
            signing: Arc::new(SigningMetrics::new(declare)),
        }
    }

    /// What those who sign count.
    pub fn signing(&self) -> &Arc<SigningMetrics> {
        &self.signing
    }

    /// Seconds that a signature had left at least of those that were served since the last call; `u32::MAX` for
    /// none.
    pub(super) fn take_least_left(&self) -> u32 {
        let workers = self.workers.lock();
        let left = workers
            .iter()
            .map(|worker| worker.least_left.swap(u32::MAX, Ordering::Relaxed));
        left.min().unwrap_or(u32::MAX)
    }

    /// The counters for a new worker: one for each UDP thread, and one for all TCP connections of
    /// a listener. Never one for each connection, since none is ever freed.
    pub fn worker(&self) -> Arc<WorkerCounters> {
        let worker = Arc::new(WorkerCounters::default());
        self.workers.lock().push(Arc::clone(&worker));
        worker
    }

    /// The sums over all workers.
    pub fn totals(&self) -> Totals {
        let (mut tallied, mut seldom) = ([0; TALLIED], [0; SELDOM]);
        let mut rate_limited = [[0; ACTIONS]; CLASSES];
        for worker in self.workers.lock().iter() {
            let sums = tallied.iter_mut().chain(&mut seldom);
            let sums = sums.chain(rate_limited.iter_mut().flatten());
            let counters = worker.tallied.iter().chain(&worker.seldom);
            for (sum, counter) in sums.zip(counters.chain(&worker.limited)) {
                *sum += counter.load(Ordering::Relaxed);
            }
        }
        let [
            udp,
            tcp,
            responses @ ..,
            truncated,
            dropped,
            panics,
            hints_ignored,
            over_message,
            hits,
            old,
            misses,
            made_existing,
            made_absent,
            refused_existing,
            refused_absent,
            new,
            good,
            expired,
            bad,
        ] = tallied;
        let [send_errors, refused, unread, kernel_drops] = seldom;
        Totals {
            queries: [udp, tcp],
            responses,
            truncated,
            dropped,
            panics,
            hints_ignored,
            over_message,
            signatures_found: [hits, old, misses],
            signatures_made: [made_existing, made_absent],
            signatures_refused: [refused_existing, refused_absent],
            cookies: [new, good, expired, bad],
            rate_limited,
            send_errors,
            refused,
            unread,
            kernel_drops,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_sums_over_workers_that_ended_too() {
        let counters = Counters::default();
        let (first, second) = (counters.worker(), counters.worker());
        let mut tally = Tally::default();
        tally.query(TransportLabel::Udp);
        tally.response(16);
        first.add(&mut tally);
        drop(first);
        tally.query(TransportLabel::Udp);
        tally.query(TransportLabel::Tcp);
        tally.response(4242);
        tally.truncated();
        tally.cookie(CookieResult::Good);
        tally.rate_limited(RateClass::Denial, LimitAction::Dropped);
        second.add(&mut tally);
        second.send_error();
        second.refused();
        second.unread();
        second.kernel_dropped(5);
        let totals = counters.totals();
        assert_eq!(totals.queries, [2, 1]);
        assert_eq!(totals.responses, [0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
        assert_eq!((totals.truncated, totals.dropped), (1, 0));
        assert_eq!(
            (totals.send_errors, totals.panics, totals.refused),
            (1, 0, 1)
        );
        assert_eq!((totals.unread, totals.kernel_drops), (1, 5));
        assert_eq!(totals.cookies, [0, 1, 0, 0]);
        assert_eq!(totals.rate_limited[1], [0, 0, 1, 0]);
        assert_eq!(totals.rate_limited.as_flattened().iter().sum::<u64>(), 1);
    }
}
