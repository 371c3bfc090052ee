//! Changes in live members, as answers show them.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use serde_json::json;

use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Setup, global, within};
use crate::objects::{service_path, slice, slices};
use crate::responder::Responder;
use crate::wait::{SOON, throughout, until};
use crate::watcher::Watcher;

/// All levels of one service, from creation to the loss of a whole region.
pub(crate) fn levels(fleet: &Fleet) {
    let [ew1b, ew1d, ue1b] = &fleet.members;
    let setup = Setup::all(fleet).top("shutdown-delay = \"1s\"");
    let gazetteer = Gazetteer::start(fleet, &setup);
    let all = global("levels", "web");
    gazetteer.until_answers(&all, "NXDOMAIN");

    for member in &fleet.members {
        member.simple_service("levels", "web", 1);
    }
    let (b, d, u) = (ew1b.balancer(1), ew1d.balancer(1), ue1b.balancer(1));
    let region = within("levels", "web", "europe-west1");
    let short = within("levels", "web", "europe-west1-b");
    let long = within("levels", "web", "europe-west1-b.europe-west1");
    gazetteer.until_answers(&all, &format!("A {b} {d} {u}"));
    gazetteer.until_answers(&region, &format!("A {b} {d}"));
    gazetteer.until_answers(&short, &format!("A {b}"));
    gazetteer.until_answers(&long, &format!("A {b}"));
    let answer = gazetteer.ask(&all, RecordType::A).expect("answer");
    assert_eq!(answer.ttl, Some((30, 30)), "the default TTL");
    let answer = gazetteer.ask(&short, RecordType::AAAA).expect("answer");
    assert_eq!(answer.to_string(), "NODATA", "IPv4 only");

    ew1b.set_slice("levels", "web", false);
    gazetteer.until_answers(&all, &format!("A {d} {u}"));
    gazetteer.until_answers(&region, &format!("A {d}"));
    gazetteer.until_answers(&short, &format!("CNAME {region} A {d}"));
    gazetteer.until_answers(&long, &format!("CNAME {region} A {d}"));

    ew1d.set_slice("levels", "web", false);
    gazetteer.until_answers(&region, &format!("CNAME {all} A {u}"));
    gazetteer.until_answers(&short, &format!("CNAME {region} CNAME {all} A {u}"));

    ue1b.set_slice("levels", "web", false);
    gazetteer.until_answers(&short, &format!("CNAME {region} CNAME {all} NODATA"));

    ew1b.set_slice("levels", "web", true);
    gazetteer.until_answers(&short, &format!("A {b}"));
    gazetteer.until_answers(&all, &format!("A {b}"));
    assert_eq!(gazetteer.terminate(), Some(0), "exit code after SIGTERM");
}

