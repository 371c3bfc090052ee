//! Endpoints that flap.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use tokio::time::Instant;

use super::stage::Stage;
use crate::fleet::Fleet;
use crate::gazetteer::global;
use crate::report_line;
use crate::wait::{SOON, throughout, until};

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
/// but for a calm service, which leaves at once. All from fake API servers: a real one does
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
    stage.publish(1, "calm", &[stage.address(1, 31)]);
    super::run(&stage, "", |scene| {
        let calm = global(stage.namespace, "calm");
        let (stop, start) = (AtomicBool::new(false), Instant::now());
        let flips = std::thread::scope(|scope| {
            let flapping = scope.spawn(|| flap(&stage, &stop));
            // Also after a failure, or the scope would wait for ever.
            let outcome = crate::guard(|| {
                throughout("a calm service stays", SPAN / 2, || {
                    let expected = format!("A {} {}", stage.address(0, 1), stage.address(1, 31));
                    scene.gazetteer.check(&calm, &expected)
                });
                stage.set_ready(1, "calm", false);
                let expected = format!("A {}", stage.address(0, 1));
                scene.gazetteer.until_answers(&calm, &expected);
                let left = SPAN.saturating_sub(start.elapsed());
                throughout("a calm service stays", left, || {
                    scene.gazetteer.check(&calm, &expected)
                });
            });
            stop.store(true, Ordering::SeqCst);
            let flips = flapping.join().expect("flapping");
            outcome.unwrap_or_else(|why| panic!("{why}"));
            flips
        });
        let rate = f64::from(flips) / start.elapsed().as_secs_f64();
        for number in 0..SERVICES {
            stage.set_endpoints(2, &format!("flap-{number}"), ENDPOINTS, false);
        }
        let last = global(stage.namespace, &format!("flap-{}", SERVICES - 1));
        until("the flapping endpoints are gone", SOON, || {
            let answer = scene.gazetteer.ask(&last, RecordType::A)?;
            if answer.addresses.contains(&stage.address(2, SERVICES - 1)) {
                Err(answer.to_string())
            } else {
                Ok(())
            }
        });
        let returned = Instant::now();
        for number in 0..SERVICES {
            stage.set_endpoints(2, &format!("flap-{number}"), ENDPOINTS, true);
        }
        stage.until_whole(&scene.gazetteer);
        report_line(&format!(
            "  {} endpoints changed {:.1} times a second each, {rate:.0} slices a second; \
             quiet, they returned after {:.1} s",
            u32::from(SERVICES) * u32::from(ENDPOINTS),
            rate / f64::from(SERVICES),
            returned.elapsed().as_secs_f64()
        ));
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
