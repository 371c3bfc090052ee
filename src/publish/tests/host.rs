//! Overrides of a host cluster together with those of this daemon.

use std::path::Path;

use proptest::prelude::*;

use super::fixture::{Running, after, config, paused};
use super::overrides::{drain, drains, freeze, pass, set_wall, start_with, wall};
use crate::config::{Config, HostCluster, Source};
use crate::model::{FULL_SHARE, MemberIdx, OverridesNews, OverridesSaid, SharedText};
use crate::publish::OverrideOrigin::{self, Host, Local};
use crate::publish::{CommandRefused, InForce, OperatorCommand, amend};

/// The `ConfigMap` of the tests.
const OBJECT: &str = "gazetteer/overrides";

/// A configuration of two members with a host cluster.
fn with_host(folder: &Path) -> Config {
    let mut config = config(&["a", "b"], folder);
    config.membership.host = Some(HostCluster {
        source: Source::InCluster,
        namespace: "gazetteer".to_owned(),
        secrets: None,
        profiles: None,
        providers: Vec::new(),
        proxies: Vec::new(),
        overrides: Some("overrides".to_owned()),
    });
    config
}

/// A writer on two members with service `s`, and a host cluster.
async fn start(folder: &Path) -> Running {
    start_with(with_host(folder)).await
}

/// An operator's side of the `ConfigMap`.
#[derive(Default)]
struct Map {
    text: Option<String>,
    version: u64,
}

impl Map {
    /// Obeys a command.
    fn obey(&mut self, command: &OperatorCommand) {
        let amended = amend(self.text.as_deref(), command, wall()).unwrap();
        self.text = Some(amended.text);
        self.version += 1;
    }

    /// Says what is there now.
    fn news(&self) -> OverridesSaid {
        OverridesSaid::Seen(Some(SharedText {
            version: self.version.to_string(),
            text: self.text.clone(),
        }))
    }
}

/// Lets the writer hear of the host.
async fn hear(running: &Running, said: OverridesSaid) {
    let object = OBJECT.to_owned();
    let news = OverridesNews { object, said };
    running.handle.host_overrides.send(news).await.unwrap();
    after(20).await;
}

/// What is in force: each with who has decided it and its share.
fn shown(running: &Running) -> Vec<(OverrideOrigin, String, u16)> {
    let all = drains(running).into_iter();
    let one = |it: InForce| (it.origin, it.drain.target.to_string(), it.share);
    all.map(one).collect()
}

/// The share that answers leave of a member.
async fn left(running: &Running, member: u8) -> u16 {
    let snapshot = running.settled().await;
    let mut shares = snapshot.state().shares.iter();
    let share = shares.find(|(drained, _)| *drained == MemberIdx(member));
    share.map_or(FULL_SHARE, |(_, share)| *share)
}

