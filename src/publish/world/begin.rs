//! The world as it begins: what was kept on disk, checked against the configuration.

use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::Config;
use crate::keys::KeysByZone;
use crate::model::{Joined, Member, MemberIdx, UnixSeconds};
use crate::names::Label;
use crate::publish::disk::fact::MemberMeta;
use crate::publish::disk::files::{FileOwner, LogTail, Paths};
use crate::publish::disk::findings_file::RestoredFindings;
use crate::publish::members::identity;
use crate::publish::members::profile::{Profile, status};
use crate::publish::members::states::{MemberRecord, States};
use crate::publish::members::twins::twins;
use crate::publish::now::Now;
use crate::publish::zone_keys::zone_keys;
use crate::snapshot::{
    PartitionedFacts, Partitioner, Resolved, Serial, Settings, SnapshotBuilder, map_in_parallel,
};
use crate::wire::NameBuf;

/// The folder of `state-dir` that persisted facts are in.
pub(in crate::publish) const FOLDER: &str = "facts";

/// Everything that was read.
#[derive(Debug)]
pub(in crate::publish) struct RestoredFiles {
    /// By owner: all but services, and where writing goes on.
    pub(in crate::publish) owners: BTreeMap<FileOwner, (MemberMeta, LogTail)>,
    /// The services of each member.
    services: BTreeMap<MemberIdx, PartitionedFacts>,
    partitioner: Partitioner,
}

impl RestoredFiles {
    /// The last SOA serial.
    pub(in crate::publish) fn serial(&self) -> Option<Serial> {
        let (kept, _) = self.owners.get(&FileOwner::Fleet)?;
        kept.serial
    }

    /// The longest TTL that an earlier process may have given to caches, in seconds.
    fn longest_ttl(&self) -> Option<u32> {
        let (kept, _) = self.owners.get(&FileOwner::Fleet)?;
        kept.longest_ttl
    }
}

/// The world before anything was heard from a source.
#[derive(Debug)]
pub(in crate::publish) struct Beginning {
    /// Facts.
    pub(in crate::publish) builder: SnapshotBuilder,
    /// What is known of each member.
    pub(in crate::publish) profiles: BTreeMap<MemberIdx, Profile>,
    /// The members by name.
    pub(in crate::publish) index: HashMap<Label, MemberIdx>,
    /// The states of the members.
    pub(in crate::publish) states: States,
    /// The last SOA serial.
    pub(in crate::publish) serial: Option<Serial>,
    /// The longest TTL that an earlier process may have given to caches, in seconds.
    pub(in crate::publish) longest_ttl: Option<u32>,
    /// What host names resolved to.
    pub(in crate::publish) hostnames: BTreeMap<NameBuf, (Resolved, Option<Instant>)>,
    /// Members whose persisted facts are another cluster's and were not used.
    pub(in crate::publish) discarded: Vec<MemberIdx>,
}

/// The members of a configuration with their indices.
pub(in crate::publish) fn members(config: &Config) -> impl Iterator<Item = (MemberIdx, &Member)> {
    config.fleet.members.iter()
}

/// The settings that a snapshot carries.
pub(in crate::publish) fn settings(config: &Config) -> Settings {
    Settings {
        nsid: config.listen.nsid.clone(),
        has_client_name: config.listen.has_client_name,
        trusted: config.listen.trusted.clone(),
        listeners: config
            .listen
            .dns
            .iter()
            .map(|listener| listener.member.clone())
            .collect(),
        allowed: config
            .listen
            .dns
            .iter()
            .map(|listener| listener.allow.clone())
            .collect(),
        zones_allowed: config.zones_allowed(),
        diagnostics: config.clients.diagnostics.clone(),
        rate_limits: config.clients.rate_limits.clone(),
        max_without_cookie: config.clients.max_without_cookie,
        report_channel: config.clients.report_channel.clone(),
    }
}

/// Reads what is kept of the fleet and of each member of the configuration, on as many threads as
/// there are processors. Writes nothing.
pub(in crate::publish) fn read(config: &Config, folder: &Path) -> RestoredFiles {
    let mut read = RestoredFiles {
        owners: BTreeMap::new(),
        services: BTreeMap::new(),
        partitioner: Partitioner::new(Arc::clone(&config.fleet)),
    };
    let owners = members(config).map(|(index, member)| (Some(index), member));
    let owners = owners.map(|(index, member)| (index, FileOwner::Member(member.name.clone())));
    let partitioner = read.partitioner.clone();
    map_in_parallel(
        owners.chain([(None, FileOwner::Fleet)]),
        |(member, owner)| {
            let paths = Paths {
                folder: folder.to_owned(),
                owner,
            };
            let (whole, tail) = paths.read();
            let partitioned_facts =
                member.map(|member| (member, partitioner.partition(member, whole.services)));
            (paths.owner, (whole.kept, tail), partitioned_facts)
        },
        |(owner, kept, partitioned_facts)| {
            read.owners.insert(owner, kept);
            read.services.extend(partitioned_facts);
        },
    );
    read
}

