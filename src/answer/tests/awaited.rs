//! Answers while it is not known which members there are.

use std::collections::BTreeSet;
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use super::{G, check, check_code, federation, name, service, world_of};
use crate::model::{Federation, Fleet, MemberIdx, MemberList, Pattern};

#[test]
fn members_that_are_not_known_yet_may_have_any_name_of_their_federation() {
    let absent = "x.n.fed.svc.example.com.";
    let of = |federation: Federation| {
        let mut world = world_of(federation);
        let awaited = [MemberList::Secrets].into();
        let fleet = (**world.fleet()).clone();
        world.set_fleet(&Arc::new(Fleet { awaited, ..fleet }));
        world
    };
    let mut world = of(federation());
    for name in [
        absent,
        "x.fed.svc.example.com.",
        "svc.zone.region.example.com.",
        &format!("somebody.{G}"),
    ] {
        check_code(&mut world, name, ResponseCode::ServFail);
    }
    check_code(
        &mut world,
        "x.n.other.svc.example.com.",
        ResponseCode::NXDomain,
    );
    // What is known is served, and for a short time.
    let capped = |last: u8| format!("{G} 5 A 203.0.113.{last}");
    check(&mut world, G, RecordType::A, &[&capped(1), &capped(3)]);
    world.upsert(MemberIdx(0), &name(), service([203, 0, 113, 1], 0, 80));
    world.upsert(MemberIdx(2), &name(), service([203, 0, 113, 3], 0, 80));
    check_code(&mut world, G, ResponseCode::ServFail);
    // All that a federation may have are known.
    let mut world = of(Federation {
        members: ["a", "b", "c"].map(Pattern::new).into(),
        ..federation()
    });
    check_code(&mut world, absent, ResponseCode::NXDomain);
    let mut world = of(Federation {
        members: ["a", "b", "c", "d"].map(Pattern::new).into(),
        ..federation()
    });
    check_code(&mut world, absent, ResponseCode::ServFail);
    let known = Arc::new(Fleet {
        awaited: BTreeSet::new(),
        ..(**world.fleet()).clone()
    });
    world.set_fleet(&known);
    check_code(&mut world, absent, ResponseCode::NXDomain);
}
