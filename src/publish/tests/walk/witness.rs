//! What somebody knows who has seen every step, and what is to follow from that: written down apart
//! from the states, so that both can be compared.

use super::case::{Case, FEDERATIONS, Form, MEMBERS, Step};
use super::node::{Node, Seen};
use crate::publish::members::states::ContactEvent;

/// Losses within this time may put a brake on, in seconds; contact for so long takes it off, and for
/// so long at most no hold passes while a member lists.
pub(super) const WINDOW: u64 = 60;

/// How many seconds after the last withdrawal all are forgotten.
const MEMORY: u64 = 600;

/// What was said of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Told {
    /// There are no facts.
    #[default]
    Without,
    /// It is in contact.
    Live { since: u64 },
    /// It was before the start, and nothing was heard since.
    Presumed,
    /// It was lost, here or before an earlier process ended.
    Lost { at: u64, is_here: bool },
}

/// What is to be said of a member.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Member {
    pub(super) told: Told,
    /// Since when it lists without contact.
    pub(super) listing: Option<u64>,
    /// When it was last in contact, and since when that is known at the latest.
    pub(super) gone: (u64, u64),
    /// How often it was withdrawn of late, and when last.
    withdrawals: (u32, u64),
    /// That it is withdrawn now has been counted.
    is_counted: bool,
    /// In each federation.
    pub(super) shares: [Duty; FEDERATIONS],
    /// Since when it is lost while each other is in contact.
    pub(super) lost_beside: [Option<u64>; MEMBERS],
}

/// When a member is to be withdrawn from a federation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Duty {
    /// When it was last in contact and not withdrawn.
    pub(super) counted: u64,
    /// When its hold is to pass, if it does not list and no brake is on.
    pub(super) due: u64,
    /// A brake has made its hold begin anew.
    is_renewed: bool,
}

/// What is to be said of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Witness {
    pub(super) members: [Member; MEMBERS],
    /// Losses from when on belong to the brake of each federation.
    pub(super) from: [u64; FEDERATIONS],
}

impl Member {
    /// Whether its facts are live.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.told, Told::Live { .. })
    }

    /// Whether it has facts that are not live.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.told, Told::Lost { .. } | Told::Presumed)
    }

    /// When its source reported its loss, while it does not answer.
    pub(super) fn lost(&self) -> Option<u64> {
        match self.told {
            Told::Lost { at, is_here: true } if self.listing.is_none() => Some(at),
            _ => None,
        }
    }

    /// Until when it is to be kept back, if it was withdrawn too often.
    pub(super) fn quiet_until(&self) -> Option<u64> {
        let (count, last) = self.withdrawals;
        (count >= 2).then(|| last + (5 << (count - 2).min(10)).min(300))
    }

    fn withdrawn(&mut self, now: u64) {
        let (count, last) = self.withdrawals;
        let before = if now - last >= MEMORY { 0 } else { count };
        self.withdrawals = (before + 1, now);
    }
}

impl Witness {
    /// Something happens to a member.
    pub(super) fn happens(
        &mut self,
        case: &Case,
        before: &Node,
        index: usize,
        happening: ContactEvent,
    ) {
        let (now, shares) = (before.now, &before.seen.shares[index]);
        let member = &mut self.members[index];
        match (member.told, happening) {
            (_, ContactEvent::Forgotten) => {
                *member = Member {
                    told: Told::Without,
                    ..*member
                }
            }
            (Told::Live { .. }, ContactEvent::Lost) => {
                member.told = Told::Lost {
                    at: now,
                    is_here: true,
                };
                member.gone = (now, now);
                if shares.iter().any(|share| share.is_out()) {
                    member.withdrawn(now);
                }
                for (federation, duty) in member.shares.iter_mut().enumerate() {
                    if federation < case.federations {
                        duty.due = now + case.hold(federation, before.form);
                        duty.is_renewed = false;
                        if !shares[federation].is_out() {
                            duty.counted = now;
                        }
                    }
                }
            }
            (Told::Presumed, ContactEvent::Lost) => {
                member.told = Told::Lost {
                    at: now,
                    is_here: true,
                };
                member.gone.1 = now;
            }
            (Told::Live { .. }, _)
            | (Told::Lost { .. }, ContactEvent::Lost)
            | (
                Told::Without,
                ContactEvent::Lost | ContactEvent::Resumed | ContactEvent::Returning,
            ) => {}
            (_, ContactEvent::Synced | ContactEvent::Resumed) => {
                member.told = Told::Live { since: now }
            }
            (_, ContactEvent::Returning) => {
                member.listing.get_or_insert(now);
                return;
            }
        }
        member.listing = None;
    }

