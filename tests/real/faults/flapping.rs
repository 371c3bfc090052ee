//! Endpoints that flap.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::stage::Stage;
use crate::fleet::Fleet;
use crate::gazetteer::global;
use crate::report_line;
use crate::wait::throughout;

/// Services that flap, each with so many endpoints in one slice.
const SERVICES: u8 = 20;
/// Endpoints of a service.
const ENDPOINTS: u8 = 50;
/// Services that do not: what flaps is less than a quarter of all, which is no mass change.
const QUIET: usize = 60;
/// How often in a second each endpoint changes.
const RATE: u32 = 10;
/// For how long.
const SPAN: Duration = Duration::from_secs(8);

/// 1,000 endpoints change ten times a second in one member; in another everything stays as it is,
/// but for a calm service, which leaves at once. What flaps stays out, also
/// for a while afterwards, unless nothing else is left. All from fake API servers: a real one does
/// not take so many writes.
pub(super) fn endpoints(fleet: &Fleet) {
    let stage = Stage::with_fakes(fleet, "flapping", &[1, 2]);
    for number in 0..SERVICES {
        let service = format!("flap-{number}");
        stage.publish(1, &service, &[stage.address(1, number)]);
        stage.publish(2, &service, &[stage.address(2, number)]);
    }
    for number in 0..QUIET {
        stage.publish(1, &format!("quiet-{number}"), &[stage.address(1, 30)]);
    }
    stage.publish(0, "calm", &[stage.address(0, 1)]);
    stage.publish(1, "calm", &[stage.address(1, 29)]);
    super::run(&stage, "", |scene| {
        let names = ["calm", "flap-0"].map(|service| global(stage.namespace, service));
        let [calm, flapping] = &names;
        let steady = format!("A {}", stage.address(1, 0));
        let (stop, start) = (AtomicBool::new(false), Instant::now());
        let flips = std::thread::scope(|scope| {
            let flaps = scope.spawn(|| flap(&stage, &stop));
            // Also after a failure, or the scope would wait for ever.
            let outcome = crate::guard(|| {
                throughout("a calm service stays", SPAN / 2, || {
                    let expected = format!("A {} {}", stage.address(0, 1), stage.address(1, 29));
                    scene.gazetteer.check(calm, &expected)
                });
                stage.set_ready(1, "calm", false);
                let expected = format!("A {}", stage.address(0, 1));
                scene.gazetteer.until_answers(calm, &expected);
                let left = SPAN.saturating_sub(start.elapsed());
                throughout("a calm service stays, what flaps is out", left, || {
                    scene.gazetteer.check(calm, &expected)?;
                    scene.gazetteer.check(flapping, &steady)
                });
            });
            stop.store(true, Ordering::SeqCst);
            let flips = flaps.join().expect("flapping");
            outcome.unwrap_or_else(|why| panic!("{why}"));
            flips
        });
        let rate = f64::from(flips) / start.elapsed().as_secs_f64();
        report_line(&format!(
            "  {} endpoints changed {:.1} times a second each, {rate:.0} slices a second",
            u32::from(SERVICES) * u32::from(ENDPOINTS),
            rate / f64::from(SERVICES),
        ));
        for number in 0..SERVICES {
            stage.set_endpoints(2, &format!("flap-{number}"), ENDPOINTS, true);
        }
        throughout("what flapped is kept out for a while", SPAN / 4, || {
            scene.gazetteer.check(flapping, &steady)
        });
        stage.set_ready(1, "flap-0", false);
        let last = format!("A {}", stage.address(2, 0));
        scene.gazetteer.until_answers(flapping, &last);
    });
}

/// Changes every endpoint at the rate, until stopped; gives how many slices were written.
fn flap(stage: &Stage<'_>, stop: &AtomicBool) -> u32 {
    let (start, mut flips) = (Instant::now(), 0_u32);
    for round in 1_u32.. {
        for number in 0..SERVICES {
            let ready = round % 2 == 0;
            stage.set_endpoints(2, &format!("flap-{number}"), ENDPOINTS, ready);
            flips += 1;
        }
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let next = Duration::from_secs(1) * round / RATE;
        std::thread::sleep(next.saturating_sub(start.elapsed()));
    }
    flips
}
