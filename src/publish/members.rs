//! The members: what is known of each besides its services, and how it is shown.

pub(super) mod contact_events;
pub(super) mod identity;
pub(super) mod learnt;
pub(super) mod profile;
pub(super) mod states;
pub(super) mod twins;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;
use tokio::time::Instant;
use tracing::warn;

use crate::publish::disk::fact::{Fact, Learnt, MemberMeta};
use crate::publish::disk::findings_file::MemberRecords;
use crate::publish::shards::withdrawal_brake::HeldBack;

use self::profile::{Profile, reason};
use self::states::{ContactEvent, States};
use self::twins::twins;
use super::now::Now;
use super::outbox::Outbox;
use super::shards::FleetShards;
use crate::model::{
    Epoch, Identity, LearntTopology, Loss, MemberIdx, MemberState, UnixSeconds, kept,
};
use crate::names::Label;
use crate::snapshot::Snapshot;
use crate::telemetry::MemberGauges;

/// The members.
#[derive(Debug)]
pub(super) struct FleetMembers {
    /// What is known of each.
    pub(super) profiles: BTreeMap<MemberIdx, Profile>,
    /// The members by name.
    pub(super) index: HashMap<Label, MemberIdx>,
    /// Their states.
    pub(super) states: States,
    /// When what is left of a hold is told next.
    hold_due: Option<Instant>,
}

impl FleetMembers {
    /// The members of a configuration, as an earlier process has left them.
    pub(super) fn new(
        profiles: BTreeMap<MemberIdx, Profile>,
        index: HashMap<Label, MemberIdx>,
        states: States,
    ) -> Self {
        Self {
            profiles,
            index,
            states,
            hold_due: None,
        }
    }

    /// A source of this lifetime says something of a member. Returns whether it is the newest: what
    /// others say is stale.
    pub(super) fn is_newest(&mut self, member: MemberIdx, epoch: Epoch) -> bool {
        let Some(profile) = self.profiles.get_mut(&member) else {
            return false;
        };
        let is_newest = epoch >= profile.epoch;
        profile.epoch = profile.epoch.max(epoch);
        is_newest
    }

    /// What is kept of a member besides its services, with a complete list that has just come; and
    /// whether it is its first.
    pub(super) fn listed(&mut self, member: MemberIdx, now: Now) -> Option<(MemberMeta, bool)> {
        let profile = self.profiles.get_mut(&member)?;
        profile.kept.seen = Some(now.wall);
        let is_first = profile.kept.first_synced.is_none();
        profile.kept.first_synced.get_or_insert(now.wall);
        Some((profile.kept.clone(), is_first))
    }

    /// A member cannot be watched.
    pub(super) fn lost(
        &mut self,
        member: MemberIdx,
        loss: &Loss,
        shards: &mut FleetShards,
        out: &mut Outbox,
        now: Now,
    ) {
        let reason = Some(kept(&reason(loss)));
        if let Some(profile) = self.profiles.get_mut(&member) {
            profile.lacks_mark = matches!(loss, Loss::Mark(_));
            if profile.reason != reason {
                profile.reason = reason;
                self.show(member, out);
            }
        }
        self.on_contact_event(member, ContactEvent::Lost, shards, out, now);
    }

    /// A member answers again, and is listing.
    pub(super) fn returning(
        &mut self,
        member: MemberIdx,
        shards: &mut FleetShards,
        out: &mut Outbox,
        now: Now,
    ) {
        if let Some(profile) = self.profiles.get_mut(&member) {
            profile.lacks_mark = false;
        }
        self.on_contact_event(member, ContactEvent::Returning, shards, out, now);
    }

    /// The cluster that a member was until now, if it is another one.
    pub(super) fn was_other(&self, member: MemberIdx, identity: &Identity) -> Option<&Identity> {
        let profile = self.profiles.get(&member)?;
        let old = profile.kept.identity.as_ref()?;
        identity::is_other(old, identity).then_some(old)
    }

    /// A source says which cluster its member is.
    pub(super) fn identify(&mut self, member: MemberIdx, identity: Identity, out: &mut Outbox) {
        let Some(profile) = self.profiles.get_mut(&member) else {
            return;
        };
        let identity = identity::merge(profile.kept.identity.as_ref(), identity);
        if profile.kept.identity.as_ref() != Some(&identity) {
            profile.kept.identity = Some(identity.clone());
            out.keep(member, Fact::Identity(identity));
            self.show(member, out);
            self.find_twins(out);
        }
    }

    /// Forgets what is known of a member besides its services: its facts are another cluster's.
    pub(super) fn discard(
        &mut self,
        member: MemberIdx,
        shards: &mut FleetShards,
        out: &mut Outbox,
        now: Now,
    ) {
        out.builder.set_topology(member, Learnt::default().facts());
        out.builder.set_networks(member, Arc::default());
        if let Some(profile) = self.profiles.get_mut(&member) {
            profile.kept = MemberMeta::default();
            profile.warnings.clear();
        }
        out.keep(member, Fact::Discarded);
        out.is_dirty = true;
        self.on_contact_event(member, ContactEvent::Forgotten, shards, out, now);
        self.show(member, out);
        self.find_twins(out);
    }

