//! Members whose API goes away: their facts are held (docs/names.md, decision 5).

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::gate::Gate;
use crate::gazetteer::{Gazetteer, Seat, Setup, global, within};
use crate::member::Member;
use crate::report_line;
use crate::wait::throughout;
use crate::watcher::Watcher;

/// `kill -9` of an API server: no answer changes, they say that they are held, and the server's
/// return is followed.
pub(crate) fn killed_server(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("killed", "web", 1);
    ew1d.simple_service("killed", "web", 1);
    ew1b.simple_service("killed", "only", 2);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let (zone, all) = (
        within("killed", "web", "europe-west1-b"),
        global("killed", "web"),
    );
    let only = global("killed", "only");
    let (b, d) = (ew1b.balancer(1), ew1d.balancer(1));
    gazetteer.until_answers(&zone, &format!("A {b}"));
    gazetteer.until_answers(&all, &format!("A {b} {d}"));
    gazetteer.until_answers(&only, &format!("A {}", ew1b.balancer(2)));
    let names = [zone.clone(), all.clone(), only.clone()];
    let watcher = Watcher::start(gazetteer.dns, &names);

    ew1b.kill_server();
    gazetteer.until_held(&zone, &format!("A {b}"), true);
    gazetteer.until_held(&all, &format!("A {b} {d}"), true);
    gazetteer.until_held(&only, &format!("A {}", ew1b.balancer(2)), true);
    let other = within("killed", "web", "europe-west1-d");
    gazetteer.until_held(&other, &format!("A {d}"), false);

    ew1b.start_server();
    gazetteer.until_held(&all, &format!("A {b} {d}"), false);
    watcher.stop().assert_unchanged(names.len());
    ew1b.set_slice("killed", "web", false);
    gazetteer.until_answers(&all, &format!("A {d}"));

    // Once more, and for so long that the pauses between attempts have grown.
    ew1b.set_slice("killed", "web", true);
    gazetteer.until_answers(&all, &format!("A {b} {d}"));
    ew1b.kill_server();
    gazetteer.until_held(&all, &format!("A {b} {d}"), true);
    throughout("its facts are held", AWAY, || {
        gazetteer.check(&all, &format!("A {b} {d}"))
    });
    ew1b.start_server();
    let back = Instant::now();
    ew1b.set_slice("killed", "web", false);
    let written = back.elapsed();
    gazetteer.until_held(&all, &format!("A {d}"), false);
    let followed = back.elapsed();
    report_line(&format!(
        "an API server that was away for {} s is ready: a change at once is written after {written:.0?}, \
         and served by a member that is ready again after {followed:.0?}",
        AWAY.as_secs()
    ));
    assert!(followed < FOLLOWED, "followed after {followed:?}");
}

/// How long an API server stays away, for the pauses between attempts to grow.
const AWAY: Duration = Duration::from_secs(15);

/// A change after a return that takes longer to be served is a failure; all else is a figure to read.
/// It is meant to be served within 2 s of the API's first answer; a busy machine may need longer.
const FOLLOWED: Duration = Duration::from_secs(6);

/// After `hold` a lost member is withdrawn where another member serves, and nowhere else.
pub(crate) fn withdrawal(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("withdrawn", "web", 1);
    ew1d.simple_service("withdrawn", "web", 1);
    ew1b.simple_service("withdrawn", "only", 2);
    let setup = Setup::all(fleet).federation("hold = \"8s\"");
    let gazetteer = Gazetteer::start(fleet, &setup);
    let (zone, all) = (
        within("withdrawn", "web", "europe-west1-b"),
        global("withdrawn", "web"),
    );
    let region = within("withdrawn", "web", "europe-west1");
    let (only, pinned) = (global("withdrawn", "only"), format!("ew1b.{all}"));
    let (b, d, o) = (ew1b.balancer(1), ew1d.balancer(1), ew1b.balancer(2));
    gazetteer.until_answers(&all, &format!("A {b} {d}"));
    gazetteer.until_answers(&only, &format!("A {o}"));
    let watcher = Watcher::start(gazetteer.dns, std::slice::from_ref(&only));

    ew1b.kill_server();
    gazetteer.until_held(&all, &format!("A {b} {d}"), true);
    gazetteer.until_answers(&all, &format!("A {d}"));
    gazetteer.until_answers(&zone, &format!("CNAME {region} A {d}"));
    gazetteer.until_held(&pinned, &format!("A {b}"), true);
    throughout("the only member stays", Duration::from_secs(5), || {
        let answer = gazetteer.ask(&only, hickory_proto::rr::RecordType::A)?;
        if answer.held() {
            gazetteer.check(&only, &format!("A {o}"))
        } else {
            Err(format!("{answer:?}"))
        }
    });

    ew1b.start_server();
    gazetteer.until_held(&zone, &format!("A {b}"), false);
    gazetteer.until_held(&all, &format!("A {b} {d}"), false);
    watcher.stop().assert_unchanged(1);
}

/// A gazetteer with a gate before each member.
fn gated(fleet: &Fleet, federation: &str) -> (Gazetteer, Vec<Gate>) {
    let gates: Vec<Gate> = fleet
        .members
        .iter()
        .map(|member| Gate::new((member.address, Member::PORT).into()))
        .collect();
    let seats = fleet.members.iter().zip(&gates);
    let seats = seats.map(|(member, gate)| Seat::of(fleet, member).at(&gate.url()));
    let setup = Setup::with(seats.collect()).federation(federation);
    (Gazetteer::start(fleet, &setup), gates)
}

/// When most members go within a minute, the network of the watcher is the likelier culprit.
pub(crate) fn brake(fleet: &Fleet) {
    for member in &fleet.members {
        member.simple_service("brake", "web", 1);
    }
    let (gazetteer, gates) = gated(fleet, "hold = \"2s\"");
    let all = global("brake", "web");
    let [b, d, u] = fleet.members.each_ref().map(|member| member.balancer(1));
    let expected = format!("A {b} {d} {u}");
    gazetteer.until_answers(&all, &expected);
    let watcher = Watcher::start(gazetteer.dns, std::slice::from_ref(&all));
    for gate in &gates[..2] {
        gate.set_open(false);
    }
    gazetteer.until_held(&all, &expected, true);
    throughout("the brake holds all", Duration::from_secs(10), || {
        gazetteer.check(&all, &expected)
    });
    // As they return, one after the other, holds count again: a short one may pass.
    watcher.stop().assert_unchanged(1);
    for gate in &gates {
        gate.set_open(true);
    }
    gazetteer.until_held(&all, &expected, false);
}

/// A network that swallows everything, without an error on any connection, is a loss too.
pub(crate) fn silence(fleet: &Fleet) {
    let [ew1b, ..] = &fleet.members;
    for member in &fleet.members {
        member.simple_service("silence", "web", 1);
    }
    let (gazetteer, gates) = gated(fleet, "");
    let all = global("silence", "web");
    let [b, d, u] = fleet.members.each_ref().map(|member| member.balancer(1));
    gazetteer.until_answers(&all, &format!("A {b} {d} {u}"));
    gates[0].set_silent(true);
    gazetteer.until_held(&all, &format!("A {b} {d} {u}"), true);
    // What changes meanwhile is seen when the network is back.
    ew1b.set_ingress("silence", "web", &json!([{"ip": ew1b.balancer(2)}]));
    let back = Instant::now();
    gates[0].set_silent(false);
    let b = ew1b.balancer(2);
    gazetteer.until_held(&all, &format!("A {b} {d} {u}"), false);
    report_line(&format!(
        "a network that is back: what changed meanwhile is served after {:.0?}",
        back.elapsed()
    ));
}
