//! The shards of all members: what becomes of what sources say of them. The brake, damping, events,
//! and what is shown of each.

pub(super) mod addresses;
pub(super) mod damping;
pub(super) mod deadlines;
pub(super) mod debounce;
pub(super) mod findings;
pub(super) mod held_back;
pub(super) mod key;
pub(super) mod listing;
pub(super) mod lists;
pub(super) mod readiness;
pub(super) mod releases;
pub(super) mod withdrawal_brake;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use self::addresses::KnownAddresses;
use self::damping::{Came, Damping};
use self::debounce::PendingRemovals;
use self::key::{ShardKey, ShardUpdate};
use self::lists::SLICE;
use self::readiness::ShardReadiness;
use self::releases::Releases;
use self::withdrawal_brake::{HeldBack, WithdrawalBrake};
use super::now::Now;
use super::outbox::Outbox;
use crate::model::{EventKind, Evidence, Fleet, MemberIdx, NamespacedName, ProbeTarget, Service};
use crate::names::Label;
use crate::publish::disk::fact::Fact;
use crate::publish::disk::findings_file::ShardRecords;
use crate::publish::outbox::events::TransitionEvent;

/// The shards of all members.
#[derive(Debug)]
pub(super) struct FleetShards {
    /// What is known of addresses.
    pub(super) addresses: KnownAddresses,
    /// Shards that are out, or were of late.
    pub(super) damping: Damping,
    /// Withdrawals that are held back.
    brake: WithdrawalBrake,
    /// More or less is held back than was last shown.
    is_brake_changed: bool,
    /// Withdrawals that are no longer held back, and wait for their turn.
    pub(super) releases: Releases,
    /// Changes that only take something away, and wait for what puts it back.
    pending: PendingRemovals,
}

impl FleetShards {
    /// Nothing is out, and nothing waits.
    pub(super) fn new(addresses: KnownAddresses, fleet: &Fleet, now: Instant) -> Self {
        let brakes = fleet.federations.iter();
        Self {
            addresses,
            damping: Damping::new(now),
            brake: WithdrawalBrake::new(brakes.map(|federation| federation.brake)),
            is_brake_changed: false,
            releases: Releases::default(),
            pending: PendingRemovals::default(),
        }
    }

    /// Counts the facts that are there at the beginning, or under a new configuration. Costs O(all
    /// services).
    pub(super) fn count(&mut self, out: &mut Outbox, now: Now) {
        let counted: &Outbox = out;
        counted.builder.for_each_fact(|member, name, facts| {
            self.count_one((member, name), facts, counted, now);
        });
        let conditions: Vec<_> = self.damping.conditions(now).collect();
        for ((member, name), condition) in conditions {
            out.is_dirty |= out.builder.set_condition(*member, name, Some(condition));
        }
        let held: Vec<ShardKey> = self.brake.keys().collect();
        for key in held {
            self.show_held_back(&key, out, now);
        }
    }

    /// Goes on from what an earlier process knew of shards that go out too often.
    pub(super) fn restore(&mut self, records: &ShardRecords, out: &mut Outbox, now: Now) {
        let fleet = Arc::clone(out.builder.fleet());
        let members = fleet.members.iter();
        let index: HashMap<_, _> = members.map(|(index, it)| (&it.name, index)).collect();
        for ([member, namespace, name], record) in records {
            let labels = (member.parse::<Label>(), namespace.parse(), name.parse());
            let (Ok(member), Ok(namespace), Ok(name)) = labels else {
                continue;
            };
            let Some(&member) = index.get(&member) else {
                continue;
            };
            let key = (member, NamespacedName { namespace, name });
            let facts = out.builder.fact(member, &key.1);
            let standing = standing_of(member, facts.map(|facts| &**facts), out);
            self.damping.restore(&key, record, now);
            if standing == ShardReadiness::Ready {
                self.damping.came(&key, now);
            } else {
                self.damping
                    .went(&key, (ShardReadiness::Gone, standing), now);
            }
            let condition = self.damping.condition(&key, now);
            out.set_condition(&key, condition.filter(|_| standing != ShardReadiness::Gone));
        }
    }

    /// What is to be kept of every shard that goes out too often, as it is named on disk.
    pub(super) fn records(&self, out: &Outbox, now: Now) -> ShardRecords {
        let records = self.damping.records(now);
        let records = records.filter_map(|(key, record)| Some((key_on_disk(key, out)?, record)));
        records.collect()
    }

    /// What is held back of a member.
    pub(super) fn held_back_of(&self, member: MemberIdx) -> Option<&HeldBack> {
        self.brake.of(member)
    }

    /// The members of which something is held back.
    pub(super) fn held_back_members(&self) -> impl Iterator<Item = MemberIdx> {
        self.brake.members()
    }