    /// A source says where its member's nodes stand. Returns whether that has changed.
    pub(super) fn learn(
        &mut self,
        member: MemberIdx,
        topology: LearntTopology,
        out: &mut Outbox,
    ) -> bool {
        let fleet = Arc::clone(out.builder.fleet());
        let configured = fleet.members.get(member);
        let (Some(configured), Some(profile)) = (configured, self.profiles.get_mut(&member)) else {
            return false;
        };
        let before = profile.kept.learnt.clone();
        let warning = profile.kept.learnt.add(&topology, configured);
        let mut warnings = topology.warnings;
        warnings.extend(warning);
        let have_warnings_changed = profile.warnings != warnings;
        profile.warnings = warnings;
        let learnt = profile.kept.learnt.clone();
        let is_new = learnt != before;
        if is_new {
            out.builder.set_topology(member, learnt.facts());
            out.is_dirty = true;
            out.keep(member, Fact::Learnt(learnt));
        }
        if have_warnings_changed {
            self.show(member, out);
        }
        is_new
    }

    /// A source says which networks its member's nodes and pods have.
    pub(super) fn learn_networks(
        &mut self,
        member: MemberIdx,
        networks: Arc<[IpNet]>,
        out: &mut Outbox,
    ) {
        let Some(profile) = self.profiles.get_mut(&member) else {
            return;
        };
        let known = &mut profile.kept.networks;
        let now = networks.iter().copied().collect();
        let new: Vec<IpNet> = networks
            .iter()
            .copied()
            .filter(|cidr| !known.contains(cidr))
            .collect();
        let gone: Vec<IpNet> = known.difference(&now).copied().collect();
        if new.is_empty() && gone.is_empty() {
            return;
        }
        *known = now;
        out.builder.set_networks(member, networks);
        out.is_dirty = true;
        out.keep(member, Fact::Networks(new, gone));
    }

    /// Tells anew which members are one cluster, once a member has another identity.
    pub(super) fn find_twins(&mut self, out: &mut Outbox) {
        let all = twins(out.builder.fleet(), &self.profiles);
        let members: Vec<MemberIdx> = self.profiles.keys().copied().collect();
        for member in members {
            let said = all.get(&member);
            let Some(profile) = self.profiles.get_mut(&member) else {
                continue;
            };
            if profile.twin.as_ref() == said {
                continue;
            }
            profile.twin = said.cloned();
            if let (Some(name), Some(said)) = (out.name(member), said) {
                warn!(member = %name, "{said}");
            }
            self.show(member, out);
        }
    }

    /// Whether an operator can accept the facts file of a member as it is.
    pub(super) fn lacks_mark(&self, member: &Label) -> bool {
        let index = self.index.get(member);
        let profile = index.and_then(|index| self.profiles.get(index));
        profile.is_some_and(|profile| profile.lacks_mark)
    }

    /// Writes down that the facts of all ready members are live now.
    pub(super) fn keep_seen(&mut self, out: &mut Outbox, wall: UnixSeconds) {
        let fleet = Arc::clone(out.builder.fleet());
        for (index, _) in fleet.members.iter() {
            let Some(profile) = self.profiles.get_mut(&index) else {
                continue;
            };
            let is_ready = self.states.state(index) == Some(MemberState::Ready);
            if is_ready {
                profile.kept.seen = Some(wall);
                out.keep(index, Fact::Seen(wall));
            }
        }
    }

    /// Shows every member's gauges.
    pub(super) fn show_gauges(&self, snapshot: &Snapshot, out: &Outbox) {
        let fleet = out.builder.fleet();
        for (index, member) in fleet.members.iter() {
            let (Some(state), Some(profile)) =
                (self.states.state(index), self.profiles.get(&index))
            else {
                continue;
            };
            let last_live = profile.kept.seen.filter(|_| state != MemberState::Ready);
            let gauges = MemberGauges {
                state,
                last_live,
                services: snapshot.exported(index),
                warnings: profile.all_warnings().len(),
            };
            out.metrics.set_member(member.name.as_str(), &gauges);
        }
    }

    /// Shows how much is held back of each member. Says of which members a list is wanted, when
    /// that has changed.
    pub(super) fn show_brake(
        &mut self,
        shards: &mut FleetShards,
        out: &mut Outbox,
    ) -> Option<BTreeSet<Label>> {
        if !shards.take_brake_changed() {
            return None;
        }
        let members: Vec<MemberIdx> = self.profiles.keys().copied().collect();
        for index in members {
            let held = shards.held_back_of(index);
            let count = held.map_or(0, HeldBack::len);
            let text =
                held.map(|held| format!("{count} withdrawals wait for confirmation: {}", held.why));
            let Some(profile) = self.profiles.get_mut(&index) else {
                continue;
            };
            if profile.held_back == text {
                continue;
            }
            profile.held_back = text;
            self.show(index, out);
            if let Some(name) = out.name(index) {
                out.metrics.set_held_back(name.as_str(), count);
            }
        }
        let members = shards.held_back_members();
        Some(members.filter_map(|member| out.name(member)).collect())
    }

    /// The wall clock was set by so many seconds.
    pub(super) fn clock_set(&mut self, by: i64) {
        self.states.clock_set(by);
    }

    /// What of the contact to members is to be kept, by their names.
    pub(super) fn records(&self, out: &Outbox, now: Now) -> MemberRecords {
        let fleet = out.builder.fleet();
        let records = fleet.members.iter().map(|(index, member)| {
            let record = self.states.record(index, fleet, now);
            (member.name.to_string(), record)
        });
        records.collect()
    }

    /// Shows every member as it is now.
    pub(super) fn show_all(&self, out: &mut Outbox) {
        for member in self.profiles.keys() {
            self.show(*member, out);
        }
    }
}
