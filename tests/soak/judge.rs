//! Every answer against what the daemon had to know. Wrong answers of one kind that follow each other
//! are one violation.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::history::History;
use crate::load::{Question, Sample};
use crate::truth::{MARGIN, Standing};
use crate::witness::{Account, said_at};
use crate::world::World;

/// Wrong answers with less than this between them are one violation.
const APART: Duration = Duration::from_secs(1);
/// How many of the last events a violation shows.
const SHOWN: usize = 4;

/// How an answer is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// No address, though a shard was healthy.
    Empty,
    /// An address that was withdrawn, or never was the service's.
    Stale(IpAddr),
    /// No answer.
    Unanswered,
}

/// Wrong answers that follow each other.
struct Violation {
    /// How they are wrong.
    wrong: Wrong,
    /// The service.
    service: String,
    /// When the first and the last one were asked for.
    span: (Instant, Instant),
    /// How many there are.
    answers: usize,
    /// The names that were asked, and over what.
    names: BTreeSet<String>,
    /// What the daemon said of the service's members when the first was asked for.
    said: String,
}

/// What a load saw.
#[derive(Default)]
pub(crate) struct Judgement {
    /// Queries.
    queries: usize,
    /// Queries that nobody had to answer, since the daemon had been killed.
    lost: usize,
    /// The slowest answer.
    slowest: Duration,
    /// For how long, at most, an address was named after the daemon had to know of its withdrawal.
    latest: Duration,
    /// Everything wrong.
    violations: Vec<Violation>,
}

impl Judgement {
    /// Judges every query of a load.
    pub(crate) fn on(
        questions: &[Question],
        mut samples: Vec<Sample>,
        world: &World,
        accounts: &[Account],
    ) -> Self {
        let mut judgement = Self::default();
        samples.sort_by_key(|sample| sample.sent);
        for sample in &samples {
            judgement.queries += 1;
            let question = &questions[sample.question];
            for wrong in judgement.wrong(question, sample, world) {
                judgement.add(wrong, question, sample, accounts);
            }
        }
        judgement
    }

    /// What is wrong with one answer.
    fn wrong(&mut self, question: &Question, sample: &Sample, world: &World) -> Vec<Wrong> {
        let (service, sent, received) = (&question.service, sample.sent, sample.received);
        let Some(reply) = &sample.reply else {
            let mut outages = world.outages.iter();
            let is_lost = outages.any(|(from, to)| *from <= received && sent <= *to);
            self.lost += usize::from(is_lost);
            return if is_lost {
                vec![]
            } else {
                vec![Wrong::Unanswered]
            };
        };
        self.slowest = self.slowest.max(received - sent);
        let (may, must) = (&world.knowledge.may, &world.knowledge.must);
        if reply.addresses.is_empty() && must.has_healthy(service, true, sent, received) {
            return vec![Wrong::Empty];
        }
        let stale = reply.addresses.iter().filter(|address| {
            match may.standing(service, **address, sent, received) {
                Standing::Published => false,
                Standing::Withdrawn(so_long) => {
                    self.latest = self.latest.max(so_long);
                    so_long > MARGIN
                }
                Standing::Foreign => true,
            }
        });
        stale.map(|address| Wrong::Stale(*address)).collect()
    }

    /// Notes a wrong answer.
    fn add(&mut self, wrong: Wrong, question: &Question, sample: &Sample, accounts: &[Account]) {
        let sent = sample.sent;
        let transport = if sample.tcp { "TCP" } else { "UDP" };
        let name = format!("{} over {transport}", question.name);
        let same = self.violations.iter_mut().rev().find(|one| {
            let is_same = one.wrong == wrong && one.service == question.service;
            is_same && one.span.1 + APART > sent
        });
        if let Some(same) = same {
            same.span.1 = sent;
            same.answers += 1;
            same.names.insert(name);
            return;
        }
        let said = said_at(accounts, &question.service, sent);
        self.violations.push(Violation {
            wrong,
            service: question.service.clone(),
            span: (sent, sent),
            answers: 1,
            names: BTreeSet::from([name]),
            said: said.unwrap_or_default().to_owned(),
        });
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_right(&self) -> bool {
        self.violations.is_empty()
    }

    /// A line for each violation, with what had happened before it.
    pub(crate) fn lines(&self, history: &History) -> String {
        let lines = self.violations.iter().map(|one| {
            let (first, last) = one.span;
            let before = history.before(first, SHOWN).join("; ");
            let names: Vec<&str> = one.names.iter().map(String::as_str).collect();
            format!(
                "at {} s, for {:.3} s: {one} ({}); before it: {before}\n",
                history.at(first),
                (last - first).as_secs_f64(),
                names.join(", "),
            )
        });
        lines.collect()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wrong,
            service,
            answers,
            said,
            ..
        } = self;
        write!(
            f,
            "{wrong:?}, {answers} answers for {service}, which it explains as{said}"
        )
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mut empty, mut stale, mut unanswered] = [0; 3];
        for one in &self.violations {
            let count = match one.wrong {
                Wrong::Empty => &mut empty,
                Wrong::Stale(_) => &mut stale,
                Wrong::Unanswered => &mut unanswered,
            };
            *count += one.answers;
        }
        writeln!(
            f,
            "{} queries; {} lost while the daemon was dead or in its first second; withdrawn \
             addresses named for at most {} ms; slowest answer {} ms",
            self.queries,
            self.lost,
            self.latest.as_millis(),
            self.slowest.as_millis(),
        )?;
        writeln!(
            f,
            "answers that are wrong: {empty} empty, {stale} stale, {unanswered} unanswered"
        )
    }
}
