//! The fragments of the members folder while the daemon runs: who is there, and what each says.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use super::kept_members;
use crate::config::{
    self, Composition, Config, Fragment, FragmentListing, Loaded, Problem, RefusedFragment,
    fragment_name,
};
use crate::names::Label;
use crate::publish::MemberDepartures;
use crate::sources::blocking;
use crate::sources::members::{MembersFolder, Presence};
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
    /// What was last said of fragments that are not taken.
    refused: Vec<RefusedFragment>,
    /// Fragments that are kept on disk.
    kept: Vec<Fragment>,
    /// What operators have said of members that go, as far as it is done.
    heard: MemberDepartures,
    /// Where it is counted that there is more than is read.
    metrics: Arc<Metrics>,
}

/// What fragments say, by the names of their members.
pub(super) type FragmentTexts = BTreeMap<String, FragmentText>;

/// What a fragment says.
#[derive(Debug, Clone)]
pub(super) struct FragmentText {
    /// What was last read.
    now: Fragment,
    /// What was last right.
    good: Option<Fragment>,
}

/// What comes of a file and its fragments.
pub(super) struct Composed {
    /// Of those that are right, or were.
    pub(super) config: Config,
    /// Fragments that are wrong as they are now.
    pub(super) refused: Vec<RefusedFragment>,
    /// Where the file names members that are not there.
    pub(super) unknown: Vec<Problem>,
    /// Fragments that say what they said before, as they are wrong now.
    stale: BTreeSet<PathBuf>,
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
            refused: Vec::new(),
            kept: Vec::new(),
            heard: MemberDepartures::default(),
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
        members.tell_refused(loaded.refused.clone());
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

    /// Takes in what the folder holds; `others` are members of other origins. A folder that cannot be
    /// read says nothing. Returns whether anything is to be composed anew.
    pub(super) fn note(&mut self, listing: io::Result<FragmentListing>, others: usize) -> bool {
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                if self.has_folder {
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

    /// Takes in what operators have said of members that go. Returns whether anything is to be composed
    /// anew.
    pub(super) fn hear(&mut self, said: MemberDepartures) -> bool {
        let before = std::mem::replace(&mut self.heard, said);
        let meant = self.heard.meant.iter();
        for (name, _) in meant.filter(|(name, count)| before.meant.get(name) != Some(count)) {
            self.presence.mean(name.to_string(), Instant::now());
        }
        if before.confirmed == self.heard.confirmed {
            return false;
        }
        let gone = self.presence.confirm();
        self.forget(&gone, "an operator confirms that it is gone");
        true
    }

    /// Members are gone.
    fn forget(&mut self, gone: &[String], why: &str) {
        for name in gone {
            info!(member = name, why, "member of the folder removed");
            self.texts.remove(name);
        }
    }

    /// Notes which fragments are right, of a composition of all.
    pub(super) fn note_composed(&mut self, composed: &mut Composed) {
        let wrong: BTreeSet<_> = composed.refused.iter().map(|it| &it.path).collect();
        for text in self.texts.values_mut() {
            if !wrong.contains(&text.now.path) {
                text.good = Some(text.now.clone());
            } else if !composed.stale.contains(&text.now.path) {
                text.good = None;
            }
        }
        let names = self.presence.withheld().iter();
        let names = names.filter_map(|name| name.parse().ok());
        let names: Vec<Label> = names.collect();
        composed.config.membership.withheld = names;
        self.tell_refused(std::mem::take(&mut composed.refused));
    }

    /// Follows another folder: who was in the one before is gone as when a file is gone.
    pub(super) fn follow(&mut self, folder: &Path) {
        if self.folder.folder() != folder {
            self.folder = MembersFolder::new(folder.to_owned());
        }
    }

    /// Says what is wrong with fragments, once.
    fn tell_refused(&mut self, refused: Vec<RefusedFragment>) {
        for one in &refused {
            if !self.refused.contains(one) {
                for problem in &one.problems {
                    warn!(%problem, "fragment refused, its member stays as it was");
                }
            }
        }
        self.refused = refused;
    }

    /// Shows where the members of a configuration come from.
    fn measure(&self, config: &Config) {
        let mut counts = BTreeMap::from([("config", 0), ("folder", 0)]);
        for (_, member) in config.fleet.members.iter() {
            let origin = config.membership.origin(&member.name);
            *counts.entry(origin.kind()).or_default() += 1;
        }
        for (origin, count) in counts {
            self.metrics.set_members(origin, count);
        }
        self.metrics.set_refused("folder", self.refused.len());
        self.metrics
            .set_members_held_back(config.membership.withheld.len());
    }

    /// Has the members written, if they are others than those that were.
    pub(super) async fn keep(&mut self, config: &Config) {
        self.measure(config);
        let right: Vec<Fragment> =
            (self.texts.values().filter_map(|text| text.good.clone())).collect();
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

/// Composes a configuration of its file and of fragments, as each was last right.
///
/// Errors are every problem of the file, in file order, never none of them.
pub(super) fn compose(
    octets: &[u8],
    path: &Path,
    texts: Option<&FragmentTexts>,
) -> Result<Composed, Vec<Problem>> {
    let now = texts.map(|texts| {
        let fragments = texts.values().map(|text| text.now.clone());
        fragments.collect::<Vec<_>>()
    });
    let composed = config::compose(octets.to_vec(), path, now.as_deref())?;
    let wrong: BTreeSet<_> = composed.refused.iter().map(|it| it.path.clone()).collect();
    let texts = texts.into_iter().flat_map(BTreeMap::values);
    let mut stale = BTreeSet::new();
    let as_they_were = texts.map(|text| match &text.good {
        Some(good) if wrong.contains(&text.now.path) => {
            stale.insert(text.now.path.clone());
            good.clone()
        }
        _ => text.now.clone(),
    });
    let as_they_were: Vec<Fragment> = as_they_were.collect();
    let Composition {
        mut config,
        refused,
        mut unknown,
    } = composed;
    if !stale.is_empty() {
        let again = config::compose(octets.to_vec(), path, Some(&as_they_were))?;
        for one in again.refused {
            stale.retain(|path| fragment_name(path) != fragment_name(&one.path));
        }
        (config, unknown) = (again.config, again.unknown);
    }
    Ok(Composed {
        config,
        refused,
        unknown,
        stale,
    })
}
