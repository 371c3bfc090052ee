//! What of a member outlives the process.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::member::Tracked;
use super::member_contact::{MemberContact, Told};
use crate::model::{Damper, Fleet, UnixSeconds};
use crate::publish::now::Now;

/// What of a member's contact outlives the process, whatever else is known of it. Times are those of
/// the wall clock, in Unix seconds: the only one that two processes share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::publish) struct MemberRecord {
    /// Since when its facts are not live; `None` while they are.
    pub(in crate::publish) lost: Option<u64>,
    /// Its holds that run or have passed, one for each federation.
    pub(in crate::publish) holds: Vec<HoldRecord>,
    /// How often it was withdrawn of late, and when last.
    pub(in crate::publish) withdrawals: Option<(u32, u64)>,
}

/// The hold of a member in a federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::publish) struct HoldRecord {
    /// The name of the federation.
    pub(in crate::publish) federation: String,
    /// When it passes; `None` where it begins anew: a brake keeps it from passing, or it had passed, and
    /// its member is in contact again and suppressed.
    pub(in crate::publish) until: Option<u64>,
    /// It has passed.
    pub(in crate::publish) has_passed: bool,
}

impl MemberRecord {
    /// In how many federations its hold has passed.
    pub(in crate::publish) fn withdrawn(&self) -> usize {
        let holds = self.holds.iter();
        let withdrawn = holds.filter(|hold| hold.has_passed && !hold.is_suppressed());
        withdrawn.count()
    }

    /// Gives its times as another clock has them.
    pub(in crate::publish) fn redate(&mut self, date: impl Fn(u64) -> u64) {
        let until = self.holds.iter_mut().filter_map(|hold| hold.until.as_mut());
        let last = self.withdrawals.as_mut().map(|(_, last)| last);
        for at in until.chain(&mut self.lost).chain(last) {
            *at = date(*at);
        }
    }
}

impl HoldRecord {
    /// Whether its member was in contact again, and suppressed.
    fn is_suppressed(&self) -> bool {
        self.has_passed && self.until.is_none()
    }
}

impl Tracked {
    /// What is to be kept of it now.
    pub(super) fn record(
        &self,
        fleet: &Fleet,
        is_braked: impl Fn(usize) -> bool,
        now: Now,
    ) -> MemberRecord {
        let wall = |at: Instant| now.wall_of(at).0;
        // Of one that nothing was heard of nothing is known but which of its holds have passed; once all
        // have, it is lost.
        let is_presumed = self.contact.is_presumed() && !self.is_lost();
        let is_lost = self.contact.is_gone() && !is_presumed;
        let holds = self.holds.iter();
        let holds = holds.filter(|hold| hold.has_passed || hold.was_suppressed || is_lost);
        let holds = holds.filter_map(|hold| {
            let is_suppressed = hold.was_suppressed || (hold.has_passed && self.contact.is_live());
            let is_braked = is_braked(hold.federation) && !hold.has_passed;
            Some(HoldRecord {
                federation: fleet.federations.get(hold.federation)?.name.to_string(),
                // One of a member that lists passes no earlier in the next process either.
                until: (!is_braked && !is_suppressed).then(|| {
                    let passes = hold.passes(self.contact.returning());
                    wall(passes.unwrap_or(hold.until))
                }),
                has_passed: hold.has_passed || is_suppressed,
            })
        });
        let lost = match self.contact {
            MemberContact::Gone { told, .. } if is_lost => Some(match told {
                Told::Now(at) => wall(at),
                Told::Earlier(at) => at.0,
                Told::Not => now.wall.0,
            }),
            _ => None,
        };
        MemberRecord {
            lost,
            holds: holds.collect(),
            withdrawals: (!self.damper.is_over(self.time(now.instant))).then(|| {
                let last = now.wall_of_counted(self.begun, self.damper.last());
                (self.damper.count(), last.0)
            }),
        }
    }

    /// Its facts were read from disk, with what was kept of it; nothing kept is as if it had been in
    /// contact.
    pub(super) fn restore(&mut self, record: Option<&MemberRecord>, fleet: &Fleet, now: Now) {
        let told = match record.and_then(|record| record.lost) {
            // The wall clock may have been set back since.
            Some(at) => Told::Earlier(UnixSeconds(at.min(now.wall.0))),
            None => Told::Not,
        };
        self.contact = MemberContact::Gone {
            told,
            returning: None,
        };
        for hold in &mut self.holds {
            hold.begin(now.instant);
        }
        let Some(record) = record else {
            return;
        };
        let left = |at: u64| Duration::from_secs(at.saturating_sub(now.wall.0));
        for hold in &mut self.holds {
            let federation = fleet.federations.get(hold.federation);
            let mut kept = record.holds.iter();
            let kept =
                kept.find(|kept| federation.is_some_and(|it| kept.federation == *it.name.as_str()));
            if let Some(kept) = kept {
                hold.was_suppressed = kept.is_suppressed();
                hold.has_passed = kept.has_passed && !hold.was_suppressed;
                // That of one that was in contact, as far as is known, has begun anew just now.
                if let Some(until) = kept.until.filter(|_| record.lost.is_some()) {
                    let ago = Duration::from_secs(now.wall.0.saturating_sub(until));
                    let latest = now.instant + left(until).min(hold.length);
                    hold.until = latest.checked_sub(ago).unwrap_or(latest);
                }
            }
            if let Some(lost) = record.lost {
                let proof = Duration::from_secs(lost).saturating_add(hold.tcp_proof);
                let proof = left(proof.as_secs()).min(hold.tcp_proof);
                hold.abandoned_at = now.instant + proof;
            }
        }
        if let Some((count, last)) = record.withdrawals {
            let ago = Duration::from_secs(now.wall.0.saturating_sub(last));
            let last = self.time(now.instant).saturating_sub(ago);
            self.damper = Damper::of(count, last);
        }
        self.is_counted = self.is_withdrawn();
    }
}
