//! `safe at` waits for what caches hold of earlier answers, whatever has become of those since.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::{option, sample};
use tokio::time::Instant;

use super::fixture::{Running, after, config, fleet, label, named, paused, service};
use super::overrides::{START, begin_wall, drain, drains, freeze, pass, start, wall};
use crate::config::Config;
use crate::model::{Change, Identity, OverrideTarget, Service};
use crate::publish::{CommandOutcome, OperatorCommand};

/// A service with a TTL, and perhaps another name.
fn slow(ttl: Option<u64>, external_name: Option<&str>) -> Arc<Service> {
    let mut slow = (*service("192.0.2.9", 1)).clone();
    let steering = &mut Arc::make_mut(&mut slow.spec).steering;
    steering.ttl = ttl.map(Duration::from_secs);
    steering.external_name = external_name.map(label);
    Arc::new(slow)
}

/// A configuration of these members, whose services have this TTL unless they say another.
fn with_ttl(members: &[&str], ttl: u64, folder: &Path) -> Config {
    let mut fleet = fleet(members);
    for federation in &mut fleet.federations {
        federation.ttl = Duration::from_secs(ttl);
    }
    Config {
        fleet: Arc::new(fleet),
        ..config(members, folder)
    }
}

/// Has the writer take a configuration.
async fn reload(running: &Running, config: Config) {
    running.handle.configs.send(Arc::new(config)).await.unwrap();
    after(20).await;
}

/// In how many seconds a command says that it is safe, without what clocks may differ by.
fn safe_in(done: CommandOutcome) -> u64 {
    done.drain.unwrap().drain.safe_at.unwrap().0 - wall().0 - 2
}

#[tokio::test(start_paused = true)]
async fn a_ttl_that_a_reload_has_lowered_counts_until_it_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let members = ["a", "b"];
    reload(&running, with_ttl(&members, 300, folder.path())).await;
    reload(&running, with_ttl(&members, 30, folder.path())).await;
    pass(100).await;
    for target in ["a", "service/ns/s", "region/r2"] {
        let done = running.ask(drain(target, 0, None)).await.unwrap();
        let safe_in = safe_in(done);
        assert!((200..=201).contains(&safe_in), "{target}: {safe_in}");
        running
            .ask(OperatorCommand::Uncordon(target.parse().unwrap()))
            .await
            .unwrap();
    }
    pass(201).await;
    let done = running.ask(drain("a", 0, None)).await.unwrap();
    assert_eq!(safe_in(done), 30, "it has passed");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_or_has_gone_from_a_member_counts() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    for member in ["a", "b"] {
        let change = Change::Upsert(named("t"), slow(Some(300), None));
        running.change(member, change).await;
    }
    after(20).await;
    running.change("a", Change::Remove(named("t"))).await;
    pass(100).await;
    let done = running.ask(drain("a", 0, None)).await.unwrap();
    assert!(safe_in(done) >= 199);
    running.change("b", Change::Remove(named("t"))).await;
    pass(100).await;
    let done = running.ask(drain("b", 0, None)).await.unwrap();
    assert!(safe_in(done) >= 199);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_start_the_longest_ttl_that_was_kept_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let change = Change::Upsert(named("t"), slow(Some(300), None));
    running.change("b", change).await;
    after(20).await;
    running.change("b", Change::Remove(named("t"))).await;
    pass(10).await;
    running.stop().await;
    let start = || Running::start_at(config(&["a", "b"], folder.path()), wall);
    let running = start();
    let done = running.ask(drain("b", 0, None)).await.unwrap();
    assert!(safe_in(done) >= 289);
    pass(301).await;
    let done = running.ask(drain("a", 0, None)).await.unwrap();
    assert_eq!(safe_in(done), 30, "it has passed");
    running.stop().await;
    let running = start();
    let done = running.ask(drain("service/ns/s", 0, None)).await.unwrap();
    assert_eq!(safe_in(done), 30, "and is forgotten");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_a_reload_takes_out_while_answers_are_frozen_counts() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    reload(&running, with_ttl(&["a", "b"], 300, folder.path())).await;
    running.ask(freeze(None)).await.unwrap();
    for target in ["b", "region/r2"] {
        running.ask(drain(target, 0, None)).await.unwrap();
    }
    reload(&running, with_ttl(&["a"], 10, folder.path())).await;
    pass(20).await;
    running.ask(OperatorCommand::Thaw).await.unwrap();
    for drained in drains(&running) {
        let safe_in = drained.drain.safe_at.unwrap().0 - wall().0;
        assert!(safe_in >= 300, "{}: {safe_in}", drained.drain.target);
    }
    assert_eq!(drains(&running).len(), 2);
    running.stop().await;
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// A member has a service, with this TTL and name.
    Upsert(
        &'static str,
        &'static str,
        Option<u64>,
        Option<&'static str>,
    ),
    /// A member has a service no more.
    Remove(&'static str, &'static str),
    /// A configuration of these members and this TTL is taken.
    Reload(&'static [&'static str], u64),
    /// The process ends, and one with such a configuration goes on.
    Restart(&'static [&'static str], u64),
    /// So many seconds pass.
    Pass(u64),
    /// A target is cordoned.
    Cordon(&'static str),
    /// Answers stay as they are.
    Freeze,
    /// They no longer do.
    Thaw,
}