/// How the host is known.
fn standing(running: &Running) -> crate::publish::HostStanding {
    running.handle.overrides.borrow().host.clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_smaller_share_wins_and_each_takes_back_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let mut map = Map::default();
    map.obey(&drain("a", 60, None));
    map.obey(&drain("region/r2", 0, Some(600)));
    hear(&running, map.news()).await;
    assert_eq!(standing(&running).version.as_deref(), Some("2"));
    let done = running.ask(drain("a", 0, None)).await.unwrap();
    assert_eq!(done.drain.unwrap().origin, Local);
    let expected = [
        (Local, "a".to_owned(), 0),
        (Host, "a".to_owned(), FULL_SHARE),
        (Host, "region/r2".to_owned(), 0),
    ];
    assert_eq!(shown(&running), expected);
    assert_eq!(left(&running, 0).await, 0);
    let done = running
        .ask(OperatorCommand::Uncordon("a".parse().unwrap()))
        .await;
    let notes = done.unwrap().notes;
    assert!(
        notes[0].contains("by a of the host cluster's ConfigMap"),
        "{notes:?}"
    );
    pass(30).await;
    let half = drains(&running)[0].share;
    assert!(half.abs_diff(FULL_SHARE / 2) < FULL_SHARE / 20, "{half}");
    // What was decided for all replicas is not for this one to take back.
    let refused = running
        .ask(OperatorCommand::Uncordon("a".parse().unwrap()))
        .await;
    assert!(
        matches!(refused, Err(CommandRefused::OfHost { .. })),
        "{refused:?}"
    );
    // Each daemon knows by itself when it is safe.
    assert!(drains(&running).iter().all(|it| it.drain.safe_at.is_some()));
    map.obey(&OperatorCommand::Uncordon("a".parse().unwrap()));
    hear(&running, map.news()).await;
    assert_eq!(shown(&running), [(Host, "region/r2".to_owned(), 0)]);
    pass(600).await;
    assert!(shown(&running).is_empty(), "it ends by its date");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_that_a_host_fails_to_say_takes_anything_back() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    assert!(standing(&running).absence.is_some(), "nothing was seen yet");
    let mut map = Map::default();
    map.obey(&drain("a", 0, None));
    hear(&running, map.news()).await;
    assert_eq!(standing(&running).absence, None);
    let out = [(Host, "a".to_owned(), 0)];
    let said = wall();
    let text = |text: Option<&str>| {
        let (version, text) = ("9".to_owned(), text.map(str::to_owned));
        OverridesSaid::Seen(Some(SharedText { version, text }))
    };
    for said in [
        OverridesSaid::Seen(None),
        text(None),
        text(Some("nonsense")),
        text(Some("{\"version\": 1, \"frozen\": null, \"drains\": [{}]}")),
        OverridesSaid::Lost("no answer".to_owned()),
    ] {
        hear(&running, said.clone()).await;
        assert_eq!(shown(&running), out, "{said:?}");
        let standing = standing(&running);
        assert_eq!(standing.version.as_deref(), Some("1"), "{said:?}");
        assert!(standing.problem.is_some(), "{said:?}");
        let metrics = running.metrics.render(wall());
        assert!(
            metrics.contains("gazetteer_membership_overrides_stale 1"),
            "{metrics}"
        );
    }
    pass(300).await;
    let (seen, why) = standing(&running).absence.unwrap();
    assert!(seen.unwrap().0.abs_diff(said.0) <= 2, "{seen:?}");
    assert_eq!(why, "no answer");
    let metrics = running.metrics.render(wall());
    let age = "gazetteer_membership_overrides_age_seconds 30";
    assert!(metrics.contains(age), "{metrics}");
    hear(&running, map.news()).await;
    let metrics = running.metrics.render(wall());
    assert!(
        metrics.contains("gazetteer_membership_overrides_stale 0"),
        "{metrics}"
    );
    // One that is there and empty says so.
    let nothing = "{\"version\": 1, \"frozen\": null, \"drains\": []}";
    hear(&running, text(Some(nothing))).await;
    assert!(shown(&running).is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_the_host_goes_on_with_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let mut map = Map::default();
    map.obey(&drain("a", 60, None));
    hear(&running, map.news()).await;
    running.ask(drain("b", 0, None)).await.unwrap();
    let before: Vec<_> = drains(&running).into_iter().map(|it| it.drain).collect();
    let seen = wall();
    running.stop().await;
    set_wall(300);
    let running = Running::start_at(with_host(folder.path()), wall);
    let after: Vec<_> = drains(&running).into_iter().map(|it| it.drain).collect();
    assert_eq!(after, before);
    let standing_now = standing(&running);
    let (last, _) = standing_now.absence.unwrap();
    assert_eq!(standing_now.version.as_deref(), Some("1"));
    let known = last.unwrap();
    assert!(known <= seen && seen.0 - known.0 <= 60, "{known} {seen}");
    running.stop().await;
    // Without a host configured nothing of one is in force, nor when one is again.
    let running = Running::start_at(config(&["a", "b"], folder.path()), wall);
    assert_eq!(shown(&running), [(Local, "b".to_owned(), 0)]);
    running.stop().await;
    let running = Running::start_at(with_host(folder.path()), wall);
    assert_eq!(shown(&running), [(Local, "b".to_owned(), 0)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_freeze_of_the_host_holds_everything_and_ends_by_its_date() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.ask(drain("a", 60, None)).await.unwrap();
    pass(30).await;
    let mut map = Map::default();
    map.obey(&freeze(Some(100)));
    hear(&running, map.news()).await;
    let frozen = running.handle.overrides.borrow().clone();
    assert_eq!(frozen.frozen_by, [Host]);
    let refused = running.ask(OperatorCommand::Thaw).await;
    assert!(
        matches!(refused, Err(CommandRefused::OfHost { .. })),
        "{refused:?}"
    );
    let before = running.settled().await.generation();
    let done = running.ask(drain("b", 0, None)).await.unwrap();
    assert_eq!(done.drain.unwrap().state(), "waiting");
    pass(50).await;
    assert_eq!(running.settled().await.generation(), before);
    // A restart serves what was frozen.
    running.stop().await;
    let running = Running::start_at(with_host(folder.path()), wall);
    assert!(running.handle.overrides.borrow().frozen.is_some());
    assert_eq!(drains(&running)[1].state(), "waiting");
    pass(60).await;
    let thawed = running.handle.overrides.borrow().clone();
    assert_eq!(thawed.frozen, None);
    assert_eq!(thawed.drains[1].share, 0);
    let share = thawed.drains[0].share;
    assert!(
        share > 0 && share <= FULL_SHARE / 2,
        "it goes on from where it was: {share}"
    );
    pass(60).await;
    assert_eq!(drains(&running)[0].share, 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_thaw_that_nobody_saw_begins_what_waited_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let mut map = Map::default();
    map.obey(&freeze(Some(100)));
    hear(&running, map.news()).await;
    running.ask(drain("b", 0, None)).await.unwrap();
    running.stop().await;
    set_wall(200);
    let running = Running::start_at(with_host(folder.path()), wall);
    pass(2).await;
    assert_eq!(shown(&running), [(Local, "b".to_owned(), 0)]);
    assert!(drains(&running)[0].drain.safe_at.is_some());
    // Nor does a freeze stay when no host is configured any more.
    map.obey(&freeze(None));
    hear(&running, map.news()).await;
    assert!(running.handle.overrides.borrow().frozen.is_some());
    let without = config(&["a", "b"], folder.path());
    running.handle.configs.send(without.into()).await.unwrap();
    pass(2).await;
    assert_eq!(running.handle.overrides.borrow().frozen, None);
    let before = running.settled().await.generation();
    running.sync("a", "192.0.2.7").await;
    pass(2).await;
    assert!(running.settled().await.generation() > before);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn both_freezes_have_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let mut map = Map::default();
    running.ask(freeze(None)).await.unwrap();
    pass(10).await;
    map.obey(&freeze(None));
    hear(&running, map.news()).await;
    let both = running.handle.overrides.borrow().clone();
    assert_eq!(both.frozen_by, [Local, Host]);
    running.ask(OperatorCommand::Thaw).await.unwrap();
    assert!(running.handle.overrides.borrow().frozen.is_some());
    map.obey(&OperatorCommand::Thaw);
    hear(&running, map.news()).await;
    assert_eq!(running.handle.overrides.borrow().frozen, None);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_configuration_without_the_host_takes_its_overrides_out() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let mut map = Map::default();
    map.obey(&drain("a", 0, None));
    hear(&running, map.news()).await;
    let mut other = with_host(folder.path());
    other.membership.host.as_mut().unwrap().overrides = Some("other".to_owned());
    running.handle.configs.send(other.into()).await.unwrap();
    pass(2).await;
    assert_eq!(shown(&running).len(), 1, "the other one was not seen yet");
    // What is still heard of the one before means nothing.
    map.obey(&drain("b", 0, None));
    hear(&running, map.news()).await;
    assert_eq!(shown(&running).len(), 1);
    let without = config(&["a", "b"], folder.path());
    running.handle.configs.send(without.into()).await.unwrap();
    pass(2).await;
    assert!(shown(&running).is_empty());
    assert_eq!(running.handle.overrides.borrow().host, None);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_is_good_for_five_minutes_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = with_host(folder.path());
    config.membership.withheld = vec!["b".parse().unwrap()];
    let running = start_with(with_host(folder.path())).await;
    let confirmed = || running.handle.departures.borrow().confirmed;
    let mut map = Map::default();
    map.obey(&OperatorCommand::ConfirmMembers);
    hear(&running, map.news()).await;
    assert_eq!(confirmed(), 0, "nobody waits");
    pass(200).await;
    // Somebody waits here only now.
    running
        .handle
        .configs
        .send(config.clone().into())
        .await
        .unwrap();
    pass(2).await;
    assert_eq!(confirmed(), 1);
    pass(50).await;
    assert_eq!(confirmed(), 1, "once");
    map.obey(&OperatorCommand::ConfirmMembers);
    hear(&running, map.news()).await;
    assert_eq!(confirmed(), 2, "another word is good again");
    running.stop().await;
    // A word that is too old means nothing.
    pass(301).await;
    let running = Running::start_at(config, wall);
    hear(&running, map.news()).await;
    pass(5).await;
    assert_eq!(running.handle.departures.borrow().confirmed, 0);
    running.stop().await;
}

/// A command of a random history: by whom, what, and how many seconds later.
fn commands() -> impl Strategy<Value = Vec<(bool, OperatorCommand, u64)>> {
    let target = prop::sample::select(vec!["a", "b", "region/r1", "zone/z2", "service/ns/s"]);
    let drained = (
        target.clone(),
        prop::sample::select(vec![0, 20]),
        any::<bool>(),
    );
    let drained = drained.prop_map(|(target, over, ends)| drain(target, over, ends.then_some(15)));
    let taken = target.prop_map(|target| OperatorCommand::Uncordon(target.parse().unwrap()));
    let command = prop_oneof![3 => drained, 1 => taken];
    prop::collection::vec((any::<bool>(), command, 0..12u64), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Of what both have decided, the smaller share is in answers, whoever was heard first.
    #[test]
    fn of_both_the_smaller_share_counts_in_any_order(history in commands(), lag in 0..3usize) {
        paused(async {
            super::overrides::begin_wall();
            let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
            let [alone, hosted, both] = &folders;
            let alone = start(alone.path()).await;
            let hosted = start(hosted.path()).await;
            let both = start(both.path()).await;
            let mut map = Map::default();
            let mut unheard = 0;
            for (is_local, command, seconds) in history {
                if is_local {
                    // Refusals are alike: what is not out cannot be taken back.
                    let one = alone.ask(command.clone()).await.is_ok();
                    let other = both.ask(command).await.is_ok();
                    assert_eq!(one, other);
                } else if amend(map.text.as_deref(), &command, wall()).is_ok() {
                    map.obey(&command);
                    unheard += 1;
                }
                if unheard > lag {
                    unheard = 0;
                    hear(&hosted, map.news()).await;
                    hear(&both, map.news()).await;
                }
                pass(seconds).await;
            }
            if map.text.is_some() {
                hear(&both, map.news()).await;
                hear(&hosted, map.news()).await;
            }
            pass(2).await;
            for member in 0..2 {
                let expected = left(&alone, member).await.min(left(&hosted, member).await);
                assert_eq!(left(&both, member).await, expected, "member {member}");
            }
            for running in [alone, hosted, both] {
                running.stop().await;
            }
        });
    }
}
