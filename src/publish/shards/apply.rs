//! The one door for facts about a shard: what only takes something away waits for a moment, the brake
//! holds back what is too much, and what becomes of the shard is followed by the brake and by damping.
//! What all of it comes to goes to the outbox at once, as a [`ShardChange`].

use std::sync::Arc;

use super::debounce;
use super::key::{ShardKey, ShardUpdate};
use super::lists::SLICE;
use super::readiness::ShardReadiness;
use crate::model::Service;
use crate::publish::disk::fact::Fact;
use crate::publish::now::Now;
use crate::publish::outbox::{Outbox, ShardChange};
use crate::publish::shards::damping::ShardTurn;
use crate::publish::shards::{FleetShards, standing_of};

impl FleetShards {
    /// What a source says of a shard: folded at once, or kept back for a moment if it only takes
    /// something away.
    pub(in crate::publish) fn hear(
        &mut self,
        key: ShardKey,
        facts: ShardUpdate,
        out: &mut Outbox,
        now: Now,
    ) {
        let old = out.builder.fact(key.0, &key.1);
        match (old, facts) {
            (None, None) => {}
            (Some(_), None) => self.pending.keep(key, None, now.instant),
            (Some(old), Some(new)) if debounce::only_removes(old, &new) => {
                self.pending.keep(key, Some(new), now.instant);
            }
            (_, facts) => {
                self.pending.cancel(&key);
                self.apply(&key, facts, out, now);
            }
        }
    }

    /// Does what is due, as much as one turn takes.
    pub(in crate::publish) fn turn(&mut self, out: &mut Outbox, now: Now) {
        self.apply_pending(out, now);
        self.fold_releases(out, now);
        self.undamp(out, now);
    }

    /// Folds what has been kept back for long enough, as much as one turn takes.
    fn apply_pending(&mut self, out: &mut Outbox, now: Now) {
        for _ in 0..SLICE {
            let Some((key, facts)) = self.pending.pop(now.instant) else {
                return;
            };
            self.apply(&key, facts, out, now);
        }
    }

    /// Folds everything that is kept back for a moment.
    pub(in crate::publish) fn apply_all_pending(&mut self, out: &mut Outbox, now: Now) {
        let kept: Vec<_> = self.pending.drain().collect();
        for (key, facts) in kept {
            self.apply(&key, facts, out, now);
        }
    }

    /// The one door for facts about one shard: they are held back by the brake, or folded and written,
    /// and what becomes of the shard is followed.
    fn apply(&mut self, key: &ShardKey, facts: ShardUpdate, out: &mut Outbox, now: Now) {
        let (member, name) = key;
        let old = out.builder.fact(*member, name).cloned();
        let from = standing_of(*member, old.as_deref(), out);
        if from.withdraws(standing_of(*member, facts.as_deref(), out)) {
            if self.brake.holds(key) {
                self.hold_back(key, facts, "", out, now);
                return;
            }
            if let Some(why) = self.is_too_much(key, old.as_deref(), from, out, now) {
                self.hold_back(key, facts, &why, out, now);
                return;
            }
            self.put(key, facts, true, out, now);
        } else {
            self.take_back(key, out, now);
            self.put(key, facts, false, out, now);
        }
    }

    /// Why a withdrawal is one too many, if it is: no probe says the same of it.
    pub(super) fn is_too_much(
        &mut self,
        (member, name): &ShardKey,
        old: Option<&Service>,
        from: ShardReadiness,
        out: &Outbox,
        now: Now,
    ) -> Option<String> {
        if self.brake.is_exempt(*member) {
            return None;
        }
        let old = old.filter(|_| from == ShardReadiness::Ready)?;
        let federations = out.builder.federations_of(*member, name, old);
        let (index, why) = (self.brake).is_too_much(*member, &federations, now.instant)?;
        if self.addresses.is_down((*member, name), old, out) {
            return None;
        }
        let federation = out.builder.fleet().federations.get(index)?;
        Some(format!("{why} in federation {}", federation.name))
    }

    /// Folds facts and has them written.
    pub(super) fn put(
        &mut self,
        key: &ShardKey,
        facts: ShardUpdate,
        may_be_burst: bool,
        out: &mut Outbox,
        now: Now,
    ) {
        let fact = Fact::of(key.1.clone(), facts.clone());
        if let Some(change) = self.follow(key, facts, may_be_burst, out, now) {
            let written = Some(fact);
            out.change_shard(key, ShardChange { written, ..change }, now);
        }
    }

    /// Folds facts that are written with others. Returns whether anything changed.
    pub(super) fn replace(
        &mut self,
        key: &ShardKey,
        facts: ShardUpdate,
        may_be_burst: bool,
        out: &mut Outbox,
        now: Now,
    ) -> bool {
        let change = self.follow(key, facts, may_be_burst, out, now);
        let has_changed = change.is_some();
        if let Some(change) = change {
            out.change_shard(key, change, now);
        }
        has_changed
    }

    /// Has the brake and damping follow what becomes of a shard, and says what that comes to; `None`
    /// when its facts are as they were.
    fn follow(
        &mut self,
        key: &ShardKey,
        facts: ShardUpdate,
        may_be_burst: bool,
        out: &Outbox,
        now: Now,
    ) -> Option<ShardChange> {
        let (member, name) = key;
        let old = out.builder.fact(*member, name).cloned();
        if old == facts {
            return None;
        }
        let (from, to) = (
            standing_of(*member, old.as_deref(), out),
            standing_of(*member, facts.as_deref(), out),
        );
        // Most changes leave alone what decides where a shard is published.
        let is_elsewhere = from != to
            || !(old.as_ref().zip(facts.as_ref()))
                .is_some_and(|(old, new)| Arc::ptr_eq(&old.spec, &new.spec));
        if is_elsewhere {
            let was = counted(key, old.as_deref(), out);
            let is = counted(key, facts.as_deref(), out);
            self.brake.moved(key, (was, &is), may_be_burst, now.instant);
        }
        Some(ShardChange {
            facts,
            written: None,
            turn: self.damping.follow(key, (from, to), now),
        })
    }

    /// Lets shards back whose quiet time is over.
    fn undamp(&mut self, out: &mut Outbox, now: Now) {
        while let Some(key) = self.damping.pop(now) {
            let transition = ("damped", "ready", "suppression ended".to_owned());
            let turn = ShardTurn {
                condition: None,
                record: None,
                transition: Some(transition),
            };
            out.turn_shard(&key, turn, now);
        }
    }
}

/// The federations that a shard is published in.
fn counted((member, name): &ShardKey, facts: Option<&Service>, out: &Outbox) -> Vec<usize> {
    let facts =
        facts.filter(|facts| standing_of(*member, Some(facts), out) == ShardReadiness::Ready);
    facts.map_or_else(Vec::new, |facts| {
        out.builder.federations_of(*member, name, facts)
    })
}
