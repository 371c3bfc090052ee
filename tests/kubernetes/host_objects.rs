//! Lists and watches of the host cluster, and what its faults mean: nothing.

use std::sync::Arc;
use std::time::Duration;

use gazetteer::config::Source;
use gazetteer::sources::kubernetes::{
    HostClient, HostNews, HostObject, HostQuery, HostTiming, follow_host,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::fake_apiserver::{FakeApi, Push, Reply, Resource, Verb, write};

/// The selector of the tests.
const SELECTOR: &str = "gazetteer.dev/member=true";

/// A Secret with these labels.
fn secret(name: &str, labels: &Value, text: &str) -> Value {
    json!({
        "metadata": {"namespace": "gazetteer", "name": name, "labels": labels},
        "data": {"kubeconfig": text},
    })
}

/// A Secret that is asked for.
fn member(name: &str, text: &str) -> Value {
    secret(name, &json!({"gazetteer.dev/member": "true"}), text)
}

/// A loop that is followed.
struct Followed {
    news: mpsc::Receiver<HostNews>,
    again: Arc<Notify>,
    folder: TempDir,
    /// Owns the loop.
    _runs: JoinSet<()>,
}

impl Followed {
    /// Follows what `query` asks of `api`.
    fn start(api: &FakeApi, query: HostQuery, timing: HostTiming) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Kubeconfig {
            path: api.kubeconfig(folder.path()),
            context: "fake".to_owned(),
        };
        let (said, news) = mpsc::channel(16);
        let again = Arc::new(Notify::new());
        let client = Arc::new(HostClient::new(source));
        let mut runs = JoinSet::new();
        runs.spawn(follow_host(client, query, said, Arc::clone(&again), timing));
        Self {
            news,
            again,
            folder,
            _runs: runs,
        }
    }

    /// What is said next.
    async fn next(&mut self) -> HostNews {
        let next = tokio::time::timeout(Duration::from_secs(30), self.news.recv()).await;
        next.expect("in time").expect("it goes on")
    }

    /// What is said next that is no failure, in short, and which failures were said before it.
    async fn after_failures(&mut self) -> (String, Vec<String>) {
        let mut failures = Vec::new();
        loop {
            match self.next().await {
                HostNews::Failed { why, .. } => failures.push(why),
                other => return (short(&other), failures),
            }
        }
    }

    /// What is said next that is no failure, in short.
    async fn good(&mut self) -> String {
        self.after_failures().await.0
    }
}

/// Short times.
fn quick() -> HostTiming {
    HostTiming {
        longest_pause: Duration::from_millis(300),
        not_served: Duration::from_millis(300),
        ..HostTiming::default()
    }
}

/// What is said, in a line.
fn short(news: &HostNews) -> String {
    let data = |object: &HostObject| {
        object.body["data"]["kubeconfig"]
            .as_str()
            .map(str::to_owned)
    };
    let one = |object: &HostObject| match data(object) {
        Some(data) => format!("{}={data}", object.name),
        None => object.name.clone(),
    };
    match news {
        HostNews::Listed(objects) => {
            let mut objects: Vec<_> = objects.iter().map(one).collect();
            objects.sort();
            format!("list {}", objects.join(" "))
        }
        HostNews::Applied(object) => format!("is {}", one(object)),
        HostNews::Deleted(object) => format!("gone {}", object.name),
        HostNews::NotServed => "not served".to_owned(),
        HostNews::Failed { why, .. } => format!("failed {why}"),
    }
}

#[tokio::test]
async fn what_is_selected_is_followed() {
    let api = FakeApi::start();
    api.apply(Resource::Secrets, member("a", "1"));
    api.apply(Resource::Secrets, secret("other", &json!({}), "x"));
    let mut host = Followed::start(&api, HostQuery::secrets("gazetteer", SELECTOR), quick());
    assert_eq!(host.good().await, "list a=1");
    api.apply(Resource::Secrets, member("b", "1"));
    assert_eq!(host.good().await, "is b=1");
    api.apply(Resource::Secrets, member("a", "2"));
    assert_eq!(host.good().await, "is a=2");
    // A label that is taken away is as good as a deletion.
    api.apply(Resource::Secrets, secret("a", &json!({}), "2"));
    assert_eq!(host.good().await, "gone a");
    api.delete(Resource::Secrets, "gazetteer", "b");
    assert_eq!(host.good().await, "gone b");
    host.again.notify_one();
    assert_eq!(host.good().await, "list ");
    // Many objects come in pages.
    for number in 0..150 {
        api.apply(Resource::Secrets, member(&format!("m{number:03}"), "1"));
        assert_eq!(host.good().await, format!("is m{number:03}=1"));
    }
    host.again.notify_one();
    let list = host.good().await;
    assert_eq!(list.split(' ').count(), 151, "{list}");
}

