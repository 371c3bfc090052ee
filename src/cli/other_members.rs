//! Members that are not in the configuration file while the daemon runs: those of the folder and those of
//! the host cluster, as they are taken, kept on disk and shown.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::composed::{Composed, MemberTexts};
use super::folder_members::FolderMembers;
use super::kept_members::{self, KeptMembers};
use crate::config::{
    Config, FragmentListing, Loaded, MemberObject, Membership, ObjectMember, RefusedFragment,
};
use crate::model::{MemberList, MemberOrigin};
use crate::names::Label;
use crate::publish::MemberDepartures;
use crate::sources::blocking;
use crate::sources::members::{HostChange, HostMembers, OtherOrigins, RecentDepartures};
use crate::telemetry::Metrics;

/// The members of the configuration file.
fn own_members(config: &Config) -> impl Iterator<Item = &Label> {
    let members = config.fleet.members.iter().map(|(_, member)| &member.name);
    members.filter(|name| config.membership.origin(name) == MemberOrigin::Config)
}

/// How long the first sync of a member may take at most (docs/names.md, decision 10).
fn longest_sync_timeout(config: &Config) -> Duration {
    let timeouts = config.fleet.federations.iter();
    let timeouts = timeouts.map(|federation| federation.sync_timeout);
    timeouts.max().unwrap_or_default()
}

/// The members that are not in the configuration file.
#[derive(Debug)]
pub(super) struct OtherMembers {
    /// Those of the folder.
    folder: FolderMembers,
    /// Those of the host cluster.
    host: HostMembers,
    /// What their objects said when that was last right.
    good: BTreeMap<MemberObject, ObjectMember>,
    /// What was last said of fragments and objects that are not taken.
    refused: Vec<RefusedFragment>,
    /// Members of the file that went of late.
    recent: RecentDepartures,
    /// Lists of members that were heard, in this process or before it.
    listed: BTreeSet<MemberList>,
    /// Lists that were not, and that nobody is called ready without.
    awaited: BTreeSet<MemberList>,
    /// Until when.
    awaited_until: Instant,
    /// Members that are kept on disk.
    kept: KeptMembers,
    /// What operators have said of members that go, as far as it is done.
    heard: MemberDepartures,
    /// Where it is shown where members come from.
    metrics: Arc<Metrics>,
}

/// News of these members.
pub(super) enum MemberNews {
    /// What the folder holds.
    Folder(io::Result<FragmentListing>),
    /// Of the host cluster.
    Host(HostChange),
    /// What is awaited takes too long.
    Overdue,
}

impl OtherMembers {
    /// Follows the folder and the host cluster of a configuration that was read with these members.
    pub(super) fn new(loaded: &Loaded, mut host: HostMembers, metrics: Arc<Metrics>) -> Self {
        let objects = loaded.objects.iter();
        host.remember(objects.clone().cloned());
        host.follow(loaded.config.membership.host.as_ref());
        let mut members = Self {
            folder: FolderMembers::new(loaded, Arc::clone(&metrics)),
            host,
            good: objects
                .map(|one| (one.object.clone(), one.clone()))
                .collect(),
            refused: Vec::new(),
            recent: RecentDepartures::default(),
            listed: loaded.listed.clone(),
            awaited: loaded.config.fleet.awaited.clone(),
            awaited_until: Instant::now() + longest_sync_timeout(&loaded.config),
            kept: KeptMembers::default(),
            heard: MemberDepartures::default(),
            metrics,
        };
        members.tell_refused(loaded.refused.clone());
        members
    }

    /// Waits for news of members, or until a list of them is due. Safe to cancel.
    pub(super) async fn changed(&mut self) -> MemberNews {
        tokio::select! {
            listing = self.folder.changed() => MemberNews::Folder(listing),
            change = self.host.changed() => MemberNews::Host(change),
            () = tokio::time::sleep_until(self.awaited_until), if !self.awaited.is_empty() => {
                MemberNews::Overdue
            }
        }
    }

    /// Takes in news, with the configuration as it runs. Returns whether anything is to be composed anew.
    pub(super) fn note(&mut self, news: MemberNews, config: &Config) -> bool {
        let now = Instant::now();
        let own = OtherOrigins {
            members: own_members(config).count(),
            absent: 0,
            recent: self.recent.count(now),
        };
        let heard = match &news {
            MemberNews::Folder(listing) => listing.is_ok().then_some(MemberList::Folder),
            MemberNews::Host(change) => change.heard(),
            MemberNews::Overdue => None,
        };
        self.listed.extend(heard);
        let was_awaited = heard.is_some_and(|list| self.awaited.remove(&list));
        was_awaited
            | match news {
                MemberNews::Overdue => {
                    for list in std::mem::take(&mut self.awaited) {
                        warn!(%list, "which members there are was not heard in time: going on without");
                    }
                    true
                }
                MemberNews::Folder(listing) => {
                    let others = own + self.host.for_others(now);
                    self.folder.note(listing, others)
                }
                MemberNews::Host(change) => {
                    let others = own + self.folder.for_others(now);
                    self.host.note(change, others)
                }
            }
    }

