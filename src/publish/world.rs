//! The facts of all members while the process runs: what the one writer folds changes into.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::warn;

use super::begin::Beginning;
use super::brake::Brake;
use super::confirm::Releases;
use super::contact::reason;
use super::damping::Damping;
use super::disk::Disk;
use super::fact::{Fact, Kept, Learnt};
use super::files::{Owner, Whole};
use super::findings::Known;
use super::identity;
use super::lingering::Lingering;
use super::listing::{Lists, SLICE};
use super::loss::{self, Losses};
use super::overruling::Overruling;
use super::states::{Happening, MemberRecord, States};
use super::transit::Transits;
use crate::config::Config;
use crate::model::{
    Change, Delta, Epoch, GeoDatabase, Identity, LearntTopology, Loss, MemberIdx, NamespacedName,
    UnixSeconds, kept,
};
use crate::names::Label;
use crate::snapshot::{Resolved, Serial, SnapshotBuilder};
use crate::telemetry::{DeltaOutcome, Metrics};
use crate::wire::NameBuf;

/// Both clocks, read once for each turn of the writer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For durations.
    pub(super) instant: Instant,
    /// For what is shown and kept.
    pub(super) wall: UnixSeconds,
}

impl Now {
    /// What the wall clock says, said or will say at a moment: whole seconds, and never too early.
    pub(super) fn wall_of(self, at: Instant) -> UnixSeconds {
        let left = at.saturating_duration_since(self.instant);
        let left = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let passed = self.instant.saturating_duration_since(at).as_secs();
        UnixSeconds((self.wall.0 + left).saturating_sub(passed))
    }
}

/// A member's part of a service.
pub(super) type Key = (MemberIdx, NamespacedName);

/// What is known of a member besides its services and its state.
#[derive(Debug, Clone, Default)]
pub(super) struct Profile {
    /// The lifetime of its source.
    pub(super) epoch: Epoch,
    /// What is on disk besides services.
    pub(super) kept: Kept,
    /// What of its contact is on disk.
    pub(super) contact: MemberRecord,
    /// When it came into its state.
    pub(super) since: UnixSeconds,
    /// Why it is in its state.
    pub(super) reason: Option<String>,
    /// Things an operator should know.
    pub(super) warnings: Vec<String>,
    /// What the brake holds back of it.
    pub(super) held_back: Option<String>,
    /// When it is withdrawn if nothing else happens, while it is held.
    pub(super) outlook: Option<String>,
    /// Which other members are the same cluster.
    pub(super) twin: Option<String>,
    /// Its source knows that what it says is whole.
    pub(super) is_whole: bool,
    /// It is lost since its facts file lacks the mark at its end.
    pub(super) lacks_mark: bool,
}

/// What has become of a delta.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Folded {
    /// It was folded, or ignored for good.
    Done,
    /// The configuration does not know its member; a newer one may.
    Unknown(Delta),
}

/// The facts of all members.
#[derive(Debug)]
pub(super) struct World {
    /// The configuration.
    pub(super) config: Arc<Config>,
    /// Facts and the snapshot that follows.
    pub(super) builder: SnapshotBuilder,
    /// In configuration order.
    pub(super) profiles: Vec<Profile>,
    /// The members by name.
    pub(super) index: HashMap<Label, MemberIdx>,
    /// The states of the members.
    pub(super) states: States,
    /// Changes that are kept back.
    pub(super) losses: Losses,
    /// Shards that are out, or were of late.
    pub(super) damping: Damping,
    /// Withdrawals that are held back.
    pub(super) brake: Brake,
    /// Withdrawals that are no longer held back, and wait for their turn.
    pub(super) releases: Releases,
    /// More or less is held back than is shown.
    pub(super) is_brake_changed: bool,
    /// What is known of addresses.
    pub(super) known: Known,
    /// When what is left of a hold is told next.
    pub(super) hold_due: Option<Instant>,
    /// Where transitions are shown.
    pub(super) transits: Transits,
    /// Lists that are being folded.
    pub(super) lists: Lists,
    /// The last snapshot had networks that several members claim.
    pub(super) is_contested: bool,
    /// What says where on the globe addresses are.
    pub(super) database: Option<GeoDatabase>,
    /// What host names resolved to, and since when no service names them.
    pub(super) hostnames: BTreeMap<NameBuf, (Resolved, Option<Instant>)>,
    /// The last SOA serial that went out.
    pub(super) serial: Option<Serial>,
    /// What caches may hold beside what is published.
    pub(super) lingering: Lingering,
    /// Where changes are written.
    pub(super) disk: Disk,
    /// Where they are counted.
    pub(super) metrics: Arc<Metrics>,
    /// What operators have decided.
    pub(super) overruling: Overruling,
    /// When it is next written down that facts are live.
    pub(super) seen: Instant,
    /// Something is not published.
    pub(super) is_dirty: bool,
}