    /// Another process starts.
    pub(super) fn restart(&mut self, case: &Case, before: &Node, back: u64) {
        let now = before.now;
        let later = |at: u64| (at + back).min(now);
        let members = self.members.iter_mut().take(case.members);
        for (index, (member, shares)) in members.zip(&before.seen.shares).enumerate() {
            let is_out = shares.iter().any(|share| share.is_out());
            let was_live = member.is_live();
            // Whose hold has passed everywhere is lost.
            let is_in =
                (0..case.federations).any(|f| case.takes_part(index, f) && !shares[f].is_expired);
            let was_presumed = member.told == Told::Presumed && member.listing.is_none() && is_in;
            for (federation, duty) in member.shares.iter_mut().enumerate() {
                if federation >= case.federations {
                    continue;
                }
                let whole = now + case.hold(federation, before.form);
                // What has passed before a brake went on is not kept open by it.
                let is_braked =
                    before.seen.brakes[federation].is_some() && !shares[federation].is_expired;
                duty.due = if was_live || was_presumed || is_braked {
                    whole
                } else {
                    // What has passed is not put off by a list.
                    let listing = member.listing.filter(|_| !shares[federation].is_out());
                    let listed = listing.map_or(0, |since| since + WINDOW);
                    (duty.due.max(listed) + back).min(whole)
                };
                if was_live && !shares[federation].is_out() {
                    duty.counted = now;
                }
                duty.is_renewed = false;
            }
            member.gone = match member.told {
                Told::Live { .. } => (now, now),
                Told::Presumed => (member.gone.0, now),
                _ => (member.gone.0, later(member.gone.1)),
            };
            member.told = match member.told {
                Told::Without => Told::Without,
                Told::Live { .. } => Told::Presumed,
                Told::Presumed if was_presumed => Told::Presumed,
                Told::Presumed => Told::Lost {
                    at: now,
                    is_here: false,
                },
                Told::Lost { at, .. } => Told::Lost { at, is_here: false },
            };
            let (count, last) = member.withdrawals;
            // Of a member without facts nothing is kept.
            let is_over = now - last >= MEMORY || member.told == Told::Without;
            member.withdrawals = if is_over {
                (0, 0)
            } else {
                (count, later(last))
            };
            member.is_counted = is_out;
            member.listing = None;
        }
    }

    /// The holds are others from now on.
    pub(super) fn holds_change(&mut self, case: &Case, before: &Node, form: Form) {
        for (index, federation) in case.pairs() {
            let member = &mut self.members[index];
            let duty = &mut member.shares[federation];
            let (old, new) = (
                case.hold(federation, before.form),
                case.hold(federation, form),
            );
            duty.due = (duty.due + new).saturating_sub(old);
            member.lost_beside = [None; MEMBERS];
        }
    }

