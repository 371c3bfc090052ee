//! What is known of addresses when a target begins, and what becomes of it.

use super::*;
use crate::model::{Check, Finding};

/// What is known of an address that is down.
fn down() -> Finding {
    let evidence = Evidence {
        verdict: Verdict::Down,
        since: UnixSeconds(7),
        seen: "refused".into(),
        unproven_since: None,
    };
    Finding {
        down: Some(evidence),
        is_passing: false,
    }
}

/// What is known of an address that passes.
fn passing() -> Finding {
    Finding {
        down: None,
        is_passing: true,
    }
}

/// The same address and port, asked by another kind of probe.
fn asked_otherwise(target: &ProbeTarget) -> ProbeTarget {
    let check = Check::Grpc {
        service: Box::default(),
    };
    let probe = Probe {
        check,
        ..Probe::default()
    };
    ProbeTarget {
        address: target.address,
        probe: Arc::new(probe),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_judged_soon_and_the_first_pass_brings_it_back() {
    let targets = [target(1, 60), target(2, 60), target(3, 60)];
    let addresses = [1, 2].map(|n| SocketAddr::from(([127, 0, 0, 1], n)));
    let known = [(addresses[0], Finding::default()), (addresses[1], down())];
    let mut world = knowing(&targets[..2], known.into_iter().collect(), 10, 10);
    let begin = Instant::now();
    world.answer(1, refused());
    world.answer(2, refused());
    let said = world.said_within(1).await;
    let of = |port| said.iter().filter(move |(of, _)| *of == port);
    let verdicts = |port| of(port).map(|(_, verdict)| *verdict).collect::<Vec<_>>();
    assert_eq!(verdicts(1).last(), Some(&Some(Verdict::Down)));
    assert_eq!(verdicts(2), [Some(Verdict::Down)]);
    assert!(world.first_probes.unwrap() <= begin + SOON);
    // Not by this process: neither `up` nor a quiet time.
    world.answer(2, pass());
    assert_eq!(world.said_within(61).await, [(2, Some(Verdict::Up))]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_comes_back_or_is_probed_otherwise_goes_on_from_what_is_known() {
    let first = target(1, 2);
    let mut world = world(std::slice::from_ref(&first), 10, 10);
    world.said_within(5).await;
    assert!(world.first_probes.is_some());
    world.answer(1, refused());
    world.said_within(10).await;
    world
        .known
        .send_replace([(first.address, down())].into_iter().collect());
    world.wanted.send_replace(ProbeTargets::new());
    assert_eq!(world.said_within(5).await, [(1, None)]);
    let other = asked_otherwise(&first);
    world.wanted.send_replace(ProbeTargets::unit(other));
    assert_eq!(world.said_within(5).await, [(1, Some(Verdict::Down))]);
    world.answer(1, pass());
    assert_eq!(world.said_within(5).await, [(1, Some(Verdict::Up))]);
}

/// What is said of a port within so many seconds: verdicts, and whether they prove that it works.
async fn proofs(world: &mut World, seconds: u64) -> Vec<Option<(Verdict, bool)>> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut all = Vec::new();
    while let Ok(delta) = tokio::time::timeout_at(end, world.deltas.recv()).await {
        let Some(Delta::Probed(said)) = delta else {
            continue;
        };
        let evidence = said.into_iter().map(|(_, evidence)| evidence);
        all.extend(evidence.map(|it| it.map(|it| (it.verdict, it.proves()))));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn what_passed_before_proves_until_its_own_first_failure_or_too_long() {
    let one = target(1, 2);
    let known: Findings = [(one.address, passing())].into_iter().collect();
    let mut world = knowing(std::slice::from_ref(&one), known.clone(), 10, 10);
    world.answer(1, silent());
    // What is heard of nobody is not down: yet nothing proves any more that it is up.
    let said = proofs(&mut world, 2).await;
    assert_eq!(said, [Some((Verdict::Suspect, false))]);

    let mut world = knowing(std::slice::from_ref(&one), known, 10, 10);
    let local = ProbeOutcome::Local("no route".into());
    world.answer(1, (local, Duration::ZERO));
    assert_eq!(proofs(&mut world, 6).await, []);
    assert_eq!(
        proofs(&mut world, 2).await,
        [Some((Verdict::Up, false))],
        "3 intervals of 2 s and a time-out of 1 s"
    );
}

#[tokio::test(start_paused = true)]
async fn another_kind_of_probe_proves_no_longer_than_the_one_before() {
    let first = target(1, 2);
    let mut world = world(std::slice::from_ref(&first), 10, 10);
    world.said_within(3).await;
    let local = ProbeOutcome::Local("no route".into());
    world.answer(1, (local, Duration::ZERO));
    world.said_within(4).await;
    let known = [(first.address, passing())].into_iter().collect();
    world.known.send_replace(known);
    let other = asked_otherwise(&first);
    world.wanted.send_replace(ProbeTargets::unit(other));
    // The last pass was some 4 s to 6 s ago, and proves for 7 s.
    let said = proofs(&mut world, 4).await;
    assert_eq!(said, [None, Some((Verdict::Up, false))]);
}

#[tokio::test(start_paused = true)]
async fn what_another_kind_of_probe_never_passes_is_not_down() {
    let first = target(1, 2);
    let mut world = world(std::slice::from_ref(&first), 10, 10);
    world.said_within(3).await;
    let known = [(first.address, passing())].into_iter().collect();
    world.known.send_replace(known);
    let other = asked_otherwise(&first);
    world.answer(1, refused());
    world.wanted.send_replace(ProbeTargets::unit(other));
    let said = world.said_within(20).await;
    assert_eq!(said.last(), Some(&(1, Some(Verdict::Unknown))), "{said:?}");
    assert!(!said.contains(&(1, Some(Verdict::Down))), "{said:?}");
    world.answer(1, pass());
    assert_eq!(world.said_within(5).await, [(1, Some(Verdict::Up))]);
}
