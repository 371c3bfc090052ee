//! What must be known, by what sources and probes have said: naive, and nothing of the writer's own
//! but whether its brakes are on. Times are milliseconds since the history began.

use super::step::{Found, Said};
use super::writer::{MEMBERS, Rules, SIZES};
use crate::model::{Probe, Verdict};

/// Seconds.
pub(super) const SECOND: u64 = 1000;

/// Losses within this time of each other put a brake on, and contact for so long takes it off.
pub(super) const DOUBT: u64 = 60 * SECOND;

/// How long a brake is on at most.
pub(super) const LONGEST: u64 = 600 * SECOND;

/// For how long an address that is probed no more is known to be down, with some play.
const KNOWN: u64 = 3500 * SECOND;

/// The contact to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// There are no facts.
    Never,
    /// Its facts are live, since then without a break.
    Live(u64),
    /// An earlier process was in contact, and nothing was heard since.
    Presumed,
    /// It is lost; when its source reported it to this process.
    Lost(Option<u64>),
    /// It lists since then; when its source reported the loss to this process.
    Listing(u64, Option<u64>),
}

/// How much later than its proof what nobody asks any more may count as passing: it is looked after
/// once in ten seconds while much time passes.
const LOOKED_AFTER: u64 = 11 * SECOND;

/// What probes say of the address of `s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing that counts.
    Nothing,
    /// It has passed for what asked before, and was not down.
    Passed,
    /// It passes.
    Up,
    /// It has passed, and its last pass is too old to prove anything.
    Old,
    /// It passes, and is kept back.
    Damped,
    /// It is down.
    Down,
    /// It was down, and may be forgotten or not.
    MaybeDown,
}

/// Whether the last pass of an address proves anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It does not.
    No,
    /// It does or does not.
    Maybe,
    /// It does.
    Yes,
}

/// An address has passed for what asked before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    /// Until when that proves something.
    pub(super) surely: u64,
    /// Until when it may.
    most: u64,
    /// A process that has begun since has written that down.
    is_written: bool,
}

/// The hold of a member in a federation.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else of it"
)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hold {
    /// It passes no earlier.
    pub(super) earliest: u64,
    /// It passes no later, but for a brake that is on.
    pub(super) latest: u64,
    /// A brake has made it begin anew.
    is_renewed: bool,
    /// A brake was on when answers were frozen: while they are, it begins anew with each process.
    pub(super) begins_anew: bool,
    /// The member was served when it was lost, and nothing but its hold may take it out.
    pub(super) is_guarded: bool,
    /// It was seen to be left out, and is to stay so.
    pub(super) is_withdrawn: bool,
}

/// One member.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// The contact to it.
    pub(super) link: Link,
    /// Since when its facts are not live.
    pub(super) gone: Option<u64>,
    /// What its source said last of `s`.
    pub(super) said: Said,
    /// Since when its source says to this process that `s` is not ready.
    pub(super) out: Option<u64>,
    /// It has its other services.
    pub(super) has_others: bool,
    /// It has listed to this process.
    pub(super) is_heard: bool,
    /// What probes say.
    pub(super) known: Known,
    /// Whether that proves that it works.
    pub(super) proof: Proof,
    /// It does so by what was asked before.
    pub(super) passed: Option<Passed>,
    /// Since when `s` is sure without a break.
    pub(super) sure: Option<u64>,
    /// How often `s` went out by its facts, its contact and its probes.
    pub(super) went: [u32; 3],
    /// Its holds.
    pub(super) holds: [Hold; 2],
    /// Since when its address is not probed.
    unprobed: Option<u64>,
}

impl Member {
    /// Whether probes may prove its address.
    pub(super) fn may_be_proven(&self) -> bool {
        self.proof != Proof::No
    }

