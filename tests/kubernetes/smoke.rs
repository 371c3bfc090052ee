//! The fake API server behaves as kube's own client and watcher expect of a real one.

use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::fake_apiserver::{FakeApi, FutureVersion, Push, Reply, Resource, StreamingLists, Verb};

/// A client of `api`.
fn client(api: &FakeApi) -> Client {
    // Another test of this process may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut config = kube::Config::new(api.url().parse().unwrap());
    config.root_cert = api.root_certificate().map(|certificate| vec![certificate]);
    // kube would repeat a 504 for minutes before anybody hears of it.
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// A service `ns/<name>`.
fn service(name: &str) -> Value {
    json!({
        "metadata": { "namespace": "ns", "name": name, "labels": { "app": name } },
        "spec": { "ports": [{ "port": 80 }] },
    })
}

/// The next step of a watcher in short: `+name`, `-name`, `init`, `=name`, `done`, or its error.
async fn step(
    events: &mut (impl Stream<Item = watcher::Result<Event<Service>>> + Unpin),
) -> String {
    let name = |service: Service| service.metadata.name.unwrap_or_default();
    let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    match event.expect("an event in time").expect("no end") {
        Ok(Event::Apply(service)) => format!("+{}", name(service)),
        Ok(Event::Delete(service)) => format!("-{}", name(service)),
        Ok(Event::Init) => "init".into(),
        Ok(Event::InitApply(service)) => format!("={}", name(service)),
        Ok(Event::InitDone) => "done".into(),
        Err(watcher::Error::InitialListFailed(error)) => format!("list: {}", code(&error)),
        Err(watcher::Error::WatchStartFailed(error)) => format!("start: {}", code(&error)),
        Err(watcher::Error::WatchError(status)) => format!("event: {}", status.code),
        Err(watcher::Error::WatchFailed(_)) => "failed".into(),
        Err(error) => error.to_string(),
    }
}

/// The HTTP status of an error of the API.
fn code(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.code.to_string(),
        other => format!("{other:?}"),
    }
}

/// Asserts the next steps of a watcher.
macro_rules! steps {
    ($events:expr, $($expected:expr),+) => { $( assert_eq!(step(&mut $events).await, $expected); )+ };
}

