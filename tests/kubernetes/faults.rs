//! Faults that a member must neither believe nor be stopped by.

use std::sync::Arc;
use std::time::Duration;

use gazetteer::config::{MemberSource, Source};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::fake_apiserver::{FakeApi, Push, Reply, Resource, StreamingLists, Verb};
use crate::member::{Member, api, fill, service, short, slice};

/// What was said of contact, each shortened to its first two words.
fn said(member: &Member) -> Vec<String> {
    let short = |text: &String| text.split(' ').take(2).collect::<Vec<_>>().join(" ");
    member.said.iter().map(short).collect()
}

/// A watch of which the first line is another error than that its history is gone.
fn error_event() -> Reply {
    Reply::Event(json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "code": 500, "reason": "InternalError", "message": "no watch cache",
    }))
}

/// A server that does not stream lists, with `count` services more than the usual one.
fn paging(count: usize) -> FakeApi {
    let api = api();
    api.script(|script| script.streaming_lists = StreamingLists::Refused);
    for number in 0..count {
        api.apply(Resource::Services, service(&format!("s{number}")));
    }
    api
}

#[tokio::test]
async fn a_list_whose_pages_expire_starts_over() {
    let api = paging(1200);
    api.script(|script| script.expired_pages = 3);
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    assert_eq!(member.services.len(), 1201);
    // The same when it happens to a list that replaces another.
    api.script(|script| script.expired_pages = 2);
    for number in 0..1200 {
        api.delete(Resource::Services, "shop", &format!("s{number}"));
        api.apply(Resource::Services, service(&format!("t{number}")));
    }
    api.compact();
    api.push(Resource::Services, Push::Gone);
    member
        .until("every new service", |member| {
            member.services.contains_key("shop/t1199") && !member.services.contains_key("shop/s0")
        })
        .await;
    member
        .until("only new services", |member| member.services.len() == 1201)
        .await;
    assert!(!said(&member).contains(&"lost refused".to_owned()));
}

#[tokio::test]
async fn a_streamed_list_that_breaks_off_removes_nothing() {
    let api = api();
    for name in ["a", "b", "c"] {
        api.apply(Resource::Services, service(name));
    }
    api.script(|script| script.broken_streams = Some((2, 4)));
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    assert_eq!(member.services.len(), 4);
    api.script(|script| script.broken_streams = Some((1, 2)));
    api.push(Resource::Services, Push::Gone);
    api.apply(Resource::Services, service("d"));
    member.until_services(&["a", "b", "c", "d", "web"]).await;
    assert_eq!(member.fewest, 4, "{:?}", member.said);
}

#[tokio::test]
async fn a_list_denied_later_matters_once_a_list_is_needed() {
    let api = paging(0);
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.set(Resource::EndpointSlices, Verb::List, Reply::denied());
    api.apply(Resource::EndpointSlices, slice("web", 3));
    member.until_ready("web", 3).await;
    api.compact();
    api.push(Resource::EndpointSlices, Push::Gone);
    member.until_said("lost refused").await;
    api.delete(Resource::EndpointSlices, "shop", "web-1");
    member.until_ready("web", 3).await;
    api.heal(Resource::EndpointSlices, Verb::List);
    member.until_said("synced").await;
    member.until_ready("web", 0).await;
    assert_eq!(
        said(&member),
        ["synced", "lost refused", "returning", "synced"]
    );
}

#[tokio::test]
async fn a_watch_that_cannot_start_is_a_loss_of_the_watch_alone() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    let other = Reply::status(500, "InternalError", "etcdserver: no leader");
    for reply in [Reply::Hang, Reply::Cut, other] {
        let before = member.said.len();
        api.set(Resource::Services, Verb::Watch, reply);
        api.set(Resource::Services, Verb::List, Reply::Hang);
        api.push(Resource::Services, Push::End);
        member.until_said("lost watch").await;
        // What still comes is still passed on: nothing else is lost.
        api.apply(Resource::EndpointSlices, slice("web", 4 + before));
        api.heal(Resource::Services, Verb::Watch);
        api.heal(Resource::Services, Verb::List);
        member
            .until("contact again", |member| {
                let last = member.said.last().map(String::as_str);
                member.said.len() > before + 1 && matches!(last, Some("synced" | "resumed"))
            })
            .await;
        member
            .until_ready("web", u32::try_from(4 + before).unwrap())
            .await;
    }
    assert_eq!(member.fewest, 1);
}

#[tokio::test]
async fn a_heartbeat_that_is_not_answered_is_a_loss_though_watches_seem_to_live() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.set(Resource::Ready, Verb::Get, Reply::Hang);
    member.until_said("lost heartbeat").await;
    api.apply(Resource::EndpointSlices, slice("web", 3));
    member.until_ready("web", 3).await;
    api.heal(Resource::Ready, Verb::Get);
    member.until_said("resumed").await;
    api.apply(Resource::EndpointSlices, slice("web", 4));
    member.until_ready("web", 4).await;
    assert_eq!(said(&member), ["synced", "lost heartbeat", "resumed"]);
}

