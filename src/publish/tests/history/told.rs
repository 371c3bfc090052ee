//! One history: what happens is told to the writer and to the model, and they are compared.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::{Link, Model, SECOND};
use super::rules::{Counts, Verdict, View};
use super::step::{Found, List, Reload, Said, Step};
use super::writer::{Answer, FEDERATIONS, MEMBERS, OTHERS, Writer, ago, facts, other, others};
use crate::model::{Change, Delta, Evidence, Loss, MemberState, ProbeTarget, UnixSeconds};
use crate::publish::OperatorCommand;
use crate::publish::tests::fixture::named;

/// What follows from a step is out after this time.
const SOON: Duration = Duration::from_millis(25);

/// One history.
pub(super) struct History {
    /// Where the state is.
    folder: tempfile::TempDir,
    /// The writer; `None` while it is being replaced.
    writer: Option<Writer>,
    /// What must be known.
    model: Model,
    /// The same as it was when answers were frozen: that is on disk.
    frozen: Option<Model>,
    /// The targets that have verdicts.
    probed: BTreeMap<usize, ProbeTarget>,
    /// What was done and looked at.
    counts: Counts,
}

impl History {
    /// Every member has listed all its services.
    pub(super) async fn begin(is_probed: bool) -> Result<Self, String> {
        // In memory where that can be had: what a disk takes is no part of it.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.unwrap();
        let writer = Writer::new(folder.path());
        let mut history = Self {
            folder,
            writer: Some(writer),
            model: Model::new(),
            frozen: None,
            probed: BTreeMap::new(),
            counts: Counts::default(),
        };
        for who in 0..MEMBERS.len() {
            history.apply(Step::List(who, List::Full));
        }
        history.pass(SOON).await?;
        if is_probed {
            let found = Found {
                verdict: crate::model::Verdict::Up,
                is_recent: true,
            };
            for who in 0..MEMBERS.len() {
                history.apply(Step::Probe(who, found));
            }
            history.pass(SOON).await?;
        }
        Ok(history)
    }

    /// It ends; what was done is added to what was done before.
    pub(super) fn end(self, counts: &mut Counts) {
        self.writer.unwrap().end();
        for (what, times) in self.counts.0 {
            *counts.0.entry(what).or_default() += times;
        }
    }

