//! The writer's loop: fold, publish, wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::confirming::Confirming;
use super::pace::PublicationPace;
use super::retire::Retired;
use super::serial::SerialClock;
use crate::config::Config;
use crate::keys::KeysByZone;
use crate::model::{Delta, MemberSet, OverridesNews, ProbeTargets, UnixSeconds};
use crate::names::Label;
use crate::publish::MemberDepartures;
use crate::publish::command::CommandRequest;
use crate::publish::now::Now;
use crate::publish::world::{Folded, World};
use crate::snapshot::{Generation, Snapshot};
use crate::telemetry::{DeltaOutcome, clock};
use crate::wire::NameBuf;

/// Changes folded in one turn, before the time is looked at again.
const TURN: usize = 1024;

/// How often replaced snapshots, debts of the disk and times on disk are looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// The writer.
#[derive(Debug)]
pub(in crate::publish) struct Core {
    /// Facts and states.
    pub(in crate::publish) world: World,
    /// When to publish.
    pub(in crate::publish) pace: PublicationPace,
    /// The SOA serial.
    pub(in crate::publish) serial: SerialClock,
    /// The last publication.
    pub(in crate::publish) generation: Generation,
    /// Snapshots that may still be read.
    pub(in crate::publish) retired: Retired<Snapshot>,
    /// Where readers find the present snapshot.
    pub(in crate::publish) snapshots: Arc<ArcSwap<Snapshot>>,
    /// The host names to resolve, with the members that have them resolved.
    pub(in crate::publish) hostnames: watch::Sender<Arc<BTreeMap<NameBuf, MemberSet>>>,
    /// Whether the daemon is ready; never taken back, since losing members is no reason to refuse
    /// queries.
    pub(in crate::publish) ready: watch::Sender<bool>,
    /// When it last took a turn.
    pub(in crate::publish) turned: watch::Sender<Instant>,
    /// The members of which withdrawals are held back.
    pub(in crate::publish) unconfirmed: watch::Sender<Arc<BTreeSet<Label>>>,
    /// How often operators have accepted a facts file that lacks its mark, by member.
    pub(in crate::publish) confirmed: watch::Sender<Arc<BTreeMap<Label, u64>>>,
    /// What operators have said of members that go.
    pub(in crate::publish) departures: watch::Sender<MemberDepartures>,
    /// Operators who have confirmed what is not published as a whole.
    pub(in crate::publish) confirming: Vec<Confirming>,
    /// What is to be probed.
    pub(in crate::publish) targets: watch::Sender<ProbeTargets>,
    /// What zones are signed with.
    pub(in crate::publish) keys: watch::Receiver<Arc<KeysByZone>>,
    /// When to look after things next.
    pub(in crate::publish) housekeeping: Instant,
    /// What the wall clock says.
    pub(in crate::publish) wall: fn() -> UnixSeconds,
}

