//! Members that never worked, that are added, and that are removed.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::gate::Gate;
use crate::gazetteer::{Gazetteer, Seat, Setup, global, within};
use crate::member::Member;
use crate::watcher::Watcher;

/// One member refuses the credentials and another never answers: the third is served at once, and
/// only negatives wait for `sync-timeout`.
pub(crate) fn bad_credentials(fleet: &Fleet) {
    let [ew1b, ew1d, ue1b] = &fleet.members;
    ue1b.simple_service("bad", "web", 1);
    let gate = Gate::new((ew1d.address, Member::PORT).into());
    gate.set_silent(true);
    let setup = Setup::with(vec![
        Seat::of(fleet, ew1b).with_token("never-worked"),
        Seat::of(fleet, ew1d).at(&gate.url()),
        Seat::of(fleet, ue1b),
    ])
    .federation("sync-timeout = \"15s\"");
    let start = Instant::now();
    let gazetteer = Gazetteer::launch(fleet, &setup);
    let (web, unknown) = (global("bad", "web"), global("bad", "unknown"));
    let expected = format!("A {}", ue1b.balancer(1));
    gazetteer.until_answers(&web, &expected);
    let first = start.elapsed();
    assert!(
        first < Duration::from_secs(8),
        "first answer after {first:?}"
    );
    let answer = gazetteer.ask(&unknown, RecordType::A).expect("answer");
    assert_eq!(answer.to_string(), "SERVFAIL", "ignorance is not absence");
    assert!(answer.errors.contains(&14), "{answer:?}");
    ue1b.simple_service("bad", "later", 2);
    gazetteer.until_answers(&global("bad", "later"), &format!("A {}", ue1b.balancer(2)));

    gazetteer.until_ready();
    let ready = start.elapsed();
    assert!(
        ready >= Duration::from_secs(14),
        "ready after {ready:?}, before the time-out"
    );
    gazetteer.until_answers(&unknown, "NXDOMAIN");
    gazetteer.until_held(&web, &expected, false);

    // A member that works at last is taken in.
    ew1d.simple_service("bad", "web", 1);
    gate.set_silent(false);
    let both = format!("A {} {}", ew1d.balancer(1), ue1b.balancer(1));
    gazetteer.until_held(&web, &both, false);
}

/// A member is added, another removed, and the first one added again, under a loop of queries.
pub(crate) fn reload(fleet: &Fleet) {
    let [ew1b, ew1d, ue1b] = &fleet.members;
    for member in &fleet.members {
        member.simple_service("reload", "web", 1);
    }
    let seats = |members: &[&Member]| {
        Setup::with(
            members
                .iter()
                .map(|member| Seat::of(fleet, member))
                .collect(),
        )
    };
    let gazetteer = Gazetteer::start(fleet, &seats(&[ew1b, ew1d]));
    let all = global("reload", "web");
    let zone = within("reload", "web", "us-east1-b");
    let [b, d, u] = fleet.members.each_ref().map(|member| member.balancer(1));
    gazetteer.until_answers(&all, &format!("A {b} {d}"));
    gazetteer.until_answers(&zone, "NXDOMAIN");
    let watcher = Watcher::start(gazetteer.dns, &[all.clone(), zone.clone()]);

    gazetteer.rewrite(&seats(&[ew1b, ew1d, ue1b]));
    gazetteer.hang_up();
    gazetteer.until_answers(&all, &format!("A {b} {d} {u}"));
    gazetteer.until_answers(&zone, &format!("A {u}"));

    // A change of the file reloads too, without a signal.
    gazetteer.rewrite(&seats(&[ew1d, ue1b]));
    gazetteer.until_answers(&all, &format!("A {d} {u}"));
    gazetteer.until_answers(&within("reload", "web", "europe-west1-b"), "NXDOMAIN");

    gazetteer.rewrite(&seats(&[ew1d, ue1b, ew1b]));
    gazetteer.hang_up();
    gazetteer.until_answers(&all, &format!("A {b} {d} {u}"));

    let seen = watcher.stop();
    seen.assert_all_answered();
    // The zone was unknown, and the new member might have had anything in it; the service was known.
    let mut of_all = seen.changes.iter().filter(|(_, name, _)| *name == all);
    let negative = of_all.find(|(_, _, answer)| !answer.starts_with("A "));
    assert_eq!(
        negative, None,
        "an existing answer went: {:#?}",
        seen.changes
    );
}
