//! The configuration file and who comes from elsewhere while the daemon runs: watched by content, taken
//! where they are right. The file is refused whole, a fragment or an object for itself alone.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::composed::{Composed, compose};
use super::other_members::OtherMembers;
use super::zone_files::{ZoneFiles, ZonesToRead, with_zones};
use crate::config::read::ReadError;
use crate::config::{Config, Loaded, Problem};
use crate::model::limits::CONFIGURATION_FILE;
use crate::publish::MemberDepartures;
use crate::sources::blocking;
use crate::sources::members::HostMembers;
use crate::sources::watch::FileWatch;
use crate::telemetry::Metrics;

/// The configuration that runs, and the files that it comes from.
#[derive(Debug)]
pub(super) struct Running {
    /// What runs now.
    config: Arc<Config>,
    /// What the file last held that is right.
    good: Arc<Vec<u8>>,
    /// What the file was last read to hold and is to be looked at, or was asked for.
    new: Option<Arc<Vec<u8>>>,
    /// What was last read, right or wrong; `None` when it could not be.
    octets: Option<Arc<Vec<u8>>>,
    /// Fragments are to be looked at.
    is_due: bool,
    /// What is to run from now on, and nobody was told.
    next: Option<Arc<Config>>,
    /// The file is to be read, changed or not, because somebody asked.
    is_asked: bool,
    /// The file.
    path: PathBuf,
    /// Where it is counted that there is more than is read.
    metrics: Arc<Metrics>,
    /// Says when its content has changed.
    watch: FileWatch,
    /// Members that are not in the file.
    members: OtherMembers,
    /// The master files of zones.
    zones: ZoneFiles,
    /// Where it was last said that the file names members that are not there.
    unknown: BTreeSet<String>,
    /// What operators have said of members that go.
    departures: watch::Receiver<MemberDepartures>,
}

/// What came of reading the file and the fragments.
struct Read {
    /// What is wrong with a file that is new.
    problems: Option<Vec<Problem>>,
    /// Of the file as it was last right.
    composed: Option<Composed>,
    /// What is wrong with zones that stay as they were.
    zones: Vec<Problem>,
}

impl Running {
    /// Follows the files that a configuration was read from. `departures` is what operators say of members
    /// that go. `host` has no members yet.
    pub(super) fn new(
        loaded: Loaded,
        metrics: Arc<Metrics>,
        departures: watch::Receiver<MemberDepartures>,
        host: HostMembers,
    ) -> Self {
        let zones = ZoneFiles::new(&loaded.config, Arc::clone(&metrics));
        let members = OtherMembers::new(&loaded, host, Arc::clone(&metrics));
        let config = Arc::new(loaded.config);
        let path = config.path.clone();
        let octets = Arc::new(loaded.octets);
        let mut running = Self {
            watch: FileWatch::new([path.clone()], &CONFIGURATION_FILE),
            octets: Some(Arc::clone(&octets)),
            good: octets,
            new: None,
            is_due: false,
            next: None,
            is_asked: false,
            members,
            zones,
            unknown: BTreeSet::new(),
            config,
            path,
            metrics,
            departures,
        };
        running.tell_unknown(&loaded.unknown);
        running
    }