    /// Whether it is in contact.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.link, Link::Live(_))
    }

    /// Whether `s` is ready there and sure, whatever one does not know.
    pub(super) fn is_sure(&self) -> bool {
        let is_down = matches!(self.known, Known::Down | Known::MaybeDown);
        self.said == Said::Ready && !is_down && (self.is_live() || self.proof == Proof::Yes)
    }

    /// Whether nothing went out before what is now, at most once by each of its facts and contact.
    pub(super) fn is_first(&self) -> bool {
        self.went[0] <= 1 && self.went[1] <= 1 && self.went[2] == 0
    }
}

/// Everything that must be known.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// The members.
    pub(super) members: Vec<Member>,
    /// Since when the brake of each federation is on.
    pub(super) brakes: [Option<u64>; 2],
    /// The last process has forgotten everything, and could not write that down.
    pub(super) is_forgotten: bool,
    /// Withdrawals of late: of whom, when, how many.
    pub(super) bursts: Vec<(usize, u64, usize)>,
}

impl Model {
    /// Nothing was heard.
    pub(super) fn new() -> Self {
        let member = Member {
            link: Link::Never,
            gone: None,
            said: Said::Absent,
            out: None,
            has_others: false,
            is_heard: false,
            known: Known::Nothing,
            proof: Proof::No,
            passed: None,
            sure: None,
            went: [0; 3],
            holds: [Hold::default(); 2],
            unprobed: None,
        };
        Self {
            members: vec![member; MEMBERS.len()],
            brakes: [None; 2],
            is_forgotten: false,
            bursts: Vec::new(),
        }
    }

    /// The members of a federation.
    pub(super) fn of(&self, federation: usize) -> impl Iterator<Item = (usize, &Member)> {
        self.members.iter().enumerate().take(SIZES[federation])
    }

    /// Whether another member of a federation has `s` for sure.
    pub(super) fn is_other_sure(&self, federation: usize, who: usize) -> bool {
        let mut all = self.of(federation);
        all.any(|(other, member)| other != who && member.is_sure())
    }

    /// A member is no longer in contact. `served` says for each federation whether it is served.
    fn begin_holds(&mut self, who: usize, served: [bool; 2], rules: &Rules, now: u64) {
        let member = &mut self.members[who];
        member.went[1] += 1;
        let is_long = member.sure.is_some_and(|since| now >= since + 301 * SECOND);
        let is_clean = is_long || member.went == [0, 1, 0];
        // The hold of one that was never heard of may have passed in the process before.
        let was_gone = member.gone.is_some();
        member.gone = Some(now);
        member.sure = None;
        for (federation, hold) in member.holds.iter_mut().enumerate() {
            let until = now + length(rules, federation);
            *hold = Hold {
                earliest: until,
                latest: until,
                is_renewed: false,
                begins_anew: false,
                is_guarded: is_clean && served[federation] && (!was_gone || now < hold.earliest),
                is_withdrawn: hold.is_withdrawn,
            };
        }
    }

    /// A source reports that its member is lost.
    pub(super) fn lost(&mut self, who: usize, served: [bool; 2], rules: &Rules, now: u64) {
        match self.members[who].link {
            Link::Live(_) => {
                self.begin_holds(who, served, rules, now);
                self.members[who].link = Link::Lost(Some(now));
            }
            Link::Presumed => self.members[who].link = Link::Lost(Some(now)),
            Link::Listing(_, told) => self.members[who].link = Link::Lost(told.or(Some(now))),
            Link::Never | Link::Lost(_) => {}
        }
    }

    /// A member answers again. Returns whether it can.
    pub(super) fn returning(&mut self, who: usize, now: u64) -> bool {
        let member = &mut self.members[who];
        member.link = match member.link {
            Link::Presumed => Link::Listing(now, None),
            Link::Lost(told) => Link::Listing(now, told),
            _ => return false,
        };
        true
    }

    /// Its facts are live.
    pub(super) fn live(&mut self, who: usize, now: u64) {
        let member = &mut self.members[who];
        member.is_heard = true;
        if !member.is_live() {
            member.link = Link::Live(now);
            member.gone = None;
            member.sure = None;
            for hold in &mut member.holds {
                hold.is_withdrawn = false;
                hold.is_guarded = false;
            }
        }
    }

