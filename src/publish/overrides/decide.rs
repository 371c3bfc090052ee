//! What operators have decided over the configuration, and what follows for answers.
//!
//! ```text
//! Command ──decide──▶ kept on disk ──put in force──▶ shares, publication ──▶ reply
//!                                         ▲
//!    each second: ends, shares ───────────┘   (while frozen: nothing)
//! ```
//!
//! While answers are frozen the writer folds on in memory, publishes nothing and writes no facts, so
//! that a restart begins with what was frozen.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;
use tracing::{info, warn};

use super::steady::dated;
use super::targets::{check_known, meant, meant_as_published, notes, shares};
use crate::model::limits::DRAINS;
use crate::model::{
    Drain, EventKind, FULL_SHARE, Freeze, MemberSet, OverrideTarget, Overrides, Peer, UnixSeconds,
};
use crate::publish::command::{
    ActiveOverrides, CommandOutcome, CommandRefused, InForce, OperatorCommand, giver,
};
use crate::publish::now::Now;
use crate::publish::outbox::Outbox;
use crate::publish::outbox::events::TransitionEvent;
use crate::publish::overrides::{OverrideState, PendingCommand};
use crate::snapshot::{Snapshot, UNSETTLED_TTL};

/// How much later than computed a share may be in answers: the clock is looked at once in a second,
/// and moments are whole seconds.
const LATE: Duration = Duration::from_secs(2);

impl OverrideState {
    /// What would be in force after a command; moments that caches decide are left open.
    pub(in crate::publish) fn decide(
        &self,
        command: &OperatorCommand,
        out: &Outbox,
        now: UnixSeconds,
    ) -> Result<Overrides, CommandRefused> {
        let mut next = self.now.clone();
        let after = |lasting: &Option<Duration>| lasting.map(|lasting| later(now, lasting));
        match command {
            OperatorCommand::Drain {
                target,
                over,
                lasting,
            } => {
                check_known(target, out)?;
                let until = after(lasting);
                let moment = next.moment(now);
                let place = next.drains.iter().position(|drain| drain.target == *target);
                let old = place.map(|place| next.drains.remove(place));
                let from = old.as_ref().map_or(FULL_SHARE, |old| old.share(moment));
                let drain = match old {
                    // It is out: only its end may change.
                    Some(old) if from == 0 => Drain { until, ..old },
                    None if DRAINS.is_exceeded_by(next.drains.len() as u64 + 1) => {
                        out.metrics.limit_exceeded(&DRAINS);
                        return Err(CommandRefused::TooMany);
                    }
                    _ => Drain {
                        target: target.clone(),
                        from,
                        begun: next.frozen.is_none().then_some(now),
                        over: *over,
                        until,
                        safe_at: None,
                    },
                };
                next.drains.push(drain);
            }
            OperatorCommand::Uncordon(target) => {
                let is_frozen = next.frozen.is_some();
                let place = next.drains.iter().position(|drain| drain.target == *target);
                let Some(place) = place else {
                    return Err(CommandRefused::NotOut {
                        target: target.clone(),
                        others: next.drains.into_iter().map(|drain| drain.target).collect(),
                    });
                };
                match next.drains.get_mut(place) {
                    // It is out of the frozen answers, which a restart must find again.
                    Some(drain) if is_frozen && drain.begun.is_some() => drain.until = Some(now),
                    _ => drop(next.drains.remove(place)),
                }
            }
            OperatorCommand::Freeze { lasting } => {
                let since = next.moment(now);
                for drain in &mut next.drains {
                    drain.safe_at = drain.safe_at.filter(|_| drain.share(since) == 0);
                }
                next.frozen = Some(Freeze {
                    since,
                    until: after(lasting),
                });
            }
            OperatorCommand::Thaw => next = thawed(&next, now).ok_or(CommandRefused::NotFrozen)?,
            // Nothing of it is kept: it is done at once.
            OperatorCommand::Confirm(_) | OperatorCommand::ConfirmMembers => {}
        }
        Ok(next)
    }

