//! What follows from a change of a shard: the brake, damping, events, what is shown of it.

use std::sync::Arc;

use super::damping::Came;
use super::events::Transited;
use super::fact::Fact;
use super::findings_file::ShardRecords;
use super::key::{ShardFacts, ShardKey};
use super::now::Now;
use super::standing::Standing;
use super::world::World;
use crate::model::{EventKind, MemberIdx, NamespacedName, Service};
use crate::names::Label;

impl World {
    /// Counts the facts that are there at the beginning, or under a new configuration. Costs O(all
    /// services).
    pub(super) fn count_shards(&mut self, now: Now) {
        let (builder, brake, damping) = (&self.out.builder, &mut self.brake, &mut self.damping);
        builder.for_each_fact(|member, name, facts| {
            let has_gateway = builder.fleet().has_gateway(member);
            let policy = builder.fleet().addresses;
            let standing = Standing::of(Some(facts), has_gateway, policy);
            if standing == Standing::Ready {
                let federations = builder.federations_of(member, name, facts);
                brake.count(member, &federations);
                return;
            }
            let key = (member, name.clone());
            if damping.condition(&key, now).is_none() {
                damping.went(&key, (Standing::Gone, standing), now);
            }
        });
        let conditions: Vec<_> = self.damping.conditions(now).collect();
        for ((member, name), condition) in conditions {
            self.out.is_dirty |= self
                .out
                .builder
                .set_condition(*member, name, Some(condition));
        }
        let held: Vec<ShardKey> = self.brake.keys().collect();
        for key in held {
            self.show_held_back(&key, now);
        }
    }

    /// Goes on from what an earlier process knew of shards that go out too often.
    pub(super) fn restore_shards(&mut self, records: &ShardRecords, now: Now) {
        for ([member, namespace, name], record) in records {
            let labels = (member.parse::<Label>(), namespace.parse(), name.parse());
            let (Ok(member), Ok(namespace), Ok(name)) = labels else {
                continue;
            };
            let Some(&member) = self.index.get(&member) else {
                continue;
            };
            let key = (member, NamespacedName { namespace, name });
            let facts = self.out.builder.fact(member, &key.1);
            let standing = self.standing_of(member, facts.map(|facts| &**facts));
            self.damping.restore(&key, record, now);
            if standing == Standing::Ready {
                self.damping.came(&key, now);
            } else {
                self.damping.went(&key, (Standing::Gone, standing), now);
            }
            let condition = self.damping.condition(&key, now);
            self.out
                .set_condition(&key, condition.filter(|_| standing != Standing::Gone));
        }
    }

    /// A shard as it is named on disk.
    pub(super) fn key_on_disk(&self, (member, name): &ShardKey) -> Option<[String; 3]> {
        let member = self.out.name(*member)?.to_string();
        Some([member, name.namespace.to_string(), name.name.to_string()])
    }

    /// Has what is known of a shard written, if it goes out too often.
    fn keep_shard(&mut self, key: &ShardKey, now: Now) {
        if let Some(record) = self.damping.record(key, now)
            && let Some(key) = self.key_on_disk(key)
        {
            self.out.record.shard(key, record, now.instant);
        }
    }

    /// Folds the facts about one service, `None` when it is gone, unless the brake holds them back.
    pub(super) fn fold_service(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        service: ShardFacts,
        now: Now,
    ) {
        let key = (member, name.clone());
        let old = self.out.builder.fact(member, name).cloned();
        let from = self.standing_of(member, old.as_deref());
        if from.withdraws(self.standing_of(member, service.as_deref())) {
            if self.brake.holds(&key) {
                self.hold_back(&key, service, "", now);
                return;
            }
            if let Some(why) = self.is_too_much(&key, old.as_deref(), from, now) {
                self.hold_back(&key, service, &why, now);
                return;
            }
            self.put(&key, service, true, now);
        } else {
            self.take_back(&key, now);
            self.put(&key, service, false, now);
        }
    }

    /// Whether facts withdraw what is published of a shard.
    pub(super) fn withdraws(&self, (member, name): &ShardKey, facts: &Service) -> bool {
        let old = self.out.builder.fact(*member, name).map(|facts| &**facts);
        let to = self.standing_of(*member, Some(facts));
        self.standing_of(*member, old).withdraws(to)
    }

    /// The standing that facts of a member give; `None` is no facts.
    pub(super) fn standing_of(&self, member: MemberIdx, facts: Option<&Service>) -> Standing {
        let fleet = self.out.builder.fleet();
        Standing::of(facts, fleet.has_gateway(member), fleet.addresses)
    }

