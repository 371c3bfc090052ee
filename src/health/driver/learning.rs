//! What comes of probes: what their outcomes make of their targets, and of what is known of our own
//! network and host.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{Done, Driver, Id};
use crate::health::history::{Confirmation, History, ProbeOutcome, VerdictChange};
use crate::health::reachability::{Reachability, family};
use crate::model::ProbeTarget;
use crate::telemetry::{Probed, clock};

/// By how much of its interval a probe is early at most, so that targets that happen to be probed
/// together drift apart. Never late: a failure is to be found in time.
const JITTER: f64 = 0.05;

/// The same for a probe after one that began late by a quarter of its interval or more: what was
/// delayed together, as after a pause of the whole machine, is spread anew.
const SPREAD: f64 = 0.5;

/// For how long nothing of our own may fail until that is told to be over.
const TROUBLE: Duration = Duration::from_secs(10);

impl Driver {
    /// Takes in what came of a probe. One of a target that is no more is dropped.
    pub(super) fn learn(&mut self, done: Done) {
        let Done {
            id,
            due,
            started,
            outcome,
        } = done;
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let (address, interval) = (entry.target.address, entry.target.probe.interval);
        let now = clock::monotonic();
        let lateness = started.saturating_duration_since(due);
        let range = if lateness < interval / 4 {
            JITTER
        } else {
            SPREAD
        };
        let fraction = 1.0 - range * self.fraction(id, now);
        self.schedule(id, now.max(started + interval.mul_f64(fraction)));

        let result = match &outcome {
            ProbeOutcome::Passed(_) => Probed::Passed,
            ProbeOutcome::Answered(_) => Probed::Answered,
            ProbeOutcome::Silent(_) => Probed::Silent,
            ProbeOutcome::Local(_) => Probed::Local,
        };
        self.metrics.health().probed(result, lateness);
        self.tell_trouble(&outcome, now);
        let (started, at) = (started - self.begin, now - self.begin);
        match outcome {
            ProbeOutcome::Local(_) => {}
            ProbeOutcome::Passed(seen) => {
                self.hears(id, address, at);
                self.judge(id, &seen, |history, target, _| {
                    history.passed(&target.probe, at)
                });
                self.judge_waiting(address, at);
            }
            ProbeOutcome::Answered(seen) => {
                self.hears(id, address, at);
                self.judge(id, &seen, |history, target, _| {
                    // It is its own witness.
                    history.failed(&target.probe, started, at, |_| Confirmation::Yes)
                });
                self.judge_waiting(address, at);
            }
            ProbeOutcome::Silent(seen) => {
                self.reachability.of(address).misses(id);
                self.judge(id, &seen, |history, target, reachability| {
                    let confirm = |failing| reachability.of(address).confirms(failing);
                    history.failed(&target.probe, started, at, confirm)
                });
                self.ask_witness(address, now);
            }
        }
    }

    /// A target answered.
    fn hears(&mut self, id: Id, address: SocketAddr, at: Duration) {
        if self.reachability.of(address).hears(id, at) {
            let family = family(address);
            self.metrics.health().set_held(family, false);
            info!(?family, "targets answer again: verdicts change again");
        }
    }

    /// Judges those that waited for any answer.
    fn judge_waiting(&mut self, address: SocketAddr, at: Duration) {
        for id in self.reachability.of(address).waited() {
            self.judge(id, "", |history, target, reachability| {
                let confirm = |failing| reachability.of(address).confirms(failing);
                history.judge(&target.probe, at, confirm)
            });
        }
    }

    /// Probes one at once that answered last time, when others wait for that.
    fn ask_witness(&mut self, address: SocketAddr, now: Instant) {
        let Some(id) = self.reachability.of(address).witness() else {
            return;
        };
        // One that is being probed is a witness already.
        if self
            .entries
            .get(&id)
            .is_some_and(|entry| entry.due.is_some())
        {
            self.schedule(id, now);
        }
    }

    /// Changes a target's history, and says what is new; `seen` is what its last probe saw, if not
    /// empty.
    fn judge(
        &mut self,
        id: Id,
        seen: &str,
        change: impl FnOnce(&mut History, &ProbeTarget, &mut Reachability) -> VerdictChange,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let from = entry.history.verdict();
        let address = entry.target.address;
        let change = change(&mut entry.history, &entry.target, &mut self.reachability);
        let to = entry.history.verdict();
        let is_first_failure = to.is_none() && entry.told.is_none();
        if from != to {
            debug!(%address, ?from, ?to, seen, "target");
            self.metrics.health().turned(from, to);
        }
        self.tell(id, seen, change.is_new || is_first_failure);
        self.await_lapse(id);
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let is_judged = entry.history.is_judged(&entry.target.probe);
        let next = entry.history.is_hurried(&entry.target.probe);
        if is_judged {
            self.judged(id);
        }
        if next {
            self.schedule(id, clock::monotonic());
        }
        match change.unconfirmed {
            Some(Confirmation::Ask) => self.reachability.of(address).wait(id),
            Some(Confirmation::No) if self.reachability.of(address).hold() => {
                let family = family(address);
                self.metrics.health().set_held(family, true);
                warn!(
                    ?family,
                    "no target answers: assuming a fault of our own network, verdicts are suspended"
                );
            }
            _ => {}
        }
    }

    /// Logs when our own host cannot ask, when the reason changes, and when it is over.
    fn tell_trouble(&mut self, outcome: &ProbeOutcome, now: Instant) {
        if let ProbeOutcome::Local(why) = outcome {
            if self
                .trouble
                .as_ref()
                .is_none_or(|(told, _)| **told != **why)
            {
                warn!(%why, "cannot probe from this host, verdicts are suspended");
            }
            self.trouble = Some((why.as_ref().into(), now));
        } else if let Some((why, _)) = self.trouble.take_if(|(_, at)| now - *at > TROUBLE) {
            info!(%why, "this host can probe again");
        }
    }
}
