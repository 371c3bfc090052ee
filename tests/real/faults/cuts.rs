//! Links that are cut: between gazetteer and the members, while clients reach everything.

use std::time::Duration;

use super::api::{BEYOND_HOLD, SHORT_HOLD};
use super::network::Link;
use super::stage::Stage;
use crate::fleet::Fleet;
use crate::gazetteer::{global, within};
use crate::wait::throughout;

/// The links to the APIs of one, of most and of all members: nothing changes, but what probes see.
pub(super) fn apis(fleet: &Fleet) {
    let stage = Stage::new(fleet, "cuts");
    stage.publish_all();
    super::run(&stage, SHORT_HOLD, |scene| {
        let web = global(stage.namespace, "web");
        let expected = scene.answer(&web);
        for (number, member) in fleet.members.iter().enumerate() {
            let zone = within(stage.namespace, "web", member.zone);
            let own = format!("A {}", stage.address(number, 1));
            stage.network.cut(Link::Api(number));
            scene.gazetteer.until_held(&zone, &own, true);
            throughout("lost APIs change nothing", BEYOND_HOLD, || {
                scene.gazetteer.check(&web, &expected)?;
                scene.gazetteer.check(&zone, &own)
            });
        }
        let dead = stage.addresses(1);
        for address in &dead {
            stage.close(*address);
        }
        scene.until_left("web", stage.address(1, 1));
        for address in &dead {
            stage.open(*address);
        }
        stage.until_whole(&scene.gazetteer);
        for number in 0..fleet.members.len() {
            stage.network.mend(Link::Api(number));
        }
        scene.gazetteer.until_held(&web, &expected, false);
        stage.set_ready(0, "web", false);
        stage.until_whole(&scene.gazetteer);
    });
}

/// No load balancer can be reached from gazetteer, and later no API: its own network is the likelier
/// culprit, and nothing changes. Clients still reach everything, and so all of it is healthy.
pub(super) fn own_network(fleet: &Fleet) {
    let stage = Stage::new(fleet, "blind");
    stage.publish_all();
    super::run(&stage, SHORT_HOLD, |scene| {
        let web = global(stage.namespace, "web");
        let expected = scene.answer(&web);
        let unchanged = || scene.gazetteer.check(&web, &expected);
        for number in 0..fleet.members.len() {
            stage.network.cut(Link::Data(number));
        }
        // Far longer than a probe needs to be down.
        let span = Duration::from_secs(14);
        throughout("a blind prober changes nothing", span, unchanged);
        for number in 0..fleet.members.len() {
            stage.network.cut(Link::Api(number));
        }
        scene.gazetteer.until_held(&web, &expected, true);
        throughout("nor does one without APIs", BEYOND_HOLD, unchanged);
        for number in 0..fleet.members.len() {
            stage.network.mend(Link::Data(number));
            stage.network.mend(Link::Api(number));
        }
        scene.gazetteer.until_held(&web, &expected, false);
        stage.set_ready(0, "web", false);
        stage.until_whole(&scene.gazetteer);
    });
}
