//! First sync, changes, and everything that must not disturb them.

use std::sync::Arc;
use std::time::Duration;

use gazetteer::model::{Export, Identity};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::fake_apiserver::{FakeApi, Push, Reply, Resource, StreamingLists, Verb};
use crate::member::{Member, api, service, short, slice};

#[tokio::test]
async fn a_member_syncs_and_follows_changes() {
    let api = api();
    api.apply(
        Resource::Services,
        json!({
            "metadata": { "namespace": "default", "name": "kubernetes", "uid": "u-1" },
            "spec": { "type": "ClusterIP" },
        }),
    );
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    assert_eq!(
        member.identity,
        Some(Identity {
            origin: format!("{}/", api.url()),
            uid: Some("u-1".to_owned()),
            version: Some("v1.33.1".to_owned()),
        })
    );
    let topology = member.topology.clone().unwrap();
    assert_eq!(topology.region.unwrap().as_str(), "r1");
    member.until_ready("web", 2).await;

    api.apply(Resource::EndpointSlices, slice("web", 3));
    member.until_ready("web", 3).await;
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
    assert!(api.delete(Resource::Services, "shop", "web"));
    member.until_services(&["api"]).await;
    let labels = json!({ "topology.kubernetes.io/zone": "r1-b" });
    api.apply(
        Resource::Nodes,
        json!({ "metadata": { "name": "n2", "labels": labels } }),
    );
    member
        .until("a second zone", |member| {
            member
                .topology
                .as_ref()
                .is_some_and(|learnt| learnt.zones.len() == 2)
        })
        .await;
    assert_eq!(member.said, ["synced"]);
    member.stop().await;
}

#[tokio::test]
async fn watches_ask_for_what_the_design_says() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.read(|state| {
        for resource in [
            Resource::Services,
            Resource::EndpointSlices,
            Resource::Nodes,
        ] {
            let queries: Vec<&str> = state.queries(resource, Verb::Watch).collect();
            assert!(
                queries
                    .iter()
                    .all(|query| query.contains("timeoutSeconds=290")),
                "{queries:?}"
            );
            assert!(
                queries
                    .iter()
                    .all(|query| query.contains("allowWatchBookmarks=true"))
            );
        }
    });
}

