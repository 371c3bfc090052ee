//! What is known of one host name, and when to ask again. Pure: it is given the time.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

/// A shorter TTL counts as this one: nobody is asked more often (docs/names.md, decision 17).
pub(super) const SHORTEST: Duration = Duration::from_secs(5);

/// Addresses with a longer TTL are asked for as often as this.
const LONGEST: Duration = Duration::from_secs(300);

/// The pause after a first failure; doubled with each further one.
const RETRY: Duration = Duration::from_secs(5);

/// The longest pause after failures.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The pause after an authoritative negative.
const ABSENT_RETRY: Duration = Duration::from_secs(30);

/// How long an authoritative negative stands before it removes addresses
/// (docs/names.md, decision 9).
const ABSENT_FOR: Duration = Duration::from_secs(300);

/// Why a question gave no address, for people.
pub(super) type Why = Box<str>;

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QueryOutcome<A> {
    /// Addresses, and the smallest TTL of the records that led to them.
    Found(Vec<A>, Duration),
    /// NXDOMAIN, NODATA, or a name that leads to ourselves; with which of these.
    Absent(Why),
    /// A time-out, SERVFAIL, or an answer of no use: nothing is known anew. With what it was.
    Failed(Why),
}

/// What came of both questions about a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answers {
    /// A
    pub(super) ipv4: QueryOutcome<Ipv4Addr>,
    /// AAAA
    pub(super) ipv6: QueryOutcome<Ipv6Addr>,
}

/// What is to be said of a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedAddresses {
    /// From A records, sorted.
    pub(super) ipv4: Box<[Ipv4Addr]>,
    /// From AAAA records, sorted.
    pub(super) ipv6: Box<[Ipv6Addr]>,
    /// The smallest TTL among them; zero when there are none.
    pub(super) ttl: Duration,
}

/// What is known of a host name.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// From A records.
    ipv4: Family<Ipv4Addr>,
    /// From AAAA records.
    ipv6: Family<Ipv6Addr>,
    /// Rounds in a row in which a question failed.
    failures: u32,
    /// The pauses after further ones.
    pauses: Option<ExponentialBackoff>,
    /// The pause after the last one.
    retry: Option<Duration>,
    /// Why there is no address, when there is none.
    trouble: Option<Why>,
    /// What was said last; `None` before anything was.
    said: Option<ResolvedAddresses>,
}

impl Known {
    /// Takes in what came of both questions. Returns what is to be said, if that is news.
    pub(super) fn learn(&mut self, answers: Answers, now: Instant) -> Option<ResolvedAddresses> {
        if answers.ipv4.has_failed() || answers.ipv6.has_failed() {
            self.failures = self.failures.saturating_add(1);
            self.retry = self.pauses.get_or_insert_with(pauses).next();
        } else {
            (self.failures, self.pauses, self.retry) = (0, None, None);
        }
        let why = why(&answers);
        self.ipv4.learn(answers.ipv4, now);
        self.ipv6.learn(answers.ipv6, now);
        let resolved = ResolvedAddresses {
            ipv4: self.ipv4.addresses(),
            ipv6: self.ipv6.addresses(),
            ttl: self.ttl().unwrap_or_default(),
        };
        let is_empty = resolved.ipv4.is_empty() && resolved.ipv6.is_empty();
        self.trouble = why.filter(|_| is_empty);
        let is_news = match &self.said {
            // Whoever listens may have addresses from a run before this one.
            None => !is_empty || (self.ipv4.is_gone && self.ipv6.is_gone),
            Some(said) => *said != resolved,
        };
        is_news.then(|| {
            self.said = Some(resolved.clone());
            resolved
        })
    }

    /// Rounds in a row in which a question failed.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Why there is no address; `None` where there is one.
    pub(super) fn trouble(&self) -> Option<&Why> {
        self.trouble.as_ref()
    }

    /// How long to wait before asking again. `jitter`, up to 255, takes up to a tenth off, so that
    /// names learnt together are not asked for together for ever.
    pub(super) fn pause(&self, jitter: u8) -> Duration {
        let ttl = self.ttl().map(|ttl| ttl.clamp(SHORTEST, LONGEST));
        let retry = self.retry;
        let is_vanishing = self.ipv4.is_vanishing() || self.ipv6.is_vanishing();
        let absent = (is_vanishing || ttl.is_none()).then_some(ABSENT_RETRY);
        // A failure alone decides for a name that nothing is known of.
        let absent = if retry.is_some() && ttl.is_none() {
            None
        } else {
            absent
        };
        let pauses = [ttl, retry, absent].into_iter().flatten();
        let pause = pauses.min().unwrap_or(ABSENT_RETRY);
        pause.saturating_sub(pause / 10 * u32::from(jitter) / 255)
    }

