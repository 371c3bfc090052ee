//! Lists that take much away, from an API to what is published.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use gazetteer::model::{Epoch, EventKind, MemberIdx};
use gazetteer::publish::{Handle, Storage, Writer, spawn};
use gazetteer::sources::Lifetime;
use gazetteer::sources::kubernetes::{CredentialStore, run_with};
use gazetteer::telemetry::Metrics;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fake_apiserver::{FakeApi, Push, Reply, Resource, Verb};
use crate::member::{Member, service, short, slice};

/// How many services the member has.
const SERVICES: usize = 30;

/// How long a test waits for a condition.
const DEADLINE: Duration = Duration::from_secs(30);

/// A source and a writer.
struct Published {
    /// What the writer shares.
    handle: Handle,
    /// The writer.
    writer: Writer,
    /// The source.
    tasks: JoinSet<()>,
    /// Ends the source.
    cancel: CancellationToken,
    /// The files of both.
    _folder: TempDir,
    /// The fewest services seen.
    fewest: usize,
}

impl Published {
    /// A source of `api` and its writer, once everything is published.
    async fn of(api: &FakeApi) -> Self {
        let folder = tempfile::tempdir().unwrap();
        api.kubeconfig(folder.path());
        let path = folder.path().join("gazetteer.toml");
        let text = r#"
            version = "v1"
            state-dir = "state"
            [listen]
            dns = ["127.0.0.1:0"]
            [[federation]]
            name = "f"
            apex = "example.com"
            export = "load-balancers"
            hostmaster = "hostmaster.example.com"
            nameservers = [{ name = "ns1.example.com", addresses = ["192.0.2.1"] }]
            [[member]]
            name = "m1"
            region = "r1"
            zones = ["z1"]
            source = { kubeconfig = "kubeconfig", context = "fake" }
        "#;
        File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let config = gazetteer::config::load(&path).unwrap();
        let (source, metrics) = (config.sources[0].clone(), Arc::new(Metrics::new()));
        let started = tokio::task::spawn_blocking({
            let metrics = metrics.clone();
            // Nothing is signed.
            let (_, keys) = watch::channel(Arc::default());
            move || spawn(Arc::new(config), metrics, Storage::default(), keys).unwrap()
        });
        let (handle, writer) = started.await.unwrap();
        let cancel = CancellationToken::new();
        let lifetime = Lifetime {
            source,
            epoch: Epoch(1),
            deltas: handle.deltas.clone(),
            unconfirmed: handle.unconfirmed.clone(),
            cancel: cancel.clone(),
        };
        let mut tasks = JoinSet::new();
        let lists = Arc::new(Semaphore::new(4));
        let credentials = CredentialStore {
            folder: folder.path().join("credentials"),
            ..CredentialStore::default()
        };
        tasks.spawn(async move {
            run_with(lifetime, lists, metrics, &credentials, &short()).await;
        });
        let mut published = Self {
            handle,
            writer,
            tasks,
            cancel,
            _folder: folder,
            fewest: 0,
        };
        published
            .until("all services", |now| now.services() == SERVICES)
            .await;
        published.fewest = SERVICES;
        published
    }

    /// How many services are published.
    fn services(&self) -> usize {
        self.handle.snapshots.load().exported(MemberIdx(0))
    }

    /// Whether the writer waits for another list.
    fn waits(&self) -> bool {
        !self.handle.unconfirmed.borrow().is_empty()
    }

    /// What the member became last, as its events have it.
    fn last_state(&self) -> Option<String> {
        let events = self.handle.events.since(0);
        let last = events.iter().rfind(|event| event.kind == EventKind::Member);
        last.map(|event| event.to.clone())
    }

    /// Whether contact with the member is lost.
    fn is_held(&self) -> bool {
        self.last_state().is_some_and(|state| state == "Held")
    }

    /// Whether the member is in contact, and has said everything.
    fn is_ready(&self) -> bool {
        self.last_state().is_some_and(|state| state == "Ready")
    }

    /// Waits until `condition` holds.
    async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                self.fewest = self.fewest.min(self.services());
                if condition(self) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, wait).await.is_ok(), "{what}");
    }

    /// Ends both.
    async fn stop(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
        let writer = self.writer;
        tokio::task::spawn_blocking(|| writer.stop()).await.unwrap();
    }
}

/// Puts the services into an API.
fn fill(api: &FakeApi) {
    for n in 0..SERVICES {
        api.apply(Resource::Services, service(&format!("s{n}")));
        api.apply(Resource::EndpointSlices, slice(&format!("s{n}"), 1));
    }
}

