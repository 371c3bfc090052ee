//! Members that are not in the configuration file while the daemon runs: those of the folder and those of
//! the host cluster, as they are taken, kept on disk and shown.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use tracing::warn;

use super::composed::{Composed, MemberTexts};
use super::folder_members::FolderMembers;
use super::kept_members::{self, KeptMembers};
use crate::config::{
    Config, FragmentListing, Loaded, MemberObject, Membership, ObjectMember, RefusedFragment,
};
use crate::publish::MemberDepartures;
use crate::sources::blocking;
use crate::sources::members::{HostChange, HostMembers};
use crate::telemetry::Metrics;

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
        }
    }

    /// Takes in news, with the configuration as it runs. Returns whether anything is to be composed anew.
    pub(super) fn note(&mut self, news: MemberNews, config: &Config) -> bool {
        let members = config.fleet.members.len();
        match news {
            MemberNews::Folder(listing) => {
                let own = config.membership.from_folder.len();
                self.folder.note(listing, members.saturating_sub(own))
            }
            MemberNews::Host(change) => self.host.note(change, members),
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

    /// Notes which of them are right, of a composition of all, and puts into it who is withheld.
    pub(super) fn note_composed(&mut self, composed: &mut Composed) {
        self.folder.note_composed(composed);
        let objects = std::mem::take(&mut composed.objects).into_iter();
        self.good = objects.map(|one| (one.object.clone(), one)).collect();
        let membership = &mut composed.config.membership;
        let withheld: BTreeSet<_> = self.host.withheld().collect();
        let from_host = membership.from_host.iter();
        let from_host = from_host.filter(|(_, object)| withheld.contains(object));
        let from_host = from_host.map(|(name, _)| name.clone());
        membership.withheld = self.folder.withheld().chain(from_host).collect();
        self.tell_refused(std::mem::take(&mut composed.refused));
    }

    /// Follows another folder and another host cluster, where these are others. Returns whether members are
    /// others by that.
    pub(super) fn follow(&mut self, membership: &Membership) -> bool {
        self.folder.follow(&membership.folder);
        self.host.follow(membership.host.as_ref())
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
