//! What follows for this daemon from what a host cluster decides for all replicas.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tokio::time::Instant;
use tracing::{info, warn};

use super::decide::check_known;
use super::decision::{leave_safe_open, thawed};
use super::in_force::overridden;
use crate::model::{Drain, OverrideTarget, Overrides, UnixSeconds};
use crate::publish::now::Now;
use crate::publish::outbox::Outbox;
use crate::publish::overrides::OverrideState;
use crate::snapshot::Snapshot;

impl OverrideState {
    /// Since when answers are frozen, if they are, by the wall clock.
    pub(in crate::publish) fn frozen_since(&self) -> Option<UnixSeconds> {
        let since = self.freeze()?.since;
        Some(UnixSeconds(
            since.0.saturating_add_signed(self.clock.ahead()),
        ))
    }

    /// Takes another `ConfigMap`, `NAMESPACE/NAME`, or none.
    pub(in crate::publish) fn configure_host(&mut self, object: Option<String>) {
        if object.as_deref() == self.host.object() {
            return;
        }
        if object.is_none() {
            self.host_keeper.forget();
        }
        self.host.configure(object);
    }

    /// Puts in force what a host has by now: what was heard, and what its dates have ended. Returns whether
    /// that is anything new.
    pub(in crate::publish) fn follow_host(
        &mut self,
        published: &Snapshot,
        out: &mut Outbox,
        now: Now,
    ) -> bool {
        let moment = self.clock.now(now.instant);
        let Some(before) = self.host.follow(self.now.frozen, moment) else {
            return false;
        };
        match (before.frozen, self.host.now.frozen) {
            // What was half drained here goes on from where it was.
            (Some(_), None) if self.now.frozen.is_none() => {
                let frozen = Overrides {
                    frozen: before.frozen,
                    drains: std::mem::take(&mut self.now.drains),
                };
                if let Some(mut next) = thawed(&frozen, moment) {
                    self.fill_safe(&mut next, None, published, out, now.instant);
                    self.now = next;
                }
            }
            (None, Some(freeze)) => leave_safe_open(&mut self.now.drains, freeze.since),
            _ => {}
        }
        self.settle_host(published, out, now.instant);
        self.announce_host(&before, out, now);
        true
    }

    /// Fills in for what a host has decided when it is safe here, which is not known while answers are
    /// frozen.
    pub(in crate::publish) fn settle_host(
        &mut self,
        published: &Snapshot,
        out: &Outbox,
        now: Instant,
    ) {
        let freeze = self.freeze();
        let mut host = std::mem::take(&mut self.host.now);
        match freeze {
            Some(freeze) => leave_safe_open(&mut host.drains, freeze.since),
            None => self.fill_safe(&mut host, None, published, out, now),
        }
        self.host.now = host;
    }

    /// Has what was last seen of a host written, if that is news, and shows how old it is.
    pub(in crate::publish) fn keep_host(&mut self, out: &Outbox, now: Instant) {
        let (is_stale, age) = self.host.staleness(self.clock.now(now));
        out.metrics.set_host_overrides(is_stale, age);
        let wanted = self.host.kept(self.clock.now(now), self.clock.ahead());
        self.host_keeper.turn(wanted, &self.storage, now);
    }

    /// Has it written before the process ends.
    pub(in crate::publish) fn keep_host_at_end(&mut self, now: Instant) {
        let wanted = self.host.kept(self.clock.now(now), self.clock.ahead());
        self.host_keeper.end(wanted);
    }

    /// Shows what is other than before.
    fn announce_host(&self, before: &Overrides, out: &mut Outbox, now: Now) {
        let after = &self.host.now;
        let by = match self.host.object() {
            Some(object) => format!("by ConfigMap {object}"),
            None => "as no ConfigMap is configured any more".to_owned(),
        };
        let moment = self.clock.now(now.instant);
        let frozen = |overrides: &Overrides| match overrides.frozen {
            Some(_) => "frozen",
            None => "live",
        };
        if before.frozen != after.frozen {
            let (from, to) = (frozen(before), frozen(after));
            let verb = if after.frozen.is_some() {
                "freeze"
            } else {
                "thaw"
            };
            let why = format!("{verb}, {by}");
            overridden(out, now, "answers".to_owned(), (from, to), why, None);
        }
        let mut targets: BTreeMap<&OverrideTarget, [Option<&Drain>; 2]> = BTreeMap::new();
        for (place, overrides) in [before, after].into_iter().enumerate() {
            for drain in &overrides.drains {
                let pair = targets.entry(&drain.target).or_default();
                if let Some(of) = pair.get_mut(place) {
                    *of = Some(drain);
                }
            }
        }
        for (target, [was, is]) in targets {
            let decided = |drain: &Drain| (drain.begun, drain.from, drain.over, drain.until);
            if was.map(decided) == is.map(decided) {
                continue;
            }
            let state = |drain: Option<&Drain>, at: UnixSeconds| {
                drain.map_or("in", |drain| drain.state(drain.share(at)))
            };
            let why = match is {
                None if was.is_some_and(|was| was.until.is_some_and(|until| until <= moment)) => {
                    "expired".to_owned()
                }
                None => format!("uncordon, {by}"),
                Some(drain) if drain.over.is_zero() => format!("cordon, {by}"),
                Some(drain) => {
                    let seconds = i64::try_from(drain.over.as_secs()).unwrap_or(i64::MAX);
                    let over = SignedDuration::from_secs(seconds);
                    format!("drain over {over:#}, {by}")
                }
            };
            let states = (
                state(was, before.moment(moment)),
                state(is, after.moment(moment)),
            );
            overridden(out, now, target.to_string(), states, why, None);
            if was.is_none()
                && let Err(unknown) = check_known(target, out)
            {
                warn!(%target, "{unknown}: drained by the host cluster all the same");
            }
        }
        info!(
            drains = after.drains.len(),
            "overrides of the host cluster in force"
        );
    }
}
