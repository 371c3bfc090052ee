//! The daemon dies while no API can be reached.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Setup, global, within};
use crate::wait::{SOON, throughout, until};

/// `kill -9` of gazetteer and of every API server: the last answers are there within a second, stay
/// beyond `hold`, and follow the members again when they are back.
pub(crate) fn without_apis(fleet: &Fleet) {
    for member in &fleet.members {
        member.simple_service("restart", "web", 1);
    }
    let [ew1b, ew1d, _] = &fleet.members;
    ew1d.set_slice("restart", "web", false);
    let setup = Setup::all(fleet).federation("hold = \"2s\"");
    let gazetteer = Gazetteer::start(fleet, &setup);
    let [b, d, u] = fleet.members.each_ref().map(|member| member.balancer(1));
    let all = global("restart", "web");
    let zone = within("restart", "web", "europe-west1-d");
    let region = within("restart", "web", "europe-west1");
    let fallback = format!("CNAME {region} A {b}");
    gazetteer.until_answers(&all, &format!("A {b} {u}"));
    gazetteer.until_answers(&zone, &fallback);
    gazetteer.until_state_holds("restart", fleet.members.len());

    for member in &fleet.members {
        member.kill_server();
    }
    let start = Instant::now();
    let gazetteer = gazetteer.restart_after_kill();
    until("an answer", SOON, || {
        gazetteer.check(&all, &format!("A {b} {u}"))
    });
    let first = start.elapsed();
    assert!(
        first < Duration::from_secs(1),
        "first answer after {first:?}"
    );
    gazetteer.until_held(&zone, &fallback, true);
    throughout("the last answers stay", Duration::from_secs(10), || {
        gazetteer.check(&all, &format!("A {b} {u}"))?;
        gazetteer.check(&zone, &fallback)
    });

    for member in &fleet.members {
        member.start_server();
    }
    gazetteer.until_held(&all, &format!("A {b} {u}"), false);
    ew1d.set_slice("restart", "web", true);
    ew1b.set_ingress("restart", "web", &json!([{"ip": ew1b.balancer(2)}]));
    gazetteer.until_answers(&zone, &format!("A {d}"));
    gazetteer.until_answers(&all, &format!("A {} {d} {u}", ew1b.balancer(2)));
}
