//! A new configuration over the same facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{info, warn};

use super::begin::{kept_networks, members, settings};
use crate::config::{Config, Source};
use crate::model::{EventKind, Fleet, Member, MemberIdx};
use crate::names::Label;
use crate::publish::members::identity;
use crate::publish::members::profile::Profile;
use crate::publish::now::Now;
use crate::publish::outbox::events::TransitionEvent;
use crate::publish::world::World;
use crate::snapshot::{Partitioner, SnapshotBuilder, map_in_parallel};

impl World {
    /// Takes a new configuration. Members keep their facts while they keep their name, and their
    /// source may still be the same cluster; a member that is gone loses its facts and files.
    ///
    /// Members that come, go, are configured otherwise or have another place cost what their own services
    /// cost. Only what all services depend on, as federations do, has all compiled anew.
    pub(in crate::publish) fn reconfigure(&mut self, config: &Config, now: Now) {
        let before = &self.out.builder.fleet().members;
        let fleet = Fleet {
            members: config.fleet.members.clone().seated_among(before),
            ..(*config.fleet).clone()
        };
        let can_stay = self.out.builder.can_take(&fleet);
        let config = Arc::new(Config {
            fleet: Arc::new(fleet),
            ..config.clone()
        });
        let old = std::mem::replace(&mut self.config, Arc::clone(&config));
        if !can_stay {
            self.fold_all(now);
            self.rebuild(&old, now);
        } else if old.fleet != config.fleet || old.sources != config.sources {
            self.change_members(&old, now);
        }
        self.sign();
        if settings(&old) != settings(&config) {
            self.out.builder.set_settings(settings(&config));
        }
        if old.geoip != config.geoip {
            self.locate(None);
        }
        for (index, member) in members(&config) {
            let Some(profile) = self.members.profiles.get(&index) else {
                continue;
            };
            let Some(origin) = profile
                .kept
                .identity
                .as_ref()
                .map(|identity| &identity.origin)
            else {
                continue;
            };
            if source_of(&config, &member.name).is_some_and(|s| !identity::may_be(origin, s)) {
                warn!(member = %member.name, origin, "discarding facts: the source has changed");
                self.lists.0.remove(&index);
                self.discard(index, now);
            }
        }
        self.overrides
            .configure_host(config.membership.overrides_object());
        self.show_origins();
        self.show_warnings();
        self.show_withheld(&old, now);
        self.members.find_twins(&mut self.out);
        info!(
            members = config.fleet.members.len(),
            "configuration applied"
        );
        self.out.is_dirty = true;
    }

    /// Shows where members come from now.
    fn show_origins(&mut self) {
        for (name, index) in &self.members.index {
            let origin = self.config.membership.origin(name);
            if let Some(profile) = self.members.profiles.get_mut(index)
                && profile.origin != origin
            {
                profile.origin = origin;
                self.members.show(*index, &mut self.out);
            }
        }
    }

    /// Shows what an operator should know of members by where they come from.
    fn show_warnings(&mut self) {
        let all = &self.config.membership.warnings;
        for (name, index) in &self.members.index {
            let mine = all.iter().filter(|(of, _)| of == name);
            let mine: Vec<_> = mine.map(|(_, warning)| warning.clone()).collect();
            if let Some(profile) = self.members.profiles.get_mut(index)
                && profile.of_origin != mine
            {
                profile.of_origin = mine;
                self.members.show(*index, &mut self.out);
            }
        }
    }

    /// Shows who is gone by all that is known, and stays until an operator confirms it.
    fn show_withheld(&mut self, old: &Config, now: Now) {
        let withheld = &self.config.membership.withheld;
        for (name, index) in &self.members.index {
            let text = withheld.contains(name).then(|| {
                "its file or object is gone, with too many at once: it stays until `gazetteer confirm members`"
                    .to_owned()
            });
            if let Some(profile) = self.members.profiles.get_mut(index)
                && profile.withheld != text
            {
                profile.withheld = text;
                self.members.show(*index, &mut self.out);
            }
        }
        let (was, is) = (!old.membership.withheld.is_empty(), !withheld.is_empty());
        if was != is {
            let names: Vec<_> = withheld.iter().map(ToString::to_string).collect();
            let state = |is_on: bool| if is_on { "on" } else { "off" }.to_owned();
            let event = TransitionEvent {
                kind: EventKind::Brake,
                subject: "members".to_owned(),
                from: state(was),
                to: state(is),
                why: if is {
                    format!(
                        "the files or objects of {} are gone at once",
                        names.join(", ")
                    )
                } else {
                    "nobody waits to be gone any more".to_owned()
                },
                by: None,
                is_worse: is,
            };
            self.out.transited(now, event);
        }
    }