    /// The smallest TTL of what is known.
    fn ttl(&self) -> Option<Duration> {
        let ttls = [self.ipv4.ttl(), self.ipv6.ttl()];
        ttls.into_iter().flatten().min()
    }
}

/// The pauses after failures.
fn pauses() -> ExponentialBackoff {
    let builder = ExponentialBuilder::new().with_min_delay(RETRY);
    let builder = builder.with_factor(2.0).with_max_delay(LONGEST_RETRY);
    builder.without_max_times().build()
}

impl<A> QueryOutcome<A> {
    /// Whether nothing is known anew.
    fn has_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Why there is no address.
    fn why(&self) -> Option<&Why> {
        match self {
            Self::Found(..) => None,
            Self::Absent(why) | Self::Failed(why) => Some(why),
        }
    }
}

/// Why both questions gave no address.
fn why(answers: &Answers) -> Option<Why> {
    let (ipv4, ipv6) = (answers.ipv4.why()?, answers.ipv6.why()?);
    Some(if ipv4 == ipv6 {
        ipv4.clone()
    } else {
        format!("A: {ipv4}; AAAA: {ipv6}").into()
    })
}

/// What is known of a host name in one address family.
#[derive(Debug)]
struct Family<A> {
    /// The last good addresses and their TTL.
    good: Option<(Vec<A>, Duration)>,
    /// Since when the answer is negative.
    absent_since: Option<Instant>,
    /// The negative has stood for long enough.
    is_gone: bool,
}

impl<A> Default for Family<A> {
    fn default() -> Self {
        Self {
            good: None,
            absent_since: None,
            is_gone: false,
        }
    }
}

impl<A: Ord + Copy> Family<A> {
    /// Takes in what came of a question. A failure neither confirms nor ends a negative.
    fn learn(&mut self, outcome: QueryOutcome<A>, now: Instant) {
        match outcome {
            QueryOutcome::Found(mut addresses, ttl) => {
                addresses.sort_unstable();
                addresses.dedup();
                self.good = Some((addresses, ttl));
                self.absent_since = None;
                self.is_gone = false;
            }
            QueryOutcome::Absent(_) => {
                let since = *self.absent_since.get_or_insert(now);
                if now.duration_since(since) >= ABSENT_FOR {
                    self.good = None;
                    self.is_gone = true;
                }
            }
            QueryOutcome::Failed(_) => {}
        }
    }

    /// The last good addresses.
    fn addresses(&self) -> Box<[A]> {
        let good = self
            .good
            .as_ref()
            .map(|(addresses, _)| addresses.as_slice());
        good.unwrap_or_default().into()
    }

    /// Their TTL.
    fn ttl(&self) -> Option<Duration> {
        self.good.as_ref().map(|(_, ttl)| *ttl)
    }

    /// Whether it has addresses that a negative is about to remove.
    fn is_vanishing(&self) -> bool {
        self.good.is_some() && self.absent_since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A script of answers: seconds since the start, answers, and what is said (`None`: nothing).
    type Step = (u64, Answers, Option<(&'static [u8], &'static [u16], u64)>);

    /// Addresses 192.0.2.x with a TTL.
    fn found4(hosts: &[u8], ttl: u64) -> QueryOutcome<Ipv4Addr> {
        let address = |host: &u8| Ipv4Addr::new(192, 0, 2, *host);
        QueryOutcome::Found(
            hosts.iter().map(address).collect(),
            Duration::from_secs(ttl),
        )
    }

    /// Addresses `2001:db8::x` with a TTL.
    fn found6(hosts: &[u16], ttl: u64) -> QueryOutcome<Ipv6Addr> {
        let address = |host: &u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, *host);
        QueryOutcome::Found(
            hosts.iter().map(address).collect(),
            Duration::from_secs(ttl),
        )
    }

    /// A negative.
    fn absent<A>() -> QueryOutcome<A> {
        QueryOutcome::Absent("NXDOMAIN".into())
    }

    /// A failure.
    fn failed<A>() -> QueryOutcome<A> {
        QueryOutcome::Failed("SERVFAIL".into())
    }

    /// Both answers.
    fn both(ipv4: QueryOutcome<Ipv4Addr>, ipv6: QueryOutcome<Ipv6Addr>) -> Answers {
        Answers { ipv4, ipv6 }
    }

    /// Runs a script.
    fn check(steps: &[Step]) {
        let start = Instant::now();
        let mut known = Known::default();
        for (at, answers, expected) in steps {
            let said = known.learn(answers.clone(), start + Duration::from_secs(*at));
            let expected = expected.map(|(ipv4, ipv6, ttl)| {
                let (QueryOutcome::Found(ipv4, _), QueryOutcome::Found(ipv6, _)) =
                    (found4(ipv4, 0), found6(ipv6, 0))
                else {
                    unreachable!("both are found");
                };
                ResolvedAddresses {
                    ipv4: ipv4.into(),
                    ipv6: ipv6.into(),
                    ttl: Duration::from_secs(ttl),
                }
            });
            assert_eq!(said, expected, "at {at}");
        }
    }

