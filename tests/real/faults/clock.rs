//! The wall clock of gazetteer jumps; the monotonic one cannot.

use std::ffi::OsString;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use nix::sys::signal::Signal;

use super::stage::Stage;
use crate::dns::Client;
use crate::faketime;
use crate::files;
use crate::fleet::Fleet;
use crate::gazetteer::{APEX, global};
use crate::process::with_environment;
use crate::report_line;
use crate::wait::{SOON, throughout, until};

/// The jumps, in seconds from the true time: an hour on, a day back, years on, and the truth again.
const JUMPS: [i64; 4] = [3600, -86_400, 150_000_000, 0];

/// After each jump changes are followed, nothing else changes, and the serial never goes back.
pub(super) fn jumps(fleet: &Fleet) {
    let stage = Stage::new(fleet, "clock");
    stage.publish_all();
    let offset = fleet.folder.join("clock");
    files::write(&offset, "+0s\n");
    let launcher = |mut command: Vec<OsString>| {
        command.extend(with_environment(faketime::settings(&offset)));
        command
    };
    super::run_by(&stage, "", launcher, |scene| {
        let serial = || {
            let answer = scene.gazetteer.ask(APEX, RecordType::SOA)?;
            answer.serial.ok_or_else(|| answer.to_string())
        };
        let mut last = serial().expect("a serial");
        let first = last;
        let ttl = std::cell::Cell::new("30s");
        for (round, jump) in JUMPS.into_iter().enumerate() {
            files::write(&offset, format!("{jump:+}s\n"));
            let is_ready = round % 2 == 1;
            stage.set_ready(2, "web", is_ready);
            stage.until_whole(&scene.gazetteer);
            let next = until("a serial after a jump", SOON, || {
                // A change is what makes a serial; the library reads its file once in a second. No
                // shard may go out for it again and again: it would be kept back for that.
                ttl.set(if ttl.get() == "29s" { "30s" } else { "29s" });
                stage.set_ttl(1, "dual", ttl.get());
                let next = serial()?;
                let is_seen = jump <= 0 || i64::from(next - first) >= jump;
                if is_seen {
                    Ok(next)
                } else {
                    Err(format!("{next} after {first}"))
                }
            });
            assert!(next >= last, "serial {next} after {last}");
            last = next;
            stage.until_whole(&scene.gazetteer);
        }
    });
    report_line("  clock jumps of 1 h, -1 d, 5 y");
}

/// The process stands still for longer than a probe needs to be down, as in a machine that is
/// suspended; it answers what it did.
pub(super) fn suspended(fleet: &Fleet) {
    let stage = Stage::new(fleet, "suspended");
    stage.publish_all();
    super::run(&stage, "", |scene| {
        let web = global(stage.namespace, "web");
        let expected = scene.answer(&web);
        scene.load.pause();
        scene.gazetteer.signal(Signal::SIGSTOP);
        let silent = || {
            let answer = Client::new(scene.gazetteer.dns).ask(&web, RecordType::A);
            answer.map_or(Ok(()), |answer| Err(answer.to_string()))
        };
        until("it stands still", SOON, silent);
        throughout("it stands still", Duration::from_secs(10), silent);
        scene.gazetteer.signal(Signal::SIGCONT);
        scene.load.resume();
        throughout("a pause changes nothing", Duration::from_secs(8), || {
            scene.gazetteer.check(&web, &expected)
        });
        stage.set_ready(0, "web", false);
        stage.until_whole(&scene.gazetteer);
    });
}