    /// A source says something of `s`, and how many services it has no more.
    pub(super) fn say(&mut self, who: usize, said: Said, gone: usize, now: u64) {
        let member = &mut self.members[who];
        let is_out = member.said == Said::Ready && said != Said::Ready;
        member.went[0] += u32::from(is_out);
        member.out = (said != Said::Ready).then(|| member.out.unwrap_or(now));
        member.said = said;
        let gone = gone + usize::from(is_out);
        if gone > 0 {
            self.bursts.push((who, now, gone));
        }
    }

    /// A probe has another verdict. Returns whether it can have it.
    pub(super) fn probed(&mut self, who: usize, found: Found) -> bool {
        use Known::{Damped, Down, MaybeDown, Old, Passed, Up};
        let member = &mut self.members[who];
        let known = member.known;
        member.known = match found.verdict {
            Verdict::Up => Up,
            Verdict::Suspect if matches!(known, Up | Old) && found.is_recent => Up,
            Verdict::Suspect if matches!(known, Up | Old | Passed) && !found.is_recent => Old,
            Verdict::Down if known != Known::Nothing => Down,
            Verdict::Damped if matches!(known, Damped | Down | MaybeDown) => Damped,
            _ => return false,
        };
        member.passed = None;
        member.proof = if matches!(member.known, Up | Damped) {
            Proof::Yes
        } else {
            Proof::No
        };
        member.went[2] += u32::from(matches!(member.known, Down | Damped));
        true
    }

    /// The target of an address is gone with its verdict; what is known of the address stays, and that
    /// it has passed for as long as that proves anything.
    pub(super) fn unprobed(&mut self, who: usize, now: u64) {
        let member = &mut self.members[who];
        if matches!(member.known, Known::Up | Known::Old) {
            member.known = Known::Passed;
        }
        if member.proof == Proof::Yes && member.passed.is_none() {
            member.passed = Some(Passed {
                surely: now + proof(),
                most: now + proof() + LOOKED_AFTER,
                is_written: false,
            });
        }
    }

    /// Holds are longer or shorter.
    pub(super) fn reload(&mut self, before: &Rules, rules: &Rules, now: u64) {
        for member in &mut self.members {
            for (federation, hold) in member.holds.iter_mut().enumerate() {
                let (was, is) = (length(before, federation), length(rules, federation));
                hold.earliest = (hold.earliest + is).saturating_sub(was);
                hold.latest = (hold.latest + is).saturating_sub(was);
                // One that was made longer may not have passed.
                hold.is_withdrawn &= is <= was || now > hold.latest;
            }
        }
    }

    /// Another process begins, on what the last one has kept.
    pub(super) fn restart(
        &mut self,
        (set, is_frozen): (i64, bool),
        served: impl Fn(usize) -> [bool; 2],
        rules: &Rules,
        now: u64,
    ) {
        let (is_old, is_set) = (is_old(set), set != 0);
        for who in 0..self.members.len() {
            self.unprobed(who, now);
            let member = &mut self.members[who];
            member.restart_proof(is_old, is_frozen, is_set, now);
            if is_old {
                member.holds = [Hold::default(); 2];
            }
            match self.members[who].link {
                Link::Never => {}
                Link::Lost(_) | Link::Listing(..) if !is_old => {
                    self.carry_on(who, is_set, rules, now);
                }
                Link::Live(_) | Link::Presumed | Link::Lost(_) | Link::Listing(..) => {
                    let served = if is_old { [false; 2] } else { served(who) };
                    self.begin_holds(who, served, rules, now);
                    self.members[who].link = Link::Presumed;
                }
            }
            let member = &mut self.members[who];
            if is_set && member.went[0] > 1 {
                // Its quiet time is another one.
                for hold in &mut member.holds {
                    hold.is_guarded = false;
                }
            }
            member.is_heard = false;
            member.out = None;
            member.sure = None;
        }
        self.brakes = [None; 2];
        self.bursts.clear();
        self.is_forgotten = is_frozen && (is_old || self.is_forgotten);
    }

