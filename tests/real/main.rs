//! Gazetteer against real programs: Kubernetes control planes, Unbound, CoreDNS.
//!
//! The control planes start once and serve all scenarios, which run one after the other: most of
//! them break something that the next one needs whole, so each begins with mending. Every scenario
//! has a gazetteer and a namespace of its own. A missing program fails the tests that need it.
//!
//! `GAZETTEER_REAL_BIN` names the folder that `tests/real/build.sh` prints, `GAZETTEER_ARTEFACTS` the
//! one that `deploy/artefacts.sh` was given.

mod api;
mod artefacts;
mod clusters;
mod desk;
mod dns;
#[path = "../fake_apiserver/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests that share it use the rest"
)]
mod fake_apiserver;
mod faketime;
mod faults;
mod files;
mod fleet;
mod gate;
mod gazetteer;
mod internet;
mod loopback;
mod member;
mod nsd;
mod objects;
mod pki;
mod process;
mod relay;
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod responder;
mod rooted;
mod scenarios;
mod signed;
mod stepped_clock;
mod timeline;
mod wait;
mod watcher;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use parking_lot::Mutex;

use crate::fleet::Fleet;

/// What the tests of one run share.
struct Run {
    /// Everything that the run writes; removed at the end unless a test failed.
    folder: PathBuf,
    /// The control planes, or why they did not start; nothing before the first test needs them.
    fleet: Mutex<Option<Result<Arc<Fleet>, String>>>,
}

impl Run {
    /// The control planes, mended.
    fn fleet(&self) -> Result<Arc<Fleet>, String> {
        let mut place = self.fleet.lock();
        if let Some(started) = &*place {
            let fleet = started.clone()?;
            guard(|| fleet.mend())?;
            return Ok(fleet);
        }
        let started = guard(|| Arc::new(Fleet::start(&self.folder)));
        let started = started.map_err(|why| format!("control planes did not start: {why}"));
        place.insert(started).clone()
    }

    /// Runs one scenario; a failure carries the ends of the logs.
    fn scenario(&self, scenario: fn(&Fleet)) -> Result<(), Failed> {
        let fleet = self.fleet().map_err(|why| self.report(&why, 0))?;
        let first = fleet.daemons.load(std::sync::atomic::Ordering::Relaxed);
        guard(|| scenario(&fleet)).map_err(|why| self.report(&why, first))
    }

    /// A failure, with the ends of the logs of the control planes and of its own gazetteers.
    fn report(&self, why: &str, first_daemon: u8) -> Failed {
        let mut report = format!("{why}\n\n");
        if let Some(Ok(fleet)) = &*self.fleet.lock() {
            for member in &fleet.members {
                for log in member.logs() {
                    report += &files::tail(&log, 4);
                }
            }
            let last = fleet.daemons.load(std::sync::atomic::Ordering::Relaxed);
            for number in first_daemon..last {
                let folder = self.folder.join(format!("gazetteer-{number}"));
                report += &files::tail(&folder.join("gazetteer.log"), 40);
            }
        }
        Failed::from(report)
    }
}

/// Runs a closure and turns its panic into a message.
fn guard<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a message").to_owned()
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The scenarios share what they break.
    arguments.test_threads = Some(1);
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .expect("first to choose a crypto provider");

    let folder = tempfile::Builder::new().prefix("gazetteer-real-").tempdir();
    let folder = folder.expect("temporary folder");
    let run = Arc::new(Run {
        folder: folder.path().to_owned(),
        fleet: Mutex::default(),
    });
    let mut trials = Vec::new();
    for (name, test) in scenarios::ALONE {
        let run = Arc::clone(&run);
        trials.push(Trial::test(*name, move || {
            alone(&run.folder.join(name), *test).map_err(Failed::from)
        }));
    }
    for (name, scenario) in scenarios::WITH_CLUSTERS {
        let run = Arc::clone(&run);
        trials.push(Trial::test(*name, move || run.scenario(*scenario)));
    }
    for (name, fault) in faults::FAULTS {
        let run = Arc::clone(&run);
        trials.push(Trial::test(*name, move || run.scenario(*fault)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    faults::summarize();
    // The last owner: ends the control planes.
    drop(run);
    if conclusion.has_failed() {
        let kept = folder.keep();
        report_line(&format!("Logs of this run: {}", kept.display()));
    }
    conclusion.exit_code()
}

/// Runs a test that needs no control planes, in a folder of its own; its logs go into the failure.
fn alone(folder: &Path, test: fn(&Path)) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    guard(|| test(folder)).map_err(|why| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let logs = entries.map(|entry| entry.path());
        let logs = logs.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
        logs.fold(format!("{why}\n\n"), |report, log| {
            report + &files::tail(&log, 40)
        })
    })
}

/// One line of a report, on standard output.
#[expect(
    clippy::print_stdout,
    reason = "a test's report is read on standard output"
)]
fn report_line(line: &str) {
    println!("{line}");
}