#[tokio::test]
async fn an_empty_list_changes_nothing_until_another_says_the_same() {
    let api = FakeApi::start();
    let empty = api.save();
    fill(&api);
    let full = api.save();
    let mut published = Published::of(&api).await;
    api.restore(&empty);
    published.until("the brake", Published::waits).await;
    api.restore(&full);
    published
        .until("the brake is off", |now| !now.waits())
        .await;
    assert_eq!(published.fewest, SERVICES, "nothing was ever gone");
    api.restore(&empty);
    published.until("the brake again", Published::waits).await;
    assert_eq!(published.fewest, SERVICES);
    published
        .until("confirmed", |now| now.services() == 0)
        .await;
    published
        .until("the brake is off again", |now| !now.waits())
        .await;
    published.stop().await;
}

#[tokio::test]
async fn one_of_many_goes_at_once() {
    let api = FakeApi::start();
    fill(&api);
    let mut published = Published::of(&api).await;
    assert!(api.delete(Resource::Services, "shop", "s3"));
    published
        .until("one less", |now| now.services() == SERVICES - 1)
        .await;
    assert!(!published.waits());
    published.stop().await;
}

#[tokio::test]
async fn what_a_list_lacks_is_said_as_a_list_and_said_again_when_asked() {
    let api = FakeApi::start();
    fill(&api);
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.compact();
    assert!(api.delete(Resource::Services, "shop", "s3"));
    api.compact();
    api.push(Resource::Services, Push::Gone);
    member
        .until("a list", |member| member.services.len() == SERVICES - 1)
        .await;
    let lists = |api: &FakeApi, resource| api.read(|state| state.count(resource, Verb::Watch));
    let before = [Resource::Services, Resource::EndpointSlices].map(|kind| lists(&api, kind));
    let said = member.count("synced");
    member
        .unconfirmed
        .send_replace(Arc::new(["m1".parse().unwrap()].into()));
    member
        .until("a list again", |member| member.count("synced") > said)
        .await;
    member.unconfirmed.send_replace(Arc::default());
    let after = [Resource::Services, Resource::EndpointSlices].map(|kind| lists(&api, kind));
    assert!(
        before
            .iter()
            .zip(after)
            .all(|(before, after)| after > *before)
    );
    assert_eq!(member.count("lost"), 0);
    member.stop().await;
}

/// What becomes of the list that is wanted for confirmation before the API goes away.
#[derive(Debug, Clone, Copy)]
enum Second {
    /// It is under way: the API accepts the request, and says nothing.
    Hangs,
    /// It is wanted for the first time when the API is away already.
    IsWantedLate,
}

/// Has the brake hold back everything of a member, and its API go away before a second list has come,
/// for longer than it takes to be lost. It comes back `full` or empty.
async fn away_while_a_list_is_wanted(second: Second, full: bool) {
    let mut api = FakeApi::start();
    let empty = api.save();
    fill(&api);
    let saved = api.save();
    let mut published = Published::of(&api).await;
    let watches = |api: &FakeApi| api.read(|state| state.count(Resource::Services, Verb::Watch));
    api.restore(&empty);
    published.until("the brake", Published::waits).await;
    if let Second::Hangs = second {
        let before = watches(&api);
        api.set(Resource::Services, Verb::Watch, Reply::Hang);
        api.set(Resource::Services, Verb::List, Reply::Hang);
        published
            .until("a second list", |_| watches(&api) > before)
            .await;
    }
    api.kill();
    published.until("a loss", Published::is_held).await;
    if full {
        api.restore(&saved);
    }
    api.heal(Resource::Services, Verb::Watch);
    api.heal(Resource::Services, Verb::List);
    api.resume();
    published.until("ready", Published::is_ready).await;
    published
        .until("nothing is held back", |now| !now.waits())
        .await;
    let left = if full { SERVICES } else { 0 };
    published
        .until("confirmed or undone", |now| now.services() == left)
        .await;
    if full {
        assert_eq!(published.fewest, SERVICES, "nothing was ever gone");
    }
    api.apply(Resource::Services, service("new"));
    api.apply(Resource::EndpointSlices, slice("new", 1));
    published
        .until("its changes are folded", |now| now.services() == left + 1)
        .await;
    published.stop().await;
}

#[tokio::test]
async fn a_member_that_is_lost_during_its_second_list_returns() {
    away_while_a_list_is_wanted(Second::Hangs, true).await;
    away_while_a_list_is_wanted(Second::Hangs, false).await;
}

#[tokio::test]
async fn a_member_of_which_a_list_is_wanted_while_it_is_lost_returns() {
    away_while_a_list_is_wanted(Second::IsWantedLate, true).await;
    away_while_a_list_is_wanted(Second::IsWantedLate, false).await;
}
