//! Load balancers that stop working, with their API and without it.

use std::time::Duration;

use tokio::time::Instant;

use super::stage::Stage;
use crate::fleet::Fleet;
use crate::report_line;

/// How long a dead member may stay in answers, with the default probe.
const DEAD: Duration = Duration::from_secs(10);

/// The load balancers of a member refuse, then those of another swallow everything; both APIs say
/// that all is well.
pub(super) fn cut(fleet: &Fleet) {
    let stage = Stage::new(fleet, "data");
    stage.publish_all();
    super::run(&stage, "", |scene| {
        let refusing = stage.addresses(0);
        for address in &refusing {
            stage.close(*address);
        }
        let refused = scene.until_left("web", stage.address(0, 1));
        // The only shard of its service is withdrawn as well.
        scene.until_left("only", stage.address(0, 4));
        for address in &refusing {
            stage.open(*address);
        }
        stage.until_whole(&scene.gazetteer);

        let silent = stage.addresses(2);
        stage.cut_data(2);
        let timed_out = scene.until_left("web", stage.address(2, 1));
        stage.mend_data(2, &silent);
        stage.until_whole(&scene.gazetteer);
        report_line(&format!(
            "  load balancers that refuse left after {:.1} s, that time out after {:.1} s",
            refused.as_secs_f64(),
            timed_out.as_secs_f64()
        ));
    });
}

/// A member dies whole, API server and load balancers: it leaves every answer within 10 s, long
/// before `hold`.
pub(super) fn dead(fleet: &Fleet) {
    let stage = Stage::new(fleet, "dead");
    stage.publish_all();
    super::run(&stage, "", |scene| {
        let addresses = stage.addresses(0);
        stage.member(0).kill_server();
        stage.cut_data(0);
        let start = Instant::now();
        for (service, n) in [("web", 1), ("dual", 2), ("pair", 3)] {
            scene.until_left(service, stage.address(0, n));
        }
        let left = start.elapsed();
        report_line(&format!(
            "  a dead member left after {:.1} s",
            left.as_secs_f64()
        ));
        assert!(left <= DEAD, "a dead member left after {left:?}");
        stage.mend_data(0, &addresses);
        stage.member(0).start_server();
        stage.until_whole(&scene.gazetteer);
    });
}