/// Every target of a history.
const TARGETS: &[&str] = &["a", "b", "service/ns/s", "service/ns/t"];

fn steps() -> impl Strategy<Value = Step> {
    let member = || sample::select(vec!["a", "b"]);
    let service = || sample::select(vec!["s", "t"]);
    let ttl = || sample::select(vec![10, 60, 300]);
    let members = || {
        let few: [&'static [&'static str]; 5] =
            [&["a", "b"], &["b", "a"], &["a"], &["b"], &["c", "a", "b"]];
        sample::select(few.to_vec())
    };
    let name = || option::weighted(0.2, sample::select(vec!["s", "t", "u"]));
    prop_oneof![
        6 => (member(), service(), option::of(ttl()), name())
            .prop_map(|(member, service, ttl, name)| Step::Upsert(member, service, ttl, name)),
        3 => (member(), service()).prop_map(|(member, service)| Step::Remove(member, service)),
        3 => (members(), ttl()).prop_map(|(members, ttl)| Step::Reload(members, ttl)),
        2 => (members(), ttl()).prop_map(|(members, ttl)| Step::Restart(members, ttl)),
        4 => (1..40u64).prop_map(Step::Pass),
        6 => sample::select(TARGETS.to_vec()).prop_map(Step::Cordon),
        1 => Just(Step::Freeze),
        1 => Just(Step::Thaw),
    ]
}

/// A writer, and until when a cache holds what each target means, by what was looked at.
struct History<'f> {
    folder: &'f Path,
    /// `None` while none runs.
    running: Option<Running>,
    members: &'static [&'static str],
    /// Which member has which service.
    services: BTreeSet<(&'static str, &'static str)>,
    /// Services that are published: another may have been called as one that was not there.
    published: BTreeSet<&'static str>,
    /// Answers stay as they are.
    is_frozen: bool,
    begun: Instant,
    until: BTreeMap<&'static str, Duration>,
}

impl<'f> History<'f> {
    /// A writer on members `a` and `b`.
    async fn start(folder: &'f Path) -> Self {
        begin_wall();
        wall();
        let members = &["a", "b"];
        let running = Running::start_at(with_ttl(members, 300, folder), wall);
        let mut history = Self {
            folder,
            running: Some(running),
            members,
            services: BTreeSet::new(),
            published: BTreeSet::new(),
            is_frozen: false,
            begun: Instant::now(),
            until: BTreeMap::new(),
        };
        history.list(members).await;
        history.published.insert("s");
        history
    }

