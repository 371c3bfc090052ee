//! Losing contact with a member, and getting it back.

use serde_json::json;

use crate::fake_apiserver::{FutureVersion, Push, Reply, Resource, Verb};
use crate::member::{Member, api, kubeconfig, service, short, slice};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The kinds that a member needs.
const NEEDED: [Resource; 3] = [
    Resource::Services,
    Resource::EndpointSlices,
    Resource::Nodes,
];

#[tokio::test]
async fn each_needed_right_that_is_denied_keeps_a_member_from_its_first_sync() {
    for resource in NEEDED {
        for verb in [Verb::List, Verb::Watch] {
            let api = api();
            api.script(|script| {
                script.streaming_lists = crate::fake_apiserver::StreamingLists::Refused;
            });
            api.set(resource, verb, Reply::denied());
            let mut member = Member::of(&api);
            member.until_said("lost refused").await;
            assert_eq!(member.count("synced"), 0, "{resource:?} {verb:?}");
            api.heal(resource, verb);
            member.until_said("synced").await;
            member.until_ready("web", 2).await;
        }
    }
}

#[tokio::test]
async fn each_needed_right_that_is_denied_later_loses_a_member_and_none_of_its_facts() {
    for resource in NEEDED {
        let api = api();
        let mut member = Member::of(&api);
        member.until_said("synced").await;
        api.set(resource, Verb::Watch, Reply::denied());
        api.push(resource, Push::End);
        member.until_said("lost refused").await;
        member.until_ready("web", 2).await;
        api.heal(resource, Verb::Watch);
        member
            .until("contact again", |member| {
                member
                    .said
                    .last()
                    .is_some_and(|said| said == "synced" || said == "resumed")
            })
            .await;
        assert_eq!(member.fewest, 1, "{resource:?}");
    }
}

#[tokio::test]
async fn an_api_that_is_killed_is_lost_and_comes_back() {
    let mut api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.kill();
    member.until_said("lost").await;
    assert_eq!(member.services.len(), 1);
    api.apply(Resource::Services, service("api"));
    assert!(api.delete(Resource::Services, "shop", "web"));
    api.resume();
    member.until_said("synced").await;
    assert_eq!(member.said.len(), 4, "{:?}", member.said);
    assert_eq!(member.said[2], "returning");
    member.until_services(&["api"]).await;
}

#[tokio::test]
async fn a_short_absence_is_no_loss() {
    let mut api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.kill();
    api.apply(Resource::EndpointSlices, slice("web", 4));
    api.resume();
    member.until_ready("web", 4).await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn a_network_that_swallows_everything_is_a_loss() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.script(|script| script.hangs = true);
    member.until_said("lost heartbeat").await;
    api.script(|script| script.hangs = false);
    member
        .until("contact again", |member| {
            member
                .said
                .last()
                .is_some_and(|said| said == "synced" || said == "resumed")
        })
        .await;
    api.apply(Resource::EndpointSlices, slice("web", 3));
    member.until_ready("web", 3).await;
}

#[tokio::test]
async fn heartbeats_that_are_answered_by_an_error_are_no_loss() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.set(
        Resource::Ready,
        Verb::Get,
        Reply::Text(500, "[-]etcd failed"),
    );
    let before = api.read(|state| state.count(Resource::Ready, Verb::Get));
    api.until("heartbeats", |state| {
        state.count(Resource::Ready, Verb::Get) > before + 6
    })
    .await;
    api.apply(Resource::EndpointSlices, slice("web", 3));
    member.until_ready("web", 3).await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn watches_go_on_after_every_way_to_end() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    let mut ready = 2;
    for push in [
        Push::End,
        Push::CutMidObject,
        Push::Gone,
        Push::Bookmark,
        Push::Line("{".into()),
    ] {
        api.push(Resource::EndpointSlices, push);
        ready += 1;
        api.apply(Resource::EndpointSlices, slice("web", ready));
        member
            .until_ready("web", u32::try_from(ready).unwrap())
            .await;
    }
    assert_eq!((member.fewest, member.said.len()), (1, 1));
}

#[tokio::test]
async fn a_history_that_is_gone_is_listed_anew() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
    for reply in [Reply::gone(), Reply::gone_event(), Reply::too_large()] {
        api.set_next(Resource::Services, Verb::Watch, reply, 1);
        api.push(Resource::Services, Push::End);
        assert!(api.delete(Resource::Services, "shop", "api"));
        member.until_services(&["web"]).await;
        api.apply(Resource::Services, service("api"));
        member.until_services(&["api", "web"]).await;
    }
    assert_eq!(member.count("lost"), 0);
}

#[tokio::test]
async fn starts_that_fail_three_times_are_given_up_for_a_list() {
    let api = api();
    let mut timing = short();
    timing.down = std::time::Duration::from_secs(60);
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let mut member = Member::start(folder, "fake", &timing, Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    let broken = Reply::status(500, "InternalError", "no");
    api.set_next(Resource::Services, Verb::Watch, broken, 3);
    api.push(Resource::Services, Push::End);
    api.until("a second streamed list", |state| {
        let watches = state.queries(Resource::Services, Verb::Watch);
        watches
            .filter(|query| query.contains("sendInitialEvents"))
            .count()
            == 2
    })
    .await;
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn a_restored_earlier_state_replaces_the_later_one() {
    for future in [FutureVersion::Silent, FutureVersion::TooLarge] {
        let api = api();
        api.script(|script| script.future_version = future);
        let mut member = Member::of(&api);
        member.until_said("synced").await;
        let saved = api.save();
        for number in 3..20 {
            api.apply(Resource::EndpointSlices, slice("web", number));
        }
        api.apply(Resource::Services, service("late"));
        member.until_services(&["late", "web"]).await;
        member.until_ready("web", 19).await;
        api.restore(&saved);
        member.until_services(&["web"]).await;
        member.until_ready("web", 2).await;
        api.apply(Resource::Services, service("next"));
        member.until_services(&["next", "web"]).await;
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_say_its_version_is_listed_anew() {
    // As a server does that has just started, until it has read its rights. It would accept a watch
    // from a version that it has never reached, and be silent on it.
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    let saved = api.save();
    api.apply(Resource::Services, service("late"));
    member.until_services(&["late", "web"]).await;
    for kind in [Resource::Services, Resource::EndpointSlices] {
        api.set_next(kind, Verb::List, Reply::denied(), 1);
    }
    api.restore(&saved);
    member.until_services(&["web"]).await;
}

#[tokio::test]
async fn a_context_that_is_not_there_is_a_loss_until_it_is() {
    let api = api();
    let folder = tempfile::tempdir().unwrap();
    let cluster = json!({ "server": api.url() });
    kubeconfig(folder.path(), "other", &cluster, &json!({}));
    let context = "admin@gce:1/x";
    let mut member = Member::start(folder, context, &short(), Arc::new(Semaphore::new(4)));
    member.until_said("lost client").await;
    kubeconfig(member.folder.path(), context, &cluster, &json!({}));
    member.until_said("synced").await;
}
