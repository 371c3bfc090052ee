//! A member under test: the source running against a fake API server, and what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gazetteer::config::{MemberSource, Source};
use gazetteer::model::{
    Change, Delta, Epoch, Identity, LearntTopology, Loss, Service, UnixSeconds,
};
use gazetteer::names::Label;
use gazetteer::sources::Lifetime;
use gazetteer::sources::kubernetes::{CredentialStore, Timing, run_with};
use gazetteer::telemetry::{LastContact, Metrics};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fake_apiserver::{FakeApi, Resource};

/// How long a test waits for a condition.
const DEADLINE: Duration = Duration::from_secs(60);

/// Times that make a test short.
pub(crate) fn short() -> Timing {
    let millis = Duration::from_millis;
    Timing {
        jitter: Duration::ZERO,
        heartbeat: millis(200),
        look: millis(100),
        answer: millis(1000),
        page: millis(1500),
        streamed_list: millis(1500),
        down: millis(1000),
        stall: Duration::from_secs(60),
        first_pause: millis(20),
        longest_pause: millis(200),
        first_rare_pause: millis(50),
        longest_rare_pause: millis(500),
        optional_probe: millis(100),
        optional_wait: millis(3000),
        files: millis(50),
        confirm: millis(100),
        ..Timing::default()
    }
}

/// A member under test, and what it said so far.
pub(crate) struct Member {
    /// Its files.
    pub(crate) folder: TempDir,
    /// What it says.
    deltas: mpsc::Receiver<Delta>,
    /// Ends it.
    cancel: CancellationToken,
    /// Asks it for another list.
    pub(crate) unconfirmed: watch::Sender<Arc<BTreeSet<Label>>>,
    /// Its task.
    tasks: JoinSet<()>,
    /// What it counts.
    metrics: Arc<Metrics>,
    /// What it said of contact, in short, oldest first.
    pub(crate) said: Vec<String>,
    /// What it is.
    pub(crate) identity: Option<Identity>,
    /// Its services by `namespace/name`.
    pub(crate) services: BTreeMap<String, Arc<Service>>,
    /// The fewest services that it had since its last sync but one.
    pub(crate) fewest: usize,
    /// Where its nodes stand.
    pub(crate) topology: Option<LearntTopology>,
}

impl Member {
    /// A member of `api`, with short times, whose nodes are watched.
    pub(crate) fn of(api: &FakeApi) -> Self {
        let folder = tempfile::tempdir().unwrap();
        api.kubeconfig(folder.path());
        Self::start(folder, "fake", &short(), Arc::new(Semaphore::new(4)))
    }

    /// A member of the kubeconfig in `folder`.
    pub(crate) fn start(
        folder: TempDir,
        context: &str,
        timing: &Timing,
        lists: Arc<Semaphore>,
    ) -> Self {
        let source = MemberSource {
            member: "m1".parse().unwrap(),
            has_topology: false,
            facts_limit: 1 << 30,
            renews: true,
            addresses_from: Vec::new(),
            front: None,
            source: Source::Kubeconfig {
                path: folder.path().join("kubeconfig"),
                context: context.to_owned(),
            },
        };
        Self::run(folder, source, timing, lists)
    }

    /// A member of `source`, whose files are in `folder`.
    pub(crate) fn run(
        folder: TempDir,
        source: MemberSource,
        timing: &Timing,
        lists: Arc<Semaphore>,
    ) -> Self {
        let (sender, deltas) = mpsc::channel(16);
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (asks, unconfirmed) = watch::channel(Arc::default());
        let lifetime = Lifetime {
            source,
            epoch: Epoch(7),
            deltas: sender,
            unconfirmed,
            cancel: cancel.clone(),
        };
        let metrics = Arc::new(Metrics::new());
        let (timing, shown) = (*timing, Arc::clone(&metrics));
        let credentials = CredentialStore {
            folder: folder.path().join("credentials"),
            ..CredentialStore::default()
        };
        tasks.spawn(async move {
            run_with(lifetime, lists, metrics, &credentials, &timing).await;
        });
        Self {
            folder,
            deltas,
            cancel,
            unconfirmed: asks,
            tasks,
            metrics: shown,
            said: Vec::new(),
            identity: None,
            services: BTreeMap::new(),
            fewest: 0,
            topology: None,
        }
    }

