//! Much that is withdrawn at once waits for confirmation.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::fixture::{Running, after, available, config, exists, label, named, paused, service};
use crate::config::Config;
use crate::model::{
    Change, Delta, Event, EventKind, Evidence, Loss, NamespacedName, Probe, ProbeTarget, Service,
    UnixSeconds, Verdict,
};
use crate::publish::{CommandRefused, OperatorCommand};

/// A configuration of members with a brake of 25 percent, whose addresses are probed.
fn braked(members: &[&str], folder: &tempfile::TempDir) -> Config {
    let mut config = config(members, folder.path());
    let mut fleet = (*config.fleet).clone();
    fleet.federations[0].brake = 25;
    fleet.federations[0].probe = Probe::default();
    config.fleet = Arc::new(fleet);
    config
}

/// The service `s<n>` with an address of its own.
fn one(n: u8, ready: u32) -> (NamespacedName, Arc<Service>) {
    (
        named(&format!("s{n}")),
        service(&format!("192.0.2.{n}"), ready),
    )
}

/// A list of these services.
fn list(numbers: impl IntoIterator<Item = u8>) -> Change {
    Change::Synced(numbers.into_iter().map(|n| one(n, 1)).collect())
}

/// A member `a` with `count` services, and one `b` with none of them.
async fn member(folder: &tempfile::TempDir, count: u8) -> Running {
    let running = Running::start(braked(&["a", "b"], folder));
    running.change("a", list(0..count)).await;
    running.change("b", list([])).await;
    after(20).await;
    running
}

impl Running {
    /// How many of the services `s0` … `s199` are available in `a`.
    async fn left(&self) -> usize {
        after(30).await;
        let snapshot = self.settled().await;
        let is_there = |n: &u8| available(&snapshot, &format!("s{n}")) == [0];
        (0..200).filter(is_there).count()
    }

    /// The events of one kind as `subject from→to`.
    fn events(&self, kind: EventKind) -> Vec<String> {
        let events = self.handle.events.since(0);
        let those = events.into_iter().filter(|event| event.kind == kind);
        let text = |event: Event| format!("{} {}→{}", event.subject, event.from, event.to);
        those.map(text).collect()
    }

    /// Whether `a` is waited for.
    fn is_waited_for(&self) -> bool {
        self.handle.unconfirmed.borrow().contains(&label("a"))
    }

