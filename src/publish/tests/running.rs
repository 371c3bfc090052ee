//! The running writer, under a clock that the test moves.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Running, after, available, config, exists, label, named, service};
use crate::config::Source;
use crate::model::{Addresses, Change, Delta, Identity, Joined, LearntTopology, Loss, MemberState};
use crate::names::Label;
use crate::wire::NameBuf;

/// A change of service `s` to this many ready endpoints.
fn ready(count: u32) -> Change {
    Change::Upsert(named("s"), service("192.0.2.1", count))
}

/// A loss.
fn lost() -> Change {
    Change::Lost(Loss::Watch("gone".into()))
}

/// Two synced members with service `s`.
async fn two_members(folder: &tempfile::TempDir) -> Running {
    let running = Running::start(config(&["a", "b"], folder.path()));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    after(20).await;
    running
}

#[tokio::test(start_paused = true)]
async fn an_addition_is_published_at_once_when_idle() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    let before = running.settled().await.generation();
    running
        .change("a", Change::Upsert(named("t"), service("192.0.2.9", 1)))
        .await;
    let snapshot = running.settled().await;
    assert_eq!(snapshot.generation().0, before.0 + 1);
    assert_eq!(available(&snapshot, "t"), [0]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn changes_under_load_are_published_once_in_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    let before = running.settled().await.generation().0;
    for count in 0..100 {
        running
            .change("a", Change::Upsert(named("t"), service("192.0.2.9", count)))
            .await;
        after(1).await;
    }
    let published = running.settled().await.generation().0 - before;
    assert!(
        (10..=11).contains(&published),
        "{published} publications in 100 ms"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_moves_between_slices_is_never_gone() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    let before = running.settled().await.generation();
    running.change("a", ready(0)).await;
    after(4).await;
    running
        .change("a", Change::Upsert(named("t"), service("192.0.2.9", 1)))
        .await;
    let beside = running.settled().await;
    assert_eq!(
        available(&beside, "t"),
        [0],
        "what is added beside does not wait"
    );
    assert_eq!(available(&beside, "s"), [0, 1], "nor does it show the loss");
    running.change("a", ready(1)).await;
    after(100).await;
    let snapshot = running.settled().await;
    assert_eq!(available(&snapshot, "s"), [0, 1]);
    assert_eq!(
        snapshot.generation().0,
        before.0 + 1,
        "only `t` was published"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_published_after_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    running.change("a", ready(0)).await;
    after(5).await;
    assert_eq!(available(&running.settled().await, "s"), [0, 1]);
    after(10).await;
    assert_eq!(available(&running.settled().await, "s"), [1]);
    running.change("b", Change::Remove(named("s"))).await;
    running.change("a", Change::Remove(named("s"))).await;
    assert!(exists(&running.settled().await, "s"));
    after(20).await;
    assert!(!exists(&running.settled().await, "s"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_relist_replaces_everything_and_what_was_kept_back() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    running.change("a", ready(0)).await;
    running
        .change(
            "a",
            Change::Synced(vec![(named("t"), service("192.0.2.9", 1))]),
        )
        .await;
    after(50).await;
    let snapshot = running.settled().await;
    assert_eq!(available(&snapshot, "s"), [1]);
    assert_eq!(available(&snapshot, "t"), [0]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn older_epochs_and_unknown_members_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    running.change_in(7, "a", Change::Resumed).await;
    running.change_in(6, "a", lost()).await;
    running.change_in(1, "stranger", lost()).await;
    assert_eq!(running.state(0).await, MemberState::Ready);
    running.change_in(7, "a", lost()).await;
    assert_eq!(running.state(0).await, MemberState::Held);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_passes_without_any_further_change() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    running.change("a", lost()).await;
    let snapshot = running.settled().await;
    assert_eq!(
        snapshot.member(crate::model::MemberIdx(0)).unwrap().state,
        MemberState::Held
    );
    assert_eq!(
        snapshot
            .member(crate::model::MemberIdx(0))
            .unwrap()
            .reason
            .as_deref(),
        Some("watch: gone")
    );
    assert_eq!(available(&snapshot, "s"), [0, 1], "a loss removes nothing");
    after(59_900).await;
    assert_eq!(running.state(0).await, MemberState::Held);
    after(200).await;
    assert_eq!(running.state(0).await, MemberState::Lost);
    assert!(!running.settled().await.state().health.expired.is_empty());
    running.change("a", Change::Returning).await;
    running.sync("a", "192.0.2.1").await;
    let snapshot = running.settled().await;
    assert_eq!(
        snapshot.member(crate::model::MemberIdx(0)).unwrap().state,
        MemberState::Ready
    );
    assert_eq!(
        snapshot.member(crate::model::MemberIdx(0)).unwrap().reason,
        None
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_brake_keeps_holds_from_passing_and_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    running.change("a", lost()).await;
    running.change("b", lost()).await;
    for (millis, expected) in [(655_000, MemberState::Held), (10_000, MemberState::Lost)] {
        after(millis).await;
        let snapshot = running.settled().await;
        let mut members = snapshot.members().map(|(_, member)| member);
        assert!(members.all(|member| member.state == expected), "{expected}");
        // Nothing sure is left: the withdrawn answer.
        assert_eq!(available(&snapshot, "s"), [0, 1]);
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ready_comes_with_the_last_sync_or_its_timeout_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(config(&["a", "b"], folder.path()));
    running.sync("a", "192.0.2.1").await;
    after(29_000).await;
    assert!(!*running.handle.ready.borrow());
    assert_eq!(
        running.state(1).await,
        MemberState::Syncing(Joined::AtStart)
    );
    after(2_000).await;
    assert!(*running.handle.ready.borrow());
    assert_eq!(running.state(1).await, MemberState::NeverSynced);
    running.change("a", lost()).await;
    after(1_000).await;
    assert!(*running.handle.ready.borrow());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_cluster_behind_a_name_has_nothing_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    let region: Label = label("r1");
    let topology = LearntTopology {
        region: Some(region.clone()),
        ..LearntTopology::default()
    };
    running.change("a", Change::Topology(topology)).await;
    let version = Some("v1.33.1".to_owned());
    let same = Identity {
        origin: "https://a".into(),
        uid: Some("1".into()),
        version,
    };
    running.change("a", Change::Identity(same)).await;
    let snapshot = running.settled().await;
    assert_eq!(
        snapshot
            .member(crate::model::MemberIdx(0))
            .unwrap()
            .version
            .as_deref(),
        Some("v1.33.1")
    );
    assert_eq!(available(&snapshot, "s"), [0, 1]);
    let other = Identity {
        origin: "https://a".into(),
        uid: Some("2".into()),
        version: None,
    };
    running.change("a", Change::Identity(other)).await;
    after(20).await;
    let snapshot = running.settled().await;
    assert_eq!(available(&snapshot, "s"), [1]);
    let status = &snapshot.member(crate::model::MemberIdx(0)).unwrap();
    assert_eq!(status.state, MemberState::Syncing(Joined::WhileRunning));
    assert_eq!((&status.version, status.first_synced), (&None, None));
    assert!(
        snapshot
            .topology(crate::model::MemberIdx(0))
            .unwrap()
            .known
            .is_empty()
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_facts_by_name_and_takes_changes_of_members_it_adds() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    let new = config(&["c", "b"], folder.path());
    running.handle.configs.send(Arc::new(new)).await.unwrap();
    running.sync("c", "192.0.2.3").await;
    running.sync("a", "192.0.2.1").await;
    after(20).await;
    let snapshot = running.settled().await;
    // c has not the seat that a just left, and comes first all the same.
    assert_eq!(available(&snapshot, "s"), [1, 2]);
    let names = snapshot.members().map(|(_, member)| &member.name);
    assert_eq!(names.collect::<Vec<_>>(), [&label("c"), &label("b")]);
    running.stop().await;
    let is_there = |file| folder.path().join("facts").join(file).exists();
    assert_eq!(
        ["a.base", "b.base", "c.base"].map(is_there),
        [false, true, true]
    );
}

#[tokio::test(start_paused = true)]
async fn a_member_added_by_a_reload_is_syncing_and_does_not_end_ready() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    assert!(*running.handle.ready.borrow());
    let new = config(&["a", "b", "c"], folder.path());
    running.handle.configs.send(Arc::new(new)).await.unwrap();
    assert_eq!(
        running.state(2).await,
        MemberState::Syncing(Joined::WhileRunning)
    );
    assert!(*running.handle.ready.borrow());
    after(31_000).await;
    assert_eq!(running.state(2).await, MemberState::NeverSynced);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_moved_from_an_api_to_a_file_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    let mut new = config(&["a", "b"], folder.path());
    new.sources[0].source = Source::File {
        path: "/facts/a.toml".into(),
    };
    running.handle.configs.send(Arc::new(new)).await.unwrap();
    let snapshot = running.settled().await;
    assert_eq!(available(&snapshot, "s"), [1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn wanted_host_names_are_told_and_their_addresses_survive_a_flap() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    let hostname: NameBuf = "lb.example.net".parse().unwrap();
    let mut with_hostname = (*service("192.0.2.9", 1)).clone();
    with_hostname.addresses = Addresses::new();
    with_hostname.hostnames = [hostname.clone()].into_iter().collect();
    let upsert = || Change::Upsert(named("t"), Arc::new(with_hostname.clone()));
    running.change("a", upsert()).await;
    let snapshot = running.settled().await;
    assert!(exists(&snapshot, "t") && available(&snapshot, "t").is_empty());
    assert!(running.handle.hostnames.borrow().keys().eq([&hostname]));
    let resolved = Delta::Hostname {
        hostname: hostname.clone(),
        ipv4: Box::new([Ipv4Addr::new(192, 0, 2, 77)]),
        ipv6: Box::new([]),
        ttl: Duration::from_secs(60),
    };
    running.handle.deltas.send(resolved).await.unwrap();
    after(20).await;
    assert_eq!(available(&running.settled().await, "t"), [0]);
    running.change("a", Change::Remove(named("t"))).await;
    after(50).await;
    assert!(running.handle.hostnames.borrow().is_empty());
    running.change("a", upsert()).await;
    assert_eq!(available(&running.settled().await, "t"), [0]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_serial_that_is_due_right_after_a_publication_waits_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    after(11_000).await;
    running.change("a", ready(3)).await;
    let first = running.settled().await.serial();
    after(4_993).await;
    running.change("a", ready(4)).await;
    let snapshot = running.settled().await;
    assert_eq!(snapshot.serial(), first);
    // The time for a new serial passes within the pause after that publication; a writer that
    // waits for it then never lets the clock of this test go on.
    after(20).await;
    assert_eq!(running.settled().await.serial().0, first.0 + 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_under_an_old_serial_is_published_again_under_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    after(10_000).await;
    let idle = running.settled().await;
    for address in ["192.0.2.8", "192.0.2.9"] {
        running
            .change("a", Change::Upsert(named("t"), service(address, 1)))
            .await;
        after(50).await;
    }
    let second = running.settled().await;
    assert_eq!(second.generation().0, idle.generation().0 + 2);
    assert_eq!(second.serial().0, idle.serial().0 + 1);
    after(6_000).await;
    let owed = running.settled().await;
    assert_eq!(owed.generation().0, second.generation().0 + 1);
    assert_eq!(owed.serial().0, second.serial().0 + 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn replaced_snapshots_are_dropped_once_nobody_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let running = two_members(&folder).await;
    let read = running.settled().await;
    let watched = Arc::downgrade(&read);
    running
        .change("a", Change::Upsert(named("t"), service("192.0.2.9", 1)))
        .await;
    after(5_000).await;
    drop(read);
    assert!(
        watched.upgrade().is_some(),
        "the writer drops it, not the reader"
    );
    after(2_000).await;
    assert!(watched.upgrade().is_none());
    running.stop().await;
}