impl World {
    /// The world as it begins, with somewhere to write to.
    pub(super) fn new(
        config: Arc<Config>,
        beginning: Beginning,
        disk: Disk,
        transits: Transits,
        overruling: Overruling,
        known: Known,
        now: Now,
    ) -> Self {
        let Beginning {
            builder,
            profiles,
            index,
            states,
            serial,
            longest_ttl,
            hostnames,
            discarded,
        } = beginning;
        let lingering = Lingering::new(serial, longest_ttl, &builder, now.instant);
        let metrics = Arc::clone(transits.metrics());
        let brakes = config.fleet.federations.iter();
        let brake = Brake::new(brakes.map(|federation| federation.brake));
        let mut world = Self {
            config,
            builder,
            profiles,
            index,
            states,
            losses: Losses::default(),
            damping: Damping::new(now.instant),
            brake,
            releases: Releases::default(),
            is_brake_changed: false,
            known,
            hold_due: None,
            transits,
            lists: Lists::default(),
            hostnames,
            serial,
            lingering,
            is_contested: false,
            database: None,
            disk,
            metrics,
            overruling,
            seen: now.instant,
            is_dirty: true,
        };
        for member in discarded {
            world.keep(member, Fact::Discarded);
        }
        world
    }

    /// Folds a change, or keeps it back for a moment.
    pub(super) fn fold(&mut self, delta: Delta, now: Now) -> Folded {
        match delta {
            Delta::Hostname {
                hostname,
                ipv4,
                ipv6,
                ttl,
            } => {
                let is_empty = ipv4.is_empty() && ipv6.is_empty();
                let resolved = (!is_empty).then_some(Resolved { ipv4, ipv6, ttl });
                self.resolve(&hostname, resolved);
            }
            Delta::Unresolved { hostname, why } => {
                self.is_dirty |= self.builder.set_unresolved(&hostname, why);
            }
            Delta::Probed(found) => self.probed(found, now),
            Delta::FirstProbes => self.first_probes(),
            Delta::GeoDatabase(database) => self.locate(Some(database)),
            Delta::Member {
                member,
                epoch,
                change,
            } => {
                let Some(&index) = self.index.get(&member) else {
                    return Folded::Unknown(Delta::Member {
                        member,
                        epoch,
                        change,
                    });
                };
                let Some(profile) = self.profiles.get_mut(index.get()) else {
                    return Folded::Done;
                };
                if epoch < profile.epoch {
                    self.metrics.delta(DeltaOutcome::Stale);
                    return Folded::Done;
                }
                profile.epoch = epoch;
                self.metrics.delta(DeltaOutcome::Folded);
                self.take(index, change, now);
            }
        }
        Folded::Done
    }

    /// Folds a change of a member.
    pub(super) fn change(&mut self, member: MemberIdx, change: Change, now: Now) {
        match change {
            Change::Identity(identity) => self.identify(member, identity, now),
            Change::Synced(services) => self.sync(member, services, now),
            Change::Upsert(name, service) => {
                let old = self.builder.fact(member, &name);
                if old.is_some_and(|old| loss::is_loss(old, &service)) {
                    self.losses.keep((member, name), Some(service), now.instant);
                } else {
                    let key = (member, name);
                    self.losses.cancel(&key);
                    self.fold_service(member, &key.1, Some(service), now);
                }
            }
            Change::Remove(name) => {
                if self.builder.fact(member, &name).is_some() {
                    self.losses.keep((member, name), None, now.instant);
                }
            }
            Change::Topology(topology) => self.learn(member, topology),
            Change::Networks(networks) => self.learn_networks(member, networks),
            Change::Whole(is_whole) => self.mark(member, is_whole, now),
            Change::Lost(loss) => {
                let reason = Some(kept(&reason(&loss)));
                if let Some(profile) = self.profiles.get_mut(member.get()) {
                    profile.lacks_mark = matches!(loss, Loss::Mark(_));
                    if profile.reason != reason {
                        profile.reason = reason;
                        self.show(member);
                    }
                }
                self.happen(member, Happening::Lost, now);
            }
            Change::Returning => {
                if let Some(profile) = self.profiles.get_mut(member.get()) {
                    profile.lacks_mark = false;
                }
                self.happen(member, Happening::Returning, now);
            }
            Change::Resumed => self.happen(member, Happening::Resumed, now),
        }
    }

    /// Folds what has been kept back for long enough, as much as one turn takes.
    pub(super) fn fold_losses(&mut self, now: Now) {
        for _ in 0..SLICE {
            let Some(((member, name), service)) = self.losses.pop(now.instant) else {
                return;
            };
            self.fold_service(member, &name, service, now);
        }
    }

