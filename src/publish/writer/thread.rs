//! Starting and stopping the writer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::pace::PublicationPace;
use super::retire::Retired;
use super::run::Core;
use super::serial::SerialClock;
use crate::config::Config;
use crate::keys::KeysByZone;
use crate::model::{Delta, ProbeTargets, UnixSeconds};
use crate::publish::disk::findings_log::FindingsLog;
use crate::publish::disk::{Disk, findings_file};
use crate::publish::now::Now;
use crate::publish::outbox::transitions::TransitionLog;
use crate::publish::overrides::{OverrideState, overrides_file};
use crate::publish::shards::findings::KnownFindings;
use crate::publish::world::begin::{Beginning, FOLDER};
use crate::publish::world::{World, begin};
use crate::publish::{
    EventLog, Handle, LockError, MemberDepartures, StartError, Storage, lock_folder,
};
use crate::snapshot::Generation;
use crate::telemetry::{Metrics, clock};

/// How many changes may wait: when as many do, sources wait.
const DELTAS: usize = 1024;

/// How many configurations may wait: when as many do, whoever reloads waits.
const CONFIGS: usize = 4;

/// How much may wait of what is heard of the overrides of a host cluster.
const HOST: usize = 4;

/// How many commands may wait.
const COMMANDS: usize = 16;

/// The running writer. Dropping it lets the writer go on until the process ends.
#[derive(Debug)]
pub struct Writer {
    /// Tells it to stop.
    stop: CancellationToken,
    /// Its thread.
    thread: JoinHandle<()>,
}

impl Writer {
    /// Folds and publishes what has arrived, waits until every fact is on disk, and ends the
    /// writer. Blocks: seconds at most, with a disk that works.
    pub fn stop(self) {
        self.stop.cancel();
        if self.thread.join().is_err() {
            error!("the writer panicked");
        }
    }
}

/// Starts the one writer: reads the persisted facts of `config`'s members, publishes them at once,
/// and goes on as the handle's senders say.
///
/// `keys` is what zones are signed with, at once and whenever it is told anew.
///
/// Blocks while it reads, so that the handle's first snapshot has all restored facts. Wrong files
/// are said in `storage` and not used, and so is a `state-dir` that cannot be used; one that another
/// daemon uses is an error.
pub fn spawn(
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    storage: Storage,
    keys: watch::Receiver<Arc<KeysByZone>>,
) -> Result<(Handle, Writer), StartError> {
    let folder = config.state_dir.join(FOLDER);
    let lock = match lock_folder(&folder) {
        Ok(lock) => Some(lock),
        Err(LockError::Taken(path)) => return Err(StartError::Locked { path }),
        Err(error) => {
            storage.fails(FOLDER, &error);
            None
        }
    };
    let (deltas_to, deltas) = mpsc::channel(DELTAS);
    let (configs_to, configs) = mpsc::channel(CONFIGS);
    let (commands_to, commands) = mpsc::channel(COMMANDS);
    let (host_to, host) = mpsc::channel(HOST);
    let (mut core, mut handle) = prepare(config, metrics, storage, &folder, clock::now)?;
    handle.deltas = deltas_to;
    handle.configs = configs_to;
    handle.commands = commands_to;
    handle.host_overrides = host_to;
    core.keys = keys;
    core.take_keys();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.map_err(StartError::Thread)?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let thread = thread::Builder::new()
        .name("publish".into())
        .spawn(move || {
            let core = runtime.block_on(core.run(deltas, configs, commands, host, stopped));
            core.world.out.close();
            drop(lock);
        });
    let thread = thread.map_err(StartError::Thread)?;
    Ok((handle, Writer { stop, thread }))
}

