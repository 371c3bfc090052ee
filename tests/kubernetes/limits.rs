//! Replies without end: each costs the member that sends it, and nobody else, and is told.

use std::sync::Arc;
use std::time::Duration;

use gazetteer::config::{MemberSource, Source};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fake_apiserver::{FakeApi, Reply, Resource, StreamingLists, Verb};
use crate::member::{Member, api, kubeconfig, service, short};

/// At once.
const NOW: Duration = Duration::ZERO;

/// A server that does not stream lists.
fn paging() -> FakeApi {
    let api = api();
    api.script(|script| script.streaming_lists = StreamingLists::Refused);
    api
}

/// A member of `api` whose facts may hold `octets`.
fn limited(api: &FakeApi, octets: u64) -> Member {
    let folder = tempfile::tempdir().unwrap();
    let source = MemberSource {
        member: "m1".parse().unwrap(),
        has_topology: false,
        facts_limit: octets,
        renews: true,
        addresses_from: Vec::new(),
        front: None,
        source: Source::Kubeconfig {
            path: api.kubeconfig(folder.path()),
            context: "fake".to_owned(),
        },
    };
    Member::run(folder, source, &short(), Arc::new(Semaphore::new(4)))
}

/// Pieces of a list that does not end.
fn list_piece(number: usize) -> String {
    let item = format!(
        "{{\"metadata\":{{\"namespace\":\"n\",\"name\":\"x{number}\",\"annotations\":{{\"a\":\"{}\"}}}}}},",
        "a".repeat(100_000)
    );
    if number == 0 {
        format!("{{\"metadata\":{{\"resourceVersion\":\"1\"}},\"items\":[{item}")
    } else {
        item
    }
}

/// Pieces of a text that does not end.
fn text_piece(_: usize) -> String {
    "\"".repeat(50_000)
}

/// Events of services that are ever new ones.
fn event(number: usize) -> String {
    let mut object = service(&format!("s{number}"));
    object["metadata"]["resourceVersion"] = json!((1000 + number).to_string());
    format!("{}\n", json!({ "type": "ADDED", "object": object }))
}

/// A page of services that are ever new ones.
fn page(number: usize) -> String {
    let items: Vec<_> = (0..100)
        .map(|item| service(&format!("s{number}-{item}")))
        .collect();
    let metadata = json!({ "resourceVersion": "1", "continue": number.to_string() });
    json!({ "metadata": metadata, "items": items }).to_string()
}

/// A page that goes on with itself.
fn same_page(_: usize) -> String {
    json!({ "metadata": { "resourceVersion": "1", "continue": "again" }, "items": [] }).to_string()
}

#[tokio::test]
async fn answers_without_end_hold_the_member_and_say_which_and_how_much() {
    let endless = |piece| Reply::Endless(NOW, piece);
    let cases = [
        (
            (Resource::Services, Verb::List),
            endless(list_piece),
            "lost watch services: a page of the list: more than 67108864 octets (limit list-page)",
        ),
        (
            (Resource::Version, Verb::Get),
            endless(text_piece),
            "/version: more than 65536 octets (limit small-body)",
        ),
        (
            (Resource::Ready, Verb::Get),
            endless(text_piece),
            "lost heartbeat /readyz: more than 65536 octets (limit small-body)",
        ),
        (
            (Resource::Services, Verb::Get),
            endless(text_piece),
            "lost watch identity: the Service default/kubernetes: more than 8388608 octets",
        ),
        (
            (Resource::Services, Verb::List),
            Reply::Numbered(same_page),
            "lost watch services: the list goes on with the page that it had",
        ),
        (
            (Resource::Services, Verb::List),
            Reply::Endless(Duration::from_millis(100), list_piece),
            "lost watch services: no answer in 1.5s",
        ),
    ];
    for ((resource, verb), reply, reason) in cases {
        let api = paging();
        api.set(resource, verb, reply);
        let mut timing = short();
        if !reason.ends_with("1.5s") {
            timing.page = Duration::from_secs(60);
        }
        let folder = tempfile::tempdir().unwrap();
        api.kubeconfig(folder.path());
        let mut member = Member::start(folder, "fake", &timing, Arc::new(Semaphore::new(4)));
        // Whichever of its kinds asks first says what `/version` said.
        let is_said = |member: &Member| {
            let said = member.said.last();
            said.is_some_and(|said| said.starts_with("lost ") && said.contains(reason))
        };
        member.until(reason, is_said).await;
        api.heal(resource, verb);
        // What had been read before the member was lost goes on as it was.
        let is_back = |member: &Member| {
            let said = member.said.last();
            said.is_some_and(|said| ["synced", "resumed"].contains(&said.as_str()))
        };
        member.until("back", is_back).await;
        member.until_ready("web", 2).await;
    }
}