#[tokio::test]
async fn lists_are_paged_from_one_version() {
    let api = FakeApi::start();
    for name in ["a", "b", "c", "d", "e"] {
        api.apply(Resource::Services, service(name));
    }
    let services: Api<Service> = Api::all(client(&api));
    let mut names = Vec::new();
    let mut params = ListParams::default().limit(2);
    loop {
        let page = services.list(&params).await.unwrap();
        assert!(page.items.len() <= 2);
        names.extend(
            page.items
                .into_iter()
                .filter_map(|service| service.metadata.name),
        );
        // Later pages come from the version of the first.
        api.apply(Resource::Services, service("z"));
        api.delete(Resource::Services, "ns", "e");
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    let first = services
        .list(&ListParams::default().limit(1))
        .await
        .unwrap();
    api.compact();
    let token = first.metadata.continue_.unwrap();
    let next = services
        .list(&ListParams::default().continue_token(&token))
        .await;
    assert_eq!(code(&next.unwrap_err()), "410");
    let labeled = services
        .list(&ListParams::default().labels("app=b"))
        .await
        .unwrap();
    assert_eq!(labeled.items.len(), 1);
    let got = Api::<Service>::namespaced(client(&api), "ns")
        .get("a")
        .await
        .unwrap();
    assert_eq!(got.metadata.labels.unwrap()["app"], "a");
}

#[tokio::test]
async fn watch_sends_changes_and_survives_its_end() {
    let api = FakeApi::start_tls();
    api.apply(Resource::Services, service("a"));
    let mut events = watcher(
        Api::<Service>::all(client(&api)),
        watcher::Config::default(),
    )
    .boxed();
    steps!(events, "init", "=a", "done");
    api.apply(Resource::Services, service("b"));
    steps!(events, "+b");
    // What happens while no watch is open is told by the next one.
    for push in [Push::End, Push::CutMidObject] {
        api.push(Resource::Services, push);
        api.delete(Resource::Services, "ns", "b");
        api.apply(Resource::Services, service("b"));
        loop {
            match step(&mut events).await.as_str() {
                "failed" => {}
                "-b" => break,
                other => panic!("{other}"),
            }
        }
        steps!(events, "+b");
    }
    assert_eq!(
        api.read(|state| state.count(Resource::Services, Verb::List)),
        1
    );
}

#[tokio::test]
async fn expired_watches_list_again() {
    let api = FakeApi::start();
    let mut events = watcher(
        Api::<Service>::all(client(&api)),
        watcher::Config::default(),
    )
    .boxed();
    steps!(events, "init", "done");
    api.apply(Resource::Services, service("a"));
    steps!(events, "+a");
    api.push(Resource::Services, Push::Gone);
    steps!(events, "event: 410", "init", "=a", "done");
    // The same when the start of a watch finds its version gone.
    api.set_next(Resource::Services, Verb::Watch, Reply::gone_event(), 1);
    api.set_next(Resource::Services, Verb::List, Reply::denied(), 1);
    steps!(
        events,
        "event: 410",
        "init",
        "list: 403",
        "init",
        "=a",
        "done"
    );
    api.apply(Resource::Services, service("b"));
    steps!(events, "+b");
    api.compact();
    api.push(Resource::Services, Push::End);
    steps!(events, "event: 410", "init", "=a", "=b", "done");
}

#[tokio::test]
async fn bookmarks_move_the_version_on() {
    let api = FakeApi::start();
    let mut events = watcher(
        Api::<Service>::all(client(&api)),
        watcher::Config::default(),
    )
    .boxed();
    steps!(events, "init", "done");
    api.apply(Resource::Services, service("a"));
    steps!(events, "+a");
    api.apply(Resource::Nodes, json!({ "metadata": { "name": "n" } }));
    api.push(Resource::Services, Push::Bookmark);
    api.push(Resource::Services, Push::End);
    api.apply(Resource::Services, service("b"));
    steps!(events, "+b");
    let queries = api.read(|state| {
        let queries = state.queries(Resource::Services, Verb::Watch);
        queries.map(str::to_owned).collect::<Vec<_>>()
    });
    // 100 is the empty store, 101 the service, 102 the node.
    assert!(queries[0].contains("resourceVersion=100"), "{queries:?}");
    assert!(queries[1].contains("resourceVersion=102"), "{queries:?}");
}

#[tokio::test]
async fn streaming_lists_end_with_a_bookmark_where_supported() {
    let api = FakeApi::start();
    api.apply(Resource::Services, service("a"));
    let streaming = || watcher::Config::default().streaming_lists();
    let mut events = watcher(Api::<Service>::all(client(&api)), streaming()).boxed();
    steps!(events, "init", "=a", "done");
    api.apply(Resource::Services, service("b"));
    steps!(events, "+b");
    api.script(|script| script.streaming_lists = StreamingLists::Ignored);
    let mut events = watcher(Api::<Service>::all(client(&api)), streaming()).boxed();
    steps!(events, "init", "=a", "=b");
    // No bookmark: the next event still counts as part of the list.
    api.apply(Resource::Services, service("c"));
    steps!(events, "=c");
    api.script(|script| script.streaming_lists = StreamingLists::Refused);
    let mut events = watcher(Api::<Service>::all(client(&api)), streaming()).boxed();
    steps!(events, "start: 422");
}

#[tokio::test]
async fn versions_go_backwards_after_a_restore() {
    let api = FakeApi::start();
    api.apply(Resource::Services, service("a"));
    let saved = api.save();
    let mut events = watcher(
        Api::<Service>::all(client(&api)),
        watcher::Config::default(),
    )
    .boxed();
    steps!(events, "init", "=a", "done");
    for name in ["b", "c", "d"] {
        api.apply(Resource::Services, service(name));
        steps!(events, format!("+{name}"));
    }
    // kube starts from the version of its last list or bookmark.
    api.push(Resource::Services, Push::Bookmark);
    api.push(Resource::Services, Push::End);
    let mut event = {
        let next = step(&mut events);
        tokio::pin!(next);
        tokio::select! {
            event = &mut next => panic!("{event}"),
            () = api.until("a second watch", |state| {
                state.count(Resource::Services, Verb::Watch) == 2
                    && state.watches(Resource::Services) == 1
            }) => {}
        }
        api.script(|script| script.future_version = FutureVersion::TooLarge);
        api.restore(&saved);
        next.await
    };
    // The broken stream may be told first, and the broken connection used once more.
    while event == "failed" || event.starts_with("start: Service") {
        event = step(&mut events).await;
    }
    assert_eq!(event, "start: 504");
    // A watch cache says nothing about changes up to the version that the client has.
    api.script(|script| script.future_version = FutureVersion::Silent);
    for name in ["w", "x", "y", "z"] {
        api.apply(Resource::Services, service(name));
    }
    steps!(events, "+z");
}

#[tokio::test]
async fn tokens_denials_and_absent_kinds_have_their_status() {
    let api = FakeApi::start();
    let slices: Api<EndpointSlice> = Api::all(client(&api));
    let list = async || match slices.list(&ListParams::default()).await {
        Ok(_) => "ok".to_owned(),
        Err(error) => code(&error),
    };
    assert_eq!(list().await, "ok");
    api.script(|script| script.token = Some("secret".into()));
    assert_eq!(list().await, "401");
    api.script(|script| script.token = None);
    api.set(Resource::EndpointSlices, Verb::List, Reply::absent());
    assert_eq!(list().await, "404");
    api.set(Resource::EndpointSlices, Verb::List, Reply::too_large());
    assert_eq!(list().await, "504");
    api.heal(Resource::EndpointSlices, Verb::List);
    assert_eq!(list().await, "ok");
    let version = client(&api).apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.33.1");
}

#[tokio::test]
async fn a_killed_server_refuses_and_comes_back_with_its_objects() {
    let mut api = FakeApi::start();
    api.apply(Resource::Services, service("a"));
    let services: Api<Service> = Api::all(client(&api));
    assert_eq!(
        services
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    api.kill();
    let error = services.list(&ListParams::default()).await.unwrap_err();
    assert!(!matches!(error, kube::Error::Api(_)), "{error}");
    api.resume();
    assert_eq!(
        services
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    api.script(|script| script.hangs = true);
    let params = ListParams::default();
    let hangs = services.list(&params);
    tokio::select! {
        answer = hangs => panic!("{answer:?}"),
        () = api.until("a third list", |state| state.count(Resource::Services, Verb::List) == 3) => {}
    }
}