#[tokio::test]
async fn an_api_that_comes_back_unready_stays_lost() {
    let mut api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.kill();
    member.until_said("lost").await;
    let unready = Reply::status(503, "ServiceUnavailable", "starting");
    for resource in [
        Resource::Services,
        Resource::EndpointSlices,
        Resource::Nodes,
    ] {
        api.set(resource, Verb::List, unready.clone());
        api.set(resource, Verb::Watch, unready.clone());
    }
    api.set(
        Resource::Ready,
        Verb::Get,
        Reply::Text(500, "[-]informer-sync failed"),
    );
    api.resume();
    let before = api.read(|state| state.count(Resource::Ready, Verb::Get));
    api.until("heartbeats", |state| {
        state.count(Resource::Ready, Verb::Get) > before + 6
    })
    .await;
    assert_eq!(member.said.len(), 2, "{:?}", member.said);
    for resource in [Resource::Services, Resource::EndpointSlices] {
        api.heal(resource, Verb::List);
        api.heal(resource, Verb::Watch);
    }
    let (lists, watches) = (Resource::Services, Resource::EndpointSlices);
    api.until("two kinds are watched", |state| {
        state.watches(lists) == 1 && state.watches(watches) == 1
    })
    .await;
    api.heal(Resource::Nodes, Verb::List);
    api.heal(Resource::Nodes, Verb::Watch);
    member.until_said("synced").await;
    assert_eq!(member.count("synced"), 2, "{:?}", member.said);
    assert_eq!(member.fewest, 1);
}

#[tokio::test]
async fn error_events_and_objects_without_version_lose_nothing() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    let error = |code: u16, reason: &str| {
        json!({ "type": "ERROR", "object": {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {},
            "code": code, "reason": reason, "message": "no",
        }})
    };
    let mut nameless = slice("web", 9);
    nameless["metadata"] = json!({ "labels": { "kubernetes.io/service-name": "web" } });
    let nameless = json!({ "type": "MODIFIED", "object": nameless });
    let unknown = json!({ "type": "SURPRISE", "object": {} });
    let mut ready = 2;
    for line in [
        error(500, "InternalError"),
        error(504, "Timeout"),
        error(429, "TooManyRequests"),
        nameless,
        unknown,
    ] {
        api.push(Resource::EndpointSlices, Push::Line(line.to_string()));
        ready += 1;
        api.apply(Resource::EndpointSlices, slice("web", ready));
        let ready = u32::try_from(ready).unwrap();
        member.until_ready("web", ready).await;
    }
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn a_member_is_synced_without_version_and_identity() {
    for reply in [
        Reply::denied(),
        Reply::status(500, "InternalError", "no"),
        Reply::Text(200, "not JSON"),
    ] {
        let api = api();
        api.set(Resource::Version, Verb::Get, reply.clone());
        api.set(Resource::Services, Verb::Get, reply.clone());
        let mut member = Member::of(&api);
        member
            .until(&format!("synced after {reply:?}"), |member| {
                member.count("synced") == 1
            })
            .await;
        let identity = member.identity.clone().unwrap();
        assert_eq!((identity.uid, identity.version), (None, None), "{reply:?}");
    }
}

#[tokio::test]
async fn a_member_is_synced_while_nothing_says_which_it_is() {
    let api = api();
    api.set(Resource::Services, Verb::Get, Reply::Hang);
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    assert_eq!(member.identity.clone().unwrap().uid, None);
}

#[tokio::test]
async fn a_member_whose_identity_cannot_be_asked_says_so_and_asks_with_pauses() {
    let api = api();
    api.set(Resource::Services, Verb::Get, Reply::Cut);
    let mut member = Member::of(&api);
    member.until_said("lost watch identity: ").await;
    let asked = api.read(|state| state.count(Resource::Services, Verb::Get));
    assert!(asked < 100, "asked {asked} times in a second");
    api.heal(Resource::Services, Verb::Get);
    member.until_said("synced").await;
}

#[tokio::test]
async fn credentials_that_never_worked_are_a_loss_of_the_client() {
    let api = FakeApi::start_tls();
    fill(&api);
    api.script(|script| script.token = Some("right".into()));
    let folder = tempfile::tempdir().unwrap();
    crate::fake_apiserver::write(&folder.path().join("token"), "wrong");
    api.kubeconfig(folder.path());
    let mut member = Member::start(folder, "fake", &short(), Arc::new(Semaphore::new(4)));
    member.until_said("lost client").await;
    assert!(member.services.is_empty());
    crate::fake_apiserver::write(&member.folder.path().join("token"), "right");
    member.until_said("synced").await;
    member.until_ready("web", 2).await;
}

