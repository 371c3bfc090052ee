//! APIs that die, hang, refuse or crawl, while every load balancer works: nothing changes, for
//! longer than `hold`.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use serde_json::json;
use tokio::time::Instant;

use super::Scene;
use super::stage::Stage;
use crate::fleet::Fleet;
use crate::gazetteer::global;
use crate::wait::{SOON, throughout, until};

/// Shorter than every span in which nothing may change.
pub(super) const SHORT_HOLD: &str = "hold = \"60s\"\n";
/// Longer than [`SHORT_HOLD`].
pub(super) const BEYOND_HOLD: Duration = Duration::from_secs(4);

/// Between two cuts of all connections.
const CUT: Duration = Duration::from_secs(1);

/// A member that is lost is held, is no loss beyond `hold` while its probes pass, and is followed
/// again afterwards.
fn held_while(scene: &Scene<'_>, member: usize, span: Duration, mend: impl FnOnce()) {
    let web = global(scene.stage.namespace, "web");
    let expected = scene.answer(&web);
    let start = Instant::now();
    scene.gazetteer.until_held(&web, &expected, true);
    let span = BEYOND_HOLD.max(span.saturating_sub(start.elapsed()));
    throughout("a lost API changes nothing", span, || {
        scene.gazetteer.check(&web, &expected)
    });
    mend();
    scene.gazetteer.until_held(&web, &expected, false);
    scene.stage.set_ready(member, "web", false);
    scene.stage.until_whole(&scene.gazetteer);
}

/// `kill -9` of an API server, and its return.
pub(super) fn killed(fleet: &Fleet) {
    let stage = Stage::new(fleet, "killed");
    stage.publish_all();
    super::run(&stage, SHORT_HOLD, |scene| {
        stage.member(0).kill_server();
        held_while(scene, 0, Duration::from_secs(8), || {
            stage.member(0).start_server();
        });
    });
}

/// A server that accepts connections and never answers.
pub(super) fn hung(fleet: &Fleet) {
    let stage = Stage::new(fleet, "hung");
    stage.publish_all();
    super::run(&stage, SHORT_HOLD, |scene| {
        stage.gates[1].set_silent(true);
        held_while(scene, 1, Duration::ZERO, || {
            stage.gates[1].set_silent(false);
        });
    });
}

/// A server whose answers and events are 30 s late.
pub(super) fn slow(fleet: &Fleet) {
    let stage = Stage::new(fleet, "slow");
    stage.publish_all();
    super::run(&stage, SHORT_HOLD, |scene| {
        let late = Duration::from_secs(30);
        stage.gates[2].set_delay(late);
        held_while(scene, 2, late + BEYOND_HOLD, || {
            stage.gates[2].set_delay(Duration::ZERO);
        });
    });
}

/// A server that answers 403, since the credential was replaced by one without rights.
pub(super) fn refused(fleet: &Fleet) {
    let stage = Stage::new(fleet, "refused");
    stage.publish_all();
    let member = stage.member(1);
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"},
    });
    let path = format!(
        "/api/v1/namespaces/{}/serviceaccounts/nobody",
        stage.namespace
    );
    member.api.apply(&path, &account);
    let nobody = member.token(stage.namespace, "nobody");
    assert_eq!(member.status_with(&nobody), 403);
    super::run(&stage, SHORT_HOLD, |scene| {
        scene.gazetteer.set_token(member.name, &nobody);
        let web = global(stage.namespace, "web");
        until("the new credential is refused", 3 * SOON, || {
            // What is open goes on with the old one; a connection is left the time to be used.
            stage.gates[1].cut();
            throughout("a cut connection changes nothing", CUT, || {
                scene.gazetteer.ask(&web, RecordType::A).map(drop)
            });
            match scene.gazetteer.ask(&web, RecordType::A)? {
                answer if answer.held() => Ok(()),
                answer => Err(answer.to_string()),
            }
        });
        held_while(scene, 1, Duration::ZERO, || {
            let (namespace, account) = fleet.account();
            let token = member.token(namespace, account);
            scene.gazetteer.set_token(member.name, &token);
        });
    });
}
