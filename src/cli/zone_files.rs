//! The master files of zones while the daemon runs: watched by content, each zone taken where it is right. One
//! that is wrong stays as it was.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, info, warn};

use crate::config::{Config, Problem, ServedApexes, with_statics, zone_records};
use crate::model::StaticZone;
use crate::model::limits::ZONE_FILE;
use crate::sources::watch::FileWatch;
use crate::telemetry::{Metrics, clock};
use crate::wire::{NameBuf, NameText, is_newer_serial};

/// The files of zones.
#[derive(Debug)]
pub(super) struct ZoneFiles {
    /// Those that are watched.
    watched: BTreeSet<PathBuf>,
    /// Says when the content of one changes.
    watch: FileWatch,
    /// Those whose content has changed since their zones were read.
    changed: BTreeSet<PathBuf>,
    /// Where it is counted that there is more than is read.
    metrics: Arc<Metrics>,
}

/// Which zones are to be read anew.
#[derive(Debug, Clone)]
pub(super) enum ZonesToRead {
    /// All: the configuration is another one.
    All,
    /// Those of these files.
    Of(BTreeSet<PathBuf>),
}

/// A configuration with the records of its zones.
pub(super) struct WithZones {
    /// The configuration.
    pub(super) config: Config,
    /// What is wrong with zones that stay as they were.
    pub(super) problems: Vec<Problem>,
}

impl ZoneFiles {
    /// Follows the files of a configuration.
    pub(super) fn new(config: &Config, metrics: Arc<Metrics>) -> Self {
        let mut files = Self {
            watched: BTreeSet::new(),
            watch: FileWatch::new([], &ZONE_FILE),
            changed: BTreeSet::new(),
            metrics,
        };
        files.follow(config);
        files
    }

    /// Waits until a file of a zone has another content. Safe to cancel.
    pub(super) async fn changed(&mut self) {
        if self.watched.is_empty() {
            return std::future::pending().await;
        }
        let changes = self.watch.changed().await;
        self.changed.extend(changes.into_iter().map(|it| it.path));
    }

    /// Whether files of zones have changed since these were read.
    pub(super) fn have_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The zones whose files have changed.
    pub(super) fn to_read(&self) -> ZonesToRead {
        ZonesToRead::Of(self.changed.clone())
    }

    /// Notes that all zones whose files have changed were read.
    pub(super) fn note_read(&mut self) {
        self.changed.clear();
    }

    /// Follows the files of another configuration.
    pub(super) fn follow(&mut self, config: &Config) {
        let named = config.zones.iter().filter_map(|zone| zone.file.clone());
        let read = config
            .fleet
            .statics
            .iter()
            .flat_map(|zone| zone.files.iter());
        let files: BTreeSet<PathBuf> = named.chain(read.cloned()).collect();
        if files != self.watched {
            self.watch.follow(&files);
            self.watched = files;
        }
    }

    /// Says what is wrong with zones that stay as they were.
    pub(super) fn tell(&self, problems: &[Problem]) {
        for problem in problems {
            if let Some(limit) = problem.limit {
                self.metrics.limit_exceeded(limit);
            }
            error!(%problem, "invalid zone file, the zone stays as it was");
        }
    }
}

/// Gives a configuration, whose file says `octets`, the records of its zones: those of `before`, but for what is
/// to be read. Blocks.
///
/// # Errors
/// Every problem of zones that were not there before.
pub(super) fn with_zones(
    config: Config,
    octets: &[u8],
    before: &[Arc<StaticZone>],
    to_read: &ZonesToRead,
) -> Result<WithZones, Vec<Problem>> {
    let (mut zones, mut kept, mut new) = (Vec::new(), Vec::new(), Vec::new());
    let served = ServedApexes::of(&config, octets);
    let before: HashMap<&NameBuf, &Arc<StaticZone>> =
        before.iter().map(|zone| (&zone.apex, zone)).collect();
    for zone in &config.zones {
        let Some(file) = &zone.file else {
            continue;
        };
        let was = before.get(&zone.apex).copied();
        let is_same = was.is_some_and(|was| is_unread(was, file, to_read));
        if let Some(was) = was.filter(|_| is_same) {
            zones.push(Arc::clone(was));
            continue;
        }
        match (zone_records(zone, &config, &served), was) {
            (Ok(read), was) => zones.extend(read.map(|mut read| match was {
                Some(was) if was.has_same_records(&read) => Arc::clone(was),
                _ => {
                    let records: usize = read.sets.iter().map(|set| set.rdata.len()).sum();
                    info!(zone = %zone.apex, file = %file.display(), records, "zone file read");
                    if let Some(was) = was.filter(|_| is_alone(&config, &zone.apex)) {
                        read.serial = grown_serial(was, &read);
                    }
                    Arc::new(read)
                }
            })),
            (Err(problems), Some(was)) => {
                kept.extend(problems);
                zones.push(Arc::clone(was));
            }
            (Err(problems), None) => new.extend(problems),
        }
    }
    if !new.is_empty() {
        return Err(new);
    }
    Ok(WithZones {
        config: with_statics(config, zones),
        problems: kept,
    })
}

/// Whether a zone has nothing but the records of its file.
fn is_alone(config: &Config, apex: &NameBuf) -> bool {
    let mut federations = config.fleet.federations.iter();
    !federations.any(|federation| federation.apex == *apex)
}

/// The serial that a zone is served with after a change where that of its file did not grow (RFC 1982): the time,
/// or one more than the last if that is greater. Who follows the zone by its serial would not see the change
/// otherwise.
fn grown_serial(was: &StaticZone, read: &StaticZone) -> Option<u32> {
    let (last, own) = (was.serial()?, read.serial()?);
    if is_newer_serial(own, last) {
        return None;
    }
    let now = u32::try_from(clock::now().0).unwrap_or(u32::MAX);
    let next = if is_newer_serial(now, last) {
        now
    } else {
        last.wrapping_add(1)
    };
    warn!(
        zone = %NameText(read.apex.as_wire()), serial = own, last, served = next,
        "the records of a zone have changed and its serial has not grown: raise it in the file"
    );
    Some(next)
}

/// Whether a zone as it was read is still what its files say.
fn is_unread(was: &StaticZone, file: &Path, to_read: &ZonesToRead) -> bool {
    match to_read {
        ZonesToRead::All => false,
        ZonesToRead::Of(changed) => {
            let is_changed = was.files.iter().any(|file| changed.contains(file));
            was.files.first().is_some_and(|first| first == file) && !is_changed
        }
    }
}
