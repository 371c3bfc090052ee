//! What operators have decided, in force: what follows for answers, what everybody sees of it, and what
//! time makes of it.
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

use jiff::SignedDuration;
use tracing::{info, warn};

use super::decision::decided;
use super::steady::dated;
use super::targets::{meant, notes, shares};
use crate::model::{Drain, EventKind, Overrides, Peer, UnixSeconds};
use crate::publish::command::{
    ActiveOverrides, CommandOutcome, CommandRequest, InForce, OperatorCommand, OverrideOrigin,
    giver,
};
use crate::publish::now::Now;
use crate::publish::outbox::Outbox;
use crate::publish::outbox::events::TransitionEvent;
use crate::publish::overrides::{OverrideState, PendingCommand};
use crate::snapshot::Snapshot;

impl OverrideState {
    /// Puts decisions in force. Returns what the command has brought about.
    pub(in crate::publish) fn put_in_force(
        &mut self,
        asked: &PendingCommand,
        published: &Snapshot,
        out: &mut Outbox,
        now: Now,
    ) -> CommandOutcome {
        let command = &asked.request.command;
        let mut next = asked.next.clone();
        self.fill_safe(&mut next, self.host.now.frozen, published, out, now.instant);
        let before = std::mem::replace(&mut self.now, next);
        self.settle_host(published, out, now.instant);
        out.is_dirty |= self.apply_shares(published, out, now);
        self.announce(&asked.request, &before, out, now);
        let standing = self.shown.borrow().clone();
        CommandOutcome {
            drain: match command {
                OperatorCommand::Drain { target, .. } => {
                    let mut drains = standing.drains.iter();
                    let is_it = |drain: &&InForce| {
                        drain.origin == OverrideOrigin::Local && drain.drain.target == *target
                    };
                    drains.find(is_it).cloned()
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
            && let Ok(mut next) = decided(
                &before,
                self.host.now.frozen,
                &OperatorCommand::Thaw,
                moment,
            )
        {
            self.fill_safe(&mut next, self.host.now.frozen, published, out, now.instant);
            self.now = next;
            self.settle_host(published, out, now.instant);
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
        // A host may have thawed while nobody looked.
        if self.now.drains.iter().any(|drain| drain.begun.is_none()) {
            let mut next = self.now.clone();
            for drain in &mut next.drains {
                drain.begun.get_or_insert(moment);
            }
            self.fill_safe(&mut next, None, published, out, now.instant);
            self.now = next;
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
        let shown: HashMap<_, _> = shown
            .map(|was| ((was.origin, &was.drain.target), was))
            .collect();
        for is in self.standing(out, now).drains {
            let drain = &is.drain;
            let is_same =
                |was: &&&InForce| (was.drain.begun, was.drain.over) == (drain.begun, drain.over);
            let Some(was) = shown.get(&(is.origin, &drain.target)).filter(is_same) else {
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

    /// Gives the snapshot to come the shares of this moment, and shows them. Returns whether any has
    /// changed.
    pub(in crate::publish) fn apply_shares(
        &mut self,
        published: &Snapshot,
        out: &mut Outbox,
        now: Now,
    ) -> bool {
        let clock = self.clock;
        let overrides = self.in_force();
        let moment = overrides.moment(clock.now(now.instant));
        let troubles = self.storage.troubles();
        let host = self.host.standing(clock.ahead());
        let applied = self.applied.as_ref();
        let applied = applied.filter(|_| {
            let shown = self.shown.borrow();
            shown.troubles == troubles && shown.host == host
        });
        if applied
            .is_some_and(|(of, at, ahead)| (of, *at, *ahead) == (&overrides, moment, clock.ahead()))
        {
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
        // Places that have other members may have widened what is to be safe.
        let overrides = self.in_force();
        let shares = shares(&overrides, moment, out.builder.fleet(), &out.builder);
        self.applied = Some((overrides, moment, clock.ahead()));
        out.builder.set_shares(shares)
    }

    /// What is in force, and what it does, by the dates of the wall clock.
    fn standing(&self, out: &Outbox, now: Now) -> ActiveOverrides {
        let ahead = self.clock.ahead();
        let freeze = self.freeze();
        let moment = freeze.map_or(self.clock.now(now.instant), |freeze| freeze.since);
        let moment = UnixSeconds(moment.0.saturating_add_signed(ahead));
        let origins = [
            (OverrideOrigin::Local, &self.now),
            (OverrideOrigin::Host, &self.host.now),
        ];
        let in_force = |origin, drain: Drain| InForce {
            origin,
            members: meant(&drain.target, out.builder.fleet(), &out.builder)
                .iter()
                .filter_map(|member| out.name(member))
                .collect(),
            share: drain.share(moment),
            drain,
        };
        let drains = origins.iter().flat_map(|(origin, overrides)| {
            let drains = dated(overrides, ahead).drains.into_iter();
            drains.map(move |drain| in_force(*origin, drain))
        });
        let frozen_by = origins.iter().filter(|(_, by)| by.frozen.is_some());
        ActiveOverrides {
            frozen: dated(&self.in_force(), ahead).frozen,
            frozen_by: frozen_by.map(|(origin, _)| *origin).collect(),
            drains: drains.collect(),
            host: self.host.standing(ahead),
            troubles: self.storage.troubles(),
        }
    }

    /// Says at the start what an earlier process has left in force.
    pub(in crate::publish) fn announce_restored(&self) {
        let Overrides { frozen, drains } = self.in_force();
        if frozen.is_some() {
            warn!("answers are frozen until `gazetteer thaw`");
        }
        for drain in drains {
            info!(target = %drain.target, "still drained from before the restart");
        }
    }

    /// Shows that a command was obeyed.
    fn announce(&self, asked: &CommandRequest, before: &Overrides, out: &mut Outbox, now: Now) {
        let moment = before.moment(self.clock.now(now.instant));
        let state =
            |drain: Option<&Drain>| drain.map_or("in", |drain| drain.state(drain.share(moment)));
        let frozen = |overrides: &Overrides| match overrides.frozen {
            Some(_) => "frozen",
            None => "live",
        };
        let CommandRequest { command, by, .. } = asked;
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
            OperatorCommand::Confirm(_)
            | OperatorCommand::ConfirmMembers
            | OperatorCommand::Forget(_) => return,
        };
        overridden(out, now, subject, (from, to), why, *by);
    }
}

/// An override came into another state: a line of the log, a count, an event.
pub(super) fn overridden(
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
