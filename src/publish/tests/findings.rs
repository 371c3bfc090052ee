//! What is known of addresses, over restarts and absences.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::fixture::{Running, after, available, config, named, service};
use crate::config::Config;
use crate::model::{
    Change, Check, Delta, Evidence, MemberIdx, Place, Probe, ProbeTarget, UnixSeconds, Verdict,
};
use crate::publish::OperatorCommand;
use crate::publish::disk::findings_file;
use crate::snapshot::Snapshot;
use crate::wire::NameBuf;

/// Members `a` and `b` whose addresses are probed.
fn probed(folder: &Path) -> Config {
    let mut config = config(&["a", "b"], folder);
    let mut fleet = (*config.fleet).clone();
    fleet.federations[0].probe = Probe::default();
    config.fleet = Arc::new(fleet);
    config
}

/// The target at `192.0.2.<n>`.
fn target(n: u8) -> ProbeTarget {
    ProbeTarget {
        address: SocketAddr::from(([192, 0, 2, n], 80)),
        probe: Arc::new(Probe::default()),
    }
}

/// What a probe found.
fn evidence(verdict: Verdict) -> Evidence {
    Evidence {
        verdict,
        since: UnixSeconds(1_800_000_000),
        seen: "refused".into(),
        unproven_since: None,
    }
}

impl Running {
    /// Says what probes of the target at `192.0.2.<n>` found.
    async fn found(&self, n: u8, verdict: Option<Verdict>) {
        let delta = Delta::Probed(vec![(target(n), verdict.map(evidence))]);
        self.handle.deltas.send(delta).await.unwrap();
        after(50).await;
    }
}

/// No member.
const NONE: [u8; 0] = [];

/// Members whose shard of `s` passes of late, and those of which only damped addresses are left.
fn proven_and_damped(snapshot: &Arc<Snapshot>) -> (Vec<u8>, Vec<u8>) {
    let key = NameBuf::from_labels(["s", "ns", "f"]).unwrap();
    let entry = snapshot.entry(key.as_wire().strip_suffix(&[0]).unwrap());
    let overlay = entry.and_then(|entry| entry.overlay());
    let sets = overlay.map(|overlay| overlay.sets).unwrap_or_default();
    let members = |of: crate::model::MemberSet| of.iter().map(|MemberIdx(member)| member).collect();
    (members(sets.proven), members(sets.damped))
}

