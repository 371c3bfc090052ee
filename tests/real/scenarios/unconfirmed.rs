//! A list that lacks most services waits for a second one, and its member is lost meanwhile.

use std::time::Duration;

use serde_json::json;

use crate::clusters::Shown;
use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Setup, global};
use crate::member::Member;
use crate::report_line;
use crate::timeline::{Span, Timeline};
use crate::wait::{SOON, throughout};

/// The namespace of the scenario.
const NAMESPACE: &str = "unconfirmed";

/// For how long the member stays lost: a second list is wanted every 5 s, so once at least meanwhile.
const LOST: Duration = Duration::from_secs(6);

/// etcd comes back without most services, so that the list of its member is held back; before a second
/// one the API server is killed. However it comes back, with the services or without, the member is in
/// contact again, nothing waits any more, what it lists is served, and so are changes after that.
pub(crate) fn lost(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service(NAMESPACE, "kept", 1);
    ew1b.save_etcd("without");
    ew1b.start_server();
    let others = ew1b.api.get("/api/v1/services").expect("services");
    let others = others["items"].as_array().expect("items").len();
    for number in 0..others {
        ew1b.simple_service(NAMESPACE, &format!("only-{number}"), 2);
    }
    ew1b.simple_service(NAMESPACE, "both", 2);
    ew1d.simple_service(NAMESPACE, "both", 2);
    ew1b.save_etcd("with");
    ew1b.start_server();

    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let names = ["kept", "only-0", "both"].map(|title| (title, global(NAMESPACE, title)));
    let [(_, kept), (_, only), (_, both)] = &names;
    let at_b = |n| format!("A {}", ew1b.balancer(n));
    let one = format!("A {}", ew1d.balancer(2));
    let two = format!("{} {}", at_b(2), ew1d.balancer(2));
    let has_all = || {
        gazetteer.check(only, &at_b(2))?;
        gazetteer.check(both, &two)
    };
    gazetteer.until_answers(kept, &at_b(1));
    gazetteer.until_answers(only, &at_b(2));
    gazetteer.until_answers(both, &two);

    let timeline = Timeline::start(&gazetteer, &names);
    lose(ew1b, &gazetteer, &timeline, has_all);
    timeline.note("etcd is as it was, with all services, and the API server starts");
    ew1b.restore_etcd("with");
    timeline.note("the API server is ready");
    until_back(&gazetteer, &timeline);
    let changed = timeline.note("an address changes");
    ew1b.set_ingress(NAMESPACE, "kept", &json!([{"ip": ew1b.balancer(3)}]));
    gazetteer.until_answers(kept, &at_b(3));
    let served = timeline.stop();
    report_line(
        "a list that lacked most services, of a member that was lost before a second one and came back with them:",
    );
    served.report();
    assert_eq!(
        served.silence(),
        Duration::ZERO,
        "queries without an answer"
    );
    let begins = Span::BEGINNING;
    served.assert_answers("only-0", &[(begins, &at_b(2))]);
    served.assert_answers("both", &[(begins, &two)]);
    let changes = Span::from(changed);
    served.assert_answers("kept", &[(begins, &at_b(1)), (changes, &at_b(3))]);

    let timeline = Timeline::start(&gazetteer, &names);
    let restored = lose(ew1b, &gazetteer, &timeline, has_all);
    let starts = timeline.note("the API server starts");
    ew1b.start_server();
    timeline.note("the API server is ready");
    until_back(&gazetteer, &timeline);
    gazetteer.until_answers(only, "NXDOMAIN");
    gazetteer.until_answers(both, &one);
    let changed = timeline.note("an address changes");
    ew1b.set_ingress(NAMESPACE, "kept", &json!([{"ip": ew1b.balancer(4)}]));
    gazetteer.until_answers(kept, &at_b(4));
    let served = timeline.stop();
    report_line("the same, of a member that came back without them:");
    served.report();
    assert_eq!(
        served.silence(),
        Duration::ZERO,
        "queries without an answer"
    );
    let starts = Span::from(starts);
    served.assert_answers("only-0", &[(begins, &at_b(2)), (starts, "NXDOMAIN")]);
    served.assert_answers("both", &[(begins, &two), (starts, &one)]);
    let (restored, changes) = (Span::from(restored), Span::from(changed));
    let expected = [at_b(3), at_b(1), at_b(4)];
    let spans = [begins, restored, changes];
    let expected: Vec<_> = spans
        .into_iter()
        .zip(expected.iter().map(String::as_str))
        .collect();
    served.assert_answers("kept", &expected);
}

/// Has etcd come back without most services, and kills the API server once its list is held back. What
/// `has_all` looks at is served meanwhile. Returns when etcd went back.
fn lose(
    member: &Member,
    gazetteer: &Gazetteer,
    timeline: &Timeline,
    has_all: impl Fn() -> Result<(), String>,
) -> Duration {
    let went_back = timeline
        .note("etcd and the API server are killed, and start on a database without most services");
    member.go_back("without");
    gazetteer.until_shown(member.name, "held back", 4 * SOON, Shown::is_held_back);
    timeline.note("its list is held back: the API server is killed");
    member.kill_server();
    let is_lost = |shown: &Shown| shown.status == "Held" && shown.is_held_back();
    gazetteer.until_shown(member.name, "lost, and held back", SOON, is_lost);
    timeline.note("the member is lost");
    throughout("what is held back is served", LOST, || {
        has_all()?;
        match gazetteer
            .clusters()?
            .iter()
            .find(|shown| shown.name == member.name)
        {
            Some(shown) if is_lost(shown) => Ok(()),
            shown => Err(format!("{shown:?}")),
        }
    });
    went_back
}

/// Waits until the first member is in contact, and nothing of it waits for confirmation.
fn until_back(gazetteer: &Gazetteer, timeline: &Timeline) {
    let is_back = |shown: &Shown| shown.status == "Ready" && !shown.is_held_back();
    gazetteer.until_shown("ew1b", "back, with nothing held back", 2 * SOON, is_back);
    timeline.note("the member is in contact, and nothing of it is held back");
}