    /// A lost member is so to the next process too.
    fn carry_on(&mut self, who: usize, was_set: bool, rules: &Rules, now: u64) {
        let brakes = self.brakes;
        let member = &mut self.members[who];
        let listed = match member.link {
            Link::Listing(since, _) => since + 60 * SECOND,
            _ => 0,
        };
        member.link = Link::Lost(None);
        for (federation, hold) in member.holds.iter_mut().enumerate() {
            // Whole seconds are kept.
            let anew = now + length(rules, federation) + 2 * SECOND;
            let is_braked = brakes[federation].is_some() || hold.begins_anew;
            hold.begins_anew = is_braked;
            // The clock may say that it has passed.
            hold.is_guarded &= !was_set;
            hold.latest = if was_set || is_braked {
                anew
            } else {
                hold.latest.max(listed) + 2 * SECOND
            };
            hold.earliest = if was_set {
                0
            } else {
                hold.earliest.saturating_sub(SECOND)
            };
            hold.is_renewed = false;
        }
    }

    /// Time has passed: which brakes are on, and which addresses are probed.
    pub(super) fn observe(
        &mut self,
        brakes: [Option<u64>; 2],
        probed: &[bool],
        rules: &Rules,
        now: u64,
    ) {
        self.bursts.retain(|(_, at, _)| now < at + 11 * SECOND);
        for (federation, is) in brakes.into_iter().enumerate() {
            let was = std::mem::replace(&mut self.brakes[federation], is);
            let Some(on) = was.filter(|_| is != was) else {
                continue;
            };
            for member in &mut self.members {
                let told = match member.link {
                    Link::Lost(told) | Link::Listing(_, told) => told,
                    _ => None,
                };
                let belongs = told.is_some_and(|at| at + DOUBT >= on);
                let hold = &mut member.holds[federation];
                if belongs && !hold.is_renewed {
                    // One that had passed has not begun anew, and may not have passed any more.
                    hold.is_renewed = now < hold.earliest;
                    hold.latest = hold.latest.max(now + length(rules, federation));
                }
                hold.latest = hold.latest.max(now);
            }
        }
        for (member, is_probed) in self.members.iter_mut().zip(probed) {
            member.unprobed = (!is_probed).then(|| member.unprobed.unwrap_or(now));
            let is_long = member.unprobed.is_some_and(|since| now >= since + KNOWN);
            if is_long && matches!(member.known, Known::Down | Known::Damped) {
                member.known = Known::MaybeDown;
            }
            if let Some(passed) = member.passed {
                member.proof = match now {
                    now if now < passed.surely && !is_long => Proof::Yes,
                    now if now <= passed.most => Proof::Maybe,
                    _ => Proof::No,
                };
            }
            let is_sure = member.is_sure() && member.known != Known::Damped;
            member.sure = is_sure.then(|| member.sure.unwrap_or(now));
        }
    }
}

impl Member {
    /// What passed proves to the next process what it has proven to this one, and for no longer than
    /// since it was last asked.
    fn restart_proof(&mut self, is_old: bool, is_frozen: bool, was_set: bool, now: u64) {
        let most = now + proof() + LOOKED_AFTER;
        if let Some(passed) = &mut self.passed {
            // Whole seconds are kept.
            passed.surely = passed.surely.saturating_sub(SECOND);
            if !passed.is_written || was_set {
                passed.most = most;
            }
            if is_old || was_set {
                passed.surely = 0;
            }
            passed.is_written = !is_frozen;
        }
        if is_old && matches!(self.known, Known::Down | Known::Damped) {
            self.known = Known::MaybeDown;
        }
    }
}

/// Whether nobody seems to have looked for an hour to a process before which the wall clock was set by
/// so many seconds while nobody looked. It may not seem so.
pub(super) fn is_old(set: i64) -> bool {
    set >= 3600
}

/// For how long a pass proves something.
fn proof() -> u64 {
    Probe::default().proof().as_secs() * SECOND
}

/// The hold of a federation.
fn length(rules: &Rules, federation: usize) -> u64 {
    rules.hold(federation).as_secs() * SECOND
}