#[tokio::test]
async fn a_watch_that_ends_by_its_time_out_goes_on_without_a_list() {
    let api = api();
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let mut timing = short();
    timing.watch = Duration::from_secs(1);
    let mut member = Member::start(folder, "fake", &timing, Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    api.until("three watches", |state| {
        state.count(Resource::Services, Verb::Watch) >= 3
    })
    .await;
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
    assert_eq!(member.said, ["synced"]);
    api.read(|state| {
        let watches = state.queries(Resource::Services, Verb::Watch);
        assert_eq!(
            watches
                .filter(|query| query.contains("sendInitialEvents"))
                .count(),
            1
        );
        assert_eq!(state.count(Resource::Services, Verb::List), 0);
    });
}

#[tokio::test]
async fn an_upgrade_is_noticed_without_a_loss() {
    let api = api();
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let mut timing = short();
    timing.identity = Duration::from_millis(200);
    let mut member = Member::start(folder, "fake", &timing, Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    let version = r#"{"major":"1","minor":"34","gitVersion":"v1.34.0","gitCommit":"","buildDate":"",
        "gitTreeState":"","goVersion":"","compiler":"","platform":""}"#;
    api.set(Resource::Version, Verb::Get, Reply::Text(200, version));
    member
        .until("the new version", |member| {
            let version = member
                .identity
                .as_ref()
                .and_then(|it| it.version.as_deref());
            version == Some("v1.34.0")
        })
        .await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn lists_are_streamed_where_the_server_can() {
    let api = api();
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    api.read(|state| {
        let mut watches = state.queries(Resource::Services, Verb::Watch);
        assert!(watches.any(|query| query.contains("sendInitialEvents=true")));
        assert_eq!(state.count(Resource::Services, Verb::List), 0);
    });
}

#[tokio::test]
async fn lists_are_paged_where_the_server_refuses_to_stream() {
    let api = FakeApi::start();
    api.script(|script| script.streaming_lists = StreamingLists::Refused);
    for number in 0..1001 {
        api.apply(Resource::Services, service(&format!("s{number}")));
    }
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    assert_eq!(member.services.len(), 1001);
    api.read(|state| {
        let lists: Vec<&str> = state.queries(Resource::Services, Verb::List).collect();
        assert_eq!(lists.len(), 3, "{lists:?}");
        assert!(lists.iter().all(|query| query.contains("limit=500")));
    });
}

#[tokio::test]
async fn lists_are_paged_where_a_streamed_one_never_ends() {
    let api = api();
    api.script(|script| script.streaming_lists = StreamingLists::Ignored);
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    member.until_ready("web", 2).await;
    api.read(|state| assert_ne!(state.count(Resource::Services, Verb::List), 0));
}

#[tokio::test]
async fn servers_too_old_to_stream_are_not_asked_to() {
    let api = api();
    let version = r#"{"major":"1","minor":"26+","gitVersion":"v1.26.9","gitCommit":"","buildDate":"",
        "gitTreeState":"","goVersion":"","compiler":"","platform":""}"#;
    api.set(Resource::Version, Verb::Get, Reply::Text(200, version));
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    assert_eq!(
        member.identity.as_ref().unwrap().version.as_deref(),
        Some("v1.26.9")
    );
    api.read(|state| {
        let mut watches = state.queries(Resource::Services, Verb::Watch);
        assert!(watches.all(|query| !query.contains("sendInitialEvents")));
    });
}

#[tokio::test]
async fn a_malformed_object_does_not_stop_the_others() {
    let api = api();
    let mut bad = service("bad");
    bad["spec"]["ports"] = json!("none");
    api.apply(Resource::Services, bad.clone());
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    member.until_services(&["web"]).await;
    bad["metadata"]["name"] = json!("worse");
    api.apply(Resource::Services, bad);
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn service_exports_count_and_may_come_later() {
    let api = api();
    api.set(Resource::ServiceExports, Verb::List, Reply::absent());
    api.set(Resource::ServiceExports, Verb::Watch, Reply::absent());
    let mut plain = service("plain");
    plain["spec"]["type"] = json!("ClusterIP");
    api.apply(Resource::Services, plain);
    let export = json!({ "metadata": { "namespace": "shop", "name": "plain" } });
    api.apply(Resource::ServiceExports, export);
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    member.until_services(&["web"]).await;
    api.heal(Resource::ServiceExports, Verb::List);
    api.heal(Resource::ServiceExports, Verb::Watch);
    member.until_services(&["plain", "web"]).await;
    assert_eq!(member.services["shop/plain"].export, Export::Exported);
    assert!(api.delete(Resource::ServiceExports, "shop", "plain"));
    member.until_services(&["web"]).await;
    assert_eq!(member.said, ["synced"]);
}

#[tokio::test]
async fn denied_service_exports_keep_what_was_exported() {
    let api = api();
    let mut plain = service("plain");
    plain["spec"]["type"] = json!("ClusterIP");
    api.apply(Resource::Services, plain);
    let export = json!({ "metadata": { "namespace": "shop", "name": "plain" } });
    api.apply(Resource::ServiceExports, export);
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    assert_eq!(member.services.len(), 2);
    api.set(Resource::ServiceExports, Verb::List, Reply::denied());
    api.set(Resource::ServiceExports, Verb::Watch, Reply::denied());
    let before = api.read(|state| state.count(Resource::ServiceExports, Verb::List));
    api.push(Resource::ServiceExports, Push::End);
    api.until("exports are asked for again", |state| {
        state.count(Resource::ServiceExports, Verb::List) > before + 2
    })
    .await;
    api.apply(Resource::EndpointSlices, slice("web", 5));
    member.until_ready("web", 5).await;
    assert_eq!((member.fewest, member.said.len()), (2, 1));
}

#[tokio::test]
async fn a_member_that_does_not_answer_delays_no_other() {
    let dead = FakeApi::start();
    dead.script(|script| script.hangs = true);
    let stuck = api();
    stuck.script(|script| script.streaming_lists = StreamingLists::Refused);
    stuck.set(Resource::Services, Verb::List, Reply::Hang);
    let lists = Arc::new(Semaphore::new(1));
    let member = |api: &FakeApi| {
        let folder = tempfile::tempdir().unwrap();
        api.kubeconfig(folder.path());
        let mut timing = short();
        timing.page = Duration::from_secs(600);
        Member::start(folder, "fake", &timing, Arc::clone(&lists))
    };
    let mut first = member(&dead);
    let mut second = member(&stuck);
    first.until_said("lost").await;
    second.until_said("lost").await;
    let healthy = api();
    let mut good = member(&healthy);
    good.until_said("synced").await;
    assert_eq!(good.said, ["synced"]);
}

#[tokio::test]
async fn every_event_of_a_streamed_list_counts() {
    let api = FakeApi::start();
    for name in ["ghostly", "keep", "late"] {
        api.apply(Resource::Services, service(name));
    }
    let line = |event: &str, mut object: serde_json::Value| {
        object["metadata"]["resourceVersion"] = json!("110");
        json!({ "type": event, "object": object }).to_string()
    };
    let mut moved = service("keep");
    moved["status"]["loadBalancer"]["ingress"][0]["ip"] = json!("203.0.113.12");
    let events = [
        line("DELETED", service("ghostly")),
        line("MODIFIED", moved),
        line("DELETED", service("late")),
        line("ADDED", service("late")),
    ];
    api.script(|script| {
        let events = events.into_iter().map(|line| (Resource::Services, line));
        script.before_end = events.collect();
    });
    let mut member = Member::of(&api);
    member.until_said("synced").await;
    member.until_services(&["keep", "late"]).await;
    let address: std::net::IpAddr = "203.0.113.12".parse().unwrap();
    assert_eq!(member.services["shop/keep"].addresses[..], [address]);
}
