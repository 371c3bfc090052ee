//! The invariants, each a function of what must be known and what is answered.

use std::collections::BTreeMap;

use super::model::{DOUBT, Known, LONGEST, Link, Member, Model, Passed, Proof, SECOND, is_old};
use super::step::Said;
use super::writer::{Answer, FEDERATIONS, MEMBERS, SIZES};

/// How late anything may be.
const PLAY: u64 = 50;

/// How often each thing was looked at.
#[derive(Debug, Default)]
pub(super) struct Counts(pub(super) BTreeMap<&'static str, u64>);

impl Counts {
    /// It was looked at once more.
    pub(super) fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// What is looked at.
pub(super) struct View<'v> {
    /// What must be known.
    pub(super) model: &'v Model,
    /// What is answered in each federation.
    pub(super) answers: &'v [Answer],
    /// Which members are lost to the writer, with something held back of them.
    pub(super) held: &'v [(bool, bool)],
    /// When.
    pub(super) now: u64,
}

/// What a rule says: nothing, or what is wrong.
pub(super) type Verdict = Result<(), String>;

impl View<'_> {
    /// Looks at all rules that hold at every moment.
    pub(super) fn check(&self, counts: &mut Counts) -> Verdict {
        for (federation, answer) in self.answers.iter().enumerate() {
            self.sure_ones_answer(federation, answer, counts)?;
            self.down_ones_do_not(federation, answer, counts)?;
            self.sure_again_is_served(federation, answer, counts)?;
            self.silence_withdraws_nothing(federation, answer, counts)?;
            self.lost_ones_are_out(federation, answer, counts)?;
            self.brakes_end(federation, counts)?;
            self.held_back_ends(federation, answer, counts)?;
        }
        Ok(())
    }

    /// I1: a service with a sure ready shard is never empty, nor doubtful ones alone.
    fn sure_ones_answer(&self, federation: usize, answer: &Answer, counts: &mut Counts) -> Verdict {
        let mut all = self.model.of(federation);
        if !all.any(|(_, member)| member.is_sure()) {
            return Ok(());
        }
        counts.add("I1 a sure one answers");
        // One of which nothing was heard since the start may be sure, and one that its source says is
        // not ready may be held back.
        let may_be_sure = |who: &usize| {
            let member = &self.model.members[*who];
            member.is_live() || member.may_be_proven() || member.link == Link::Presumed
        };
        let is_right = answer.eligible.iter().any(may_be_sure);
        self.hold(is_right, "I1", "no sure one answers", federation, 0)
    }

    /// I2: an address that is down is not served while a sure one is there.
    fn down_ones_do_not(&self, federation: usize, answer: &Answer, counts: &mut Counts) -> Verdict {
        for (who, member) in self.model.of(federation) {
            if member.known == Known::Down && self.model.is_other_sure(federation, who) {
                counts.add("I2 a down one does not");
                let is_right = !answer.eligible.contains(&who);
                self.hold(is_right, "I2", "it is down", federation, who)?;
            }
        }
        Ok(())
    }

    /// I3: what is sure again is served after 301 s at most, and at once the first time.
    fn sure_again_is_served(
        &self,
        federation: usize,
        answer: &Answer,
        counts: &mut Counts,
    ) -> Verdict {
        for (who, member) in self.model.of(federation) {
            let Some(since) = member.sure else { continue };
            let is_back = member.went != [0; 3];
            if is_back && member.is_first() {
                counts.add("I3 the first time at once");
            } else if is_back && self.now > since + 301 * SECOND {
                counts.add("I3 later after a while");
            } else {
                continue;
            }
            let is_right = answer.eligible.contains(&who);
            self.hold(is_right, "I3", "it is sure again", federation, who)?;
        }
        Ok(())
    }

    /// I4: silence of a source alone withdraws nothing within `hold`, nor while its member lists.
    fn silence_withdraws_nothing(
        &self,
        federation: usize,
        answer: &Answer,
        counts: &mut Counts,
    ) -> Verdict {
        for (who, member) in self.model.of(federation) {
            let hold = member.holds[federation];
            let until = match member.link {
                Link::Listing(since, _) if since < hold.earliest => {
                    hold.earliest.max(since + 60 * SECOND)
                }
                Link::Lost(_) | Link::Presumed | Link::Listing(..) => hold.earliest,
                Link::Never | Link::Live(_) => continue,
            };
            let is_kept = !matches!(member.known, Known::Damped | Known::Down | Known::MaybeDown);
            if !hold.is_guarded || self.now >= until || !is_kept || member.said != Said::Ready {
                continue;
            }
            counts.add("I4 silence withdraws nothing");
            let is_right = answer.eligible.contains(&who);
            self.hold(is_right, "I4", "its hold has not passed", federation, who)?;
        }
        Ok(())
    }

    /// I5: a lost, doubtful member is out after its hold where a sure one is left, whatever others do,
    /// and stays out: no restart, reload, brake or begun list takes that back.
    fn lost_ones_are_out(
        &self,
        federation: usize,
        answer: &Answer,
        counts: &mut Counts,
    ) -> Verdict {
        for (who, member) in self.model.of(federation) {
            let is_gone = matches!(
                member.link,
                Link::Lost(_) | Link::Presumed | Link::Listing(..)
            );
            let is_left = self.model.is_other_sure(federation, who);
            if !is_gone || member.may_be_proven() || !is_left {
                continue;
            }
            let hold = member.holds[federation];
            let is_over = !matches!(member.link, Link::Listing(..))
                && self.model.brakes[federation].is_none()
                && self.now > hold.latest + PLAY;
            if hold.is_withdrawn {
                counts.add("I5 withdrawn ones stay out");
            } else if is_over {
                counts.add("I5 holds pass");
            } else {
                continue;
            }
            let is_right = !answer.eligible.contains(&who);
            self.hold(is_right, "I5", "its hold has passed", federation, who)?;
        }
        Ok(())
    }

    /// I5: every brake ends: after a minute of contact with any member, and after ten minutes.
    fn brakes_end(&self, federation: usize, counts: &mut Counts) -> Verdict {
        let Some(on) = self.model.brakes[federation] else {
            return Ok(());
        };
        counts.add("I5 brakes end");
        let heard = self
            .model
            .of(federation)
            .filter_map(|(_, member)| match member.link {
                Link::Live(since) => Some(since.max(on) + DOUBT),
                _ => None,
            });
        let until = heard.fold(on + LONGEST, u64::min);
        let is_right = self.now <= until + PLAY;
        self.hold(is_right, "I5", "its brake is on", federation, 0)
    }

    /// I6: nothing is held back of a member whose hold has passed everywhere.
    fn held_back_ends(&self, federation: usize, answer: &Answer, counts: &mut Counts) -> Verdict {
        for (who, member) in self.model.of(federation) {
            let (is_lost, is_held) = self.held[who];
            if is_lost && member.out.is_some() {
                counts.add("I6 a hold lets through");
                let is_right = !is_held && !answer.available.contains(&who);
                self.hold(is_right, "I6", "it is held back", federation, who)?;
            }
        }
        Ok(())
    }

    /// I6 and I7: what a source says has gone is gone.
    pub(super) fn is_gone(&self, who: usize, rule: &str) -> Verdict {
        for (federation, answer) in self.answers.iter().enumerate() {
            let is_right = !answer.available.contains(&who);
            self.hold(is_right, rule, "it is withdrawn late", federation, who)?;
        }
        Ok(())
    }

    /// I9: a restart changes no answer but by what is due, and none that is frozen.
    pub(super) fn restart_changes_nothing(
        &self,
        before: &[Answer],
        (kept, is_frozen, set): (&Model, bool, i64),
        counts: &mut Counts,
    ) -> Verdict {
        // What is forgotten while answers are frozen is still on disk, and may count again.
        if is_old(set) || (is_frozen && kept.is_forgotten) {
            return Ok(());
        }
        for (federation, (before, after)) in before.iter().zip(self.answers).enumerate() {
            let is_due = kept
                .of(federation)
                .any(|(_, member)| self.is_due(set, member, federation));
            let is_damped = !before.damped.is_empty();
            // A clock that was set while nobody looked makes the quiet time of what went out too often another one.
            let is_often = |(_, member): (_, &Member)| member.went[0] > 1;
            let is_redated = set != 0 && kept.of(federation).any(is_often);
            let is_let_back = before.undamped.is_some_and(|left| left <= 2) || is_redated;
            if !is_frozen && (is_due || is_let_back) {
                continue;
            }
            let is_same = before.eligible == after.eligible;
            let is_doubtful = kept.of(federation).any(|(_, member)| member.gone.is_some());
            let is_proven = kept
                .of(federation)
                .any(|(_, member)| member.gone.is_some() && member.proof == Proof::Yes);
            counts.add(match (is_frozen, is_damped, is_proven, is_doubtful) {
                (true, ..) => "I9 a restart while frozen",
                (_, true, ..) => "I9 a restart with damped shards",
                (_, _, true, _) => "I9 a restart with proofs",
                (_, _, _, true) => "I9 a restart with lost members",
                _ => "I9 a restart",
            });
            let what = format!("before the restart: {before:?}");
            self.hold(is_same, "I9", &what, federation, 0)?;
        }
        Ok(())
    }

    /// Whether something of a member is due as another process starts, within what whole seconds
    /// leave open.
    fn is_due(&self, set: i64, member: &Member, federation: usize) -> bool {
        let hold = member.holds[federation];
        let is_soon = hold.earliest <= self.now + 2 * SECOND && self.now <= hold.latest + PLAY;
        let is_hold = member.gone.is_some() && (is_soon || set != 0);
        let is_ending = |passed: Passed| passed.surely <= self.now + 2 * SECOND || set != 0;
        let is_proof = member.proof == Proof::Maybe || member.passed.is_some_and(is_ending);
        is_hold || (is_proof && member.may_be_proven()) || member.known == Known::MaybeDown
    }

    /// What is wrong if something is.
    fn hold(
        &self,
        is_right: bool,
        rule: &str,
        what: &str,
        federation: usize,
        who: usize,
    ) -> Verdict {
        if is_right {
            return Ok(());
        }
        let (federation, size) = (FEDERATIONS[federation], SIZES[federation]);
        let View {
            model,
            answers,
            now,
            ..
        } = self;
        Err(format!(
            "{rule}: {what} ({} of {size} members of {federation}) after {now} ms\n{answers:#?}\n{model:#?}",
            MEMBERS[who]
        ))
    }
}