    /// Folds everything that is kept back.
    pub(super) fn fold_all_losses(&mut self, now: Now) {
        let kept: Vec<_> = self.losses.drain().collect();
        for ((member, name), service) in kept {
            self.fold_service(member, &name, service, now);
        }
    }

    /// A source says which cluster its member is.
    fn identify(&mut self, member: MemberIdx, identity: Identity, now: Now) {
        let Some(profile) = self.profiles.get(member.get()) else {
            return;
        };
        let old = profile.kept.identity.clone();
        if let Some(old) = old
            .as_ref()
            .filter(|old| identity::is_other(old, &identity))
        {
            let name = self.name(member);
            warn!(member = name.map(display), from = %old.origin, to = %identity.origin,
                "another cluster: its facts are discarded");
            self.discard(member, now);
        }
        let Some(profile) = self.profiles.get_mut(member.get()) else {
            return;
        };
        let identity = identity::merge(profile.kept.identity.as_ref(), identity);
        if profile.kept.identity.as_ref() != Some(&identity) {
            profile.kept.identity = Some(identity.clone());
            self.keep(member, Fact::Identity(identity));
            self.show(member);
            self.find_twins();
        }
    }

    /// Discards the facts of a member: they are another cluster's.
    pub(super) fn discard(&mut self, member: MemberIdx, now: Now) {
        self.losses.cancel_member(member);
        let names: Vec<_> = self
            .builder
            .facts(member)
            .map(|(name, _)| name.clone())
            .collect();
        self.forget_held_back(member, now);
        for name in names {
            self.replace(&(member, name), None, false, now);
        }
        self.damping.discard(member, now.instant);
        self.builder.set_topology(member, Learnt::default().facts());
        self.overruling.applied = None;
        self.builder.set_networks(member, Arc::default());
        if let Some(profile) = self.profiles.get_mut(member.get()) {
            profile.kept = Kept::default();
            profile.warnings.clear();
        }
        self.keep(member, Fact::Discarded);
        self.is_dirty = true;
        self.happen(member, Happening::Forgotten, now);
        self.show(member);
        self.find_twins();
    }

    /// A source says where its member's nodes stand.
    fn learn(&mut self, member: MemberIdx, topology: LearntTopology) {
        let configured = self.config.fleet.members.get(member.get());
        let (Some(configured), Some(profile)) = (configured, self.profiles.get_mut(member.get()))
        else {
            return;
        };
        let before = profile.kept.learnt.clone();
        let warning = profile.kept.learnt.add(&topology, configured);
        let mut warnings = topology.warnings;
        warnings.extend(warning);
        let have_warnings_changed = profile.warnings != warnings;
        profile.warnings = warnings;
        let learnt = profile.kept.learnt.clone();
        if learnt != before {
            self.builder.set_topology(member, learnt.facts());
            self.overruling.applied = None;
            self.is_dirty = true;
            self.keep(member, Fact::Learnt(learnt));
        }
        if have_warnings_changed {
            self.show(member);
        }
    }

    /// A host name was resolved.
    fn resolve(&mut self, hostname: &NameBuf, resolved: Option<Resolved>) {
        let before = self.hostnames.get(hostname).map(|(before, _)| before);
        if before != resolved.as_ref() {
            let fact = Fact::Hostname(hostname.clone(), resolved.clone());
            self.disk.append(&Owner::Fleet, fact);
        }
        match resolved.clone() {
            Some(resolved) => self.hostnames.insert(hostname.clone(), (resolved, None)),
            None => self.hostnames.remove(hostname),
        };
        self.is_dirty |= self.builder.set_hostname(hostname, resolved);
    }

    /// The name of a member.
    pub(super) fn name(&self, member: MemberIdx) -> Option<Label> {
        let members = &self.config.fleet.members;
        members.get(member.get()).map(|member| member.name.clone())
    }

    /// Has a change of a member written.
    pub(super) fn keep(&mut self, member: MemberIdx, fact: Fact) {
        if let Some(name) = self.name(member) {
            self.disk.append(&Owner::Member(name), fact);
        }
    }

    /// Has everything of a member written.
    pub(super) fn keep_whole(&mut self, member: MemberIdx) {
        let (Some(name), Some(profile)) = (self.name(member), self.profiles.get(member.get()))
        else {
            return;
        };
        let facts = self.builder.facts(member);
        let services = facts
            .map(|(name, service)| (name.clone(), service.clone()))
            .collect();
        let whole = Whole {
            kept: profile.kept.clone(),
            services,
        };
        self.disk.replace(&Owner::Member(name), whole);
    }
}