    /// Why a withdrawal is one too many, if it is: no probe says the same of it.
    pub(super) fn is_too_much(
        &mut self,
        (member, name): &ShardKey,
        old: Option<&Service>,
        from: Standing,
        now: Now,
    ) -> Option<String> {
        if self.is_whole(*member) {
            return None;
        }
        let old = old.filter(|_| from == Standing::Ready)?;
        let federations = self.out.builder.federations_of(*member, name, old);
        let (index, why) = (self.brake).is_too_much(*member, &federations, now.instant)?;
        if self.is_down(*member, name, old) {
            return None;
        }
        let federation = self.config.fleet.federations.get(index)?;
        Some(format!("{why} in federation {}", federation.name))
    }

    /// Folds facts and has them written.
    pub(super) fn put(
        &mut self,
        key: &ShardKey,
        service: ShardFacts,
        may_be_burst: bool,
        now: Now,
    ) {
        let (member, name) = key;
        let fact = Fact::of(name.clone(), service.clone());
        if self.replace(key, service, may_be_burst, now) {
            self.out.keep(*member, fact);
        }
    }

    /// Folds facts, and follows what becomes of the shard. Returns whether anything changed.
    pub(super) fn replace(
        &mut self,
        key: &ShardKey,
        service: ShardFacts,
        may_be_burst: bool,
        now: Now,
    ) -> bool {
        let (member, name) = key;
        let old = self.out.builder.fact(*member, name).cloned();
        if old == service {
            return false;
        }
        let (from, to) = (
            self.standing_of(*member, old.as_deref()),
            self.standing_of(*member, service.as_deref()),
        );
        // Most changes leave alone what decides where a shard is published.
        let is_elsewhere = from != to
            || !(old.as_ref().zip(service.as_ref()))
                .is_some_and(|(old, new)| Arc::ptr_eq(&old.spec, &new.spec));
        let was = is_elsewhere.then(|| self.counted(key, old.as_deref()));
        let is = is_elsewhere.then(|| self.counted(key, service.as_deref()));
        let has_changed = match service {
            Some(service) => self.out.builder.upsert(*member, name, service),
            None => self.out.builder.remove(*member, name),
        };
        if !has_changed {
            return false;
        }
        self.out.is_dirty = true;
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
            (_, Standing::Ready) if from != Standing::Ready => self.came(key, now),
            _ if from != to => self.went(key, (from, to), now),
            _ => {}
        }
        true
    }

    /// The federations that a shard is published in.
    fn counted(&self, (member, name): &ShardKey, facts: Option<&Service>) -> Vec<usize> {
        let facts = facts.filter(|facts| self.standing_of(*member, Some(facts)) == Standing::Ready);
        facts.map_or_else(Vec::new, |facts| {
            self.out.builder.federations_of(*member, name, facts)
        })
    }

    /// A shard is out.
    fn went(&mut self, key: &ShardKey, standings: (Standing, Standing), now: Now) {
        let was = self.damping.went(key, standings, now);
        self.keep_shard(key, now);
        let (from, to) = standings;
        let condition = self.damping.condition(key, now);
        self.out
            .set_condition(key, condition.filter(|_| to != Standing::Gone));
        if let Some(was) = was {
            debug_assert!(from == Standing::Ready);
            self.shard_transited(key, (was, "out"), to.why().to_owned(), now);
        }
    }

    /// A shard is ready.
    fn came(&mut self, key: &ShardKey, now: Now) {
        match self.damping.came(key, now) {
            Came::New => {}
            Came::AtOnce(since) => {
                self.out.set_condition(key, None);
                let seconds = now.wall.0.saturating_sub(since.0);
                let why = format!("ready again after {seconds} s");
                self.shard_transited(key, ("out", "ready"), why, now);
            }
            Came::Damped(condition) => {
                let why = condition.why.to_string();
                self.out.set_condition(key, Some(condition));
                self.shard_transited(key, ("out", "damped"), why, now);
            }
        }
    }

    /// Lets shards back whose quiet time is over.
    pub(super) fn undamp(&mut self, now: Now) {
        while let Some(key) = self.damping.pop(now) {
            self.out.set_condition(&key, None);
            let why = "its quiet time is over".to_owned();
            self.shard_transited(&key, ("damped", "ready"), why, now);
        }
    }

    /// A shard went from one state to another.
    fn shard_transited(&mut self, key: &ShardKey, (from, to): (&str, &str), why: String, now: Now) {
        let (member, name) = key;
        let Some(member) = self.out.name(*member) else {
            return;
        };
        let transited = Transited {
            kind: EventKind::Shard,
            subject: format!("{name} in {member}"),
            from: from.to_owned(),
            to: to.to_owned(),
            why,
            by: None,
            is_worse: to != "ready",
        };
        self.out.transited(now, transited);
    }
}