    /// Waits for another content of the files, and says which configuration to run instead, if it
    /// is right and differs. Safe to cancel.
    pub(super) async fn changed(&mut self) -> Option<Arc<Config>> {
        loop {
            if self.new.is_some() || self.is_due {
                let read = self.read().await;
                let new = self.new.take();
                self.is_due = false;
                self.next = self.take(new, read).or(self.next.take());
            }
            if self.zones.have_changed() {
                let next = self.read_zones().await;
                self.next = next.or(self.next.take());
            }
            if self.is_asked {
                let read = blocking::read(self.path.clone(), &CONFIGURATION_FILE).await;
                self.is_asked = false;
                self.note(read, true);
                continue;
            }
            // Also those of the start, which no change may ever follow.
            self.members.keep(&self.config).await;
            if let Some(next) = self.next.take() {
                return Some(next);
            }
            tokio::select! {
                changes = self.watch.changed() => {
                    for change in changes {
                        self.note(change.content, false);
                    }
                }
                () = self.zones.changed() => {}
                news = self.members.changed() => {
                    self.is_due |= self.members.note(news, &self.config);
                }
                Ok(()) = self.departures.changed() => {
                    let said = self.departures.borrow_and_update().clone();
                    self.is_due |= self.members.hear(said);
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

    /// Reads the file, if it is new, and the fragments. Members come and go while the file is wrong, by
    /// what it was before.
    async fn read(&mut self) -> Read {
        let (new, good) = (self.new.clone(), Arc::clone(&self.good));
        let path = self.path.clone();
        let texts = self.members.texts();
        let length = new.as_ref().unwrap_or(&good).len();
        let to_read = match new {
            Some(_) => ZonesToRead::All,
            None => self.zones.to_read(),
        };
        let before = self.config.fleet.statics.clone();
        let parse = move || {
            let composed = |octets: &[u8]| {
                let mut composed = compose(octets, &path, &texts)?;
                let with = with_zones(composed.config, octets, &before, &to_read)?;
                composed.config = with.config;
                Ok::<_, Vec<Problem>>((composed, with.problems))
            };
            let problems = match new.as_deref().map(|new| composed(new)) {
                Some(Ok((composed, zones))) => {
                    return Read {
                        problems: None,
                        composed: Some(composed),
                        zones,
                    };
                }
                Some(Err(problems)) => Some(problems),
                None => None,
            };
            let (composed, zones) = composed(&good).ok().unzip();
            Read {
                problems,
                composed,
                zones: zones.unwrap_or_default(),
            }
        };
        let read = blocking::parse(length, parse).await;
        self.zones.note_read();
        read
    }

    /// Reads the zones whose files have changed, and nothing else. Returns what to run instead, if they are
    /// right and differ.
    async fn read_zones(&mut self) -> Option<Arc<Config>> {
        let (config, good) = (Arc::clone(&self.config), Arc::clone(&self.good));
        let to_read = self.zones.to_read();
        let read = move || {
            let before = config.fleet.statics.clone();
            with_zones(Config::clone(&config), &good, &before, &to_read)
        };
        let read = blocking::blocking(read).await;
        self.zones.note_read();
        match read {
            Ok(with) => {
                self.zones.tell(&with.problems);
                self.zones.follow(&with.config);
                if with.config.fleet == self.config.fleet {
                    return None;
                }
                self.config = Arc::new(with.config);
                Some(Arc::clone(&self.config))
            }
            // All of them were there before.
            Err(problems) => {
                self.zones.tell(&problems);
                None
            }
        }
    }

    /// Keeps what was read, to be looked at where it differs from what was read before.
    fn note(&mut self, read: Result<Vec<u8>, ReadError>, is_asked: bool) {
        match read {
            Ok(octets) => {
                let is_same = self
                    .octets
                    .as_ref()
                    .is_some_and(|before| **before == octets);
                let octets = Arc::new(octets);
                if is_asked || !is_same {
                    self.new = Some(Arc::clone(&octets));
                }
                self.octets = Some(octets);
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

    /// What to run after the files were read, the main one as it is `new`; `None` leaves everything as it
    /// is.
    fn take(&mut self, new: Option<Arc<Vec<u8>>>, read: Read) -> Option<Arc<Config>> {
        let is_rejected = read.problems.is_some();
        if let Some(problems) = &read.problems {
            self.reject(problems);
        }
        self.zones.tell(&read.zones);
        let mut composed = read.composed?;
        if let Some(new) = new.filter(|_| !is_rejected) {
            self.good = new;
        }
        self.members.note_composed(&mut composed, &self.config);
        self.tell_unknown(&composed.unknown);
        self.is_due |= self.members.follow(&composed.config.membership);
        self.zones.follow(&composed.config);
        let new = Arc::new(keep_listeners(&self.config, composed.config));
        if new == self.config {
            if !is_rejected {
                info!(file = %self.path.display(), "configuration reloaded, nothing has changed");
            }
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

    /// Says what is wrong with the file.
    fn reject(&self, problems: &[Problem]) {
        for problem in problems {
            if let Some(limit) = problem.limit {
                self.metrics.limit_exceeded(limit);
            }
            error!(%problem, "invalid configuration");
        }
        error!(file = %self.path.display(), problems = problems.len(),
            "configuration rejected, the running one stays in force");
    }

    /// Says where the file names members that are not there, once for as long as they are not.
    fn tell_unknown(&mut self, unknown: &[Problem]) {
        for problem in unknown {
            if !self.unknown.contains(&problem.message) {
                warn!(%problem, "the configuration names a member that is not there");
            }
        }
        self.unknown = unknown.iter().map(|it| it.message.clone()).collect();
    }

    /// What runs now.
    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }
}

/// The new configuration with the sockets, the state folder, the account, and what signatures take of the
/// running one, which only a restart can change. Says so when they differ.
fn keep_listeners(running: &Config, mut new: Config) -> Config {
    let mut kept = running.listen.clone();
    kept.nsid.clone_from(&new.listen.nsid);
    kept.has_client_name = new.listen.has_client_name;
    kept.trusted.clone_from(&new.listen.trusted);
    for (kept, new) in kept.dns.iter_mut().zip(&new.listen.dns) {
        if kept.address == new.address {
            kept.allow.clone_from(&new.allow);
        }
    }
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
    let fixed = |config: &Config| (config.dnssec.cache, config.dnssec.signers);
    if fixed(running) != fixed(&new) {
        warn!("dnssec.cache or dnssec.signers has changed: they stay as they are until a restart");
        (new.dnssec.cache, new.dnssec.signers) = fixed(running);
    }
    if running.account != new.account {
        warn!("user or group has changed: they stay as they are until a restart");
        new.account.clone_from(&running.account);
    }
    new
}
