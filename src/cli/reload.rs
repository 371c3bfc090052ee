//! The configuration file and its members folder while the daemon runs: watched by content, taken
//! where they are right. The file is refused whole, a fragment for itself alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::kept_members::{self, KeptMembers};
use crate::config::read::ReadError;
use crate::config::{
    self, Config, Fragment, FragmentListing, Loaded, MemberObject, ObjectMember, Problem,
    RefusedFragment,
};
use crate::model::limits::CONFIGURATION_FILE;
use crate::names::Label;
use crate::sources::blocking;
use crate::sources::members::{HostMembers, MembersFolder, Presence};
use crate::sources::watch::FileWatch;
use crate::telemetry::Metrics;

/// The configuration that runs, and the files that it comes from.
#[derive(Debug)]
pub(super) struct Running {
    /// What runs now.
    config: Arc<Config>,
    /// What was last read, right or wrong; `None` when it could not be.
    octets: Option<Arc<Vec<u8>>>,
    /// What was last read is to be looked at.
    is_due: bool,
    /// The file is to be read, changed or not, because somebody asked.
    is_asked: bool,
    /// The file.
    path: PathBuf,
    /// Where it is counted that there is more than is read.
    metrics: Arc<Metrics>,
    /// Says when its content has changed.
    watch: FileWatch,
    /// Says what the members folder holds.
    folder: MembersFolder,
    /// The folder is or was there.
    has_folder: bool,
    /// Who of the folder is there, and who may be gone.
    presence: Presence<PathBuf>,
    /// What the fragments say of those who are there.
    texts: BTreeMap<PathBuf, FragmentText>,
    /// What was last said of fragments that are not taken.
    refused: Vec<RefusedFragment>,
    /// Members that are kept on disk.
    kept: KeptMembers,
    /// Members that objects of the host cluster name.
    host: HostMembers,
    /// What these objects said when that was last right.
    good: BTreeMap<MemberObject, ObjectMember>,
    /// How often operators have confirmed that members are gone.
    confirmed: watch::Receiver<u64>,
}

/// What a fragment says.
#[derive(Debug, Clone, Default)]
struct FragmentText {
    /// What was last read.
    now: Vec<u8>,
    /// What was last right.
    good: Option<Vec<u8>>,
}

/// What comes of a file and its fragments.
struct Composed {
    config: Config,
    /// Fragments that are wrong as they are now.
    refused: Vec<RefusedFragment>,
    /// Fragments that say what they said before, as they are wrong now.
    stale: BTreeSet<PathBuf>,
    /// Objects that are right, or as they were when they were.
    objects: Vec<ObjectMember>,
}

/// Goes on with members that the state folder keeps and the folder does not say: their files may be
/// gone for a moment.
pub(super) fn with_kept(mut loaded: Loaded) -> Result<Loaded, Vec<Problem>> {
    let (kept, trouble) = kept_members::read(&loaded.config.state_dir);
    // Of a kind that is no longer asked for there are none.
    let host = loaded.config.membership.host.clone();
    let is_asked_for = |one: &ObjectMember| {
        host.as_ref().is_some_and(|host| match one.object {
            MemberObject::Secret { .. } => host.secrets.is_some(),
            MemberObject::Profile { .. } => host.profiles.is_some(),
        })
    };
    loaded.objects = kept.objects.into_iter().filter(is_asked_for).collect();
    if let Some(trouble) = trouble {
        warn!(trouble, "the members that were known are not");
    }
    let folder = loaded.config.membership.folder.clone();
    let known: BTreeSet<PathBuf> = loaded.fragments.iter().map(|it| it.path.clone()).collect();
    let lost = kept.fragments.into_iter().filter(|fragment| {
        fragment.path.parent() == Some(&folder) && !known.contains(&fragment.path)
    });
    let lost: Vec<Fragment> = lost.collect();
    if lost.is_empty() && loaded.objects.is_empty() {
        return Ok(loaded);
    }
    for fragment in &lost {
        warn!(file = %fragment.path.display(), "not there: its member stays as it was");
    }
    loaded.fragments.extend(lost);
    let path = loaded.config.path.clone();
    let has_folder = !loaded.fragments.is_empty() || !loaded.refused.is_empty();
    let fragments = has_folder.then_some(&*loaded.fragments);
    let objects = &loaded.objects;
    let (config, refused) = config::compose(loaded.octets.clone(), &path, fragments, objects)?;
    loaded.config = config;
    for one in refused {
        if !loaded.refused.contains(&one) {
            loaded.refused.push(one);
        }
    }
    Ok(loaded)
}

