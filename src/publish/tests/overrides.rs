//! Drains and freezes under clocks that the test moves.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::fixture::{Running, after, available, config, label, named, service};
use crate::config::Config;
use crate::model::{Change, EventKind, FULL_SHARE, LearntTopology, UnixSeconds};
use crate::publish::{CommandOutcome, CommandRefused, InForce, OperatorCommand};

/// When the tests begin.
pub(super) const START: u64 = 1_800_000_000;

thread_local! {
    /// When the test began, and by how many seconds the wall clock has been set.
    static WALL: Cell<(Option<Instant>, i64)> = const { Cell::new((None, 0)) };
}

/// The wall clock.
pub(super) fn wall() -> UnixSeconds {
    let (begun, set) = WALL.get();
    let begun = begun.unwrap_or_else(Instant::now);
    WALL.set((Some(begun), set));
    UnixSeconds((START + begun.elapsed().as_secs()).saturating_add_signed(set))
}

/// Begins to count anew, for tests with a clock for each of their cases.
pub(super) fn begin_wall() {
    WALL.set((None, 0));
}

/// Sets the wall clock ahead, or back.
pub(super) fn set_wall(by: i64) {
    let (begun, set) = WALL.get();
    WALL.set((begun, set + by));
}

/// Lets both clocks go on, and the writer look at them.
pub(super) async fn pass(seconds: u64) {
    after(seconds * 1_000).await;
}

/// A writer on two members with service `s`, in regions `r1` and `r2`.
pub(super) async fn start(folder: &Path) -> Running {
    start_with(config(&["a", "b"], folder)).await
}

/// The same with another configuration.
pub(super) async fn start_with(config: Config) -> Running {
    let running = Running::start_at(config, wall);
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    for (member, region, zone) in [("a", "r1", "z1"), ("b", "r2", "z2")] {
        stand(&running, member, region, zone).await;
    }
    after(20).await;
    running
}

/// A member says where it stands.
async fn stand(running: &Running, member: &str, region: &str, zone: &str) {
    let (region, zone) = (label(region), label(zone));
    let topology = LearntTopology {
        region: Some(region),
        zones: [zone].into(),
        ..LearntTopology::default()
    };
    running.change(member, Change::Topology(topology)).await;
}

/// A drain of this many seconds.
pub(super) fn drain(target: &str, over: u64, lasting: Option<u64>) -> OperatorCommand {
    OperatorCommand::Drain {
        target: target.parse().unwrap(),
        over: Duration::from_secs(over),
        lasting: lasting.map(Duration::from_secs),
    }
}

/// A freeze.
pub(super) fn freeze(lasting: Option<u64>) -> OperatorCommand {
    OperatorCommand::Freeze {
        lasting: lasting.map(Duration::from_secs),
    }
}

/// What is drained.
pub(super) fn drains(running: &Running) -> Vec<InForce> {
    running.handle.overrides.borrow().drains.clone()
}

/// The share of the one drain.
pub(super) fn share(running: &Running) -> u16 {
    drains(running)[0].share
}

/// The transitions of overrides so far.
fn transitions(running: &Running) -> Vec<String> {
    let events = running.handle.events.since(0).into_iter();
    let events = events.filter(|event| event.kind == EventKind::Override);
    let shown = events.map(|event| format!("{}: {} to {}", event.subject, event.from, event.to));
    shown.collect()
}