/// The networks that were kept of a member: none where its nodes are not watched any more.
pub(in crate::publish) fn kept_networks(
    config: &Config,
    member: MemberIdx,
    kept: &MemberMeta,
) -> Arc<[IpNet]> {
    let name = config.fleet.members.get(member).map(|member| &member.name);
    let mut sources = config.sources.iter();
    let source = sources.find(|source| Some(&source.member) == name);
    if source.is_none_or(|source| source.has_topology) {
        return Arc::default();
    }
    kept.networks.iter().copied().collect()
}

impl Beginning {
    /// Folds what was read. Members with facts are held since now (docs/names.md, decision 5).
    /// While answers are frozen no hold passes.
    pub(in crate::publish) fn new(
        config: &Config,
        mut read: RestoredFiles,
        found: &RestoredFindings,
        is_frozen: bool,
        now: Now,
    ) -> Self {
        let fleet = &config.fleet;
        let mut beginning = Self {
            builder: SnapshotBuilder::new(Arc::clone(fleet), settings(config)),
            profiles: BTreeMap::new(),
            index: members(config)
                .map(|(index, member)| (member.name.clone(), index))
                .collect(),
            states: States::new(fleet, Joined::AtStart, now.instant),
            serial: read.serial(),
            longest_ttl: read.longest_ttl(),
            hostnames: BTreeMap::new(),
            discarded: Vec::new(),
        };
        beginning.builder.set_findings(found.findings.clone());
        let keys = zone_keys(config, &KeysByZone::default());
        beginning.builder.set_zone_keys(keys);
        for (index, member) in members(config) {
            let owner = FileOwner::Member(member.name.clone());
            let kept = read.owners.remove(&owner).map(|(kept, _)| kept);
            let services = read.services.get(&index).map_or(0, PartitionedFacts::len);
            let kept = kept.unwrap_or_default();
            let contact = found.members.get(member.name.as_str());
            if !beginning.restore(config, (index, member), (kept, contact, services), now) {
                read.services.remove(&index);
            }
        }
        let services = read.services.into_values().collect();
        beginning.builder.restore(read.partitioner, services);
        let fleet = read.owners.get(&FileOwner::Fleet).map(|(kept, _)| kept);
        for (name, resolved) in fleet.into_iter().flat_map(|kept| &kept.hostnames) {
            let Some(resolved) = resolved else { continue };
            beginning.builder.set_hostname(name, Some(resolved.clone()));
            beginning
                .hostnames
                .insert(name.clone(), (resolved.clone(), Some(now.instant)));
        }
        let twins = twins(&config.fleet, &beginning.profiles);
        for (index, twin) in twins {
            if let Some(member) = config.fleet.members.get(index) {
                warn!(member = %member.name, "{twin}");
            }
            if let Some(profile) = beginning.profiles.get_mut(&index) {
                profile.twin = Some(twin);
            }
        }
        // Frozen answers are as they were kept: what has become due since follows in the first turn,
        // which publishes nothing.
        if is_frozen {
            beginning.states.derive(now.instant);
        } else {
            beginning.states.settle(now.instant);
        }
        let federations = 0..config.fleet.federations.len();
        let contacts = federations.map(|federation| beginning.states.contact(federation));
        beginning.builder.set_contacts(contacts.collect());
        for (index, member) in members(config) {
            let profile = beginning.profiles.get(&index);
            if let Some((state, profile)) = beginning.states.state(index).zip(profile) {
                beginning
                    .builder
                    .set_status(index, status(&member.name, profile, state));
            }
        }
        beginning
    }

    /// Restores what was kept of one member, with how many services. Returns whether those count.
    fn restore(
        &mut self,
        config: &Config,
        (index, member): (MemberIdx, &Member),
        (kept, contact, services): (MemberMeta, Option<&MemberRecord>, usize),
        now: Now,
    ) -> bool {
        let mut profile = Profile {
            origin: config.membership.origin(&member.name),
            since: now.wall,
            ..Profile::default()
        };
        let source = config
            .sources
            .iter()
            .find(|source| source.member == member.name);
        let origin = kept.identity.as_ref().map(|identity| &identity.origin);
        let is_other = origin
            .zip(source)
            .is_some_and(|(origin, source)| !identity::may_be(origin, &source.source));
        let is_restored = !is_other && kept.first_synced.is_some();
        if is_other {
            warn!(member = %member.name, origin, "discarding persisted facts: they came from another source");
            self.discarded.push(index);
        } else {
            if is_restored {
                self.states.restore(index, contact, &config.fleet, now);
                profile.contact = contact.cloned().unwrap_or_default();
                if let Some(lost) = profile.contact.lost {
                    profile.since = UnixSeconds(lost);
                }
                profile.reason = Some("restored from disk, no contact yet".to_owned());
                let last_live = kept.seen.map(|seen| seen.0);
                info!(member = %member.name, services, last_live, "facts restored");
            }
            self.builder.set_topology(index, kept.learnt.facts());
            let networks = kept_networks(config, index, &kept);
            self.builder.set_networks(index, networks);
            profile.kept = kept;
        }
        self.profiles.insert(index, profile);
        is_restored
    }
}