impl Running {
    /// Follows the files that a configuration was read from. `confirmed` is how often operators have
    /// confirmed that members are gone. `host` has the members that the configuration has of objects.
    pub(super) fn new(
        loaded: Loaded,
        metrics: Arc<Metrics>,
        confirmed: watch::Receiver<u64>,
        host: HostMembers,
    ) -> Self {
        let config = Arc::new(loaded.config);
        let path = config.path.clone();
        let mut running = Self {
            watch: FileWatch::new([path.clone()], &CONFIGURATION_FILE),
            octets: Some(Arc::new(loaded.octets)),
            is_due: false,
            is_asked: false,
            folder: MembersFolder::new(config.membership.folder.clone()),
            has_folder: !loaded.fragments.is_empty() || !loaded.refused.is_empty(),
            presence: Presence::default(),
            texts: BTreeMap::new(),
            refused: Vec::new(),
            kept: KeptMembers::default(),
            good: (loaded.objects.into_iter())
                .map(|one| (one.object.clone(), one))
                .collect(),
            host,
            config,
            path,
            metrics,
            confirmed,
        };
        running.host.follow(running.config.membership.host.as_ref());
        let wrong: BTreeSet<_> = loaded.refused.iter().map(|it| it.path.clone()).collect();
        for Fragment { path, octets } in loaded.fragments {
            running.presence.remember(path.clone());
            let good = (!wrong.contains(&path)).then(|| octets.clone());
            let now = octets;
            running.texts.insert(path, FragmentText { now, good });
        }
        running.tell_refused(loaded.refused);
        running.measure();
        running
    }

    /// Waits for another content of the files, and says which configuration to run instead, if it
    /// is right and differs. Safe to cancel.
    pub(super) async fn changed(&mut self) -> Option<Arc<Config>> {
        loop {
            if let (true, Some(octets)) = (self.is_due, self.octets.clone()) {
                let (path, length) = (self.path.clone(), octets.len());
                let texts = self.has_folder.then(|| self.texts.clone());
                let (objects, good) = (self.host.members(), self.good.clone());
                let parse = move || compose(&octets, &path, texts.as_ref(), (objects, &good));
                let read = blocking::parse(length, parse).await;
                self.is_due = false;
                let new = self.take(read);
                self.keep().await;
                return new;
            }
            if self.is_asked {
                let read = blocking::read(self.path.clone(), &CONFIGURATION_FILE).await;
                self.is_asked = false;
                self.note(read, true);
                continue;
            }
            // Also those of the start, which no change may ever follow.
            self.keep().await;
            let due = self.presence.due();
            tokio::select! {
                changes = self.watch.changed() => {
                    for change in changes {
                        self.note(change.content, false);
                    }
                }
                listing = self.folder.changed(due) => self.note_listing(listing),
                news = self.host.changed() => {
                    let members = self.config.fleet.members.len();
                    self.is_due |= self.host.note(news, members);
                }
                Ok(()) = self.confirmed.changed() => {
                    self.host.confirm();
                    let gone = self.presence.confirm();
                    self.forget(gone, "an operator confirms that it is gone");
                    self.is_due = true;
                }
            }
        }
    }

    /// Makes [`changed`](Self::changed) read the file at once, because somebody asked. What to run
    /// instead is not known before, so this is `None`.
    pub(super) fn reload(&mut self) -> Option<Arc<Config>> {
        self.is_asked = true;
        None
    }

    /// Keeps what was read, to be looked at where it differs from what was read before.
    fn note(&mut self, read: Result<Vec<u8>, ReadError>, is_asked: bool) {
        match read {
            Ok(octets) => {
                let is_same = self
                    .octets
                    .as_ref()
                    .is_some_and(|before| **before == octets);
                self.is_due |= is_asked || !is_same;
                self.octets = Some(Arc::new(octets));
            }
            Err(error) => {
                self.octets = None;
                if let Some(limit) = error.limit() {
                    self.metrics.limit_exceeded(limit);
                }
                error!(%error, "configuration cannot be read, the running one stays in force");
            }
        }
    }

