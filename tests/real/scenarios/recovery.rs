//! Histories that cannot be resumed.

use serde_json::json;

use crate::fleet::Fleet;
use crate::gate::Gate;
use crate::gazetteer::{Gazetteer, Seat, Setup, global};
use crate::member::Member;
use crate::objects::{service_path, slices};
use crate::wait::SOON;
use crate::watcher::Watcher;

/// The place of a watch is forgotten while gazetteer is away: it lists again, and sees what was
/// created, changed and deleted meanwhile.
pub(crate) fn expired_watch(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    for name in ["changed", "gone"] {
        ew1b.simple_service("expired", name, 1);
    }
    let gate = Gate::new((ew1b.address, Member::PORT).into());
    let seats = vec![Seat::of(fleet, ew1b).at(&gate.url()), Seat::of(fleet, ew1d)];
    let gazetteer = Gazetteer::start(fleet, &Setup::with(seats));
    let name = |service| global("expired", service);
    for service in ["changed", "gone"] {
        gazetteer.until_answers(&name(service), &format!("A {}", ew1b.balancer(1)));
    }
    let list = ew1b.api.get(&slices("expired")).expect("list");
    let version = list["metadata"]["resourceVersion"]
        .as_str()
        .expect("version");

    gate.set_open(false);
    ew1b.api.delete(&service_path("expired", "gone"));
    ew1b.set_ingress("expired", "changed", &json!([{"ip": ew1b.balancer(3)}]));
    ew1b.simple_service("expired", "new", 2);
    // A server that starts keeps no history of before.
    ew1b.kill_server();
    ew1b.start_server();
    let watch = format!(
        "{}?watch=1&timeoutSeconds=1&resourceVersion={version}",
        slices("expired")
    );
    let seen = match ew1b.api.get(&watch) {
        Ok(events) => events.to_string(),
        Err(refusal) => refusal.to_string(),
    };
    assert!(
        seen.contains("410"),
        "the version of before is still known: {seen}"
    );

    gate.set_open(true);
    gazetteer.until_answers(&name("new"), &format!("A {}", ew1b.balancer(2)));
    gazetteer.until_answers(&name("changed"), &format!("A {}", ew1b.balancer(3)));
    gazetteer.until_answers(&name("gone"), "NXDOMAIN");
    gazetteer.until_held(&name("new"), &format!("A {}", ew1b.balancer(2)), false);
}

/// etcd comes back as it was earlier, with smaller resource versions: facts follow it back, and
/// changes after that are followed too.
///
/// Nothing refuses the old place: an API server (v1.35) accepts a watch from a version of the
/// future, and stays silent on it until its own versions have caught up. All that a client sees is
/// that its connections broke.
pub(crate) fn restored_etcd(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("restored", "old", 1);
    ew1b.simple_service("restored", "kept", 1);
    ew1d.simple_service("restored", "kept", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let name = |service| global("restored", service);
    let (b, d) = (ew1b.balancer(1), ew1d.balancer(1));
    gazetteer.until_answers(&name("old"), &format!("A {b}"));
    gazetteer.until_answers(&name("kept"), &format!("A {b} {d}"));
    ew1b.save_etcd("restored");

    ew1b.start_server();
    ew1b.api.delete(&service_path("restored", "old"));
    ew1b.simple_service("restored", "new", 2);
    gazetteer.until_answers(&name("old"), "NXDOMAIN");
    gazetteer.until_answers(&name("new"), &format!("A {}", ew1b.balancer(2)));
    // Versions go well beyond those that the restored database will give soon.
    for round in 0..200 {
        ew1b.set_slice("restored", "new", round % 2 == 1);
    }

    let watcher = Watcher::start(gazetteer.dns, &[name("kept")]);
    ew1b.restore_etcd("restored");
    // This takes more than one attempt.
    gazetteer.until_within(&name("old"), &format!("A {b}"), 4 * SOON);
    gazetteer.until_within(&name("new"), "NXDOMAIN", 4 * SOON);
    gazetteer.until_held(&name("kept"), &format!("A {b} {d}"), false);
    watcher.stop().assert_unchanged(1);
    ew1b.set_ingress("restored", "old", &json!([{"ip": ew1b.balancer(3)}]));
    gazetteer.until_answers(&name("old"), &format!("A {}", ew1b.balancer(3)));
    ew1b.set_slice("restored", "kept", false);
    gazetteer.until_answers(&name("kept"), &format!("A {d}"));
}