    /// Says that probes of `s<n>` found this.
    async fn probed(&self, n: u8, verdict: Verdict) {
        let target = ProbeTarget {
            address: SocketAddr::from(([192, 0, 2, n], 80)),
            probe: Arc::new(Probe::default()),
        };
        let evidence = Evidence {
            verdict,
            since: UnixSeconds(1),
            seen: "refused".into(),
            unproven_since: None,
        };
        let delta = Delta::Probed(vec![(target, Some(evidence))]);
        self.handle.deltas.send(delta).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_changes_nothing_before_a_second_one() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 100).await;
    let before = running.settled().await;
    running.change("a", list([])).await;
    assert_eq!(running.left().await, 100);
    let snapshot = running.settled().await;
    let warnings = &snapshot
        .member(crate::model::MemberIdx(0))
        .unwrap()
        .warnings;
    assert!(
        warnings[0].starts_with("100 withdrawals wait"),
        "{warnings:?}"
    );
    assert!(
        before
            .member(crate::model::MemberIdx(0))
            .unwrap()
            .warnings
            .is_empty()
            && running.is_waited_for()
    );
    let braked = "gazetteer_publish_held_back_withdrawals{member=\"a\"} 100";
    assert!(running.metrics.render(UnixSeconds(0)).contains(braked));
    after(4_000).await;
    running.change("a", list([])).await;
    assert_eq!(running.left().await, 100, "too soon for a confirmation");
    after(1_000).await;
    running.change("a", list([])).await;
    assert_eq!(running.left().await, 0);
    assert!(!exists(&running.settled().await, "s0") && !running.is_waited_for());
    assert!(
        running
            .settled()
            .await
            .member(crate::model::MemberIdx(0))
            .unwrap()
            .warnings
            .is_empty()
    );
    assert_eq!(running.events(EventKind::Brake), ["a off→on", "a on→off"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_has_them_again_ends_the_brake_and_what_it_adds_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 10).await;
    running.change("a", list(8..20)).await;
    assert_eq!(running.left().await, 20, "eight are held back, ten are new");
    running.change("a", list(0..20)).await;
    assert_eq!(running.left().await, 20);
    assert!(!running.is_waited_for());
    after(10_000).await;
    running.change("a", list(1..20)).await;
    assert_eq!(
        running.left().await,
        19,
        "nothing is left of the first list"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn unready_services_count_as_lacking_and_each_may_come_back_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 4).await;
    let unready = Change::Synced((0..4).map(|n| one(n, 0)).collect());
    running.change("a", unready.clone()).await;
    assert_eq!(running.left().await, 4);
    let (name, facts) = one(0, 1);
    running.change("a", Change::Upsert(name, facts)).await;
    after(6_000).await;
    running.change("a", Change::Remove(named("s1"))).await;
    assert_eq!(running.left().await, 4, "no event confirms a list");
    running.change("a", list([0])).await;
    assert_eq!(running.left().await, 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_of_a_hundred_goes_at_once_and_the_only_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 100).await;
    running.change("a", list(1..100)).await;
    assert_eq!(running.left().await, 99);
    running.change("a", Change::Remove(named("s1"))).await;
    assert_eq!(running.left().await, 98);
    running.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 1).await;
    running.change("a", list([])).await;
    assert_eq!(running.left().await, 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_held_back_beyond_its_share_and_ends_with_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 100).await;
    for n in 0..50 {
        running
            .change("a", Change::Remove(named(&format!("s{n}"))))
            .await;
    }
    assert_eq!(running.left().await, 74, "the 27th is one too many");
    running.change("a", list(50..100)).await;
    assert_eq!(running.left().await, 74, "too soon");
    after(6_000).await;
    running.change("a", list(50..100)).await;
    assert_eq!(running.left().await, 50);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_one_member_holds_no_other_back_but_bursts_of_most_do() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(braked(&["a", "b", "c"], &folder));
    for member in ["a", "b", "c"] {
        running.change(member, list(0..100)).await;
    }
    after(20).await;
    let remove = async |member: &'static str, numbers: std::ops::Range<u8>| {
        for n in numbers {
            running.change(member, Change::Remove(one(n, 1).0)).await;
        }
        after(30).await;
    };
    let members_of = async |name: &'static str| available(&running.settled().await, name);
    // Beyond its quarter, what `a` lacks is held back.
    remove("a", 0..40).await;
    assert_eq!(members_of("s25").await, [1, 2]);
    assert_eq!(members_of("s39").await, [0, 1, 2]);
    // What `b` lacks goes at once, up to its own quarter.
    remove("b", 99..100).await;
    assert_eq!(members_of("s99").await, [0, 2]);
    remove("b", 50..90).await;
    assert_eq!(members_of("s89").await, [0, 1, 2]);
    // Two of three burst: so much at once is held back of everybody.
    remove("c", 98..99).await;
    assert_eq!(members_of("s98").await, [0, 1, 2]);
    after(10_000).await;
    remove("c", 97..98).await;
    assert_eq!(members_of("s97").await, [0, 1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_of_a_member_that_is_lost_is_let_through_with_its_hold() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(braked(&["a", "b", "c"], &folder));
    for member in ["a", "b", "c"] {
        running.change(member, list(0..100)).await;
    }
    running.change("a", list([])).await;
    running
        .change("a", Change::Lost(Loss::Watch("refused".into())))
        .await;
    after(59_000).await;
    assert_eq!(available(&running.settled().await, "s7"), [0, 1, 2]);
    assert!(running.is_waited_for());
    after(1_100).await;
    assert_eq!(available(&running.settled().await, "s7"), [1, 2]);
    assert!(!running.is_waited_for());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_removal_of_everything_is_no_burst() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 40).await;
    for n in 0..40 {
        running
            .change("a", Change::Remove(named(&format!("s{n}"))))
            .await;
        after(2_000).await;
    }
    assert_eq!(running.left().await, 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn probes_let_through_what_they_confirm_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 100).await;
    running.probed(3, Verdict::Down).await;
    running.change("a", list([])).await;
    assert_eq!(running.left().await, 99);
    running.probed(4, Verdict::Up).await;
    running.probed(5, Verdict::Suspect).await;
    running.probed(6, Verdict::Down).await;
    running.probed(5, Verdict::Down).await;
    assert_eq!(running.left().await, 97);
    assert_eq!(
        running.events(EventKind::Target),
        ["192.0.2.5:80 suspect→down"]
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_confirms_one_member() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 100).await;
    running.change("a", list([])).await;
    assert_eq!(running.left().await, 100);
    let refused = running.ask(OperatorCommand::Confirm(label("b"))).await;
    assert!(matches!(
        refused,
        Err(CommandRefused::NothingWithheld { .. })
    ));
    assert_eq!(running.left().await, 100);
    let refused = running
        .ask(OperatorCommand::Confirm(label("stranger")))
        .await;
    assert!(matches!(refused, Err(CommandRefused::Unknown { .. })));
    let done = running
        .ask(OperatorCommand::Confirm(label("a")))
        .await
        .unwrap();
    assert_eq!(done.notes, ["100 held-back removals applied"]);
    assert_eq!(running.left().await, 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_survives_a_reload_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 10).await;
    running.change("a", list([])).await;
    let mut reloaded = braked(&["b", "a"], &folder);
    reloaded.sources.reverse();
    running
        .handle
        .configs
        .send(Arc::new(reloaded))
        .await
        .unwrap();
    after(50).await;
    let snapshot = running.settled().await;
    assert_eq!(available(&snapshot, "s1"), [0]);
    assert!(
        !snapshot
            .member(crate::model::MemberIdx(0))
            .unwrap()
            .warnings
            .is_empty()
    );
    let left_out = braked(&["b"], &folder);
    running
        .handle
        .configs
        .send(Arc::new(left_out))
        .await
        .unwrap();
    after(50).await;
    assert!(
        !exists(&running.settled().await, "s1"),
        "a member taken out is no burst"
    );
    assert!(!running.is_waited_for());
    running.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 10).await;
    running.stop().await;
    let running = Running::start(braked(&["a", "b"], &folder));
    running.change("a", list([])).await;
    assert_eq!(running.left().await, 10, "not the first list ever");
    running.stop().await;
}

