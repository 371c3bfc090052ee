//! Faults, each with a load of queries running through it and every answer checked against what
//! was true (see `truth`): no empty answer while a healthy shard existed, no answer naming an
//! address that had been withdrawn for more than a second, no query without an answer.
//!
//! Gazetteer runs in a network namespace of its own, so that every link to a member can be cut.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, global};
use crate::wait::{SOON, until};
use crate::{guard, report_line};

mod api;
mod clock;
mod cuts;
mod data;
mod fake;
mod flapping;
mod lists;
mod load;
pub(crate) mod network;
mod ports;
mod reference;
mod restart;
mod stage;
mod truth;
mod verdict;

use load::Load;
use stage::Stage;
use verdict::Verdict;

/// A fault on the shared control planes.
type Fault = fn(&Fleet);

/// The faults, in the order in which they run.
pub(crate) const FAULTS: &[(&str, Fault)] = &[
    ("fault_api_server_killed", api::killed),
    ("faults_on_the_way_to_members", on_the_way),
    ("fault_data_plane_cut", data::cut),
    ("fault_member_dead", data::dead),
    ("fault_empty_lists", lists::empty),
    ("fault_killed_while_writing", restart::while_writing),
    ("fault_clock_jumps", clock::jumps),
    ("fault_endpoints_flapping", flapping::endpoints),
];

/// Faults before the members, whose own programs stay whole: each has its own gates and links, and
/// most of their time is waiting.
fn on_the_way(fleet: &Fleet) {
    let faults: [Fault; 6] = [
        api::hung,
        api::slow,
        api::refused,
        cuts::apis,
        cuts::own_network,
        clock::suspended,
    ];
    std::thread::scope(|scope| {
        let running = faults.map(|fault| scope.spawn(move || guard(|| fault(fleet))));
        let outcomes = running.map(|fault| fault.join().expect("a guarded fault"));
        let failures: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

/// What each load of this run saw.
static VERDICTS: Mutex<Vec<(&str, Verdict)>> = Mutex::new(Vec::new());

/// A fault under way.
pub(crate) struct Scene<'s> {
    /// What it happens to.
    stage: &'s Stage<'s>,
    /// The daemon.
    gazetteer: Gazetteer,
    /// The queries.
    load: Load,
}

impl Scene<'_> {
    /// The A answer at a name now.
    fn answer(&self, name: &str) -> String {
        let answer = self.gazetteer.ask(name, RecordType::A);
        answer.expect("an answer").to_string()
    }

    /// Waits until a global name does not answer an address, and gives how long that took.
    fn until_left(&self, service: &str, address: IpAddr) -> Duration {
        let (start, name) = (Instant::now(), global(self.stage.namespace, service));
        until(&format!("{name} without {address}"), SOON, || {
            let answer = self.gazetteer.ask(&name, RecordType::A)?;
            if answer.addresses.contains(&address) {
                Err(answer.to_string())
            } else {
                Ok(())
            }
        });
        start.elapsed()
    }
}

/// Starts gazetteer on a stage, waits until it answers all that is published, runs a fault under a
/// load and judges every answer, also those of a fault that failed otherwise.
fn run(stage: &Stage<'_>, federation: &str, fault: impl FnOnce(&mut Scene<'_>)) {
    run_by(stage, federation, |command| command, fault);
}

/// The same, with the command that launches gazetteer changed.
fn run_by(
    stage: &Stage<'_>,
    federation: &str,
    launcher: impl FnOnce(Vec<OsString>) -> Vec<OsString>,
    fault: impl FnOnce(&mut Scene<'_>),
) {
    let launcher = launcher(stage.network.launcher());
    let gazetteer = Gazetteer::start(stage.fleet, &stage.setup(federation, launcher));
    stage.until_whole(&gazetteer);
    stage.until_probed();
    let start = Instant::now();
    let load = Load::start(gazetteer.dns, stage.questions());
    let mut scene = Scene {
        stage,
        gazetteer,
        load,
    };
    let outcome = guard(|| fault(&mut scene));
    let verdict = stage.judge(scene.load);
    let seconds = start.elapsed().as_secs();
    report_line(&format!(
        "  {:<10} {seconds:>3} s {verdict}",
        stage.namespace
    ));
    VERDICTS.lock().push((stage.namespace, verdict.clone()));
    if let Err(why) = outcome {
        panic!("{why}\n{verdict}");
    }
    verdict.assert_right();
}

/// Prints what all loads of this run saw together.
pub(crate) fn summarize() {
    let verdicts = VERDICTS.lock();
    if verdicts.is_empty() {
        return;
    }
    let mut all = Verdict::default();
    for (_, verdict) in verdicts.iter() {
        all.add(verdict);
    }
    report_line(&format!("faults: {} loads: {all}", verdicts.len()));
}