    /// Fills in the moments after which nothing of what is drained can be in a cache. `published` is
    /// the snapshot whose answers may be there.
    pub(in crate::publish) fn fill_safe(
        &self,
        overrides: &mut Overrides,
        published: &Snapshot,
        out: &Outbox,
        now: Instant,
    ) {
        if overrides.frozen.is_some() {
            return;
        }
        let moment = self.clock.now(now);
        for drain in &mut overrides.drains {
            if drain.safe_at.is_none() {
                let ttl = self.longest_left(published, &drain.target, out, now);
                drain.safe_at = Some(safe_at(drain, ttl, moment));
            }
        }
    }

    /// Puts decisions in force. Returns what the command has brought about.
    pub(in crate::publish) fn put_in_force(
        &mut self,
        asked: &PendingCommand,
        published: &Snapshot,
        out: &mut Outbox,
        now: Now,
    ) -> CommandOutcome {
        let PendingCommand { command, next, .. } = asked;
        let mut next = next.clone();
        self.fill_safe(&mut next, published, out, now.instant);
        let before = std::mem::replace(&mut self.now, next);
        out.is_dirty |= self.apply_shares(published, out, now);
        self.announce(asked, &before, out, now);
        let standing = self.shown.borrow().clone();
        CommandOutcome {
            drain: match command {
                OperatorCommand::Drain { target, .. } => {
                    let mut drains = standing.drains.iter();
                    drains.find(|drain| drain.drain.target == *target).cloned()
                }
                _ => None,
            },
            frozen: standing.frozen,
            notes: notes(command, &standing, out),
        }
    }

    /// Ends what ends by itself.
    pub(in crate::publish) fn end_what_is_over(
        &mut self,
        published: &Snapshot,
        out: &mut Outbox,
        now: Now,
    ) {
        let moment = self.clock.now(now.instant);
        let is_over = |until: Option<UnixSeconds>| until.is_some_and(|until| until <= moment);
        let before = self.now.clone();
        if before.frozen.is_some_and(|freeze| is_over(freeze.until))
            && let Some(mut next) = thawed(&before, moment)
        {
            self.fill_safe(&mut next, published, out, now.instant);
            self.now = next;
            let why = "expired".to_owned();
            overridden(
                out,
                now,
                "answers".to_owned(),
                ("frozen", "live"),
                why,
                None,
            );
        }
        if self.is_frozen() {
            return;
        }
        let over = |drain: &mut Drain| is_over(drain.until);
        let ended: Vec<_> = self.now.drains.extract_if(.., over).collect();
        for drain in ended {
            let from = drain.state(drain.share(moment));
            let why = "expired".to_owned();
            overridden(out, now, drain.target.to_string(), (from, "in"), why, None);
        }
    }

    /// Follows what time and members have made of drains since they were last shown.
    fn follow_drains(&mut self, published: &Snapshot, out: &mut Outbox, now: Now) {
        let before = self.shown.borrow().clone();
        let shown = before.drains.iter();
        let shown: HashMap<_, _> = shown.map(|was| (&was.drain.target, was)).collect();
        for is in self.standing(out, now).drains {
            let drain = &is.drain;
            let is_same =
                |was: &&&InForce| (was.drain.begun, was.drain.over) == (drain.begun, drain.over);
            let Some(was) = shown.get(&drain.target).filter(is_same) else {
                continue;
            };
            if was.state() == "draining" && is.state() == "out" {
                let why = "fully drained".to_owned();
                overridden(
                    out,
                    now,
                    drain.target.to_string(),
                    ("draining", "out"),
                    why,
                    None,
                );
            }
            if was.members != is.members {
                self.widen(&drain.target, published, out, now.instant);
            }
        }
    }