/// Runs a first process in which both have passed and `b` is down.
async fn first_process(folder: &Path) {
    let running = Running::start(probed(folder));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    running.found(1, Some(Verdict::Up)).await;
    running.found(2, Some(Verdict::Up)).await;
    running.found(2, Some(Verdict::Down)).await;
    assert_eq!(available(&running.settled().await, "s"), [0]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_down_stays_down_until_it_passes() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    let running = Running::start(probed(folder.path()));
    assert_eq!(available(&running.handle.snapshots.load_full(), "s"), [0]);
    let known = running.handle.findings.borrow().clone();
    assert_eq!(known.len(), 2);
    running.found(2, Some(Verdict::Up)).await;
    assert_eq!(available(&running.settled().await, "s"), [0, 1]);
    running.stop().await;
    let running = Running::start(probed(folder.path()));
    let snapshot = running.handle.snapshots.load_full();
    assert_eq!(available(&snapshot, "s"), [0, 1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ready_waits_for_first_probes_and_not_for_long() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    let running = Running::start(probed(folder.path()));
    after(1_000).await;
    assert!(!*running.handle.ready.borrow());
    let delta = Delta::FirstProbes;
    running.handle.deltas.send(delta).await.unwrap();
    after(10).await;
    assert!(*running.handle.ready.borrow());
    running.stop().await;
    let running = Running::start(probed(folder.path()));
    after(1_990).await;
    assert!(!*running.handle.ready.borrow());
    after(20).await;
    assert!(*running.handle.ready.borrow());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_old_or_found_elsewhere_has_passed_and_is_neither_down_nor_passing() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    let check = |config: Config, now: u64, downs: usize| {
        let file = findings_file::path(&config.state_dir);
        let here = config.fleet.locality.as_ref();
        let kept = findings_file::read(&file, here, None, UnixSeconds(now));
        assert_eq!(kept.findings.len(), 2, "{now}");
        let down = kept.findings.values().filter(|known| known.down.is_some());
        let passing = kept.findings.values().filter(|known| known.is_passing);
        assert_eq!(
            (down.count(), passing.count(), kept.good.is_some()),
            (downs, downs, downs > 0),
            "{now}"
        );
    };
    check(probed(folder.path()), 1_800_003_600, 1);
    check(probed(folder.path()), 1_800_003_700, 0);
    check(probed(folder.path()), 0, 1);
    let mut elsewhere = probed(folder.path());
    let mut fleet = (*elsewhere.fleet).clone();
    fleet.locality = Some(Place {
        region: Some("r9".parse().unwrap()),
        ..Place::default()
    });
    elsewhere.fleet = Arc::new(fleet);
    check(elsewhere, 1_800_000_000, 0);
}

#[tokio::test(start_paused = true)]
async fn every_truncation_of_the_file_leaves_what_came_before() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    let path = findings_file::path(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let mut most = 0;
    for length in 0..=whole.len() {
        let mut file = std::fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, &whole[..length]).unwrap();
        let kept = findings_file::read(&path, None, None, UnixSeconds(1_800_000_000));
        assert!(kept.findings.len() >= most, "{length}");
        most = kept.findings.len();
    }
    assert_eq!(most, 2);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let kept = findings_file::read(&path, None, None, UnixSeconds(0));
    assert!(kept.findings.is_empty() && kept.good.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_leaves_the_facts_and_comes_back_is_still_down_for_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(probed(folder.path()));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    running.found(2, Some(Verdict::Down)).await;
    let absence = async |millis| {
        running.change("b", Change::Remove(named("s"))).await;
        after(50).await;
        running.found(2, None).await;
        after(millis).await;
        let back = Change::Upsert(named("s"), service("192.0.2.2", 1));
        running.change("b", back).await;
        available(&running.settled().await, "s")
    };
    assert_eq!(absence(2_000).await, [0]);
    assert_eq!(absence(3_500_000).await, [0]);
    assert_eq!(absence(3_800_000).await, [0, 1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_check_of_an_address_goes_on_from_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(probed(folder.path()));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    running.found(2, Some(Verdict::Down)).await;
    let mut config = probed(folder.path());
    let mut fleet = (*config.fleet).clone();
    fleet.federations[0].probe.check = Check::Grpc {
        service: Box::default(),
    };
    config.fleet = Arc::new(fleet);
    running.handle.configs.send(Arc::new(config)).await.unwrap();
    after(50).await;
    running.found(2, None).await;
    assert_eq!(available(&running.settled().await, "s"), [0]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_what_passes_and_what_is_damped() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    let running = Running::start(probed(folder.path()));
    let snapshot = running.handle.snapshots.load_full();
    assert_eq!(proven_and_damped(&snapshot), (vec![0], vec![]));
    running.found(2, Some(Verdict::Damped)).await;
    running.found(1, Some(Verdict::Down)).await;
    let served = |snapshot: &Arc<Snapshot>| {
        assert_eq!(available(snapshot, "s"), [1]);
        assert_eq!(proven_and_damped(snapshot), (vec![1], vec![1]));
    };
    served(&running.settled().await);
    running.stop().await;
    let running = Running::start(probed(folder.path()));
    served(&running.handle.snapshots.load_full());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_passed_before_ends_with_its_own_proof_or_by_time() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    let proven = async |running: &Running| proven_and_damped(&running.settled().await).0;
    // Nobody asks: it passed for an earlier process for as long as a pass proves anything.
    let running = Running::start(probed(folder.path()));
    after(6_000).await;
    assert_eq!(proven(&running).await, [0]);
    after(2_500).await;
    assert_eq!(proven(&running).await, NONE);
    running.stop().await;
    let running = Running::start(probed(folder.path()));
    assert_eq!(proven(&running).await, NONE);
    running.found(1, Some(Verdict::Up)).await;
    running.stop().await;
    // It fails, and that is all that is known after the next start.
    let running = Running::start(probed(folder.path()));
    assert_eq!(proven(&running).await, [0]);
    let old = Evidence {
        unproven_since: Some(UnixSeconds(1_800_000_000)),
        ..evidence(Verdict::Suspect)
    };
    let delta = Delta::Probed(vec![(target(1), Some(old))]);
    running.handle.deltas.send(delta).await.unwrap();
    after(50).await;
    assert_eq!(proven(&running).await, NONE);
    running.stop().await;
    let running = Running::start(probed(folder.path()));
    assert_eq!(proven(&running).await, NONE);
    running.stop().await;
}

thread_local! {
    /// What the wall clock says, in Unix seconds.
    static WALL: Cell<u64> = const { Cell::new(1_800_000_000) };
}

/// A process on a wall clock that goes on.
fn running(folder: &Path) -> Running {
    Running::start_at(probed(folder), || UnixSeconds(WALL.get()))
}

/// So many seconds pass.
async fn pass(seconds: u64) {
    after(seconds * 1000).await;
    WALL.set(WALL.get() + seconds);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_again_and_again_proves_nothing_for_long() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    // Nobody asks in any of them.
    let mut proven = Vec::new();
    for _ in 0..4 {
        let process = running(folder.path());
        proven.push(proven_and_damped(&process.handle.snapshots.load_full()).0);
        pass(3).await;
        process.stop().await;
    }
    assert_eq!(proven, [vec![0], vec![0], vec![0], vec![]]);
    // One that is asked passes anew.
    let process = running(folder.path());
    process.found(1, Some(Verdict::Up)).await;
    process.stop().await;
    let process = running(folder.path());
    let snapshot = process.handle.snapshots.load_full();
    assert_eq!(proven_and_damped(&snapshot).0, [0]);
    process.found(1, Some(Verdict::Up)).await;
    pass(600).await;
    process.stop().await;
    let process = running(folder.path());
    let snapshot = process.handle.snapshots.load_full();
    assert_eq!(proven_and_damped(&snapshot).0, [0]);
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_passed_long_before_a_start_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    pass(600).await;
    let process = running(folder.path());
    let snapshot = process.handle.snapshots.load_full();
    assert_eq!(proven_and_damped(&snapshot).0, NONE);
    // Nor does it once the wall clock says that it was just now.
    process.stop().await;
    WALL.set(WALL.get() - 600);
    let process = running(folder.path());
    let snapshot = process.handle.snapshots.load_full();
    assert_eq!(proven_and_damped(&snapshot).0, NONE);
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_passed_before_is_dated_anew_where_the_wall_clock_is_set() {
    let folder = tempfile::tempdir().unwrap();
    first_process(folder.path()).await;
    let process = running(folder.path());
    pass(3).await;
    WALL.set(WALL.get() - 3600);
    pass(1).await;
    // Everything is written anew after a thaw.
    let freeze = OperatorCommand::Freeze { lasting: None };
    process.ask(freeze).await.unwrap();
    process.ask(OperatorCommand::Thaw).await.unwrap();
    pass(2).await;
    process.stop().await;
    // Nobody asks: it goes on proving for as long as it would have.
    let process = running(folder.path());
    assert_eq!(proven_and_damped(&process.settled().await).0, [0]);
    pass(4).await;
    assert_eq!(proven_and_damped(&process.settled().await).0, NONE);
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_outlives_its_target_for_as_long_as_it_proves() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(probed(folder.path()));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    let proven = async || proven_and_damped(&running.settled().await).0;
    let absence = async |millis| {
        running.found(2, Some(Verdict::Up)).await;
        running.change("b", Change::Remove(named("s"))).await;
        after(50).await;
        running.found(2, None).await;
        after(millis).await;
        let back = Change::Upsert(named("s"), service("192.0.2.2", 1));
        running.change("b", back).await;
        proven().await
    };
    assert_eq!(absence(2_000).await, [1]);
    assert_eq!(absence(9_000).await, NONE);
    running.stop().await;
}