/// A deployment goes to zero pods and comes back.
pub(crate) fn scale(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.service("scale", "web", true, &json!([{"ip": ew1b.balancer(1)}]));
    ew1b.deployment("scale", "web", 2);
    ew1b.set_pods("scale", "web", 2, true);
    ew1d.simple_service("scale", "web", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let zone = within("scale", "web", "europe-west1-b");
    let region = within("scale", "web", "europe-west1");
    let (b, d) = (ew1b.balancer(1), ew1d.balancer(1));
    gazetteer.until_answers(&zone, &format!("A {b}"));

    ew1b.scale("scale", "web", 0);
    gazetteer.until_answers(&zone, &format!("CNAME {region} A {d}"));

    ew1b.scale("scale", "web", 1);
    ew1b.set_pods("scale", "web", 1, true);
    gazetteer.until_answers(&zone, &format!("A {b}"));
}

/// Pods report that they are not ready, one after the other.
pub(crate) fn readiness(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.service("ready", "web", true, &json!([{"ip": ew1b.balancer(1)}]));
    ew1b.deployment("ready", "web", 2);
    let pods = ew1b.pods("ready", "web", 2);
    ew1d.simple_service("ready", "web", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let all = global("ready", "web");
    let (b, d) = (ew1b.balancer(1), ew1d.balancer(1));
    gazetteer.until_answers(&all, &format!("A {d}"));

    ew1b.set_pods("ready", "web", 2, true);
    gazetteer.until_answers(&all, &format!("A {b} {d}"));
    ew1b.set_pod("ready", &pods[0], "10.1.0.1", false);
    until("one endpoint of two is not ready", SOON, || {
        let list = ew1b
            .api
            .get(&slices("ready"))
            .map_err(|why| why.to_string())?;
        let text = list["items"].to_string();
        if text.contains("\"ready\":false") {
            Ok(())
        } else {
            Err(text)
        }
    });
    throughout("one ready pod is enough", Duration::from_secs(1), || {
        gazetteer.check(&all, &format!("A {b} {d}"))
    });
    ew1b.set_pods("ready", "web", 2, false);
    gazetteer.until_answers(&all, &format!("A {d}"));
    ew1b.set_pods("ready", "web", 2, true);
    gazetteer.until_answers(&all, &format!("A {b} {d}"));
}

/// A load balancer gets another address, then a second one, then none.
pub(crate) fn address(fleet: &Fleet) {
    let [ew1b, ..] = &fleet.members;
    ew1b.simple_service("address", "web", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let all = global("address", "web");
    let (first, second) = (ew1b.balancer(1), ew1b.balancer(2));
    gazetteer.until_answers(&all, &format!("A {first}"));
    ew1b.set_ingress("address", "web", &json!([{"ip": second}]));
    gazetteer.until_answers(&all, &format!("A {second}"));
    ew1b.set_ingress("address", "web", &json!([{"ip": first}, {"ip": second}]));
    gazetteer.until_answers(&all, &format!("A {first} {second}"));
    ew1b.set_ingress("address", "web", &json!([]));
    gazetteer.until_answers(&all, "NODATA");
    ew1b.set_ingress("address", "web", &json!([{"ip": first}]));
    gazetteer.until_answers(&all, &format!("A {first}"));
}

/// A load balancer with a host name: its addresses are served, followed, and kept while the
/// resolver fails.
pub(crate) fn hostname(fleet: &Fleet) {
    let [ew1b, ..] = &fleet.members;
    let responder = Responder::start("a9.elb.test", 2);
    responder.set(&["198.51.100.1"]);
    let ip = ew1b.balancer(1);
    let ingress = json!([{"hostname": "a9.elb.test"}, {"ip": ip}]);
    ew1b.service("hostname", "web", false, &ingress);
    ew1b.set_slice("hostname", "web", true);
    let setup = Setup::all(fleet).top(&format!("resolver = [\"{}\"]", responder.address));
    let gazetteer = Gazetteer::start(fleet, &setup);
    let all = global("hostname", "web");
    gazetteer.until_answers(&all, &format!("A 198.51.100.1 {ip}"));
    let answer = gazetteer.ask(&all, RecordType::A).expect("answer");
    // Its TTL of 2 s counts as 5 s: it is not asked more often (docs/names.md, decision 17).
    assert_eq!(answer.ttl, Some((5, 5)), "{answer:?}");

    responder.set(&["198.51.100.2", "198.51.100.3"]);
    gazetteer.until_answers(&all, &format!("A 198.51.100.2 198.51.100.3 {ip}"));

    responder.fail();
    let asked = responder.asked();
    until("the failing resolver is asked again", 3 * SOON, || {
        let more = responder.asked() - asked;
        if more > 1 {
            Ok(())
        } else {
            Err(format!("{more} queries"))
        }
    });
    throughout(
        "the last good addresses stay",
        Duration::from_secs(3),
        || gazetteer.check(&all, &format!("A 198.51.100.2 198.51.100.3 {ip}")),
    );
}

/// A service is deleted in one member, then in the last; its namespace goes with it.
pub(crate) fn deletion(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("deletion", "web", 1);
    ew1d.simple_service("deletion", "web", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let all = global("deletion", "web");
    let zone = within("deletion", "web", "europe-west1-b");
    let (b, d) = (ew1b.balancer(1), ew1d.balancer(1));
    gazetteer.until_answers(&all, &format!("A {b} {d}"));
    let namespace = "deletion.fed.svc.example.com";
    gazetteer.until_answers(namespace, "NODATA");

    ew1b.api.delete(&service_path("deletion", "web"));
    gazetteer.until_answers(&all, &format!("A {d}"));
    let region = within("deletion", "web", "europe-west1");
    gazetteer.until_answers(&zone, &format!("CNAME {region} A {d}"));

    ew1d.api.delete(&service_path("deletion", "web"));
    gazetteer.until_answers(&all, "NXDOMAIN");
    gazetteer.until_answers(&zone, "NXDOMAIN");
    gazetteer.until_answers(namespace, "NXDOMAIN");
}

/// The node of a member gets other topology labels: the member moves, and the place that it left
/// stays known (docs/names.md, D.4).
pub(crate) fn labels(fleet: &Fleet) {
    let [ew1b, _, ue1b] = &fleet.members;
    ew1b.simple_service("labels", "web", 1);
    ue1b.simple_service("labels", "web", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let all = global("labels", "web");
    let (b, u) = (ew1b.balancer(1), ue1b.balancer(1));
    let old = within("labels", "web", "us-east1-b");
    let new = within("labels", "web", "us-east4-a");
    gazetteer.until_answers(&old, &format!("A {u}"));
    gazetteer.until_answers(&new, "NXDOMAIN");

    ue1b.label_node("us-east4", "us-east4-a");
    gazetteer.until_answers(&new, &format!("A {u}"));
    gazetteer.until_answers(&within("labels", "web", "us-east4"), &format!("A {u}"));
    let region = within("labels", "web", "us-east1");
    gazetteer.until_answers(&old, &format!("CNAME {region} CNAME {all} A {b} {u}"));
}

/// An endpoint moves from one slice to another, again and again, under a loop of queries.
pub(crate) fn moved_slice(fleet: &Fleet) {
    let [ew1b, ..] = &fleet.members;
    ew1b.simple_service("moved", "web", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let zone = within("moved", "web", "europe-west1-b");
    gazetteer.until_answers(&zone, &format!("A {}", ew1b.balancer(1)));
    let watcher = Watcher::start(gazetteer.dns, std::slice::from_ref(&zone));
    let path = slices("moved");
    for round in 1..=20 {
        let object = slice(&format!("web-{}", round + 1), "web", "10.1.0.1", true);
        ew1b.api
            .apply(&format!("{path}/web-{}", round + 1), &object);
        ew1b.api.delete(&format!("{path}/web-{round}"));
    }
    // A change that is seen after the moves shows that the moves were seen too.
    ew1b.simple_service("moved", "later", 2);
    gazetteer.until_answers(
        &global("moved", "later"),
        &format!("A {}", ew1b.balancer(2)),
    );
    watcher.stop().assert_unchanged(1);
}