/// Everything but the thread: reads, publishes, and gives the writer to run. The handle's senders
/// lead nowhere yet.
pub(in crate::publish) fn prepare(
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    storage: Storage,
    folder: &Path,
    wall: fn() -> UnixSeconds,
) -> Result<(Core, Handle), StartError> {
    let now = Now {
        instant: clock::monotonic(),
        wall: wall(),
    };
    let read = begin::read(&config, folder);
    let serial = read.serial();
    let tails: BTreeMap<_, _> = (read.owners)
        .iter()
        .map(|(owner, (_, tail))| (owner.clone(), *tail))
        .collect();
    let mut disk = Disk::spawn(folder, &tails, Arc::clone(&metrics), storage.clone())
        .map_err(StartError::Thread)?;
    let mut decided = overrides_file::read(&overrides_file::path(&config.state_dir));
    let file = findings_file::path(&config.state_dir);
    let here = config.fleet.locality.as_ref();
    let kept = findings_file::read(&file, here, decided.latest(), now.wall);
    decided.date(kept.clock_set);
    let record = FindingsLog::spawn(file, kept.good, Arc::clone(&metrics), storage.clone());
    let mut record = record.map_err(StartError::Thread)?;
    if kept.clock_set != 0 {
        record.clock_set(kept.clock_set, now.instant);
    }
    let (findings_to, findings) = watch::channel(kept.findings.clone());
    let (shown_to, shown) = watch::channel(Arc::default());
    let overrides = OverrideState::new(decided, &config, shown_to, storage, now);
    let frozen = overrides.frozen_since();
    let is_frozen = frozen.is_some();
    let mut beginning = Beginning::new(&config, read, &kept, is_frozen, now);
    let known = KnownFindings::new(kept.findings.clone(), findings_to, now.instant);
    if is_frozen {
        disk.set_frozen(true);
        record.set_frozen(true);
        beginning.give_up_waiting(&config);
    }
    let events = EventLog::default();
    let first = beginning
        .builder
        .snapshot(Generation(0), serial.unwrap_or_default());
    let first = Arc::new(first);
    let snapshots = Arc::new(ArcSwap::new(first));
    let (hostnames_to, hostnames) = watch::channel(Arc::default());
    let (ready_to, ready) = watch::channel(false);
    let (turned_to, turned) = watch::channel(now.instant);
    let (unconfirmed_to, unconfirmed) = watch::channel(Arc::default());
    let (confirmed_to, confirmed) = watch::channel(Arc::default());
    let (departures_to, departures) = watch::channel(MemberDepartures::default());
    let (targets_to, targets) = watch::channel(ProbeTargets::default());
    let mut core = Core {
        world: World::new(
            config,
            beginning,
            (disk, record, TransitionLog::new(events.clone(), metrics)),
            overrides,
            known,
            now,
        ),
        pace: PublicationPace::default(),
        serial: SerialClock::after(serial.unwrap_or_default()),
        generation: Generation(0),
        retired: Retired::new(),
        snapshots: Arc::clone(&snapshots),
        hostnames: hostnames_to,
        confirming: Vec::new(),
        ready: ready_to,
        turned: turned_to,
        unconfirmed: unconfirmed_to,
        confirmed: confirmed_to,
        departures: departures_to,
        targets: targets_to,
        keys: watch::channel(Arc::default()).1,
        housekeeping: now.instant,
        wall,
    };
    restore(&mut core.world, &kept, frozen, now);
    core.publish(now);
    let (deltas, configs) = (
        mpsc::channel::<Delta>(1).0,
        mpsc::channel::<Arc<Config>>(1).0,
    );
    Ok((
        core,
        Handle {
            deltas,
            configs,
            commands: mpsc::channel(1).0,
            host_overrides: mpsc::channel(1).0,
            overrides: shown,
            events,
            snapshots,
            hostnames,
            ready,
            turned,
            unconfirmed,
            confirmed,
            departures,
            targets,
            findings,
        },
    ))
}

/// Goes on from what an earlier process has left besides facts; `frozen` is since when answers are, if
/// they are.
fn restore(
    world: &mut World,
    kept: &findings_file::RestoredFindings,
    frozen: Option<UnixSeconds>,
    now: Now,
) {
    // Frozen answers are as they were kept: nobody has been let back since.
    let then = Now {
        wall: frozen.map_or(now.wall, |since| since.min(now.wall)),
        ..now
    };
    let World {
        members,
        shards,
        overrides,
        out,
        ..
    } = world;
    // Holds may have passed while nobody looked.
    if frozen.is_none() {
        members.keep_contacts(out, now);
    }
    shards.restore(&kept.shards, out, then);
    overrides.announce_restored();
    let known = &mut shards.addresses.findings;
    known.restore_proofs(&kept.asked, frozen.is_some(), out, now);
    known.await_first_probes(out.builder.targets(), now.instant);
}