    /// Waits until `condition` holds; panics with `what` at the deadline.
    pub(crate) async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                let delta = self.deltas.recv().await;
                self.hear(delta.expect("the source runs"));
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, wait).await.is_ok();
        let Self { said, services, .. } = self;
        assert!(in_time, "{what}: said {said:?}, services {services:?}");
    }

    /// Waits until the last thing said of contact begins with `word`.
    pub(crate) async fn until_said(&mut self, word: &str) {
        self.until(word, |member| {
            member
                .said
                .last()
                .is_some_and(|said| said.starts_with(word))
        })
        .await;
    }

    /// Waits until `service` has so many ready endpoints.
    pub(crate) async fn until_ready(&mut self, service: &str, ready: u32) {
        self.until(&format!("{service} ready {ready}"), |member| {
            let service = member.services.get(&format!("shop/{service}"));
            service.is_some_and(|service| service.endpoints.ready == ready)
        })
        .await;
    }

    /// Waits until the names of the services are `names`.
    pub(crate) async fn until_services(&mut self, names: &[&str]) {
        self.until(&format!("services {names:?}"), |member| {
            let present = member
                .services
                .keys()
                .map(|key| key.trim_start_matches("shop/"));
            present.eq(names.iter().copied())
        })
        .await;
    }

    /// How often it said something that begins with `word`.
    pub(crate) fn count(&self, word: &str) -> usize {
        self.said
            .iter()
            .filter(|said| said.starts_with(word))
            .count()
    }

    /// When it was last heard, and how it is asked.
    pub(crate) fn contact(&self) -> LastContact {
        self.metrics.contact("m1")
    }

    /// Its metrics, as text.
    pub(crate) fn metrics(&self) -> String {
        self.metrics.render(UnixSeconds(0))
    }

    /// Ends the source; it must end in time.
    pub(crate) async fn stop(self) {
        self.stop_and_keep().await;
    }

    /// The same; its files stay.
    pub(crate) async fn stop_and_keep(mut self) -> TempDir {
        self.cancel.cancel();
        let ended = tokio::time::timeout(DEADLINE, self.tasks.join_next()).await;
        ended
            .expect("it ends")
            .expect("one task")
            .expect("no panic");
        self.folder
    }

    /// Stops listening; the source must end by itself.
    pub(crate) async fn leave(mut self) {
        drop(self.deltas);
        let ended = tokio::time::timeout(DEADLINE, self.tasks.join_next()).await;
        ended
            .expect("it ends")
            .expect("one task")
            .expect("no panic");
    }

    /// Takes in what the source says.
    fn hear(&mut self, delta: Delta) {
        let Delta::Member {
            member,
            epoch,
            change,
        } = delta
        else {
            panic!("{delta:?}");
        };
        assert_eq!((member.as_str(), epoch), ("m1", Epoch(7)));
        match change {
            Change::Identity(identity) => self.identity = Some(identity),
            Change::Topology(topology) => self.topology = Some(topology),
            Change::Networks(_) | Change::Whole(_) => {}
            Change::Synced(all) => {
                assert!(self.identity.is_some(), "the identity comes first");
                self.services = all
                    .into_iter()
                    .map(|(name, service)| (name.to_string(), service))
                    .collect();
                self.fewest = self.services.len();
                self.said.push("synced".to_owned());
            }
            Change::Upsert(name, service) => {
                assert!(
                    self.count("synced") > 0,
                    "nothing comes before the first sync"
                );
                self.services.insert(name.to_string(), service);
            }
            Change::Remove(name) => {
                assert!(self.services.remove(&name.to_string()).is_some(), "{name}");
                self.fewest = self.fewest.min(self.services.len());
            }
            Change::Lost(loss) => self.said.push(match loss {
                Loss::Watch(text) => format!("lost watch {text}"),
                Loss::Heartbeat(text) => format!("lost heartbeat {text}"),
                Loss::Refused(text) => format!("lost refused {text}"),
                Loss::File(text) | Loss::Mark(text) => format!("lost file {text}"),
                Loss::Client(text) => format!("lost client {text}"),
            }),
            Change::Returning => self.said.push("returning".to_owned()),
            Change::Resumed => self.said.push("resumed".to_owned()),
        }
    }
}

/// A service of type `LoadBalancer`.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "metadata": { "namespace": "shop", "name": name },
        "spec": { "type": "LoadBalancer", "ports": [{ "name": "http", "port": 80 }] },
        "status": { "loadBalancer": { "ingress": [{ "ip": "203.0.113.11" }] } },
    })
}

/// A slice of `service` with as many ready endpoints.
pub(crate) fn slice(service: &str, ready: usize) -> Value {
    let endpoints: Vec<Value> = (1..=ready)
        .map(|number| json!({ "addresses": [format!("10.1.0.{number}")], "conditions": {} }))
        .collect();
    json!({
        "metadata": {
            "namespace": "shop", "name": format!("{service}-1"),
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{ "name": "http", "port": 80 }],
    })
}

/// A server with the service `web`, its slice with two endpoints, and a node.
pub(crate) fn api() -> FakeApi {
    let api = FakeApi::start();
    fill(&api);
    api
}

/// Puts the service `web`, its slice with two endpoints, and a node into a server.
pub(crate) fn fill(api: &FakeApi) {
    api.apply(Resource::Services, service("web"));
    api.apply(Resource::EndpointSlices, slice("web", 2));
    let labels = json!({
        "topology.kubernetes.io/region": "r1", "topology.kubernetes.io/zone": "r1-a",
    });
    api.apply(
        Resource::Nodes,
        json!({ "metadata": { "name": "n1", "labels": labels } }),
    );
}

/// Writes a kubeconfig whose only context is `name`, for `server` and `user`.
pub(crate) fn kubeconfig(folder: &Path, name: &str, cluster: &Value, user: &Value) -> PathBuf {
    let config = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{ "name": "c", "cluster": cluster }],
        "users": [{ "name": "u", "user": user }],
        "contexts": [{ "name": name, "context": { "cluster": "c", "user": "u" } }],
    });
    let path = folder.join("kubeconfig");
    crate::fake_apiserver::write(&path, &config.to_string());
    path
}