/// What a member does next.
#[derive(Debug, Clone)]
enum Step {
    /// It lists these.
    List(BTreeSet<u8>),
    /// It removes one.
    Remove(u8),
    /// It adds one.
    Add(u8),
    /// Time passes, in milliseconds.
    Pass(u16),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => btree_set(0..12u8, 0..12).prop_map(Step::List),
        4 => (0..12u8).prop_map(Step::Remove),
        2 => (0..12u8).prop_map(Step::Add),
        3 => (0..8_000u16).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_goes_without_confirmation_and_everything_in_the_end(steps in vec(steps(), 1..30)) {
        paused(follow(steps));
    }
}

/// Follows a member: no list may take more than half of what it shows at once, unless all that is
/// more was lacking in a list five seconds before; and lists that keep saying so win.
async fn follow(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let running = member(&folder, 12).await;
    // What the source says, and since when a list lacked what it still lacks.
    let mut said: BTreeSet<u8> = (0..12).collect();
    let mut lacked: BTreeMap<u8, tokio::time::Instant> = BTreeMap::new();
    for step in steps {
        let before = shown(&running).await;
        let now = tokio::time::Instant::now();
        match step {
            Step::Pass(millis) => after(millis.into()).await,
            Step::Add(n) => {
                let (name, facts) = one(n, 1);
                running.change("a", Change::Upsert(name, facts)).await;
                said.insert(n);
                lacked.remove(&n);
            }
            Step::Remove(n) => {
                running
                    .change("a", Change::Remove(named(&format!("s{n}"))))
                    .await;
                said.remove(&n);
                let shown = shown(&running).await;
                let gone = before.difference(&shown).count();
                assert!(gone <= 1, "one removal took {gone}");
                if shown.contains(&n) {
                    // One too many: the next list that is late enough confirms it.
                    lacked.entry(n).or_insert(now);
                }
            }
            Step::List(listed) => {
                running.change("a", list(listed.iter().copied())).await;
                let shown = shown(&running).await;
                let gone: BTreeSet<u8> = before.difference(&shown).copied().collect();
                let old = now.checked_sub(Duration::from_secs(5)).unwrap();
                let is_new = |n: &&u8| lacked.get(n).is_none_or(|since| *since > old);
                let new = gone.iter().filter(is_new).count();
                assert!(
                    new <= before.len() / 2,
                    "{new} of {} went at once",
                    before.len()
                );
                assert!(gone.is_disjoint(&listed) && shown.is_superset(&listed));
                lacked.retain(|n, _| !listed.contains(n));
                for n in before.difference(&listed) {
                    lacked.entry(*n).or_insert(now);
                }
                said = listed;
            }
        }
        assert!(
            shown(&running).await.is_superset(&said),
            "what is there is shown"
        );
    }
    for _ in 0..8 {
        running.change("a", list(said.iter().copied())).await;
        after(5_100).await;
    }
    assert_eq!(shown(&running).await, said);
    assert!(!running.is_waited_for());
    running.stop().await;
}

/// The services that are shown.
async fn shown(running: &Running) -> BTreeSet<u8> {
    after(15).await;
    let snapshot = running.settled().await;
    (0..12)
        .filter(|n| exists(&snapshot, &format!("s{n}")))
        .collect()
}
