//! The facts of all members while the process runs: what the one writer folds changes into.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::warn;

use super::begin::Beginning;
use super::brake::Brake;
use super::damping::Damping;
use super::disk::Disk;
use super::fact::{Fact, Kept, Learnt};
use super::files::Owner;
use super::findings::Known;
use super::identity;
use super::lingering::Lingering;
use super::lists::{Lists, SLICE};
use super::loss::{self, Losses};
use super::now::Now;
use super::outbox::Outbox;
use super::overruling::Overruling;
use super::profile::{Profile, reason};
use super::record::Record;
use super::releases::Releases;
use super::states::{Happening, States};
use super::transit::Transits;
use super::twins::twins;
use crate::config::Config;
use crate::model::{Change, Delta, GeoDatabase, Identity, LearntTopology, Loss, MemberIdx, kept};
use crate::names::Label;
use crate::snapshot::{Resolved, Serial};
use crate::telemetry::DeltaOutcome;
use crate::wire::NameBuf;

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
    /// What operators have decided.
    pub(super) overruling: Overruling,
    /// When it is next written down that facts are live.
    pub(super) seen: Instant,
    /// Where everything goes.
    pub(super) out: Outbox,
}

impl World {
    /// The world as it begins, with somewhere to write to.
    pub(super) fn new(
        config: Arc<Config>,
        beginning: Beginning,
        (disk, record, transits): (Disk, Record, Transits),
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
        let mut out = Outbox {
            builder,
            is_dirty: true,
            disk,
            record,
            transits,
            metrics,
        };
        for member in discarded {
            out.keep(member, Fact::Discarded);
        }
        Self {
            config,
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
            lists: Lists::default(),
            hostnames,
            serial,
            lingering,
            is_contested: false,
            database: None,
            overruling,
            seen: now.instant,
            out,
        }
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
                self.out.is_dirty |= self.out.builder.set_unresolved(&hostname, why);
            }
            Delta::Probed(found) => self.probed(found, now),
            Delta::FirstProbes => self.known.end_first_probes(),
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
                    self.out.metrics.delta(DeltaOutcome::Stale);
                    return Folded::Done;
                }
                profile.epoch = epoch;
                self.out.metrics.delta(DeltaOutcome::Folded);
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
                let old = self.out.builder.fact(member, &name);
                if old.is_some_and(|old| loss::is_loss(old, &service)) {
                    self.losses.keep((member, name), Some(service), now.instant);
                } else {
                    let key = (member, name);
                    self.losses.cancel(&key);
                    self.fold_service(member, &key.1, Some(service), now);
                }
            }
            Change::Remove(name) => {
                if self.out.builder.fact(member, &name).is_some() {
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
            let name = self.out.name(member);
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
            self.out.keep(member, Fact::Identity(identity));
            self.show(member);
            self.find_twins();
        }
    }

    /// Discards the facts of a member: they are another cluster's.
    pub(super) fn discard(&mut self, member: MemberIdx, now: Now) {
        self.losses.cancel_member(member);
        let names: Vec<_> = self
            .out
            .builder
            .facts(member)
            .map(|(name, _)| name.clone())
            .collect();
        self.forget_held_back(member, now);
        for name in names {
            self.replace(&(member, name), None, false, now);
        }
        self.damping.discard(member, now.instant);
        self.out
            .builder
            .set_topology(member, Learnt::default().facts());
        self.overruling.applied = None;
        self.out.builder.set_networks(member, Arc::default());
        if let Some(profile) = self.profiles.get_mut(member.get()) {
            profile.kept = Kept::default();
            profile.warnings.clear();
        }
        self.out.keep(member, Fact::Discarded);
        self.out.is_dirty = true;
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
            self.out.builder.set_topology(member, learnt.facts());
            self.overruling.applied = None;
            self.out.is_dirty = true;
            self.out.keep(member, Fact::Learnt(learnt));
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
            self.out.disk.append(&Owner::Fleet, fact);
        }
        match resolved.clone() {
            Some(resolved) => self.hostnames.insert(hostname.clone(), (resolved, None)),
            None => self.hostnames.remove(hostname),
        };
        self.out.is_dirty |= self.out.builder.set_hostname(hostname, resolved);
    }

    /// Tells anew which members are one cluster, once a member has another identity.
    pub(super) fn find_twins(&mut self) {
        let all = twins(&self.config, &self.profiles);
        for (member, said) in MemberIdx::all().zip(all) {
            let Some(profile) = self.profiles.get_mut(member.get()) else {
                continue;
            };
            if profile.twin == said {
                continue;
            }
            profile.twin.clone_from(&said);
            if let (Some(name), Some(said)) = (self.out.name(member), said) {
                warn!(member = %name, "{said}");
            }
            self.show(member);
        }
    }
}
