//! Every answer against what was true.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::load::{Question, Sample};
use super::truth::{MARGIN, Standing, Truth};

/// How many wrong answers a failure shows.
const SHOWN: usize = 12;

/// What a load saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    /// Queries.
    pub(crate) queries: usize,
    /// Queries that were not answered in time.
    pub(crate) unanswered: usize,
    /// Answers without an address while a healthy shard existed.
    pub(crate) empty: usize,
    /// Answers with an address that had been withdrawn, or never was the service's.
    pub(crate) stale: usize,
    /// For how long, at most, an answer named an address after it was withdrawn.
    pub(crate) latest: Duration,
    /// The slowest answer.
    pub(crate) slowest: Duration,
    /// The first wrong answers.
    wrong: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queries,
            unanswered,
            empty,
            stale,
            ..
        } = self;
        write!(
            f,
            "{:>7} answers, {empty} empty, {stale} stale, {unanswered} unanswered; \
             withdrawn addresses named for at most {:.0} ms, slowest answer {:.0} ms",
            queries - unanswered,
            self.latest.as_secs_f64() * 1000.0,
            self.slowest.as_secs_f64() * 1000.0,
        )
    }
}

impl Verdict {
    /// Judges every query of a load.
    pub(crate) fn on(questions: &[Question], samples: &[Sample], truth: &Truth) -> Self {
        let mut verdict = Self::default();
        let start = samples.iter().map(|sample| sample.sent).min();
        for sample in samples {
            if let (Some(question), Some(start)) = (questions.get(sample.question), start) {
                verdict.judge(question, sample, truth, start);
            }
        }
        verdict
    }

    /// Judges one query.
    fn judge(&mut self, question: &Question, sample: &Sample, truth: &Truth, start: Instant) {
        self.queries += 1;
        let Question { kind, service, .. } = question;
        let (sent, received) = (sample.sent, sample.received);
        let Some(reply) = &sample.reply else {
            self.unanswered += 1;
            let why = format!("unanswered after {:?}", received - sent);
            return self.show(question, sample, start, &why);
        };
        self.slowest = self.slowest.max(received - sent);
        if reply.addresses.is_empty() {
            let is_v4 = *kind == hickory_proto::rr::RecordType::A;
            if truth.has_healthy(service, is_v4, sent, received) {
                self.empty += 1;
                self.show(
                    question,
                    sample,
                    start,
                    &format!("{} and empty", reply.code),
                );
            }
            return;
        }
        let standing = |address: &IpAddr| truth.standing(service, *address, sent, received);
        let mut is_stale = false;
        for address in &reply.addresses {
            match standing(address) {
                Standing::Published => {}
                Standing::Withdrawn(so_long) => {
                    self.latest = self.latest.max(so_long);
                    if so_long > MARGIN {
                        is_stale = true;
                        let why = format!("{address} was withdrawn {so_long:?} before");
                        self.show(question, sample, start, &why);
                    }
                }
                Standing::Foreign => {
                    is_stale = true;
                    self.show(question, sample, start, &format!("{address} is foreign"));
                }
            }
        }
        self.stale += usize::from(is_stale);
    }

    /// Notes a wrong answer.
    fn show(&mut self, question: &Question, sample: &Sample, start: Instant, why: &str) {
        if self.wrong.len() < SHOWN {
            let transport = if sample.tcp { "TCP" } else { "UDP" };
            self.wrong.push(format!(
                "at {:.3} s, {} {} over {transport}: {why}",
                (sample.sent - start).as_secs_f64(),
                question.name,
                question.kind,
            ));
        }
    }

    /// Adds another load's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.unanswered += other.unanswered;
        self.empty += other.empty;
        self.stale += other.stale;
        self.latest = self.latest.max(other.latest);
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Whether every query was answered, and rightly.
    pub(crate) fn is_right(&self) -> bool {
        self.unanswered + self.empty + self.stale == 0
    }

    /// The first wrong answers, one on a line.
    pub(crate) fn wrong(&self) -> String {
        self.wrong.join("\n")
    }

    /// Fails unless every query was answered, and rightly.
    pub(crate) fn assert_right(&self) {
        assert!(self.queries > 200, "only {} queries", self.queries);
        assert!(self.is_right(), "wrong answers: {self}\n{}", self.wrong());
    }
}