    /// Brakes went off or on, or off and on again at one moment: the holds of their losses begin anew,
    /// once.
    pub(super) fn follow_brakes(
        &mut self,
        case: &Case,
        before: &Node,
        now: u64,
        (seen, off_and_on): (&Seen, [bool; FEDERATIONS]),
        form: Form,
    ) {
        for (federation, off_and_on) in off_and_on.into_iter().enumerate() {
            let (was, is) = (before.seen.brakes[federation], seen.brakes[federation]);
            if was == is && !off_and_on {
                continue;
            }
            let from = self.from[federation];
            let those = (0..case.members).filter(|member| case.takes_part(*member, federation));
            if was.is_some() {
                for index in those.clone() {
                    // Longer holds may have taken that back before the brake went off.
                    let share = |seen: &Seen| seen.shares[index][federation];
                    let is_out = share(&before.seen).is_out() && share(seen).is_out();
                    let member = &mut self.members[index];
                    let belongs =
                        matches!(member.told, Told::Lost { at, is_here: true } if at >= from);
                    let duty = &mut member.shares[federation];
                    if belongs && !is_out && !duty.is_renewed {
                        duty.due = now + case.hold(federation, form);
                        duty.is_renewed = true;
                    }
                }
            }
            let losses = those.filter_map(|member| self.members[member].lost());
            let recent = losses.filter(|at| now - at < WINDOW).min();
            self.from[federation] = recent.unwrap_or(now);
        }
    }

    /// Notes who was withdrawn or let back, and who is lost beside whom.
    pub(super) fn follow(
        &mut self,
        case: &Case,
        before: &Node,
        step: Option<Step>,
        now: u64,
        seen: &Seen,
    ) {
        let is_reload = matches!(step, Some(Step::ReloadHolds));
        let live: Vec<bool> = self.members.iter().map(Member::is_live).collect();
        for index in 0..case.members {
            let (was, is) = (&before.seen.shares[index], &seen.shares[index]);
            let member = &mut self.members[index];
            let is_out = is.iter().any(|share| share.is_out());
            let was_out = was.iter().any(|share| share.is_out());
            if is_reload && member.is_gone() && was_out && !is_out {
                // It was not withdrawn after all.
                member.withdrawals.0 = member.withdrawals.0.saturating_sub(1);
                member.is_counted = false;
            }
            let is_new = was
                .iter()
                .zip(is)
                .any(|(was, is)| is.is_out() && !was.is_out());
            if is_new && !member.is_counted {
                member.withdrawn(now);
                member.is_counted = true;
            }
            if !member.is_gone() && !is_out {
                member.is_counted = false;
            }
            let is_lost = matches!(member.told, Told::Lost { .. }) && member.listing.is_none();
            for (other, since) in member.lost_beside.iter_mut().enumerate() {
                if is_lost && live[other] {
                    since.get_or_insert(now);
                } else {
                    *since = None;
                }
            }
        }
    }

    /// What of it is looked at later, with times relative to now.
    pub(super) fn canonical(&self, case: &Case, now: u64, seen: &Seen) -> Vec<u64> {
        let mut parts = Vec::new();
        let age = |at: u64| (now - at).min(250);
        for (index, federation) in case.pairs() {
            let member = &self.members[index];
            let is_out = seen.shares[index][federation].is_out();
            let duty = &member.shares[federation];
            parts.push(match member.told {
                Told::Without => 0,
                Told::Live { .. } => 1,
                Told::Presumed => 2,
                Told::Lost { is_here, .. } => 3 + u64::from(is_here),
            });
            let (count, last) = member.withdrawals;
            parts.push(u64::from(count.min(8)));
            parts.push(if count > 0 { (now - last).min(700) } else { 0 });
            parts.push(u64::from(member.is_counted));
            let besides = member.lost_beside.iter().flatten();
            parts.extend(besides.map(|since| age(*since)));
            if member.is_gone() {
                parts.push(u64::from(duty.is_renewed));
                parts.push(member.listing.map_or(61, |since| (now - since).min(60)));
                if !is_out {
                    parts.push(age(duty.counted));
                }
                parts.push((duty.due + 250).saturating_sub(now));
            }
        }
        parts
    }
}
