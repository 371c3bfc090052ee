//! What explanations say of names in a clusterset.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::RecordType;

use super::{federation, label, name, service, world_of};
use crate::answer::{Explanation, explain};
use crate::model::{Inside, MemberIdx, Pod, Service, ServiceKind, UnixSeconds};
use crate::snapshot::{Generation, Serial, SnapshotBuilder};

/// The world with a clusterset.
fn world() -> SnapshotBuilder {
    world_of(crate::model::Federation {
        clusterset: Some("clusterset.local".parse().unwrap()),
        ..federation()
    })
}

/// A headless service with one pod.
fn headless(address: [u8; 4], is_ready: bool) -> Arc<Service> {
    let mut service = Service::clone(&service(address, u32::from(is_ready), 80));
    Arc::make_mut(&mut service.spec).kind = ServiceKind::Headless;
    service.addresses = std::iter::empty().collect();
    service.inside = Some(Arc::new(Inside::of_pods(vec![Pod {
        hostname: Some(label("web-0")),
        address: IpAddr::from(address),
        is_ready,
    }])));
    Arc::new(service)
}

fn explained(builder: &mut SnapshotBuilder, text: &str) -> Explanation {
    let snapshot = builder.snapshot(Generation(1), Serial(1));
    let (name, from) = (text.parse().unwrap(), IpAddr::from([192, 0, 2, 1]));
    explain(
        &snapshot,
        &name,
        RecordType::A,
        (from, None),
        UnixSeconds(1),
        None,
    )
}

/// What is said of each member.
fn check(explanation: &Explanation, subject: &str, expected: [(bool, &str); 3]) {
    assert_eq!(explanation.subject, subject);
    let candidates = explanation.candidates.iter();
    let said: Vec<_> = candidates.map(|one| (one.answers, &*one.reason)).collect();
    assert_eq!(said, expected);
}

#[test]
fn a_service_is_explained_as_at_the_global_level() {
    let explanation = explained(&mut world(), "s.n.svc.clusterset.local");
    let answers = (true, "eligible at the level asked");
    let expected = [answers, (false, "does not have the service"), answers];
    check(&explanation, "a service in a clusterset", expected);
    assert_eq!(explanation.levels[0].level, "global");
}

#[test]
fn a_headless_service_is_explained_by_its_pods() {
    let mut world = world();
    world.upsert(MemberIdx(0), &name(), headless([10, 0, 0, 7], true));
    world.upsert(MemberIdx(1), &name(), headless([10, 1, 0, 7], false));
    let explanation = explained(&mut world, "s.n.svc.clusterset.local");
    check(
        &explanation,
        "a service in a clusterset: all its pods",
        [
            (true, "eligible at the level asked"),
            (false, "no pod is ready"),
            (false, "not headless: it has no pods with names"),
        ],
    );
    let pod = IpAddr::from([10, 0, 0, 7]);
    assert_eq!(explanation.candidates[0].addresses, [pod]);
    let explanation = explained(&mut world, "web-0.a.s.n.svc.clusterset.local");
    let first = &explanation.candidates[0];
    assert!(first.answers, "{explanation}");
    assert_eq!(
        first.reason,
        "the name means its pods, for everybody in the clusterset"
    );
}