#[tokio::test]
async fn nodes_are_not_asked_for_when_topology_is_configured() {
    let api = api();
    api.set(Resource::Nodes, Verb::List, Reply::denied());
    api.set(Resource::Nodes, Verb::Watch, Reply::denied());
    let folder = tempfile::tempdir().unwrap();
    let source = MemberSource {
        member: "m1".parse().unwrap(),
        has_topology: true,
        facts_limit: 1 << 30,
        renews: true,
        addresses_from: Vec::new(),
        front: None,
        source: Source::Kubeconfig {
            path: api.kubeconfig(folder.path()),
            context: "fake".to_owned(),
        },
    };
    let mut member = Member::run(folder, source, &short(), Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    member.until_ready("web", 2).await;
    api.read(|state| {
        assert_eq!(state.count(Resource::Nodes, Verb::List), 0);
        assert_eq!(state.count(Resource::Nodes, Verb::Watch), 0);
    });
    assert!(member.topology.is_none());
}

#[tokio::test]
async fn service_exports_that_can_be_listed_but_not_watched_count_and_lose_nobody() {
    let api = api();
    api.set(Resource::ServiceExports, Verb::Watch, Reply::denied());
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.apply(Resource::EndpointSlices, slice("web", 5));
    member.until_ready("web", 5).await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn nothing_is_lost_while_nobody_reads() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    // More than every queue on the way holds.
    for number in 0..2000 {
        api.apply(Resource::Services, service(&format!("s{}", number % 500)));
        if number % 4 == 3 {
            let gone = format!("s{}", (number - 3) % 500);
            api.delete(Resource::Services, "shop", &gone);
        }
    }
    api.apply(Resource::Services, service("last"));
    member
        .until("the last service", |member| {
            member.services.contains_key("shop/last")
        })
        .await;
    assert_eq!(member.services.len(), 2 + 500 - 125, "{:?}", member.said);
}

#[tokio::test]
async fn a_source_ends_when_told_and_when_nobody_receives() {
    let api = api();
    let mut synced = Member::of(&api);
    synced.until_said("synced").await;
    api.until("watches", |state| state.watches(Resource::Services) == 1)
        .await;
    api.script(|script| script.hangs = true);
    synced.stop().await;
    // Its connections end with it.
    api.script(|script| script.hangs = false);
    api.until("no watches", |state| {
        state.watches(Resource::Services) == 0 && state.watches(Resource::Nodes) == 0
    })
    .await;
    let mut left = Member::of(&api);
    left.until_said("synced").await;
    api.apply(Resource::Services, service("next"));
    left.leave().await;
    let folder = tempfile::tempdir().unwrap();
    let mut timing = short();
    timing.jitter = Duration::from_secs(3600);
    api.kubeconfig(folder.path());
    Member::start(folder, "fake", &timing, Arc::new(Semaphore::new(0)))
        .stop()
        .await;
}

#[tokio::test]
async fn watches_that_end_as_soon_as_they_start_are_no_contact() {
    for reply in [Reply::gone_event(), error_event()] {
        let api = paging(0);
        let mut member = Member::of(&api);
        member.until_said("synced").await;
        api.set(Resource::Services, Verb::Watch, reply);
        api.push(Resource::Services, Push::Gone);
        member.until_said("lost watch").await;
        // Lists go on, and say nothing of what comes after them.
        let lists = api.read(|state| state.count(Resource::Services, Verb::List));
        api.until("more lists", |state| {
            state.count(Resource::Services, Verb::List) > lists + 3
        })
        .await;
        assert_eq!(said(&member), ["synced", "lost watch"]);
        // A watch that stands is contact, though it has nothing to say.
        api.heal(Resource::Services, Verb::Watch);
        let is_back = |member: &Member| {
            let said = member.said.last();
            said.is_some_and(|said| ["synced", "resumed"].contains(&said.as_str()))
        };
        member.until("back", is_back).await;
        assert_eq!(member.fewest, 1);
    }
}

#[tokio::test]
async fn one_watch_that_ends_at_once_is_no_loss() {
    let api = paging(0);
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.set_next(Resource::Services, Verb::Watch, Reply::gone_event(), 1);
    api.push(Resource::Services, Push::Gone);
    api.until("another watch", |state| {
        state.count(Resource::Services, Verb::Watch) >= 3
    })
    .await;
    api.apply(Resource::EndpointSlices, slice("web", 3));
    member.until_ready("web", 3).await;
    api.apply(Resource::Services, service("later"));
    member.until_services(&["later", "web"]).await;
    assert_eq!(said(&member), ["synced"]);
}
