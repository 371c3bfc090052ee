//! The world as it was last known, for looking at: nothing is contacted, written or locked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::begin;
use super::begin::{Beginning, FOLDER, members};
use crate::config::Config;
use crate::model::{
    Finding, Identity, MemberIdx, MemberState, NamespacedName, Service, UnixSeconds,
};
use crate::names::Label;
use crate::publish::disk::files::FileOwner;
use crate::publish::disk::findings_file;
use crate::publish::members::profile::{Profile, status};
use crate::publish::members::states::ContactEvent;
use crate::publish::now::Now;
use crate::publish::overrides::decision::{left, together};
use crate::publish::overrides::targets::shares;
use crate::publish::overrides::{host_file, overrides_file};
use crate::publish::shards::findings::left_of_proofs;
use crate::snapshot::{Generation, Serial, Snapshot};
use crate::telemetry::clock;

/// What a configuration's members last said, as far as it is on disk.
#[derive(Debug)]
pub struct Restored {
    /// The configuration.
    config: Arc<Config>,
    /// What was read.
    beginning: Beginning,
    /// The last SOA serial.
    serial: Serial,
    /// When it was read.
    now: Now,
}

/// Reads the persisted facts of `config`'s members. Members with facts are held, the others never
/// synced. Wrong files are logged and not used.
pub fn restore(config: Arc<Config>) -> Restored {
    let now = Now {
        instant: clock::monotonic(),
        wall: clock::now(),
    };
    let read = begin::read(&config, &config.state_dir.join(FOLDER));
    let serial = read.serial().unwrap_or_default();
    let file = findings_file::path(&config.state_dir);
    let mut decided = overrides_file::read(&overrides_file::path(&config.state_dir));
    let here = config.fleet.locality.as_ref();
    let found = findings_file::read(&file, here, decided.latest(), now.wall);
    decided.date(found.clock_set);
    let mut overrides = decided.overrides;
    if config.membership.overrides_object().is_some()
        && let Ok(Some(kept)) = host_file::read(&host_file::path(&config.state_dir))
    {
        let host = left(&kept.overrides, overrides.frozen, now.wall);
        overrides = together(&overrides, &host);
    }
    let is_frozen = overrides.frozen.is_some();
    let mut beginning = Beginning::new(&config, read, &found, is_frozen, now);
    beginning.give_up_waiting(&config);
    if !is_frozen {
        beginning.end_proofs(&found, now.wall);
    }
    let moment = overrides.moment(now.wall);
    let shares = shares(&overrides, moment, &config.fleet, &beginning.builder);
    beginning.builder.set_shares(shares);
    Restored {
        config,
        beginning,
        serial,
        now,
    }
}

/// Which clusters the members of a configuration were when their facts were kept. Wrong files are
/// logged and not used.
pub fn kept_identities(config: &Config) -> BTreeMap<Label, Identity> {
    let read = begin::read(config, &config.state_dir.join(FOLDER));
    let owners = read.owners.into_iter();
    let identities = owners.filter_map(|(owner, (kept, _))| match owner {
        FileOwner::Member(name) => Some((name, kept.identity?)),
        FileOwner::Fleet => None,
    });
    identities.collect()
}

impl Beginning {
    /// Ends what has passed for too long ago.
    fn end_proofs(&mut self, found: &findings_file::RestoredFindings, now: UnixSeconds) {
        let targets = self.builder.targets().clone();
        for (address, _, left) in left_of_proofs(&found.asked, &targets, now) {
            if left.is_zero()
                && let Some(finding) = found.findings.get(&address)
            {
                let finding = Finding {
                    is_passing: false,
                    ..finding.clone()
                };
                self.builder.set_finding(address, Some(finding));
            }
        }
    }

    /// Shows members without facts as empty, since their first sync will not be seen.
    pub(in crate::publish) fn give_up_waiting(&mut self, config: &Config) {
        for (index, member) in members(config) {
            let is_syncing = matches!(self.states.state(index), Some(MemberState::Syncing(_)));
            if let Some(profile) = self.profiles.get(&index).filter(|_| is_syncing) {
                let status = status(&member.name, profile, MemberState::NeverSynced);
                self.builder.set_status(index, status);
            }
        }
    }
}

impl Restored {
    /// Replaces what was persisted of a member by what was read just now, such as its facts file.
    pub fn replace(&mut self, member: &Label, services: Vec<(NamespacedName, Arc<Service>)>) {
        let Some(&index) = self.beginning.index.get(member) else {
            return;
        };
        let Beginning {
            builder,
            states,
            profiles,
            ..
        } = &mut self.beginning;
        let old: Vec<_> = builder.facts(index).map(|(name, _)| name.clone()).collect();
        for name in old {
            builder.remove(index, &name);
        }
        for (name, service) in services {
            builder.upsert(index, &name, service);
        }
        states.on_contact_event(index, ContactEvent::Synced, self.now.instant);
        if let Some(profile) = profiles.get_mut(&index) {
            *profile = Profile {
                since: self.now.wall,
                ..Profile::default()
            };
            builder.set_status(index, status(member, profile, MemberState::Ready));
        }
    }

    /// When the facts of each member were last known to be live, in configuration order; `None`
    /// for a member without persisted facts.
    pub fn last_live(&self) -> impl Iterator<Item = (&Label, Option<UnixSeconds>)> {
        let last_live = |member: MemberIdx| {
            let profile = self.beginning.profiles.get(&member);
            profile.and_then(|profile| profile.kept.seen)
        };
        members(&self.config).map(move |(index, member)| (&member.name, last_live(index)))
    }

    /// The same as a snapshot, of generation 0.
    pub fn snapshot(&mut self) -> Snapshot {
        self.beginning.builder.snapshot(Generation(0), self.serial)
    }
}