    /// The writer.
    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Members say who they are, and that they have service `s`.
    async fn list(&mut self, members: &[&'static str]) {
        self.services
            .retain(|(member, _)| self.members.contains(member) && !members.contains(member));
        for member in members {
            self.services.insert((member, "s"));
            let origin = format!("https://{member}");
            let identity = Identity {
                origin,
                ..Identity::default()
            };
            let services = vec![(named("s"), slow(None, None))];
            for change in [Change::Identity(identity), Change::Synced(services)] {
                self.running().change(member, change).await;
            }
        }
        after(20).await;
    }

    /// Notes what is answered at this moment.
    fn look(&mut self) {
        let published = self.running().handle.snapshots.load_full();
        for target in TARGETS {
            let ttl = if let OverrideTarget::Service(name) = target.parse().unwrap() {
                if !self.published.contains(name.name.as_str()) {
                    continue;
                }
                published.longest_ttl_of(&name)
            } else {
                let members = published.fleet().members.iter();
                let members = members.filter(|(_, member)| member.name == label(target));
                published.longest_ttl(members.map(|(index, _)| index).collect())
            };
            let until = self.begun.elapsed() + Duration::from_secs(ttl.into());
            let noted = self.until.entry(target).or_default();
            *noted = until.max(*noted);
        }
    }

    /// Takes a step.
    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Upsert(member, name, ttl, external_name) => {
                let change = Change::Upsert(named(name), slow(ttl, external_name));
                self.running().change(member, change).await;
                self.services.insert((member, name));
            }
            Step::Remove(member, name) => {
                self.running()
                    .change(member, Change::Remove(named(name)))
                    .await;
                self.services.remove(&(member, name));
            }
            Step::Reload(members, ttl) => {
                reload(self.running(), with_ttl(members, ttl, self.folder)).await;
                let is_new = |member: &&&str| !self.members.contains(*member);
                let new: Vec<_> = members.iter().filter(is_new).copied().collect();
                self.members = members;
                self.list(&new).await;
            }
            Step::Restart(members, ttl) => {
                let next = with_ttl(members, ttl, self.folder);
                self.running.take().unwrap().stop().await;
                self.running = Some(Running::start_at(next, wall));
                self.members = members;
                self.list(members).await;
            }
            Step::Pass(seconds) => pass(seconds).await,
            // One that is not known is refused.
            Step::Cordon(target) => drop(self.running().ask(drain(target, 0, None)).await),
            Step::Freeze => {
                self.is_frozen = true;
                drop(self.running().ask(freeze(None)).await);
            }
            Step::Thaw => {
                self.is_frozen = false;
                drop(self.running().ask(OperatorCommand::Thaw).await);
            }
        }
        after(20).await;
        if !self.is_frozen {
            self.published = self.services.iter().map(|(_, name)| *name).collect();
        }
    }

    /// Compares what is said to be safe with what was noted, and takes it back.
    async fn check(&self) -> Result<(), TestCaseError> {
        for drained in drains(self.running()) {
            let Some(safe_at) = drained.drain.safe_at else {
                continue;
            };
            let target = drained.drain.target;
            let noted = self.until.get(&*target.to_string()).copied();
            let noted = noted.unwrap_or_default();
            let safe_at = Duration::from_secs(safe_at.0 - START);
            prop_assert!(safe_at >= noted, "{target}: {safe_at:?}, but {noted:?}");
            drop(self.running().ask(OperatorCommand::Uncordon(target)).await);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn safe_at_is_never_before_a_cache_has_forgotten(steps in vec(steps(), 1..24)) {
        paused(async {
            let folder = tempfile::tempdir().unwrap();
            let mut history = History::start(folder.path()).await;
            for step in &steps {
                history.look();
                history.take(step).await;
                history.check().await?;
            }
            history.running.take().unwrap().stop().await;
            Ok::<(), TestCaseError>(())
        })?;
    }
}
