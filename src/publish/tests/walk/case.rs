//! What is walked: small fleets, and the steps that may be taken.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Fleet, MemberIdx, Pattern};
use crate::publish::members::states::ContactEvent;
use crate::publish::tests::fixture::{federation, fleet};

/// At most so many members.
pub(super) const MEMBERS: usize = 3;

/// At most so many federations.
pub(super) const FEDERATIONS: usize = 2;

/// By how many seconds the longer holds are longer.
const LONGER: u64 = 45;

/// What may happen, or be done to the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Something happens to a member.
    Happens(usize, ContactEvent),
    /// So many seconds pass.
    Passes(u64),
    /// Time passes until something changes by itself.
    Deadline,
    /// Another process starts, with the wall clock set back by so many seconds.
    Restart(u64),
    /// The same configuration is loaded again.
    Reload,
    /// One with longer holds, or with those of before.
    ReloadHolds,
    /// One with members and federations in another order.
    ReloadOrder,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Happens(member, happening) => write!(f, "m{member} {happening:?}"),
            Self::Passes(seconds) => write!(f, "{seconds} s"),
            Self::Deadline => write!(f, "deadline"),
            Self::Restart(0) => write!(f, "restart"),
            Self::Restart(back) => write!(f, "restart, clock {back} s back"),
            Self::Reload => write!(f, "reload"),
            Self::ReloadHolds => write!(f, "reload with other holds"),
            Self::ReloadOrder => write!(f, "reload in another order"),
        }
    }
}

/// A fleet in all its forms.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) members: usize,
    pub(super) federations: usize,
    /// The members of each federation, by number.
    takes_part: [Vec<usize>; FEDERATIONS],
    /// Short or longer holds, each in both orders.
    fleets: [[Fleet; 2]; 2],
    start: Instant,
}

impl Case {
    /// A fleet of `members` members, in a federation for each hold in `federations`.
    pub(super) fn new(name: &'static str, members: usize, federations: &[(u64, &[usize])]) -> Self {
        let order = |is_turned: bool, longer: u64| {
            let mut names: Vec<_> = (0..members).map(|member| format!("m{member}")).collect();
            let mut all: Vec<_> = federations
                .iter()
                .zip(["f", "g"])
                .map(|((hold, those), name)| {
                    let mut rules = federation(name, "", hold + longer);
                    let patterns = those.iter().map(|m| Pattern::new(&format!("m{m}")));
                    rules.members = patterns.collect();
                    rules
                })
                .collect();
            if is_turned {
                names.reverse();
                all.reverse();
            }
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let mut fleet = fleet(&names);
            fleet.federations = all;
            fleet
        };
        let of = |index: usize| federations.get(index).map_or(Vec::new(), |f| f.1.to_vec());
        let forms = |longer| [order(false, longer), order(true, longer)];
        Self {
            name,
            members,
            federations: federations.len(),
            takes_part: [of(0), of(1)],
            fleets: [forms(0), forms(LONGER)],
            start: Instant::now() + Duration::from_secs(1_000_000),
        }
    }

    /// All fleets that are walked.
    pub(super) fn all() -> [Self; 4] {
        [
            Self::new("two members", 2, &[(60, &[0, 1])]),
            Self::new("three members", 3, &[(60, &[0, 1, 2])]),
            Self::new("two in two federations", 2, &[(60, &[0, 1]), (100, &[1])]),
            Self::new(
                "three in two federations",
                3,
                &[(60, &[0, 1]), (100, &[0, 1, 2])],
            ),
        ]
    }

    /// Every step.
    pub(super) fn steps(&self) -> Vec<Step> {
        use ContactEvent::{Forgotten, Lost, Resumed, Returning, Synced};
        let mut steps = vec![Step::Deadline, Step::Passes(1), Step::Passes(59)];
        for member in 0..self.members {
            let all = [Lost, Returning, Synced, Resumed, Forgotten];
            steps.extend(all.map(|happening| Step::Happens(member, happening)));
        }
        steps.extend([
            Step::Restart(0),
            Step::Restart(3600),
            Step::Reload,
            Step::ReloadHolds,
            Step::ReloadOrder,
        ]);
        steps
    }

    /// One form of the fleet.
    pub(super) fn fleet(&self, form: Form) -> &Fleet {
        &self.fleets[usize::from(form.is_longer)][usize::from(form.is_turned)]
    }

    /// The place of a member in a form of the fleet, and the other way round.
    pub(super) fn member(&self, member: usize, form: Form) -> usize {
        turned(member, self.members, form)
    }

    /// The same as an index.
    pub(super) fn index(&self, member: usize, form: Form) -> MemberIdx {
        MemberIdx(u8::try_from(self.member(member, form)).unwrap())
    }

    /// The place of a federation in a form of the fleet.
    pub(super) fn federation(&self, federation: usize, form: Form) -> usize {
        turned(federation, self.federations, form)
    }

    /// Whether a member takes part in a federation.
    pub(super) fn takes_part(&self, member: usize, federation: usize) -> bool {
        self.takes_part[federation].contains(&member)
    }

    /// The hold of a federation, in seconds.
    pub(super) fn hold(&self, federation: usize, form: Form) -> u64 {
        let place = self.federation(federation, form);
        self.fleet(form).federations[place].hold.as_secs()
    }

    /// Both for each member of each federation.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let federations = 0..self.federations;
        federations.flat_map(|f| self.takes_part[f].iter().map(move |member| (*member, f)))
    }

    /// A second of its time.
    pub(super) fn second(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    /// Which second a moment is.
    pub(super) fn seconds(&self, at: Instant) -> u64 {
        (at - self.start).as_secs()
    }
}

/// Which form of a fleet is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Form {
    pub(super) is_longer: bool,
    pub(super) is_turned: bool,
}

fn turned(place: usize, all: usize, form: Form) -> usize {
    if form.is_turned {
        all - 1 - place
    } else {
        place
    }
}
