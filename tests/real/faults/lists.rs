//! An API that returns empty lists.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use tokio::time::Instant;

use super::stage::Stage;
use crate::fleet::Fleet;
use crate::gazetteer::global;
use crate::report_line;
use crate::wait::{SOON, throughout, until};

/// How many services only the member with the empty lists has.
const MANY: usize = 60;
/// And how many more, for which nobody asks: the first that a burst takes away are believed, since
/// it is none yet. These are more than a quarter of all.
const FIRST: usize = 40;

/// For how long an empty list is not believed: a second one comes after 5 s.
const UNCONFIRMED: Duration = Duration::from_secs(4);

/// One service in a hundred is removed at once. An empty list, or a burst of events, of a
/// member whose load balancers work removes nothing before a second list says the same.
pub(super) fn empty(fleet: &Fleet) {
    let stage = Stage::with_fakes(fleet, "empty", &[2]);
    let fake = &stage.fakes[&2];
    let nothing = fake.api.save();
    stage.publish_all();
    for number in 0..MANY {
        let address = stage.address(2, 5 + u8::try_from(number % 25).expect("small"));
        stage.publish(2, &format!("many-{number}"), &[address]);
    }
    for number in 0..FIRST {
        fake.publish(&format!("first-{number}"), &[stage.address(2, 5)]);
    }
    super::run(&stage, "", |scene| {
        let one = global(stage.namespace, "many-7");
        let start = Instant::now();
        stage.delete(2, "many-7");
        until("one service in a hundred is removed", SOON, || {
            let answer = scene.gazetteer.ask(&one, RecordType::A)?;
            if answer.addresses.is_empty() {
                Ok(())
            } else {
                Err(answer.to_string())
            }
        });
        report_line(&format!(
            "  one service in a hundred left after {:.0} ms",
            start.elapsed().as_secs_f64() * 1000.0
        ));

        let names = ["web", "dual", "many-0", "many-59"].map(|service| {
            let name = global(stage.namespace, service);
            let answer = scene.answer(&name);
            (name, answer)
        });
        let nothing_changes = |what| {
            throughout(what, UNCONFIRMED, || {
                names
                    .iter()
                    .try_for_each(|(name, answer)| scene.gazetteer.check(name, answer))
            });
        };
        let all = fake.api.save();
        fake.api.restore(&nothing);
        nothing_changes("an empty list changes nothing");
        fake.api.restore(&all);
        nothing_changes("nor does its end");

        stage.until_followed(scene, 2, "web");
        let first = (0..FIRST).map(|number| format!("first-{number}"));
        // One of them was removed before.
        let many = (0..MANY).filter(|number| *number != 7);
        let burst: Vec<String> = first.chain(many.map(|n| format!("many-{n}"))).collect();
        for service in &burst {
            fake.set_endpoints(service, 1, false);
        }
        nothing_changes("a burst of withdrawals changes nothing");
        for service in &burst {
            fake.set_endpoints(service, 1, true);
        }
        nothing_changes("nor does its end");

        stage.until_followed(scene, 2, "dual");
        let start = Instant::now();
        fake.api.restore(&nothing);
        let (web, many) = (
            global(stage.namespace, "web"),
            global(stage.namespace, "many-1"),
        );
        until("a second empty list is believed", 2 * SOON, || {
            let answer = scene.gazetteer.ask(&many, RecordType::A)?;
            if answer.addresses.is_empty() {
                Ok(())
            } else {
                Err(answer.to_string())
            }
        });
        stage.truth.keep_services(2, |_| false);
        let confirmed = start.elapsed();
        assert!(confirmed > UNCONFIRMED, "believed after {confirmed:?}");
        report_line(&format!(
            "  an empty list was confirmed after {:.1} s",
            confirmed.as_secs_f64()
        ));
        let expected = format!("A {} {}", stage.address(0, 1), stage.address(1, 1));
        scene.gazetteer.until_answers(&web, &expected);
    });
}