    /// The writer.
    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().unwrap()
    }

    /// Does a step and lets what follows at once happen.
    pub(super) async fn step(&mut self, step: Step) -> Verdict {
        let now = self.writer().time();
        let before = self.writer().answers();
        let was = self.model.clone();
        let (is_done, wanted) = match step {
            Step::Pass(time) => {
                self.pass(time).await?;
                (true, None)
            }
            Step::Restart | Step::Crash | Step::Away(_) => {
                self.restart(step, now)?;
                (true, None)
            }
            Step::Flap(who) => {
                let is_done = self.model.members[who].is_live();
                for said in [Said::Unready, Said::Ready].into_iter().cycle().take(6) {
                    self.apply(Step::Say(who, said));
                    self.pass(SOON).await?;
                }
                (is_done, None)
            }
            step => (self.apply(step), Self::wanted(step, &was, &before, now)),
        };
        if is_done {
            self.counts.add(step.name());
        }
        self.pass(SOON).await?;
        if self.frozen.is_none() && self.writer().is_frozen() {
            self.frozen = Some(self.model.clone());
        }
        if !self.writer().is_frozen() {
            self.frozen = None;
            for hold in self.model.members.iter_mut().flat_map(|it| &mut it.holds) {
                hold.begins_anew = false;
            }
        }
        if is_done
            && let Some((who, rule)) = wanted
            && !self.writer().is_frozen()
        {
            self.counts.add(rule);
            self.view(|view, _| view.is_gone(who, rule))?;
        }
        Ok(())
    }

    /// Which withdrawal must follow from a step at once, and by which rule.
    fn wanted(
        step: Step,
        was: &Model,
        before: &[Answer],
        now: u64,
    ) -> Option<(usize, &'static str)> {
        let (who, is_list) = match step {
            Step::Say(who, Said::Unready | Said::Absent) => (who, false),
            Step::List(who, List::But(Said::Unready | Said::Absent) | List::One) => (who, true),
            _ => return None,
        };
        let member = &was.members[who];
        let is_late = member
            .out
            .is_some_and(|since| now > since + 5 * SECOND + 100);
        if is_list && is_late {
            return Some((who, "I6 a second list confirms"));
        }
        let is_own = was.bursts.iter().any(|(of, _, _)| *of == who);
        let mut others = was.bursts.iter().map(|(of, _, _)| *of);
        let first = others.next()?;
        let is_alone = others.all(|of| of == first);
        let is_burst = was.bursts.iter().any(|(_, _, count)| *count >= OTHERS);
        let is_served = before.iter().any(|answer| answer.available.contains(&who));
        let is_one = step != Step::List(who, List::One) && member.has_others;
        let is_free = !is_own && is_alone && is_burst && is_served && is_one;
        (is_free && member.said == Said::Ready)
            .then_some((who, "I7 another's burst delays nothing"))
    }

    /// Tells a step to the writer and to the model. Returns whether it could happen.
    fn apply(&mut self, step: Step) -> bool {
        let writer = self.writer.as_mut().unwrap();
        let now = writer.time();
        let model = &mut self.model;
        match step {
            Step::Pass(_) | Step::Restart | Step::Crash | Step::Away(_) | Step::Flap(_) => {}
            Step::Lost(who) => {
                let served = served(&writer.answers(), who);
                model.lost(who, served, &writer.rules, now);
                writer.say(who, Change::Lost(Loss::Watch("gone".to_owned())));
            }
            Step::Returning(who) => {
                if !model.returning(who, now) {
                    return false;
                }
                writer.say(who, Change::Returning);
            }
            Step::Resumed(who) => {
                let link = model.members[who].link;
                let is_gone = matches!(link, Link::Lost(_) | Link::Listing(..));
                if !model.members[who].is_heard || !is_gone {
                    return false;
                }
                model.live(who, now);
                writer.say(who, Change::Resumed);
            }
            Step::List(who, list) => {
                let had_others = model.members[who].has_others;
                let (said, mut all, has_others) = match list {
                    List::Full => (Said::Ready, others(who), true),
                    List::But(said) if had_others => (said, others(who), true),
                    List::But(said) => (said, Vec::new(), false),
                    List::One => (Said::Absent, others(who).split_off(OTHERS - 1), false),
                };
                all.extend(facts(who, said).map(|facts| (named("s"), facts)));
                let gone = if had_others && !has_others { OTHERS } else { 0 };
                model.members[who].has_others = has_others;
                model.live(who, now);
                model.say(who, said, gone, now);
                writer.say(who, Change::Synced(all));
            }
            Step::Say(who, said) => {
                if !model.members[who].is_live() {
                    return false;
                }
                model.say(who, said, 0, now);
                writer.say(
                    who,
                    match facts(who, said) {
                        Some(facts) => Change::Upsert(named("s"), facts),
                        None => Change::Remove(named("s")),
                    },
                );
            }
            Step::Burst(who) => {
                let member = &mut model.members[who];
                if !member.is_live() || !member.has_others {
                    return false;
                }
                member.has_others = false;
                model.bursts.push((who, now, OTHERS));
                for number in 0..OTHERS {
                    writer.say(who, Change::Remove(other(number)));
                }
            }
            Step::Probe(who, found) => {
                let target = writer.target(who);
                if !writer.is_probed(&target) || !model.probed(who, found) {
                    return false;
                }
                let evidence = Evidence {
                    verdict: found.verdict,
                    since: UnixSeconds(0),
                    seen: "seen".into(),
                    unproven_since: (!found.is_recent).then_some(UnixSeconds(0)),
                };
                self.probed.insert(who, target.clone());
                writer.fold(Delta::Probed(vec![(target, Some(evidence))]));
            }
            Step::Reload(reload) => self.reload(reload),
            Step::Freeze if writer.is_frozen() => return false,
            Step::Freeze => writer.command(OperatorCommand::Freeze { lasting: None }),
            Step::Thaw if !writer.is_frozen() => return false,
            Step::Thaw => writer.command(OperatorCommand::Thaw),
            Step::Wall(seconds) => {
                writer.set += seconds;
                writer.set_wall();
            }
        }
        true
    }

    /// A new configuration comes.
    fn reload(&mut self, reload: Reload) {
        let writer = self.writer.as_mut().unwrap();
        let before = writer.rules.clone();
        writer.reload(self.folder.path(), reload);
        let now = writer.time();
        self.model.reload(&before, &writer.rules, now);
        if let Some(frozen) = &mut self.frozen {
            let was = frozen.clone();
            frozen.reload(&before, &writer.rules, now);
            // On disk it ends as it did, whatever holds are now.
            for (is, was) in frozen.members.iter_mut().zip(was.members) {
                for (is, was) in is.holds.iter_mut().zip(was.holds) {
                    is.earliest = is.earliest.min(was.earliest);
                }
            }
        }
    }

    /// Another process begins.
    fn restart(&mut self, step: Step, now: u64) -> Verdict {
        let writer = self.writer.take().unwrap();
        let before = writer.answers();
        let set = match step {
            Step::Away(set) => set,
            _ => 0,
        };
        let writer = writer.restart(self.folder.path(), step == Step::Restart, set);
        // What is on disk is what was known when answers were frozen.
        let kept = self.frozen.clone().unwrap_or_else(|| self.model.clone());
        self.model = kept.clone();
        let served = |who| served(&before, who);
        let is_frozen = writer.is_frozen();
        self.model
            .restart((set, is_frozen), served, &writer.rules, now);
        self.probed.clear();
        if self.frozen.is_some() {
            self.frozen = Some(self.model.clone());
        }
        self.writer = Some(writer);
        let kept = (&kept, is_frozen, set);
        self.view(|view, counts| view.restart_changes_nothing(&before, kept, counts))
    }

    /// Lets time pass, and looks at the rules whenever something was due.
    async fn pass(&mut self, time: Duration) -> Verdict {
        let mut left = time;
        self.settle().await?;
        while !left.is_zero() {
            left -= self.writer().advance(left).await;
            self.settle().await?;
        }
        Ok(())
    }

    /// Does what is due, and looks at the rules.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method itself is of one lifetime of the view alone"
    )]
    async fn settle(&mut self) -> Verdict {
        loop {
            self.writer().settle().await;
            let writer = self.writer.as_mut().unwrap();
            let is_gone = |(_, target): &(&usize, &ProbeTarget)| !writer.is_probed(target);
            let gone = self.probed.iter().find(is_gone);
            let Some((who, target)) = gone.map(|(who, target)| (*who, target.clone())) else {
                break;
            };
            self.probed.remove(&who);
            self.model.unprobed(who, writer.time());
            writer.fold(Delta::Probed(vec![(target, None)]));
        }
        let writer = self.writer.as_mut().unwrap();
        let now = writer.time();
        let brakes = [0, 1].map(|federation| {
            let brake = writer.core.world.members.states.brake(federation);
            brake.map(|(on, _)| now - ago(on))
        });
        let probed: Vec<bool> = (0..MEMBERS.len())
            .map(|who| writer.is_probed(&writer.target(who)))
            .collect();
        self.model.observe(brakes, &probed, &writer.rules, now);
        if writer.is_frozen() || writer.is_unpublished() {
            return Ok(());
        }
        self.view(|view, counts| view.check(counts))?;
        let answers = self.writer().answers();
        for (federation, answer) in answers.iter().enumerate() {
            for who in &answer.withdrawn {
                self.model.members[*who].holds[federation].is_withdrawn = true;
            }
        }
        Ok(())
    }

    /// Looks at what is answered now.
    fn view(&mut self, look: impl FnOnce(&View<'_>, &mut Counts) -> Verdict) -> Verdict {
        let writer = self.writer.as_ref().unwrap();
        let held: Vec<(bool, bool)> = (0..MEMBERS.len())
            .map(|who| {
                let (world, index) = (&writer.core.world, writer.index(who));
                let is_lost = world.members.states.state(index) == Some(MemberState::Lost);
                (is_lost, world.shards.held_back_of(index).is_some())
            })
            .collect();
        let view = View {
            model: &self.model,
            answers: &writer.answers(),
            held: &held,
            now: writer.time(),
        };
        look(&view, &mut self.counts)
    }
}

/// Whether a member is served in each federation.
fn served(answers: &[Answer], who: usize) -> [bool; FEDERATIONS.len()] {
    [0, 1].map(|federation| answers[federation].eligible.contains(&who))
}