impl Core {
    /// Works until told to stop, then folds what has arrived, and publishes it.
    pub(in crate::publish) async fn run(
        mut self,
        mut deltas: mpsc::Receiver<Delta>,
        mut configs: mpsc::Receiver<Arc<Config>>,
        mut commands: mpsc::Receiver<CommandRequest>,
        mut host: mpsc::Receiver<OverridesNews>,
        stop: CancellationToken,
    ) -> Self {
        // Not before the first answers: it takes a second at a million services.
        let now = self.now();
        self.world.shards.count(&mut self.world.out, now);
        if self.world.out.is_dirty {
            self.publish(now);
        }
        loop {
            let now = self.now();
            self.turn(now);
            self.turned.send_replace(now.instant);
            let deadline = self.deadline(now.instant);
            let is_waiting = self.world.out.record.wait(now.instant).is_some();
            let is_saving = self.world.overrides.is_saving();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                written = self.world.overrides.saved() => self.publish_decided(written),
                () = self.world.out.record.progress(), if is_waiting => {}
                Some(order) = commands.recv(), if !is_saving => self.execute(order),
                Some(news) = host.recv(), if !is_saving => self.hear_host(news),
                Ok(()) = self.keys.changed() => self.take_keys(),
                Some(config) = configs.recv() => {
                    let now = self.now();
                    self.reconfigure(&config, now);
                }
                Some(delta) = deltas.recv() => {
                    let now = self.now();
                    self.fold(delta, &mut configs, now);
                    for _ in 1..TURN {
                        let Ok(delta) = deltas.try_recv() else { break };
                        self.fold(delta, &mut configs, now);
                    }
                }
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
        if self.world.overrides.is_saving() {
            let written = self.world.overrides.saved().await;
            self.publish_decided(written);
        }
        let now = self.now();
        while let Ok(delta) = deltas.try_recv() {
            self.fold(delta, &mut configs, now);
        }
        self.finish();
        self
    }

    /// Folds what waits, and publishes it: the last that a process does.
    pub(in crate::publish) fn finish(&mut self) {
        let now = self.now();
        self.world.fold_all(now);
        let World { members, out, .. } = &mut self.world;
        members.keep_seen(out, now.wall);
        self.world.out.record.hold(now.instant, now.wall);
        self.world.overrides.keep_host_at_end(now.instant);
        if !self.world.overrides.is_frozen() {
            self.publish(now);
        }
        self.answer_confirmed();
    }

    /// Both clocks. That the wall clock was set is noted before anything is dated by it.
    pub(in crate::publish) fn now(&mut self) -> Now {
        let now = Now {
            instant: clock::monotonic(),
            wall: (self.wall)(),
        };
        if self.world.compare_clocks(now) {
            // What operators have decided is dated anew with the rest that is looked after.
            self.housekeeping = now.instant;
        }
        now
    }

    /// Takes a new configuration. Of members that are gone nothing is to be said any more.
    fn reconfigure(&mut self, config: &Config, now: Now) {
        self.world.reconfigure(config, now);
        let index = &self.world.members.index;
        self.departures.send_if_modified(|departures| {
            departures.meant.retain(|name, _| index.contains_key(name));
            false
        });
    }

    /// Folds a change. One of an unknown member may be ahead of the configuration that adds it,
    /// which its sender sent before.
    fn fold(&mut self, delta: Delta, configs: &mut mpsc::Receiver<Arc<Config>>, now: Now) {
        let mut folded = self.world.fold(delta, now);
        while let Folded::Unknown(delta) = folded {
            let Ok(config) = configs.try_recv() else {
                self.world.out.metrics.delta(DeltaOutcome::Unknown);
                return;
            };
            self.reconfigure(&config, now);
            folded = self.world.fold(delta, now);
        }
    }

    /// Does all that is due.
    pub(in crate::publish) fn turn(&mut self, now: Now) {
        self.world.fold_lists(now);
        let World {
            members,
            shards,
            out,
            ..
        } = &mut self.world;
        shards.turn(out, now);
        members.turn(shards, out, now);
        if self.housekeeping <= now.instant {
            self.housekeeping = now.instant + HOUSEKEEPING;
            self.world.run_housekeeping(now);
            self.world.oversee(&self.snapshots.load_full(), now);
            if !self.world.overrides.is_saving() {
                self.follow_host(now);
            }
            self.world.show_gauges(&self.snapshots.load());
            self.world.out.next_second();
            self.world.out.metrics.set_retired(self.retired.sweep());
        }
        if self.world.overrides.is_frozen() {
            self.publish_hostnames(now.instant);
            self.publish_unconfirmed();
            self.become_ready(now.instant);
            self.answer_confirmed();
            return;
        }
        let is_owed = self.serial.due().is_some_and(|due| due <= now.instant);
        if std::mem::take(&mut self.world.out.is_dirty) || is_owed {
            self.pace.touch();
        }
        let is_due = self.pace.due(now.instant);
        let is_due = is_due.is_some_and(|due| due <= now.instant);
        // What withdraws an address is to be on disk before answers follow it.
        if is_due && self.world.out.record.wait(now.instant).is_none() {
            self.publish(now);
        }
        // First probes may be through; what is not published is waited for.
        if self.pace.due(now.instant).is_none() {
            self.become_ready(now.instant);
        }
    }

    /// When something is due next.
    pub(in crate::publish) fn deadline(&self, now: Instant) -> Instant {
        if !self.world.lists.is_empty() || !self.world.shards.releases.is_empty() {
            return now;
        }
        let is_open = !self.world.overrides.is_frozen();
        // A publication that is due anyhow takes the serial with it: waiting for both would be
        // waiting for a time that may have passed.
        let publication = self.pace.due(now).or(self.serial.due());
        let publication = publication.max(self.world.out.record.wait(now));
        let deadlines = [
            self.world.shards.deadline(),
            self.world.members.deadline(),
            publication.filter(|_| is_open),
        ];
        deadlines
            .into_iter()
            .flatten()
            .fold(self.housekeeping, Instant::min)
    }

    /// Says that the daemon is ready once it is: its members are, and what was known of addresses has
    /// been looked at, or that has taken too long.
    pub(super) fn become_ready(&mut self, now: Instant) {
        if self
            .world
            .shards
            .addresses
            .findings
            .first_probes_due()
            .is_some_and(|due| due <= now)
        {
            self.world.shards.addresses.findings.end_first_probes();
        }
        if self.world.members.states.is_ready()
            && self
                .world
                .shards
                .addresses
                .findings
                .first_probes_due()
                .is_none()
        {
            self.ready
                .send_if_modified(|is_ready| !std::mem::replace(is_ready, true));
        }
    }
}