#[tokio::test]
async fn a_watch_whose_line_does_not_end_keeps_the_member_held() {
    let api = paging();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    let endless = Reply::Endless(NOW, text_piece);
    api.set(Resource::Services, Verb::Watch, endless);
    api.push(Resource::Services, crate::fake_apiserver::Push::End);
    let reason =
        "lost watch services: a line of the watch: more than 8388608 octets (limit watch-line)";
    member.until_said(reason).await;
    let before = api.read(|state| state.count(Resource::Services, Verb::Watch));
    api.until("more watches", |state| {
        state.count(Resource::Services, Verb::Watch) > before + 2
    })
    .await;
    assert_eq!(member.said, ["synced", reason]);
    api.heal(Resource::Services, Verb::Watch);
    member.until_said("synced").await;
}

#[tokio::test]
async fn objects_without_end_hold_the_member() {
    for (verb, reply) in [
        (Verb::Watch, Reply::Endless(NOW, event)),
        (Verb::List, Reply::Numbered(page)),
    ] {
        let api = paging();
        api.set(Resource::Services, verb, reply);
        let mut member = limited(&api, 1 << 20);
        member
            .until_said("lost watch its facts: more than 1048576 octets (facts-limit)")
            .await;
        assert!(member.services.len() < 10_000, "{}", member.services.len());
        api.heal(Resource::Services, verb);
        member.until_services(&["web"]).await;
    }
}

#[tokio::test]
async fn a_member_that_floods_its_watch_is_not_believed_between_pauses() {
    let api = paging();
    let mut member = limited(&api, 1 << 20);
    member.until_said("synced").await;
    let flood = Reply::Endless(NOW, event);
    api.set(Resource::Services, Verb::Watch, flood);
    api.push(Resource::Services, crate::fake_apiserver::Push::End);
    let reason = "lost watch its facts: more than 1048576 octets (facts-limit)";
    member.until_said(reason).await;
    let before = api.read(|state| state.count(Resource::Services, Verb::Watch));
    api.until("more watches", |state| {
        state.count(Resource::Services, Verb::Watch) > before + 2
    })
    .await;
    api.heal(Resource::Services, Verb::Watch);
    member.until_said("synced").await;
    assert_eq!(member.said, ["synced", reason, "returning", "synced"]);
    member.until_services(&["web"]).await;
}

#[tokio::test]
async fn a_head_without_end_holds_the_member() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let mut next = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
                while next.is_ok() {
                    next = stream.write_all(b"x-a: aaaaaaaaaaaaaaaaaaaa\r\n").await;
                }
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let cluster = json!({ "server": format!("http://{address}") });
    kubeconfig(folder.path(), "fake", &cluster, &json!({}));
    let mut member = Member::start(folder, "fake", &short(), Arc::new(Semaphore::new(4)));
    member.until_said("lost").await;
    assert!(
        member.said[0].contains("header") || member.said[0].contains("head"),
        "{:?}",
        member.said
    );
}