    /// How many shards are suppressed.
    pub(super) fn damped(&self) -> usize {
        self.damping.damped()
    }

    /// When something is due next by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.pending.deadline(),
            self.damping.deadline(),
            self.addresses.findings.first_probes_due(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Has what is known of a shard written, if it goes out too often.
    fn keep_shard(&self, key: &ShardKey, out: &mut Outbox, now: Now) {
        if let Some(record) = self.damping.record(key, now)
            && let Some(key) = key_on_disk(key, out)
        {
            out.record.shard(key, record, now.instant);
        }
    }

    /// What a source says of a shard: folded at once, or kept back for a moment if it only takes
    /// something away.
    pub(super) fn hear(&mut self, key: ShardKey, facts: ShardUpdate, out: &mut Outbox, now: Now) {
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
    pub(super) fn turn(&mut self, out: &mut Outbox, now: Now) {
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
    pub(super) fn apply_all_pending(&mut self, out: &mut Outbox, now: Now) {
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
    fn is_too_much(
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
    fn put(
        &mut self,
        key: &ShardKey,
        service: ShardUpdate,
        may_be_burst: bool,
        out: &mut Outbox,
        now: Now,
    ) {
        let (member, name) = key;
        let fact = Fact::of(name.clone(), service.clone());
        if self.replace(key, service, may_be_burst, out, now) {
            out.keep(*member, fact);
        }
    }

    /// Folds facts, and follows what becomes of the shard. Returns whether anything changed.
    fn replace(
        &mut self,
        key: &ShardKey,
        service: ShardUpdate,
        may_be_burst: bool,
        out: &mut Outbox,
        now: Now,
    ) -> bool {
        let (member, name) = key;
        let old = out.builder.fact(*member, name).cloned();
        if old == service {
            return false;
        }
        let (from, to) = (
            standing_of(*member, old.as_deref(), out),
            standing_of(*member, service.as_deref(), out),
        );
        // Most changes leave alone what decides where a shard is published.
        let is_elsewhere = from != to
            || !(old.as_ref().zip(service.as_ref()))
                .is_some_and(|(old, new)| Arc::ptr_eq(&old.spec, &new.spec));
        let was = is_elsewhere.then(|| counted(key, old.as_deref(), out));
        let is = is_elsewhere.then(|| counted(key, service.as_deref(), out));
        let has_changed = match service {
            Some(service) => out.builder.upsert(*member, name, service),
            None => out.builder.remove(*member, name),
        };
        if !has_changed {
            return false;
        }
        out.is_dirty = true;
        if let Some((was, is)) = was.zip(is).filter(|(was, is)| was != is) {
            if is.is_empty() && may_be_burst {
                self.brake.burst(key, was, now.instant);
            } else {
                self.brake.unpublished(*member, &was);
                if !is.is_empty() {
                    self.brake.published(key, &is);
                }
            }
        }
        match (from, to) {
            (_, ShardReadiness::Ready) if from != ShardReadiness::Ready => self.came(key, out, now),
            _ if from != to => self.went(key, (from, to), out, now),
            _ => {}
        }
        true
    }

    /// A shard is out.
    fn went(
        &mut self,
        key: &ShardKey,
        standings: (ShardReadiness, ShardReadiness),
        out: &mut Outbox,
        now: Now,
    ) {
        let was = self.damping.went(key, standings, now);
        self.keep_shard(key, out, now);
        let (from, to) = standings;
        let condition = self.damping.condition(key, now);
        out.set_condition(key, condition.filter(|_| to != ShardReadiness::Gone));
        if let Some(was) = was {
            debug_assert!(from == ShardReadiness::Ready);
            shard_transited(key, (was, "out"), to.why().to_owned(), out, now);
        }
    }

    /// A shard is ready.
    fn came(&mut self, key: &ShardKey, out: &mut Outbox, now: Now) {
        match self.damping.came(key, now) {
            Came::New => {}
            Came::AtOnce(since) => {
                out.set_condition(key, None);
                let seconds = now.wall.0.saturating_sub(since.0);
                let why = format!("ready again after {seconds} s");
                shard_transited(key, ("out", "ready"), why, out, now);
            }
            Came::Damped(condition) => {
                let why = condition.why.to_string();
                out.set_condition(key, Some(condition));
                shard_transited(key, ("out", "damped"), why, out, now);
            }
        }
    }

    /// Folds what probes have found, and makes the withdrawals that it confirms.
    pub(super) fn probed(
        &mut self,
        found: Vec<(ProbeTarget, Option<Evidence>)>,
        out: &mut Outbox,
        now: Now,
    ) {
        if self.addresses.probed(found, out, now) {
            self.confirm_down(out, now);
        }
    }

    /// Lets shards back whose quiet time is over.
    fn undamp(&mut self, out: &mut Outbox, now: Now) {
        while let Some(key) = self.damping.pop(now) {
            out.set_condition(&key, None);
            let why = "suppression ended".to_owned();
            shard_transited(&key, ("damped", "ready"), why, out, now);
        }
    }

    /// Forgets what is known of all shards of a member, whose facts are another cluster's.
    pub(super) fn discard(&mut self, member: MemberIdx, out: &mut Outbox, now: Now) {
        self.pending.cancel_member(member);
        let facts = out.builder.facts(member);
        let names: Vec<_> = facts.map(|(name, _)| name.clone()).collect();
        self.forget_held_back(member, out, now);
        for name in names {
            self.replace(&(member, name), None, false, out, now);
        }
        self.damping.discard(member);
    }

    /// A member is gone, and all that is known of its shards with it. Costs O(its services).
    pub(super) fn forget_member(&mut self, member: MemberIdx, out: &mut Outbox) {
        self.pending.cancel_member(member);
        self.brake.forget_member(member);
        self.is_brake_changed = true;
        let facts = out.builder.facts(member);
        let names: Vec<_> = facts.map(|(name, _)| name.clone()).collect();
        for name in names {
            out.set_condition(&(member, name.clone()), None);
            out.builder.remove(member, &name);
        }
        self.damping.discard(member);
    }

    /// A member offers other namespaces, or is reached otherwise: counts its shards anew. Costs O(its
    /// services).
    pub(super) fn recount(&mut self, member: MemberIdx, out: &mut Outbox, now: Now) {
        self.brake.uncount(member);
        let facts = out.builder.facts(member);
        let facts: Vec<_> = facts.map(|(name, it)| (name.clone(), it.clone())).collect();
        for (name, facts) in facts {
            let key = (member, name);
            if self.count_one((member, &key.1), &facts, out, now) == ShardReadiness::Ready {
                self.damping.came(&key, now);
            }
            let condition = self.damping.condition(&key, now);
            out.set_condition(&key, condition);
        }
    }

    /// Counts the facts of a shard. Returns how it stands.
    fn count_one(
        &mut self,
        (member, name): (MemberIdx, &NamespacedName),
        facts: &Service,
        out: &Outbox,
        now: Now,
    ) -> ShardReadiness {
        let standing = standing_of(member, Some(facts), out);
        if standing == ShardReadiness::Ready {
            let federations = out.builder.federations_of(member, name, facts);
            self.brake.count(member, &federations);
            return standing;
        }
        let key = (member, name.clone());
        if self.damping.condition(&key, now).is_none() {
            self.damping
                .went(&key, (ShardReadiness::Gone, standing), now);
        }
        standing
    }

    /// Gives what is remembered of shards the numbers that members have under a new configuration.
    pub(super) fn renumber(
        &mut self,
        fleet: &Fleet,
        number: impl Fn(MemberIdx) -> Option<MemberIdx>,
        now: Instant,
    ) {
        self.damping.renumber(&number, now);
        let brakes = fleet.federations.iter();
        let brake = std::mem::take(&mut self.brake);
        self.brake = brake.renumbered(brakes.map(|federation| federation.brake), number);
        self.is_brake_changed = true;
    }
}

/// A shard as it is named on disk.
fn key_on_disk((member, name): &ShardKey, out: &Outbox) -> Option<[String; 3]> {
    let member = out.name(*member)?.to_string();
    Some([member, name.namespace.to_string(), name.name.to_string()])
}

/// The standing that facts of a member give; `None` is no facts.
fn standing_of(member: MemberIdx, facts: Option<&Service>, out: &Outbox) -> ShardReadiness {
    let fleet = out.builder.fleet();
    ShardReadiness::of(facts, fleet.has_gateway(member), fleet.addresses)
}

/// The federations that a shard is published in.
fn counted((member, name): &ShardKey, facts: Option<&Service>, out: &Outbox) -> Vec<usize> {
    let facts =
        facts.filter(|facts| standing_of(*member, Some(facts), out) == ShardReadiness::Ready);
    facts.map_or_else(Vec::new, |facts| {
        out.builder.federations_of(*member, name, facts)
    })
}

/// A shard went from one state to another.
fn shard_transited(
    (member, name): &ShardKey,
    (from, to): (&str, &str),
    why: String,
    out: &mut Outbox,
    now: Now,
) {
    let Some(member) = out.name(*member) else {
        return;
    };
    let transited = TransitionEvent {
        kind: EventKind::Shard,
        subject: format!("{name} in {member}"),
        from: from.to_owned(),
        to: to.to_owned(),
        why,
        by: None,
        is_worse: to != "ready",
    };
    out.transited(now, transited);
}