    /// Takes in what operators have said of members that go. Returns whether anything is to be composed
    /// anew.
    pub(super) fn hear(&mut self, said: MemberDepartures) -> bool {
        let before = std::mem::replace(&mut self.heard, said);
        let meant = self.heard.meant.iter();
        for (name, _) in meant.filter(|(name, count)| before.meant.get(name) != Some(count)) {
            self.folder.mean(name);
            self.host.mean(name);
        }
        if before.confirmed == self.heard.confirmed {
            return false;
        }
        self.folder.confirm();
        self.host.confirm();
        true
    }

    /// What fragments and objects say.
    pub(super) fn texts(&self) -> MemberTexts {
        MemberTexts {
            fragments: self.folder.texts(),
            objects: self.host.members(),
            good: self.good.clone(),
        }
    }

    /// Notes which of them are right, of a composition of all that is to follow what runs, and puts into it
    /// what else is known of them.
    pub(super) fn note_composed(&mut self, composed: &mut Composed, running: &Config) {
        let stay = composed.config.fleet.members.iter();
        let stay: BTreeSet<_> = stay.map(|(_, member)| &member.name).collect();
        let gone = own_members(running).filter(|name| !stay.contains(name));
        for _ in gone {
            self.recent.push(Instant::now());
        }
        self.folder.note_composed(composed);
        let objects = std::mem::take(&mut composed.objects).into_iter();
        self.good = objects.map(|one| (one.object.clone(), one)).collect();
        let membership = &mut composed.config.membership;
        let withheld: BTreeSet<_> = self.host.withheld().collect();
        let from_host = membership.from_host.iter();
        let from_host = from_host.filter(|(_, object)| withheld.contains(object));
        let from_host = from_host.map(|(name, _)| name.clone());
        membership.withheld = self.folder.withheld().chain(from_host).collect();
        let told = membership.from_host.iter();
        membership.warnings = told
            .flat_map(|(name, object)| {
                let warnings = self.host.warnings(object);
                warnings.map(|warning| (name.clone(), warning))
            })
            .collect();
        if composed.config.fleet.awaited != self.awaited {
            let fleet = Arc::make_mut(&mut composed.config.fleet);
            fleet.awaited.clone_from(&self.awaited);
        }
        self.tell_refused(std::mem::take(&mut composed.refused));
    }

    /// Follows another folder and another host cluster, where these are others. Returns whether members are
    /// others by that.
    pub(super) fn follow(&mut self, membership: &Membership) -> bool {
        let awaited = self.awaited.len();
        self.awaited
            .retain(|list| *list == MemberList::Folder || membership.asks_host_for(*list));
        self.folder.follow(&membership.folder);
        self.host.follow(membership.host.as_ref()) | (awaited != self.awaited.len())
    }

    /// Says what is wrong with fragments and objects, once.
    fn tell_refused(&mut self, refused: Vec<RefusedFragment>) {
        for one in &refused {
            if !self.refused.contains(one) {
                for problem in &one.problems {
                    warn!(%problem, "refused, its member stays as it was");
                }
            }
        }
        self.refused = refused;
    }

    /// Shows where the members of a configuration come from.
    fn measure(&self, config: &Config) {
        let mut counts =
            BTreeMap::from([("config", 0), ("folder", 0), ("secret", 0), ("profile", 0)]);
        for (_, member) in config.fleet.members.iter() {
            let origin = config.membership.origin(&member.name);
            *counts.entry(origin.kind()).or_default() += 1;
        }
        for (origin, count) in counts {
            self.metrics.set_members(origin, count);
        }
        for list in MemberList::ALL {
            let is_awaited = config.fleet.awaited.contains(&list);
            self.metrics.set_awaited(list.origin(), is_awaited);
        }
        let refused = self.refused.iter().map(|one| one.path.as_path());
        let of_objects = self.host.measure(&refused);
        let of_folder = self.refused.len().saturating_sub(of_objects);
        self.metrics.set_refused("folder", of_folder);
        self.metrics
            .set_members_held_back(config.membership.withheld.len());
    }

    /// Has the members written, if they are others than those that were.
    pub(super) async fn keep(&mut self, config: &Config) {
        self.measure(config);
        let right = KeptMembers {
            fragments: self.folder.good().collect(),
            objects: self.good.values().cloned().collect(),
            listed: self.listed.clone(),
        };
        if right == self.kept {
            return;
        }
        let (state_dir, written) = (config.state_dir.clone(), right.clone());
        let write = move || kept_members::write(&state_dir, &written);
        match blocking::blocking(write).await {
            Ok(()) => self.kept = right,
            Err(error) => warn!(%error, "which members there are cannot be kept"),
        }
    }
}