    /// Takes in what the members folder holds. A folder that cannot be read says nothing.
    fn note_listing(&mut self, listing: io::Result<FragmentListing>) {
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                if self.has_folder {
                    warn!(folder = %self.folder.folder().display(), %error,
                        "the members folder cannot be read: its members stay");
                }
                return;
            }
        };
        self.has_folder = true;
        let names = listing.iter().map(|(path, _)| path.clone()).collect();
        let others = self.config.fleet.members.len();
        let others = others.saturating_sub(self.config.membership.from_folder.len());
        let withheld = self.presence.withheld().clone();
        let gone = self.presence.listed(&names, others, Instant::now());
        self.is_due |= withheld != *self.presence.withheld();
        self.forget(gone, "its file is gone");
        for (path, read) in listing {
            match read {
                Ok(octets) => {
                    let text = self.texts.entry(path).or_default();
                    if text.now != octets {
                        text.now = octets;
                        self.is_due = true;
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
    }

    /// Members are gone.
    fn forget(&mut self, gone: Vec<PathBuf>, why: &str) {
        for path in gone {
            info!(file = %path.display(), why, "member of the folder removed");
            self.texts.remove(&path);
            self.is_due = true;
        }
    }

    /// What to run after the files were read; `None` leaves everything as it is.
    fn take(&mut self, read: Result<Composed, Vec<Problem>>) -> Option<Arc<Config>> {
        let Composed {
            config: mut new,
            refused,
            stale,
            objects,
        } = match read {
            Ok(composed) => composed,
            Err(problems) => {
                for problem in &problems {
                    if let Some(limit) = problem.limit {
                        self.metrics.limit_exceeded(limit);
                    }
                    error!(%problem, "invalid configuration");
                }
                error!(file = %self.path.display(), problems = problems.len(),
                    "configuration rejected, the running one stays in force");
                return None;
            }
        };
        let wrong: BTreeSet<_> = refused.iter().map(|it| it.path.clone()).collect();
        for (path, text) in &mut self.texts {
            if !wrong.contains(path) {
                text.good = Some(text.now.clone());
            } else if !stale.contains(path) {
                text.good = None;
            }
        }
        self.good = objects
            .into_iter()
            .map(|one| (one.object.clone(), one))
            .collect();
        self.tell_refused(refused);
        let withheld = self.presence.withheld().iter();
        let names = withheld.filter_map(|path| path.file_stem()?.to_str()?.parse().ok());
        let mut names: Vec<Label> = names.collect();
        let withheld: BTreeSet<_> = self.host.withheld().collect();
        let from_host = new.membership.from_host.iter();
        let from_host = from_host.filter(|(_, object)| withheld.contains(object));
        names.extend(from_host.map(|(name, _)| name.clone()));
        new.membership.withheld = names;
        self.is_due |= self.host.follow(new.membership.host.as_ref());
        if new.membership.folder != self.config.membership.folder {
            self.folder = MembersFolder::new(new.membership.folder.clone());
            self.presence = Presence::default();
            self.texts.clear();
        }
        let new = Arc::new(keep_listeners(&self.config, new));
        if new == self.config {
            info!(file = %self.path.display(), "configuration reloaded, nothing has changed");
            return None;
        }
        info!(
            file = %self.path.display(),
            federations = new.fleet.federations.len(),
            members = new.fleet.members.len(),
            "configuration reloaded"
        );
        self.config = Arc::clone(&new);
        Some(new)
    }

    /// Says what is wrong with fragments, once.
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

    /// Shows where members come from.
    fn measure(&self) {
        let membership = &self.config.membership;
        let mut counts =
            BTreeMap::from([("config", 0), ("folder", 0), ("secret", 0), ("profile", 0)]);
        for (_, member) in self.config.fleet.members.iter() {
            let origin = membership.origin(&member.name);
            *counts.entry(origin.kind()).or_default() += 1;
        }
        for (origin, count) in counts {
            self.metrics.set_members(origin, count);
        }
        let refused = self.refused.iter().map(|one| one.path.as_path());
        let of_objects = self.host.measure(refused);
        let of_folder = self.refused.len().saturating_sub(of_objects);
        self.metrics.set_refused("folder", of_folder);
        self.metrics
            .set_members_held_back(membership.withheld.len());
    }

    /// Has the members of the folder written, if they are others than those that were.
    async fn keep(&mut self) {
        self.measure();
        let texts = self.texts.iter();
        let right = texts.filter_map(|(path, text)| {
            Some(Fragment {
                path: path.clone(),
                octets: text.good.clone()?,
            })
        });
        let right = KeptMembers {
            fragments: right.collect(),
            objects: self.good.values().cloned().collect(),
        };
        if right == self.kept {
            return;
        }
        let (state_dir, written) = (self.config.state_dir.clone(), right.clone());
        let write = move || kept_members::write(&state_dir, &written);
        match blocking::blocking(write).await {
            Ok(()) => self.kept = right,
            Err(error) => warn!(%error, "which members there are cannot be kept"),
        }
    }

    /// What runs now.
    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }
}

/// Composes a configuration of its file, of fragments and of objects, as each was last right. `good` is
/// what objects said then.
fn compose(
    octets: &[u8],
    path: &std::path::Path,
    texts: Option<&BTreeMap<PathBuf, FragmentText>>,
    (mut objects, good): (Vec<ObjectMember>, &BTreeMap<MemberObject, ObjectMember>),
) -> Result<Composed, Vec<Problem>> {
    let fragments = texts.map(|texts| {
        let fragment = |(path, text): (&PathBuf, &FragmentText)| Fragment {
            path: path.clone(),
            octets: text.now.clone(),
        };
        texts.iter().map(fragment).collect::<Vec<_>>()
    });
    let compose = |fragments: Option<&[Fragment]>, objects: &[ObjectMember]| {
        config::compose(octets.to_vec(), path, fragments, objects)
    };
    let (mut config, refused) = compose(fragments.as_deref(), &objects)?;
    let wrong: BTreeSet<_> = refused.iter().map(|it| it.path.clone()).collect();
    let before = |path: &PathBuf| texts?.get(path)?.good.clone();
    let mut stale: BTreeSet<_> = wrong
        .iter()
        .filter(|it| before(it).is_some())
        .cloned()
        .collect();
    let mut fragments = fragments;
    for fragment in fragments.iter_mut().flatten() {
        if let Some(good) = before(&fragment.path).filter(|_| stale.contains(&fragment.path)) {
            fragment.octets = good;
        }
    }
    for object in &mut objects {
        if wrong.contains(&object.path())
            && let Some(good) = good.get(&object.object)
        {
            stale.insert(object.path());
            object.clone_from(good);
        }
    }
    let mut still = wrong.clone();
    if !stale.is_empty() {
        let again = compose(fragments.as_deref(), &objects)?;
        config = again.0;
        still = again.1.into_iter().map(|it| it.path).collect();
        stale.retain(|path| !still.contains(path));
    }
    objects.retain(|object| !still.contains(&object.path()));
    Ok(Composed {
        config,
        refused,
        stale,
        objects,
    })
}

/// The new configuration with the sockets, the state folder and the account of the running one, which only a
/// restart can change. Says so when they differ.
fn keep_listeners(running: &Config, mut new: Config) -> Config {
    let mut kept = running.listen.clone();
    kept.nsid.clone_from(&new.listen.nsid);
    kept.has_client_name = new.listen.has_client_name;
    kept.trusted.clone_from(&new.listen.trusted);
    if kept != new.listen {
        warn!("listeners have changed: they stay as they are until a restart");
        new.listen = kept;
    }
    if running.state_dir != new.state_dir {
        warn!(
            running = %running.state_dir.display(), new = %new.state_dir.display(),
            "state-dir has changed: it stays as it is until a restart"
        );
        new.state_dir.clone_from(&running.state_dir);
    }
    if running.account != new.account {
        warn!("user or group has changed: they stay as they are until a restart");
        new.account.clone_from(&running.account);
    }
    new
}
