//! The master files of zones while the daemon runs: watched by content, each zone taken where it is right. One
//! that is wrong stays as it was.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, info};

use crate::config::{Config, Problem, ServedApexes, with_statics, zone_records};
use crate::model::StaticZone;
use crate::model::limits::ZONE_FILE;
use crate::sources::watch::FileWatch;
use crate::telemetry::Metrics;

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

    /// The zones that are to be read anew, in `all` cases all of them. They count as read from now on.
    pub(super) fn take(&mut self, all: bool) -> ZonesToRead {
        let changed = std::mem::take(&mut self.changed);
        if all {
            ZonesToRead::All
        } else {
            ZonesToRead::Of(changed)
        }
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
            self.watch = FileWatch::new(files.iter().cloned(), &ZONE_FILE);
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

/// Gives a configuration the records of its zones: those of `before`, but for what is to be read. Blocks.
///
/// # Errors
/// Every problem of zones that were not there before.
pub(super) fn with_zones(
    config: Config,
    before: &[Arc<StaticZone>],
    to_read: &ZonesToRead,
) -> Result<WithZones, Vec<Problem>> {
    let (mut zones, mut kept, mut new) = (Vec::new(), Vec::new(), Vec::new());
    let served = ServedApexes::of(&config);
    for zone in &config.zones {
        let Some(file) = &zone.file else {
            continue;
        };
        let was = before.iter().find(|was| was.apex == zone.apex);
        let is_same = was.is_some_and(|was| is_unread(was, file, to_read));
        if let Some(was) = was.filter(|_| is_same) {
            zones.push(Arc::clone(was));
            continue;
        }
        match (zone_records(zone, &config, &served), was) {
            (Ok(read), was) => zones.extend(read.map(|read| match was {
                Some(was) if **was == read => Arc::clone(was),
                _ => {
                    let records: usize = read.sets.iter().map(|set| set.rdata.len()).sum();
                    info!(zone = %zone.apex, file = %file.display(), records, "zone file read");
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
