//! The world as it begins: what was kept on disk, checked against the configuration.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use super::contact::status;
use super::files::{Owner, Paths, Tail, Whole};
use super::identity;
use super::states::{Happening, States};
use super::vantages::kept_networks;
use super::world::{Now, Profile};
use crate::config::Config;
use crate::model::{Joined, Member, MemberIdx, NamespacedName, Service};
use crate::names::Label;
use crate::snapshot::{Resolved, Settings, SnapshotBuilder, share_out};
use crate::wire::NameBuf;

/// The folder of `state-dir` that persisted facts are in.
pub(super) const FOLDER: &str = "facts";

/// Everything that was read, by owner, and where writing goes on.
pub(super) type Read = BTreeMap<Owner, (Whole, Tail)>;

/// The world before anything was heard from a source.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Facts.
    pub(super) builder: SnapshotBuilder,
    /// In configuration order.
    pub(super) profiles: Vec<Profile>,
    /// The members by name.
    pub(super) index: HashMap<Label, MemberIdx>,
    /// The states of the members.
    pub(super) states: States,
    /// What host names resolved to.
    pub(super) hostnames: BTreeMap<NameBuf, (Resolved, Option<Instant>)>,
    /// Members whose persisted facts are another cluster's and were not used.
    pub(super) discarded: Vec<MemberIdx>,
}

/// The members of a configuration with their indices.
pub(super) fn members(config: &Config) -> impl Iterator<Item = (MemberIdx, &Member)> {
    MemberIdx::all().zip(&config.fleet.members)
}

/// The settings that a snapshot carries.
pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        nsid: config.listen.nsid.clone(),
        trusted: config.listen.trusted.clone(),
        listeners: config
            .listen
            .dns
            .iter()
            .map(|listener| listener.member.clone())
            .collect(),
    }
}

/// Reads what is kept of the fleet and of each member of the configuration, on as many threads as
/// there are processors. Writes nothing.
pub(super) fn read(config: &Config, folder: &Path) -> Read {
    let names = config
        .fleet
        .members
        .iter()
        .map(|member| Owner::Member(member.name.clone()));
    let mut read = Read::new();
    share_out(
        names.chain([Owner::Fleet]),
        |owner| {
            let paths = Paths {
                folder: folder.to_owned(),
                owner: owner.clone(),
            };
            (owner, paths.read())
        },
        |(owner, whole)| {
            read.insert(owner, whole);
        },
    );
    read
}

impl Beginning {
    /// Folds what was read. Members with facts are held since now (names: decision 5).
    pub(super) fn new(config: &Config, read: &mut Read, now: Now) -> Self {
        let fleet = &config.fleet;
        let mut beginning = Self {
            builder: SnapshotBuilder::new(Arc::clone(fleet), settings(config)),
            profiles: Vec::new(),
            index: members(config)
                .map(|(index, member)| (member.name.clone(), index))
                .collect(),
            states: States::new(fleet, Joined::AtStart, now.instant),
            hostnames: BTreeMap::new(),
            discarded: Vec::new(),
        };
        let mut facts = Vec::new();
        for (index, member) in members(config) {
            let owner = Owner::Member(member.name.clone());
            let whole = read.get_mut(&owner).map(|(whole, _)| std::mem::take(whole));
            let services = beginning.restore(config, index, member, whole.unwrap_or_default(), now);
            facts.push((index, services));
        }
        beginning.builder.restore(facts);
        let fleet = read.get(&Owner::Fleet).map(|(whole, _)| &whole.kept);
        for (name, resolved) in fleet.into_iter().flat_map(|kept| &kept.hostnames) {
            let Some(resolved) = resolved else { continue };
            beginning.builder.set_hostname(name, Some(resolved.clone()));
            beginning
                .hostnames
                .insert(name.clone(), (resolved.clone(), Some(now.instant)));
        }
        for ((index, member), profile) in members(config).zip(&beginning.profiles) {
            if let Some(state) = beginning.states.state(index) {
                beginning
                    .builder
                    .set_status(index, status(&member.name, profile, state));
            }
        }
        beginning
    }

    /// Restores one member, and gives the services that it had.
    fn restore(
        &mut self,
        config: &Config,
        index: MemberIdx,
        member: &Member,
        whole: Whole,
        now: Now,
    ) -> Vec<(NamespacedName, Arc<Service>)> {
        let mut restored = Vec::new();
        let mut profile = Profile {
            since: now.wall,
            ..Profile::default()
        };
        let source = config
            .sources
            .iter()
            .find(|source| source.member == member.name);
        let origin = whole
            .kept
            .identity
            .as_ref()
            .map(|identity| &identity.origin);
        let is_other = origin
            .zip(source)
            .is_some_and(|(origin, source)| !identity::may_be(origin, &source.source));
        if is_other {
            warn!(member = %member.name, origin, "persisted facts are of another source: discarded");
            self.discarded.push(index);
        } else {
            if whole.kept.first_synced.is_some() {
                let services = whole.services.len();
                restored = whole.services;
                self.states.happen(index, Happening::Restored, now.instant);
                profile.reason = Some("restored from disk, no contact yet".to_owned());
                let last_live = whole.kept.seen.map(|seen| seen.0);
                info!(member = %member.name, services, last_live, "facts restored");
            }
            self.builder.set_topology(index, whole.kept.learnt.facts());
            let networks = kept_networks(config, index, &whole.kept);
            self.builder.set_networks(index, networks);
            profile.kept = whole.kept;
        }
        self.profiles.push(profile);
        restored
    }
}