    #[test]
    fn addresses_are_said_when_they_differ() {
        check(&[
            (
                0,
                both(found4(&[2, 1, 2], 60), absent()),
                Some((&[1, 2], &[], 60)),
            ),
            (60, both(found4(&[1, 2], 60), absent()), None),
            (
                120,
                both(found4(&[1, 2], 30), absent()),
                Some((&[1, 2], &[], 30)),
            ),
            (
                150,
                both(found4(&[1, 3], 30), found6(&[1], 20)),
                Some((&[1, 3], &[1], 20)),
            ),
        ]);
    }

    #[test]
    fn failures_keep_the_last_good_addresses() {
        check(&[
            (0, both(failed(), failed()), None),
            (5, both(failed(), found6(&[1], 60)), Some((&[], &[1], 60))),
            (65, both(found4(&[1], 60), failed()), Some((&[1], &[1], 60))),
            (90_000, both(failed(), failed()), None),
        ]);
    }

    #[test]
    fn negatives_remove_addresses_after_five_minutes() {
        check(&[
            (0, both(absent(), absent()), None),
            (
                30,
                both(found4(&[1], 60), found6(&[1], 60)),
                Some((&[1], &[1], 60)),
            ),
            (90, both(absent(), absent()), None),
            (200, both(failed(), absent()), None),
            (389, both(absent(), failed()), None),
            (390, both(absent(), absent()), Some((&[], &[], 0))),
            (420, both(absent(), absent()), None),
            (450, both(found4(&[1], 60), absent()), Some((&[1], &[], 60))),
        ]);
        // A good answer in between starts the five minutes anew.
        check(&[
            (0, both(found4(&[1], 60), absent()), Some((&[1], &[], 60))),
            (60, both(absent(), absent()), None),
            (300, both(found4(&[1], 60), absent()), None),
            (360, both(absent(), absent()), None),
            (659, both(absent(), absent()), None),
            (660, both(absent(), absent()), Some((&[], &[], 0))),
        ]);
    }

    #[test]
    fn a_name_that_was_never_there_is_said_to_be_gone_once() {
        check(&[
            (0, both(absent(), absent()), None),
            (299, both(absent(), absent()), None),
            (300, both(absent(), failed()), None),
            (330, both(absent(), absent()), Some((&[], &[], 0))),
            (360, both(absent(), absent()), None),
        ]);
    }

    #[test]
    fn pauses_follow_ttl_failures_and_negatives() {
        let check = |rounds: &[Answers], seconds: u64| {
            let now = Instant::now();
            let mut known = Known::default();
            for answers in rounds {
                known.learn(answers.clone(), now);
            }
            assert_eq!(known.pause(0), Duration::from_secs(seconds), "{rounds:?}");
            let early = Duration::from_secs(seconds) * 9 / 10;
            assert_eq!(known.pause(255), early, "{rounds:?}");
        };
        check(&[both(found4(&[1], 60), absent())], 60);
        check(&[both(found4(&[1], 60), found6(&[1], 20))], 20);
        check(&[both(found4(&[1], 0), absent())], 5);
        check(&[both(found4(&[1], 86_400), absent())], 300);
        check(&[both(absent(), absent())], 30);
        check(&[both(failed(), failed())], 5);
        check(
            &[
                both(failed(), absent()),
                both(failed(), absent()),
                both(failed(), absent()),
            ],
            20,
        );
        check(&vec![both(failed(), failed()); 40], 60);
        check(
            &[both(found4(&[1], 300), absent()), both(failed(), absent())],
            5,
        );
        check(
            &[both(found4(&[1], 300), absent()), both(absent(), absent())],
            30,
        );
    }

    #[test]
    fn what_never_resolved_says_why_until_it_does() {
        let now = Instant::now();
        let mut known = Known::default();
        let mut learn = |ipv4, ipv6| {
            known.learn(both(ipv4, ipv6), now);
            known.trouble().map(ToString::to_string)
        };
        let why = learn(failed(), failed());
        assert_eq!(why.as_deref(), Some("SERVFAIL"));
        let why = learn(absent(), failed());
        assert_eq!(why.as_deref(), Some("A: NXDOMAIN; AAAA: SERVFAIL"));
        assert_eq!(learn(found4(&[1], 60), failed()), None);
        // The last good ones stay.
        assert_eq!(learn(failed(), failed()), None);
    }
}