#[tokio::test(start_paused = true)]
async fn a_drain_falls_evenly_and_ends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let begun = wall();
    let done = running.ask(drain("a", 60, Some(600))).await.unwrap();
    let drained = done.drain.unwrap();
    assert_eq!((drained.share, drained.state()), (FULL_SHARE, "draining"));
    assert_eq!(drained.members, [label("a")]);
    // The end of the ramp, 5 s of TTL, and 2 s for clocks.
    assert_eq!(drained.drain.safe_at, Some(UnixSeconds(begun.0 + 67)));
    pass(15).await;
    assert_eq!(share(&running), FULL_SHARE / 4 * 3);
    pass(45).await;
    assert_eq!(share(&running), 0);
    assert_eq!(drains(&running)[0].state(), "out");
    pass(539).await;
    assert_eq!(drains(&running).len(), 1);
    pass(1).await;
    assert_eq!(drains(&running), []);
    let text = std::fs::read_to_string(folder.path().join("overrides.json")).unwrap();
    assert!(text.contains("\"drains\": []"), "{text}");
    let expected = ["a: in to draining", "a: draining to out", "a: out to in"];
    assert_eq!(transitions(&running), expected);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_gives_no_share_back() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.ask(drain("a", 60, None)).await.unwrap();
    pass(30).await;
    assert_eq!(share(&running), FULL_SHARE / 2);
    set_wall(-30);
    pass(1).await;
    assert!(share(&running) < FULL_SHARE / 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_cordon_is_at_once_and_safe_after_the_longest_ttl_of_its_services() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let mut slow = (*service("192.0.2.9", 1)).clone();
    Arc::make_mut(&mut slow.spec).steering.ttl = Some(Duration::from_secs(300));
    running
        .change("b", Change::Upsert(named("slow"), Arc::new(slow)))
        .await;
    after(20).await;
    let safe_after = |done: CommandOutcome| done.drain.unwrap().drain.safe_at.unwrap().0 - wall().0;
    let done = running.ask(drain("a", 0, None)).await.unwrap();
    assert_eq!(done.drain.as_ref().unwrap().state(), "out");
    assert_eq!(safe_after(done), 30 + 2);
    let done = running.ask(drain("b", 0, None)).await.unwrap();
    assert_eq!(safe_after(done), 300 + 2);
    let done = running.ask(drain("service/ns/s", 0, None)).await.unwrap();
    assert_eq!(safe_after(done), 30 + 2);
    let done = running
        .ask(drain("service/ns/slow", 10, None))
        .await
        .unwrap();
    assert_eq!(safe_after(done), 300 + 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_of_what_is_out_only_moves_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.ask(drain("a", 10, None)).await.unwrap();
    pass(5).await;
    let done = running.ask(drain("a", 10, None)).await.unwrap();
    assert_eq!(
        done.drain.unwrap().share,
        FULL_SHARE / 2,
        "it goes on falling"
    );
    pass(10).await;
    let before = drains(&running)[0].drain.clone();
    let done = running.ask(drain("a", 600, Some(60))).await.unwrap();
    let drained = done.drain.unwrap();
    assert_eq!(drained.share, 0, "it does not come back");
    assert_eq!(drained.drain.safe_at, before.safe_at);
    assert_eq!(drained.drain.until, Some(UnixSeconds(wall().0 + 60)));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_region_means_whoever_stands_there_also_later() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let done = running.ask(drain("region/r1", 0, None)).await.unwrap();
    let before = done.drain.unwrap();
    assert_eq!(before.members, [label("a")]);
    pass(10).await;
    stand(&running, "b", "r1", "z1").await;
    pass(1).await;
    let after = drains(&running)[0].clone();
    assert_eq!(after.members, [label("a"), label("b")]);
    assert!(after.drain.safe_at > before.drain.safe_at);
    let done = running.ask(drain("zone/z1", 0, None)).await.unwrap();
    assert_eq!(done.drain.unwrap().members.len(), 2);
    let done = running
        .ask(OperatorCommand::Uncordon("region/r1".parse().unwrap()))
        .await;
    let notes = done.unwrap().notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("still drained, by zone/z1"), "{notes:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_refused_by_name_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let refused = async |command| running.ask(command).await.unwrap_err().to_string();
    for (target, words) in [
        ("c", "unknown member \"c\"; near it: "),
        ("region/r3", "unknown region \"r3\"; near it: r1, r2"),
        ("zone/r1", "unknown zone \"r1\"; near it: "),
        ("service/ns/t", "unknown service \"ns/t\"; near it: ns/s"),
    ] {
        let text = refused(drain(target, 0, None)).await;
        assert!(text.contains(words), "{text}");
    }
    let text = refused(OperatorCommand::Uncordon("a".parse().unwrap())).await;
    assert_eq!(text, "a is neither drained nor cordoned; nothing is");
    running.ask(drain("b", 0, None)).await.unwrap();
    let text = refused(OperatorCommand::Uncordon("a".parse().unwrap())).await;
    assert!(text.ends_with("; these are: b"), "{text}");
    let text = refused(OperatorCommand::Thaw).await;
    assert_eq!(text, "answers are not frozen");
    assert_eq!(drains(&running).len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    // A folder cannot be written as a file.
    std::fs::create_dir(folder.path().join("overrides.json.new")).unwrap();
    let before = running.settled().await.generation();
    let refused = running.ask(drain("a", 0, None)).await.unwrap_err();
    assert!(
        matches!(refused, CommandRefused::NotKept { .. }),
        "{refused}"
    );
    let refused = running.ask(freeze(None)).await.unwrap_err();
    assert!(
        matches!(refused, CommandRefused::NotKept { .. }),
        "{refused}"
    );
    assert_eq!(drains(&running), []);
    assert_eq!(running.handle.overrides.borrow().frozen, None);
    assert_eq!(running.settled().await.generation(), before);
    assert!(transitions(&running).is_empty());
    std::fs::remove_dir(folder.path().join("overrides.json.new")).unwrap();
    running.ask(drain("a", 0, None)).await.unwrap();
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_what_was_decided() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.ask(drain("a", 60, None)).await.unwrap();
    running
        .ask(drain("service/ns/s", 0, Some(3_600)))
        .await
        .unwrap();
    let before: Vec<_> = drains(&running).into_iter().map(|d| d.drain).collect();
    running.stop().await;
    set_wall(30);
    let running = Running::start_at(config(&["a", "b"], folder.path()), wall);
    let after: Vec<_> = drains(&running).into_iter().map(|d| d.drain).collect();
    assert_eq!(after, before);
    assert_eq!(share(&running), FULL_SHARE / 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn frozen_answers_stay_until_they_are_thawed() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running
        .change("a", Change::Upsert(named("t"), service("192.0.2.9", 1)))
        .await;
    let done = running.ask(freeze(None)).await.unwrap();
    assert_eq!(done.frozen.map(|freeze| freeze.since), Some(wall()));
    let frozen = running.settled().await;
    assert_eq!(available(&frozen, "t"), [0], "what came before is in it");
    running.change("a", Change::Remove(named("t"))).await;
    running
        .change("b", Change::Upsert(named("u"), service("192.0.2.8", 1)))
        .await;
    let mut other = config(&["a", "b"], folder.path());
    other.listen.nsid = Some("other".to_owned());
    running.handle.configs.send(Arc::new(other)).await.unwrap();
    pass(30).await;
    assert_eq!(running.settled().await.generation(), frozen.generation());
    running.ask(OperatorCommand::Thaw).await.unwrap();
    let thawed = running.settled().await;
    assert!(available(&thawed, "t").is_empty());
    assert_eq!(available(&thawed, "u"), [1]);
    assert_eq!(thawed.settings().nsid.as_deref(), Some("other"));
    running.stop().await;
    let running = Running::start_at(config(&["a", "b"], folder.path()), wall);
    let restored = running.settled().await;
    assert_eq!(
        available(&restored, "u"),
        [1],
        "a thaw writes what was missed"
    );
    assert!(available(&restored, "t").is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_serves_what_was_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.ask(drain("a", 60, None)).await.unwrap();
    pass(30).await;
    running.ask(freeze(Some(3_600))).await.unwrap();
    running
        .change("a", Change::Upsert(named("t"), service("192.0.2.9", 1)))
        .await;
    running.change("b", Change::Remove(named("s"))).await;
    pass(10).await;
    running.stop().await;
    let running = Running::start_at(config(&["a", "b", "new"], folder.path()), wall);
    let restored = running.settled().await;
    assert_eq!(available(&restored, "s"), [0, 1]);
    assert!(available(&restored, "t").is_empty());
    assert!(
        restored
            .state()
            .federation(federation_of(&restored))
            .syncing
            .is_empty()
    );
    assert_eq!(share(&running), FULL_SHARE / 2);
    running.sync("a", "192.0.2.77").await;
    pass(31).await;
    assert_eq!(running.settled().await.generation(), restored.generation());
    assert!(*running.handle.ready.borrow());
    pass(3_600).await;
    assert_eq!(running.handle.overrides.borrow().frozen, None, "expired");
    assert!(running.settled().await.generation() > restored.generation());
    running.stop().await;
}

/// The one federation.
fn federation_of(snapshot: &crate::snapshot::Snapshot) -> crate::snapshot::FederationIdx {
    let name = crate::wire::NameBuf::from_labels(["s", "ns", "f"]).unwrap();
    let key = name.as_wire().strip_suffix(&[0]).unwrap();
    snapshot.entry(key).unwrap().federation
}

#[tokio::test(start_paused = true)]
async fn a_drain_while_frozen_begins_with_the_thaw() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.ask(drain("a", 60, None)).await.unwrap();
    pass(30).await;
    running.ask(freeze(None)).await.unwrap();
    let done = running.ask(drain("b", 0, None)).await.unwrap();
    let drained = done.drain.unwrap();
    assert_eq!((drained.state(), drained.share), ("waiting", FULL_SHARE));
    assert_eq!(drained.drain.safe_at, None);
    assert!(done.notes[0].contains("thaw"), "{:?}", done.notes);
    pass(100).await;
    let waiting = drains(&running);
    assert_eq!(
        (waiting[0].share, waiting[1].share),
        (FULL_SHARE / 2, FULL_SHARE)
    );
    assert_eq!(waiting[0].drain.safe_at, None);
    running.ask(OperatorCommand::Thaw).await.unwrap();
    let thawed = drains(&running);
    assert_eq!((thawed[0].share, thawed[1].share), (FULL_SHARE / 2, 0));
    let safe_after = |drained: &InForce| drained.drain.safe_at.unwrap().0 - wall().0;
    assert_eq!(
        (safe_after(&thawed[0]), safe_after(&thawed[1])),
        (30 + 7, 32)
    );
    pass(30).await;
    assert_eq!(share(&running), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_while_frozen_stays_out_until_the_thaw() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.ask(drain("a", 0, None)).await.unwrap();
    running.ask(freeze(None)).await.unwrap();
    let done = running
        .ask(OperatorCommand::Uncordon("a".parse().unwrap()))
        .await
        .unwrap();
    assert!(done.notes[0].contains("thaw"), "{:?}", done.notes);
    running.stop().await;
    let running = Running::start_at(config(&["a", "b"], folder.path()), wall);
    assert_eq!(share(&running), 0, "as it was frozen");
    running.ask(OperatorCommand::Thaw).await.unwrap();
    assert_eq!(drains(&running), []);
    running.stop().await;
}