    /// Takes members that come, go or are configured otherwise, at the cost of their own services.
    fn change_members(&mut self, old: &Config, now: Now) {
        let config = Arc::clone(&self.config);
        let (before, after) = (&old.fleet.members, &config.fleet.members);
        for (index, member) in before.iter() {
            if after.get(index).is_none_or(|it| it.name != member.name) {
                self.remove_member(index, &member.name);
            }
        }
        self.out.builder.set_fleet(&config.fleet);
        let braked = self.members.states.braked();
        let states = &self.members.states;
        self.members.states = states.reconfigured(&old.fleet, &config.fleet, now.instant);
        let mut new = Vec::new();
        for (index, member) in members(&config) {
            let was = before.get(index).filter(|was| was.name == member.name);
            if was.is_none() {
                info!(member = %member.name, "member added");
                self.members.index.insert(member.name.clone(), index);
                let profile = Profile {
                    since: now.wall,
                    ..Profile::default()
                };
                self.members.profiles.insert(index, profile);
                new.push(index);
            }
            let Some(profile) = self.members.profiles.get(&index) else {
                continue;
            };
            if was != Some(member) {
                let learnt = profile.kept.learnt.facts();
                self.out.builder.set_topology(index, learnt);
            }
            let networks = kept_networks(&config, index, &profile.kept);
            self.out.builder.set_networks(index, networks);
            let counts = |it: &Member| (it.namespaces.clone(), it.gateway.clone());
            if was.is_some_and(|was| counts(was) != counts(member)) {
                self.shards.recount(index, &mut self.out, now);
            }
        }
        self.overrides.applied = None;
        self.settle_members(&braked, now);
        for index in new {
            self.members.show(index, &mut self.out);
        }
    }

    /// A member is gone, with its facts and files.
    fn remove_member(&mut self, index: MemberIdx, name: &Label) {
        info!(member = %name, "member removed");
        self.lists.0.remove(&index);
        self.shards.forget_member(index, &mut self.out);
        self.members.profiles.remove(&index);
        self.members.index.remove(name);
        self.out.metrics.remove_member(name.as_str());
        self.out.remove_file(name.clone());
    }

    /// Moves all facts into a builder for the present configuration.
    fn rebuild(&mut self, old: &Config, now: Now) {
        let config = Arc::clone(&self.config);
        let builder = SnapshotBuilder::new(Arc::clone(&config.fleet), settings(&config));
        let before = std::mem::replace(&mut self.out.builder, builder);
        self.out.builder.set_database(self.database.clone());
        let mut profiles = std::mem::take(&mut self.members.profiles);
        self.renumber(old, now);
        self.overrides.applied = None;
        let braked = self.members.states.braked();
        self.members.states =
            self.members
                .states
                .reconfigured(&old.fleet, &config.fleet, now.instant);
        let mut facts: BTreeMap<_, (_, Vec<_>)> = BTreeMap::new();
        for (index, member) in members(&config) {
            let Some(was) = self.members.index.remove(&member.name) else {
                info!(member = %member.name, "member added");
                let profile = Profile {
                    since: now.wall,
                    ..Profile::default()
                };
                self.members.profiles.insert(index, profile);
                continue;
            };
            facts.insert(was, (index, Vec::with_capacity(before.count(was))));
            let profile = profiles.remove(&was).unwrap_or_default();
            self.out
                .builder
                .set_topology(index, profile.kept.learnt.facts());
            let networks = kept_networks(&config, index, &profile.kept);
            self.out.builder.set_networks(index, networks);
            self.members.profiles.insert(index, profile);
        }
        before.for_each_fact(|member, name, service| {
            if let Some((_, services)) = facts.get_mut(&member) {
                services.push((name.clone(), Arc::clone(service)));
            }
        });
        let partitioner = Partitioner::new(Arc::clone(&config.fleet));
        let mut partitioned = Vec::new();
        map_in_parallel(
            facts.into_values(),
            |(index, services)| partitioner.partition(index, services),
            |partitioned_facts| partitioned.push(partitioned_facts),
        );
        self.out.builder.restore(partitioner, partitioned);
        for (name, resolved) in self.shards.addresses.hostnames() {
            self.out.builder.set_hostname(name, Some(resolved.clone()));
        }
        for (gone, _) in std::mem::take(&mut self.members.index) {
            info!(member = %gone, "member removed");
            self.out.metrics.remove_member(gone.as_str());
            self.out.remove_file(gone);
        }
        self.members.index = members(&config)
            .map(|(index, member)| (member.name.clone(), index))
            .collect();
        self.out
            .builder
            .set_findings(self.shards.addresses.findings.findings().clone());
        for (target, evidence) in before.all_evidence() {
            self.out
                .builder
                .set_evidence(target, Some(evidence.clone()));
        }
        self.shards.count(&mut self.out, now);
        self.settle_members(&braked, now);
        self.members.show_all(&mut self.out);
    }

    /// Has the states of members follow from what is configured now. `braked` had a brake on before.
    fn settle_members(&mut self, braked: &[usize], now: Now) {
        let transitions = self.members.states.settle(now.instant);
        let Self {
            members,
            shards,
            out,
            ..
        } = self;
        members.follow(&transitions, braked, shards, out, now);
    }

    /// Gives what is remembered of shards the numbers that members have now.
    fn renumber(&mut self, old: &Config, now: Now) {
        let config = Arc::clone(&self.config);
        let number = |was: MemberIdx| {
            let name = &old.fleet.members.get(was)?.name;
            let is_it = |(_, member): &(MemberIdx, &Member)| member.name == *name;
            members(&config).find(is_it).map(|(index, _)| index)
        };
        self.shards.renumber(&config.fleet, number, now.instant);
    }
}

/// The source of a member.
fn source_of<'a>(config: &'a Config, member: &Label) -> Option<&'a Source> {
    let mut sources = config.sources.iter();
    sources
        .find(|source| source.member == *member)
        .map(|source| &source.source)
}