#[tokio::test]
async fn one_object_is_followed_by_its_name() {
    let api = FakeApi::start();
    let query = HostQuery::config_map("gazetteer", "overrides");
    let mut host = Followed::start(&api, query, quick());
    assert_eq!(host.good().await, "list ");
    let map = |name: &str| json!({"metadata": {"namespace": "gazetteer", "name": name}});
    api.apply(Resource::ConfigMaps, map("another"));
    api.apply(Resource::ConfigMaps, map("overrides"));
    assert_eq!(host.good().await, "is overrides");
}

#[tokio::test]
async fn a_host_that_fails_says_nothing_of_its_objects() {
    let mut api = FakeApi::start();
    api.apply(Resource::Secrets, member("a", "1"));
    api.set(Resource::Secrets, Verb::List, Reply::denied());
    let mut host = Followed::start(&api, HostQuery::secrets("gazetteer", SELECTOR), quick());
    let said = short(&host.next().await);
    assert!(said.starts_with("failed 403"), "{said}");
    for reply in [
        Reply::status(500, "InternalError", "boom"),
        Reply::Text(200, "{}"),
        Reply::Text(
            200,
            "{\"kind\":\"SecretList\",\"metadata\":{},\"items\":[]}",
        ),
        Reply::Cut,
    ] {
        api.set(Resource::Secrets, Verb::List, reply);
        let before = api.read(|state| state.count(Resource::Secrets, Verb::List));
        while api.read(|state| state.count(Resource::Secrets, Verb::List)) < before + 3 {
            let said = short(&host.next().await);
            assert!(said.starts_with("failed "), "{said}");
        }
    }
    api.heal(Resource::Secrets, Verb::List);
    assert_eq!(host.good().await, "list a=1");
    // Whatever ends a watch otherwise than by its time-out is followed by a list.
    for push in [Push::CutMidObject, Push::Gone, Push::Line("x\n".to_owned())] {
        api.until("a watch", |state| state.watches(Resource::Secrets) == 1)
            .await;
        api.push(Resource::Secrets, push);
        assert_eq!(host.good().await, "list a=1");
    }
    api.until("a watch", |state| state.watches(Resource::Secrets) == 1)
        .await;
    api.kill();
    let said = short(&host.next().await);
    assert!(said.starts_with("failed "), "{said}");
    api.apply(Resource::Secrets, member("b", "1"));
    api.resume();
    assert_eq!(host.good().await, "list a=1 b=1");
}

#[tokio::test]
async fn a_watch_that_is_over_goes_on_where_it_stood() {
    let api = FakeApi::start();
    let timing = HostTiming {
        watch: Duration::from_secs(1),
        ..quick()
    };
    let mut host = Followed::start(&api, HostQuery::secrets("gazetteer", SELECTOR), timing);
    assert_eq!(host.good().await, "list ");
    api.until("several watches", |state| {
        state.count(Resource::Secrets, Verb::Watch) >= 3
    })
    .await;
    api.apply(Resource::Secrets, member("a", "1"));
    assert_eq!(host.good().await, "is a=1");
    assert_eq!(
        api.read(|state| state.count(Resource::Secrets, Verb::List)),
        1
    );
}

#[tokio::test]
async fn a_kind_that_is_not_served_is_asked_for_again() {
    let api = FakeApi::start();
    api.set(Resource::ClusterProfiles, Verb::List, Reply::absent());
    let query = HostQuery::cluster_profiles("gazetteer", "");
    let mut host = Followed::start(&api, query, quick());
    assert_eq!(host.good().await, "not served");
    assert_eq!(host.good().await, "not served");
    api.heal(Resource::ClusterProfiles, Verb::List);
    while host.good().await != "list " {}
}

#[tokio::test]
async fn a_new_credential_is_used_for_the_next_request() {
    let api = FakeApi::start_tls();
    api.script(|script| script.token = Some("new".to_owned()));
    let mut host = Followed::start(&api, HostQuery::secrets("gazetteer", SELECTOR), quick());
    let said = short(&host.next().await);
    assert!(said.starts_with("failed 401"), "{said}");
    write(&host.folder.path().join("token"), "new");
    api.kubeconfig(host.folder.path());
    assert_eq!(host.good().await, "list ");
}
