//! What a second process finds.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Running, after, answering, available, config, exists, label, named, service};
use crate::config::Source;
use crate::model::{
    Change, Delta, Epoch, Identity, LearntTopology, Loss, MemberIdx, MemberState, UnixSeconds,
};
use crate::publish::{OperatorCommand, StartError, Storage, restore, spawn};
use crate::telemetry::{Metrics, clock};

/// Runs a first process with members `a` and `b`, and ends it.
async fn first_process(folder: &tempfile::TempDir) {
    let running = Running::start(config(&["a", "b"], folder.path()));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    let zones = [label("z1")].into();
    let topology = LearntTopology {
        region: Some(label("r1")),
        zones,
        warnings: Vec::new(),
    };
    running.change("a", Change::Topology(topology)).await;
    let networks = ["10.244.1.0/24", "10.244.2.0/24"].map(|cidr| cidr.parse().unwrap());
    running.change("a", Change::Networks(networks.into())).await;
    let fewer = Change::Networks(networks[..1].into());
    running.change("a", fewer).await;
    running.change("b", Change::Networks(networks.into())).await;
    after(100).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn restored_facts_are_served_at_once_and_held() {
    let folder = tempfile::tempdir().unwrap();
    first_process(&folder).await;
    let running = Running::start(config(&["a", "b"], folder.path()));
    let snapshot = running.handle.snapshots.load_full();
    assert_eq!(available(&snapshot, "s"), [0, 1]);
    assert!(
        snapshot
            .members()
            .map(|(_, member)| member)
            .all(|member| member.state == MemberState::Held)
    );
    assert_eq!(
        snapshot
            .member(crate::model::MemberIdx(0))
            .unwrap()
            .first_synced,
        Some(UnixSeconds(1_800_000_000))
    );
    assert_eq!(
        snapshot.topology(MemberIdx(0)).unwrap().region,
        Some(label("r1"))
    );
    let contested = snapshot.vantages().contested();
    let cidrs: Vec<_> = contested.iter().map(|network| network.cidr).collect();
    assert_eq!(cidrs, ["10.244.1.0/24".parse().unwrap()]);
    assert_eq!(
        snapshot.network_warning(MemberIdx(0)).as_deref(),
        Some("1 of its networks are also of b and decide nothing, such as 10.244.1.0/24")
    );
    assert!(*running.handle.ready.borrow());
    after(61_000).await;
    let snapshot = running.settled().await;
    assert!(
        snapshot
            .members()
            .map(|(_, member)| member)
            .all(|member| member.state == MemberState::Lost)
    );
    assert_eq!(
        available(&snapshot, "s"),
        [0, 1],
        "facts stay for as long as it takes"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_member_stays_withdrawn_over_a_restart_frozen_or_not() {
    for is_frozen in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let begin = || Running::start(config(&["a", "b", "c"], folder.path()));
        let running = begin();
        for (member, address) in [("a", "192.0.2.1"), ("b", "192.0.2.2"), ("c", "192.0.2.3")] {
            running.sync(member, address).await;
        }
        let lost = || Change::Lost(Loss::Watch("refused".into()));
        running.change("a", lost()).await;
        after(61_000).await;
        running.change("c", lost()).await;
        after(5_000).await;
        assert_eq!(answering(&running.settled().await, "s"), [1, 2]);
        if is_frozen {
            running
                .ask(OperatorCommand::Freeze { lasting: None })
                .await
                .unwrap();
        }
        running.stop().await;
        let running = begin();
        let first = running.handle.snapshots.load_full();
        assert_eq!(answering(&first, "s"), [1, 2], "at once");
        // What an earlier process knew of says nothing new.
        running.change("a", lost()).await;
        running.change("c", lost()).await;
        after(6_000).await;
        assert_eq!(answering(&running.settled().await, "s"), [1, 2]);
        // Another process still, in the middle of that hold.
        running.stop().await;
        let running = begin();
        assert_eq!(answering(&running.settled().await, "s"), [1, 2]);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_went_out_too_often_is_kept_back_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(config(&["a", "b"], folder.path()));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    for _ in 0..4 {
        for ready in [0, 1] {
            let change = Change::Upsert(named("s"), service("192.0.2.1", ready));
            running.change("a", change).await;
            after(20).await;
        }
    }
    // Kept back for 20 s since the fourth time.
    assert_eq!(answering(&running.settled().await, "s"), [1]);
    running.stop().await;
    let running = Running::start(config(&["a", "b"], folder.path()));
    let first = running.handle.snapshots.load_full();
    assert_eq!(answering(&first, "s"), [1], "at once");
    after(19_000).await;
    assert_eq!(answering(&running.settled().await, "s"), [1]);
    after(2_000).await;
    assert_eq!(answering(&running.settled().await, "s"), [0, 1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_serial_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let serial = {
        let running = Running::start(config(&["a"], folder.path()));
        after(20_000).await;
        running.sync("a", "192.0.2.1").await;
        let serial = running.settled().await.serial().0;
        running.stop().await;
        serial
    };
    let running = Running::start(config(&["a"], folder.path()));
    assert_eq!(running.settled().await.serial().0, serial + 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn restored_facts_of_another_cluster_are_discarded_for_good() {
    let folder = tempfile::tempdir().unwrap();
    first_process(&folder).await;
    let running = Running::start(config(&["a", "b"], folder.path()));
    let other = Identity {
        origin: "https://elsewhere".into(),
        ..Identity::default()
    };
    running.change("a", Change::Identity(other)).await;
    after(20).await;
    assert_eq!(available(&running.settled().await, "s"), [1]);
    running.stop().await;
    let running = Running::start(config(&["a", "b"], folder.path()));
    assert_eq!(available(&running.settled().await, "s"), [1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn members_that_are_one_cluster_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c"];
    let identity = |member: &str, uid: &str| {
        Change::Identity(Identity {
            origin: format!("https://{member}"),
            uid: Some(uid.to_owned()),
            version: None,
        })
    };
    let warnings = async |running: &Running| {
        let snapshot = running.settled().await;
        let members = snapshot.members().map(|(_, member)| member);
        let all: Vec<_> = members.map(|member| member.warnings.join("; ")).collect();
        all
    };
    let of = |others: &str| {
        format!("the same cluster as {others}: their Services default/kubernetes have one UID")
    };
    let running = Running::start(config(&names, folder.path()));
    for (member, uid) in [("a", "1"), ("b", "2"), ("c", "1")] {
        running.change(member, identity(member, uid)).await;
        let synced = vec![(named("s"), service("192.0.2.1", 1))];
        running.change(member, Change::Synced(synced)).await;
    }
    after(100).await;
    assert_eq!(warnings(&running).await, [of("c"), String::new(), of("a")]);
    running.stop().await;
    let running = Running::start(config(&names, folder.path()));
    assert_eq!(warnings(&running).await, [of("c"), String::new(), of("a")]);
    running.change("a", identity("a", "2")).await;
    after(100).await;
    assert_eq!(warnings(&running).await, [of("b"), of("a"), String::new()]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn facts_of_an_api_are_not_restored_for_a_file() {
    let folder = tempfile::tempdir().unwrap();
    first_process(&folder).await;
    let mut config = config(&["a", "b"], folder.path());
    config.sources[0].source = Source::File {
        path: "/facts/a.toml".into(),
    };
    let running = Running::start(config);
    assert_eq!(available(&running.settled().await, "s"), [1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_taken_out_is_forgotten_when_it_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(config(&["a", "b"], folder.path()));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    after(100).await;
    for members in [&["b"][..], &["a", "b"]] {
        let config = config(members, folder.path());
        running.handle.configs.send(Arc::new(config)).await.unwrap();
        after(100).await;
    }
    assert_eq!(available(&running.settled().await, "s"), [1]);
    running.stop().await;
    let running = Running::start(config(&["a", "b"], folder.path()));
    assert_eq!(available(&running.settled().await, "s"), [1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn looking_at_persisted_facts_needs_nothing_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    first_process(&folder).await;
    let facts = folder.path().join("facts");
    let listing = || {
        let entries = fs::read_dir(&facts).unwrap().map(|entry| entry.unwrap());
        let mut list: Vec<_> = entries
            .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
            .collect();
        list.sort();
        list
    };
    let before = listing();
    let mut restored = restore(Arc::new(config(&["a", "b", "c"], folder.path())));
    let ages: Vec<_> = restored
        .last_live()
        .map(|(_, at)| at.map(|at| at.0))
        .collect();
    assert_eq!(ages, [Some(1_800_000_000), Some(1_800_000_000), None]);
    let snapshot = Arc::new(restored.snapshot());
    assert_eq!(available(&snapshot, "s"), [0, 1]);
    let states: Vec<_> = snapshot
        .members()
        .map(|(_, member)| member)
        .map(|member| member.state)
        .collect();
    assert_eq!(
        states,
        [
            MemberState::Held,
            MemberState::Held,
            MemberState::NeverSynced
        ]
    );
    restored.replace(&label("c"), vec![(named("t"), service("192.0.2.3", 1))]);
    let snapshot = Arc::new(restored.snapshot());
    assert_eq!(available(&snapshot, "t"), [2]);
    assert_eq!(
        snapshot.member(crate::model::MemberIdx(2)).unwrap().state,
        MemberState::Ready
    );
    assert!(listing() == before);
}

#[test]
fn a_second_daemon_is_refused_and_the_first_flushes_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let config = Arc::new(config(&["a"], folder.path()));
    let unsigned = || tokio::sync::watch::channel(Arc::default()).1;
    let spawned = || {
        spawn(
            config.clone(),
            Arc::new(Metrics::new()),
            Storage::default(),
            unsigned(),
        )
    };
    let (handle, writer) = spawned().unwrap();
    assert!(matches!(spawned(), Err(StartError::Locked { .. })));
    let send = |change| {
        let delta = Delta::Member {
            member: label("a"),
            epoch: Epoch(1),
            change,
        };
        handle.deltas.blocking_send(delta).unwrap();
    };
    send(Change::Synced(vec![(named("s"), service("192.0.2.1", 1))]));
    send(Change::Upsert(named("t"), service("192.0.2.2", 1)));
    send(Change::Remove(named("s")));
    send(Change::Lost(Loss::Heartbeat("gone".into())));
    writer.stop();
    let (handle, writer) = spawned().unwrap();
    let snapshot = handle.snapshots.load_full();
    assert!(exists(&snapshot, "t") && !exists(&snapshot, "s"));
    writer.stop();
}

#[test]
fn what_was_published_is_on_disk_soon_without_any_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = Arc::new(config(&["a"], folder.path()));
    let (handle, writer) = spawn(
        config.clone(),
        Arc::new(Metrics::new()),
        Storage::default(),
        tokio::sync::watch::channel(Arc::default()).1,
    )
    .unwrap();
    let send = |change| {
        let delta = Delta::Member {
            member: label("a"),
            epoch: Epoch(1),
            change,
        };
        handle.deltas.blocking_send(delta).unwrap();
    };
    send(Change::Synced(vec![(named("s"), service("192.0.2.1", 1))]));
    send(Change::Upsert(named("t"), service("192.0.2.2", 1)));
    let deadline = clock::monotonic() + Duration::from_secs(10);
    while !exists(&Arc::new(restore(config.clone()).snapshot()), "t") {
        assert!(clock::monotonic() < deadline, "nothing is on disk");
    }
    writer.stop();
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_delays_nothing_and_is_written_anew_once_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let facts = folder.path().join("facts");
    let running = Running::start(config(&["a"], folder.path()));
    running.sync("a", "192.0.2.1").await;
    after(20).await;
    // The thread that writes may add a file meanwhile.
    while facts.exists() {
        let _ = fs::remove_dir_all(&facts);
    }
    drop(fs::File::create(&facts).unwrap());
    let many = ["t", "u", "v"].map(|name| (named(name), service("192.0.2.1", 1)));
    running.change("a", Change::Synced(many.into())).await;
    assert_eq!(available(&running.settled().await, "t"), [0]);
    let failures = "gazetteer_publish_persist_failures_total 0";
    let deadline = std::thread::spawn(clock::monotonic).join().unwrap() + Duration::from_secs(10);
    while running.metrics.render(UnixSeconds(0)).contains(failures) {
        let now = std::thread::spawn(clock::monotonic).join().unwrap();
        assert!(now < deadline, "no failure was reported");
    }
    assert!(running.settled().await.members().count() == 1);
    after(1_000).await;
    let troubles = running.handle.overrides.borrow().troubles.clone();
    assert!(
        troubles
            .iter()
            .any(|trouble| trouble.starts_with("facts of a: ")),
        "{troubles:?}"
    );
    fs::remove_file(&facts).unwrap();
    after(40_000).await;
    running.stop().await;
    let running = Running::start(config(&["a"], folder.path()));
    let snapshot = running.settled().await;
    assert!(exists(&snapshot, "t") && !exists(&snapshot, "s"));
    running.stop().await;
}
