//! The fragments of the members folder while the daemon runs: who is there, and what each says.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use super::composed::{Composed, FragmentText, FragmentTexts};
use crate::config::{Fragment, FragmentListing, Loaded, fragment_name};
use crate::names::Label;
use crate::sources::members::{MembersFolder, OtherOrigins, Presence};
use crate::telemetry::Metrics;

/// The fragments, each known by the name of its file without the ending, as its member is called so:
/// another folder with the same files has the same members.
#[derive(Debug)]
pub(super) struct FolderMembers {
    /// Says what the folder holds.
    folder: MembersFolder,
    /// The folder is or was there.
    has_folder: bool,
    /// Who is there, and who may be gone.
    presence: Presence<String>,
    /// What the fragments say of those who are there.
    texts: FragmentTexts,
    /// Where it is counted that there is more than is read.
    metrics: Arc<Metrics>,
}

impl FolderMembers {
    /// Follows the folder of a configuration that was read with these fragments.
    pub(super) fn new(loaded: &Loaded, metrics: Arc<Metrics>) -> Self {
        let folder = loaded.config.membership.folder.clone();
        let mut members = Self {
            folder: MembersFolder::new(folder),
            has_folder: !loaded.fragments.is_empty() || !loaded.refused.is_empty(),
            presence: Presence::default(),
            texts: BTreeMap::new(),
            metrics,
        };
        let wrong: BTreeSet<_> = loaded.refused.iter().map(|it| &it.path).collect();
        for fragment in &loaded.fragments {
            let name = fragment_name(&fragment.path);
            members.presence.remember(name.clone());
            let good = (!wrong.contains(&fragment.path)).then(|| fragment.clone());
            let now = fragment.clone();
            members.texts.insert(name, FragmentText { now, good });
        }
        members
    }

    /// Waits for another content of the folder, or until it is to be looked at again. Safe to cancel.
    pub(super) async fn changed(&mut self) -> io::Result<FragmentListing> {
        self.folder.changed(self.presence.due()).await
    }

    /// What the fragments say; `None` where there never was a folder.
    pub(super) fn texts(&self) -> Option<FragmentTexts> {
        self.has_folder.then(|| self.texts.clone())
    }

    /// Takes in what the folder holds; `others` is what there is of other origins. A folder that cannot be
    /// read says nothing. Returns whether anything is to be composed anew.
    pub(super) fn note(
        &mut self,
        listing: io::Result<FragmentListing>,
        others: OtherOrigins,
    ) -> bool {
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                // One that is there from the start and cannot be read has members too.
                if self.has_folder || error.kind() != io::ErrorKind::NotFound {
                    warn!(folder = %self.folder.folder().display(), %error,
                        "the members folder cannot be read: its members stay");
                }
                return false;
            }
        };
        self.has_folder = true;
        let names = listing
            .iter()
            .map(|(path, _)| fragment_name(path))
            .collect();
        let withheld = self.presence.withheld().clone();
        let gone = self.presence.listed(&names, others, Instant::now());
        let mut is_due = !gone.is_empty() || withheld != *self.presence.withheld();
        self.forget(&gone, "its file is gone");
        for (path, read) in listing {
            match read {
                Ok(octets) => {
                    let octets = octets.to_vec();
                    let now = Fragment { path, octets };
                    let name = fragment_name(&now.path);
                    match self.texts.get_mut(&name) {
                        Some(text) if text.now == now => {}
                        Some(text) => {
                            text.now = now;
                            is_due = true;
                        }
                        None => {
                            let good = None;
                            self.texts.insert(name, FragmentText { now, good });
                            is_due = true;
                        }
                    }
                }
                Err(error) => {
                    if let Some(limit) = error.limit() {
                        self.metrics.limit_exceeded(limit);
                    }
                    warn!(%error, "fragment cannot be read, its member stays as it was");
                }
            }
        }
        is_due
    }

    /// What there is of them, for other origins.
    pub(super) fn for_others(&self, now: Instant) -> OtherOrigins {
        self.presence.for_others(now)
    }

    /// An operator says that the absence of a member is meant.
    pub(super) fn mean(&mut self, member: &Label) {
        self.presence.mean(member.to_string(), Instant::now());
    }

    /// An operator confirms that those are gone that are withheld.
    pub(super) fn confirm(&mut self) {
        let gone = self.presence.confirm();
        self.forget(&gone, "an operator confirms that it is gone");
    }

    /// Members are gone.
    fn forget(&mut self, gone: &[String], why: &str) {
        for name in gone {
            info!(member = name, why, "member of the folder removed");
            self.texts.remove(name);
        }
    }

    /// Notes which fragments are right, of a composition of all.
    pub(super) fn note_composed(&mut self, composed: &Composed) {
        let wrong: BTreeSet<_> = composed.refused.iter().map(|it| &it.path).collect();
        for text in self.texts.values_mut() {
            if !wrong.contains(&text.now.path) {
                text.good = Some(text.now.clone());
            } else if !composed.stale.contains(&text.now.path) {
                text.good = None;
            }
        }
    }

    /// Members that stay until an operator confirms that they are gone.
    pub(super) fn withheld(&self) -> impl Iterator<Item = Label> {
        let names = self.presence.withheld().iter();
        names.filter_map(|name| name.parse().ok())
    }

    /// Fragments as they were last right.
    pub(super) fn good(&self) -> impl Iterator<Item = Fragment> {
        self.texts.values().filter_map(|text| text.good.clone())
    }

    /// Follows another folder: who was in the one before is gone as when a file is gone.
    pub(super) fn follow(&mut self, folder: &Path) {
        if self.folder.folder() != folder {
            self.folder = MembersFolder::new(folder.to_owned());
        }
    }
}
