//! The shards of all members: what becomes of what sources say of them. The brake, damping, events,
//! and what is shown of each.

pub(super) mod addresses;
pub(super) mod apply;
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
use self::damping::Damping;
use self::debounce::PendingRemovals;
use self::key::ShardKey;
use self::readiness::ShardReadiness;
use self::releases::Releases;
use self::withdrawal_brake::{HeldBack, WithdrawalBrake};
use super::now::Now;
use super::outbox::Outbox;
use crate::model::{Evidence, Fleet, MemberIdx, NamespacedName, ProbeTarget, Service};
use crate::names::Label;
use crate::publish::disk::findings_file::ShardRecords;

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
        let records = records.filter_map(|(key, record)| Some((out.key_on_disk(key)?, record)));
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

/// The standing that facts of a member give; `None` is no facts.
fn standing_of(member: MemberIdx, facts: Option<&Service>, out: &Outbox) -> ShardReadiness {
    let fleet = out.builder.fleet();
    ShardReadiness::of(facts, fleet.has_gateway(member), fleet.addresses)
}