    /// A place that is drained has other members: their addresses may be in caches too.
    fn widen(&mut self, target: &OverrideTarget, published: &Snapshot, out: &Outbox, now: Instant) {
        let ttl = self.longest_left(published, target, out, now);
        let moment = self.clock.now(now);
        let mut drains = self.now.drains.iter_mut();
        if let Some(drain) = drains.find(|drain| drain.target == *target) {
            let safe = safe_at(drain, ttl, moment);
            drain.safe_at = drain.safe_at.map(|before| before.max(safe));
        }
    }

    /// For how many seconds at most a cache may still name what a target means.
    pub(in crate::publish) fn longest_left(
        &self,
        published: &Snapshot,
        target: &OverrideTarget,
        out: &Outbox,
        now: Instant,
    ) -> u32 {
        let lingering = &self.lingering;
        let (ttl, until) = if let OverrideTarget::Service(name) = target {
            let called = published.renamed(name);
            (
                published.longest_ttl_of(name),
                lingering.of_service(name, called),
            )
        } else {
            // What is published may be of another configuration, which numbers them otherwise.
            let meant = meant(target, out.builder.fleet(), &out.builder);
            let names: Vec<_> = meant.iter().filter_map(|m| out.name(m)).collect();
            let members = published.fleet().members.iter();
            let members = members.filter(|(_, member)| names.contains(&member.name));
            let members: MemberSet = members.map(|(index, _)| index).collect();
            let members = members | meant_as_published(target, published);
            (
                published.longest_ttl(members),
                lingering.of_members(members),
            )
        };
        let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        ttl.max(u32::try_from(whole).unwrap_or(u32::MAX))
    }

    /// Gives the snapshot to come the shares of this moment, and shows them. Returns whether any has
    /// changed.
    pub(in crate::publish) fn apply_shares(
        &mut self,
        published: &Snapshot,
        out: &mut Outbox,
        now: Now,
    ) -> bool {
        let overrides = &*self;
        let clock = overrides.clock;
        let moment = overrides.now.moment(clock.now(now.instant));
        let troubles = overrides.storage.troubles();
        let applied = overrides.applied.as_ref();
        let applied = applied.filter(|_| overrides.shown.borrow().troubles == troubles);
        if applied.is_some_and(|(of, at, ahead)| {
            (of, *at, *ahead) == (&overrides.now, moment, clock.ahead())
        }) {
            return false;
        }
        self.follow_drains(published, out, now);
        let standing = self.standing(out, now);
        out.metrics.set_frozen(standing.frozen.is_some());
        out.metrics.set_drained(standing.drains.len());
        let troubles = self.storage.count();
        out.metrics.set_state_troubles(troubles);
        self.shown.send_if_modified(|shown| {
            let is_new = **shown != standing;
            if is_new {
                *shown = Arc::new(standing.clone());
            }
            is_new
        });
        let overrides = &self.now;
        let applied = (overrides.clone(), moment, self.clock.ahead());
        let shares = shares(overrides, moment, out.builder.fleet(), &out.builder);
        self.applied = Some(applied);
        out.builder.set_shares(shares)
    }

    /// What is in force, and what it does, by the dates of the wall clock.
    fn standing(&self, out: &Outbox, now: Now) -> ActiveOverrides {
        let clock = &self.clock;
        let overrides = dated(&self.now, clock.ahead());
        let moment = self.now.moment(clock.now(now.instant));
        let moment = UnixSeconds(moment.0.saturating_add_signed(clock.ahead()));
        let in_force = |drain: &Drain| InForce {
            members: meant(&drain.target, out.builder.fleet(), &out.builder)
                .iter()
                .filter_map(|member| out.name(member))
                .collect(),
            share: drain.share(moment),
            drain: drain.clone(),
        };
        ActiveOverrides {
            frozen: overrides.frozen,
            drains: overrides.drains.iter().map(in_force).collect(),
            troubles: self.storage.troubles(),
        }
    }

