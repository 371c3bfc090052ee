//! What the daemon must know by now.
//!
//! There are two accounts of what is true, which differ for as long as the daemon cannot know, or
//! may not yet: an address *may* be named until its withdrawal must be known, and *must* be served
//! from when its presence must be known. A daemon that is killed may forget what it had no time, or
//! no disk, to keep; all else it has to know from its first answer.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::time::Instant;

use crate::truth::{MARGIN, Thresholds, Truth};

/// How much longer than otherwise a change may take that the daemon is told while it lists a member
/// anew, after the return of its API server or after a restart: 2 s are promised for these, and
/// [`MARGIN`] for any change.
const RETURN: Duration = Duration::from_secs(1);
/// When a disk has room again, what failed to be written is tried anew after this, and a second is
/// for writing it.
const REWRITTEN: Duration = Duration::from_secs(31);
/// What withdraws nothing is written once in a second.
const WRITTEN: Duration = Duration::from_secs(1);

/// What a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A service of a member is ready.
    Ready(&'static str, usize),
    /// The load balancer of a member accepts connections at its address.
    Open(Ipv4Addr),
}

/// How far a fact has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The daemon may not know it.
    Untold,
    /// It should know it, since then; a little later it must.
    Told(Instant),
    /// It must know it, for as long as it lives.
    Known(Instant),
    /// It must know it for ever.
    Kept,
}

/// Something that is so, or not.
#[derive(Debug)]
struct Fact {
    /// What it is about.
    subject: Subject,
    /// Whether it is so.
    holds: bool,
    /// Since when.
    since: Instant,
    /// How far that has come.
    stage: Stage,
}

/// The two accounts, and how they come about.
pub(crate) struct Knowledge {
    /// An address that is not here was withdrawn, and the daemon must know.
    pub(crate) may: Truth,
    /// An address that is here is healthy, and the daemon must know.
    pub(crate) must: Truth,
    /// The thresholds of probes.
    thresholds: Thresholds,
    /// Everything that changes.
    facts: Vec<Fact>,
    /// Since when the daemon lives.
    lives: Option<Instant>,
    /// Since when the API server of each member answers.
    answers: Vec<Option<Instant>>,
    /// From when on all that it knows is on its disk.
    keeps: Option<Instant>,
}

impl Knowledge {
    /// Nothing is so yet, of so many members.
    pub(crate) fn new(thresholds: Thresholds, members: usize) -> Self {
        let now = Instant::now();
        Self {
            may: Truth::new(thresholds),
            must: Truth::new(thresholds),
            thresholds,
            facts: Vec::new(),
            lives: None,
            answers: vec![Some(now); members],
            keeps: Some(now),
        }
    }

    /// A member has a service at an address from the start.
    pub(crate) fn add(&mut self, service: &'static str, member: usize, address: Ipv4Addr) {
        let listed = BTreeSet::from([IpAddr::V4(address)]);
        self.may.set_shard(service, member, &listed);
        self.must.set_shard(service, member, &listed);
        for subject in [Subject::Ready(service, member), Subject::Open(address)] {
            if !self.facts.iter().any(|fact| fact.subject == subject) {
                self.facts.push(Fact {
                    subject,
                    holds: true,
                    since: Instant::now(),
                    stage: Stage::Untold,
                });
            }
        }
    }

    /// Whether something is so.
    pub(crate) fn holds(&self, subject: Subject) -> bool {
        let mut facts = self.facts.iter();
        facts.any(|fact| fact.subject == subject && fact.holds)
    }

    /// Something is so from now on, or not.
    pub(crate) fn change(&mut self, subject: Subject, holds: bool) {
        let mut facts = self.facts.iter_mut();
        let Some(fact) = facts.find(|fact| fact.subject == subject) else {
            return;
        };
        (fact.holds, fact.since) = (holds, Instant::now());
        fact.forget(&self.may, &self.must);
    }

    /// The API server of a member answers from now on, or not.
    pub(crate) fn set_api(&mut self, member: usize, answers: bool) {
        self.answers[member] = answers.then(Instant::now);
        for fact in &mut self.facts {
            let is_its = matches!(fact.subject, Subject::Ready(_, of) if of == member);
            if !answers && is_its && matches!(fact.stage, Stage::Told(_)) {
                fact.forget(&self.may, &self.must);
            }
        }
    }

    /// The disk has room, or not.
    pub(crate) fn set_disk(&mut self, has_room: bool) {
        self.keeps = has_room.then(|| Instant::now() + REWRITTEN);
    }

    /// The daemon lives, or was killed.
    pub(crate) fn set_alive(&mut self, lives: bool) {
        self.lives = lives.then(Instant::now);
        for fact in &mut self.facts {
            if !lives && fact.stage != Stage::Kept {
                fact.forget(&self.may, &self.must);
            }
        }
    }

    /// What became known by now.
    pub(crate) fn tick(&mut self) {
        let now = Instant::now();
        for fact in &mut self.facts {
            let (api, late) = match fact.subject {
                Subject::Ready(_, member) => (self.answers[member], RETURN),
                // The accounts know the thresholds of probes.
                Subject::Open(_) => (Some(fact.since), Duration::ZERO),
            };
            let Some(reached) = api.and_then(|api| Some(self.lives?.max(api))) else {
                continue;
            };
            match fact.stage {
                Stage::Untold if fact.since.max(reached + late) <= now => {
                    fact.set(&self.may);
                    fact.set(&self.must);
                    fact.stage = Stage::Told(now);
                }
                Stage::Told(at) if at + fact.settles(self.thresholds) <= now => {
                    fact.stage = Stage::Known(now);
                }
                Stage::Known(at)
                    if self
                        .keeps
                        .is_some_and(|keeps| keeps.max(at + WRITTEN) <= now) =>
                {
                    fact.stage = Stage::Kept;
                }
                _ => {}
            }
        }
    }
}

impl Fact {
    /// The daemon may not know it: what is not so may be named, what is so need not be served.
    fn forget(&mut self, may: &Truth, must: &Truth) {
        self.stage = Stage::Untold;
        let (account, holds) = if self.holds {
            (must, false)
        } else {
            (may, true)
        };
        // What is so may be named from the first moment, what is not need not be served.
        self.set(if self.holds { may } else { must });
        match self.subject {
            Subject::Ready(service, member) => account.set_readiness(service, member, holds),
            Subject::Open(address) => account.set_port(address.into(), holds),
        }
    }

    /// It is as it is in an account.
    fn set(&self, account: &Truth) {
        match self.subject {
            Subject::Ready(service, member) => account.set_readiness(service, member, self.holds),
            Subject::Open(address) => account.set_port(address.into(), self.holds),
        }
    }

    /// How long after it was told it must be known.
    fn settles(&self, thresholds: Thresholds) -> Duration {
        let probes = match (self.subject, self.holds) {
            (Subject::Ready(..), _) => Duration::ZERO,
            (Subject::Open(_), false) => thresholds.down,
            (Subject::Open(_), true) => thresholds.up,
        };
        probes + MARGIN
    }
}
