//! The daemon dies while it writes its state, again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Scene;
use super::stage::Stage;
use crate::fleet::Fleet;
use crate::gazetteer::{global, within};
use crate::report_line;
use crate::wait::{SOON, throughout, until};

/// How often it dies.
const DEATHS: usize = 10;
/// For how long nothing may change after each death.
const AFTER: Duration = Duration::from_millis(500);
/// Services that change all the time, to have something written; nobody asks for them.
const CHURN: usize = 200;

/// `kill -9` as soon as a file of the state has changed, while hundreds of changes a second are
/// written and every other list replaces the whole file. No API can be reached when it starts
/// again: its first answers are right.
pub(super) fn while_writing(fleet: &Fleet) {
    let stage = Stage::with_fakes(fleet, "writing", &[2]);
    let fake = &stage.fakes[&2];
    stage.publish_all();
    for number in 0..CHURN {
        fake.publish(&format!("churn-{number}"), &[stage.address(2, 1)]);
    }
    super::run(&stage, "", |scene| {
        let names = expectations(scene);
        scene.gazetteer.until_state_holds(stage.namespace, 3);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| churn(&stage, &stop));
            // Also after a failure, or the scope would wait for ever.
            let outcome = crate::guard(|| {
                for death in 0..DEATHS {
                    die(scene, death, &names);
                }
            });
            stop.store(true, Ordering::SeqCst);
            outcome.unwrap_or_else(|why| panic!("{why}"));
        });
        report_line(&format!("  {DEATHS} deaths while state was written"));
        for gate in &stage.gates {
            gate.set_open(true);
        }
        let (web, expected) = &names[0];
        scene.gazetteer.until_held(web, expected, false);
    });
}

/// Names and their answers, which no restart may change.
fn expectations(scene: &Scene<'_>) -> Vec<(String, String)> {
    let namespace = scene.stage.namespace;
    let mut names = vec![global(namespace, "web"), global(namespace, "only")];
    for member in &scene.stage.fleet.members {
        names.push(within(namespace, "dual", member.zone));
    }
    let answered = names.into_iter().map(|name| {
        let answer = scene.answer(&name);
        (name, answer)
    });
    answered.collect()
}

/// Changes services of the fake until stopped, and now and then makes it list everything anew.
fn churn(stage: &Stage<'_>, stop: &AtomicBool) {
    let fake = &stage.fakes[&2];
    for round in 0_usize.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let service = format!("churn-{}", round % CHURN);
        fake.set_endpoints(&service, 3, round / CHURN % 2 == 1);
        if round % 150 == 149 {
            let all = fake.api.save();
            fake.api.restore(&all);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One death: it may happen at any step of a write.
fn die(scene: &mut Scene<'_>, death: usize, names: &[(String, String)]) {
    let stage = scene.stage;
    stage.gates[2].set_open(true);
    scene.load.pause();
    // Not at the same step each time.
    for _ in 0..=death % 3 {
        let sizes = scene.gazetteer.state_sizes();
        until("the state is being written", SOON, || {
            if scene.gazetteer.state_sizes() == sizes {
                Err("no file has changed".to_owned())
            } else {
                Ok(())
            }
        });
    }
    scene.gazetteer.kill();
    for gate in &stage.gates {
        gate.set_open(false);
    }
    scene.gazetteer.launch_again();
    for (name, expected) in names {
        let first = scene.gazetteer.check(name, expected);
        first.unwrap_or_else(|answer| panic!("death {death}: first answer at {name}: {answer}"));
    }
    scene.load.resume();
    throughout("the last answers stay", AFTER, || {
        names
            .iter()
            .try_for_each(|(name, expected)| scene.gazetteer.check(name, expected))
    });
}