    /// Says at the start what an earlier process has left in force.
    pub(in crate::publish) fn announce_restored(&self) {
        let Overrides { frozen, drains } = &self.now;
        if frozen.is_some() {
            warn!("answers are frozen until `gazetteer thaw`");
        }
        for drain in drains {
            info!(target = %drain.target, "still drained from before the restart");
        }
    }

    /// Shows that a command was obeyed.
    fn announce(&self, asked: &PendingCommand, before: &Overrides, out: &mut Outbox, now: Now) {
        let moment = before.moment(self.clock.now(now.instant));
        let state =
            |drain: Option<&Drain>| drain.map_or("in", |drain| drain.state(drain.share(moment)));
        let frozen = |overrides: &Overrides| match overrides.frozen {
            Some(_) => "frozen",
            None => "live",
        };
        let PendingCommand { command, by, .. } = asked;
        let why = |what: &str| format!("{what}, by {}", giver(*by));
        let after = frozen(&self.now);
        let (subject, from, to, why) = match command {
            OperatorCommand::Drain { target, over, .. } => {
                let verb = if over.is_zero() {
                    "cordon".to_owned()
                } else {
                    let seconds = i64::try_from(over.as_secs()).unwrap_or(i64::MAX);
                    format!("drain over {:#}", SignedDuration::from_secs(seconds))
                };
                let from = state(before.drain(target));
                let to = state(self.now.drain(target));
                (target.to_string(), from, to, why(&verb))
            }
            OperatorCommand::Uncordon(target) => {
                let from = state(before.drain(target));
                (target.to_string(), from, "in", why("uncordon"))
            }
            OperatorCommand::Freeze { .. } => {
                ("answers".to_owned(), frozen(before), after, why("freeze"))
            }
            OperatorCommand::Thaw => ("answers".to_owned(), frozen(before), after, why("thaw")),
            OperatorCommand::Confirm(_) | OperatorCommand::ConfirmMembers => return,
        };
        overridden(out, now, subject, (from, to), why, *by);
    }
}

/// An override came into another state: a line of the log, a count, an event.
fn overridden(
    out: &mut Outbox,
    now: Now,
    subject: String,
    (from, to): (&str, &str),
    why: String,
    by: Option<Peer>,
) {
    out.transited(
        now,
        TransitionEvent {
            kind: EventKind::Override,
            subject,
            from: from.to_owned(),
            to: to.to_owned(),
            why,
            by,
            is_worse: false,
        },
    );
}

/// What is in force once answers are no longer frozen; `None` if they are not. What was half drained
/// goes on from where it was.
fn thawed(overrides: &Overrides, now: UnixSeconds) -> Option<Overrides> {
    let since = overrides.frozen?.since;
    let mut drains = overrides.drains.clone();
    drains.retain(|drain| drain.until.is_none_or(|until| until > now));
    for drain in &mut drains {
        let share = drain.share(since);
        match drain.begun {
            Some(_) if share == 0 => {}
            Some(begun) => {
                let passed = Duration::from_secs(since.0.saturating_sub(begun.0));
                drain.over = drain.over.saturating_sub(passed);
                drain.from = share;
                drain.begun = Some(now);
            }
            None => drain.begun = Some(now),
        }
    }
    Some(Overrides {
        frozen: None,
        drains,
    })
}

/// After which moment no unexpired answer can name what a drain has taken out: answers from before
/// it have at most `ttl` seconds left, those of its time [`UNSETTLED_TTL`].
fn safe_at(drain: &Drain, ttl: u32, now: UnixSeconds) -> UnixSeconds {
    let before = later(now, Duration::from_secs(u64::from(ttl)));
    let during = drain.out_at().filter(|_| !drain.over.is_zero());
    let during = during.map(|out| later(out, Duration::from_secs(u64::from(UNSETTLED_TTL))));
    later(during.map_or(before, |during| during.max(before)), LATE)
}

/// A moment that much later.
fn later(moment: UnixSeconds, by: Duration) -> UnixSeconds {
    UnixSeconds(moment.0.saturating_add(by.as_secs()))
}
