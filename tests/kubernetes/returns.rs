//! An API that answers again is followed at once, whatever the pauses had grown to.

use std::sync::Arc;
use std::time::Duration;

use gazetteer::sources::kubernetes::Timing;
use tokio::sync::Semaphore;

use crate::fake_apiserver::{FakeApi, Reply, Resource, StreamingLists, Verb};
use crate::member::{Member, api, service, short, slice};

/// A member of `api` that pauses for longer than any test waits.
fn slow(api: &FakeApi) -> Member {
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let mut timing = short();
    timing.first_pause = Duration::from_secs(3600);
    timing.longest_pause = Duration::from_secs(3600);
    Member::start(folder, "fake", &timing, Arc::new(Semaphore::new(4)))
}

#[tokio::test]
async fn pauses_end_when_an_api_listens_again() {
    let mut api = api();
    let mut member = slow(&api);
    member.until_said("synced").await;
    api.kill();
    member.until_said("lost").await;
    api.apply(Resource::Services, service("api"));
    api.resume();
    member.until_services(&["api", "web"]).await;
}

#[tokio::test]
async fn pauses_end_when_an_api_is_ready_again() {
    let api = api();
    api.script(|script| script.streaming_lists = StreamingLists::Refused);
    let unready = Reply::status(503, "ServiceUnavailable", "starting");
    let kinds = [
        Resource::Services,
        Resource::EndpointSlices,
        Resource::Nodes,
    ];
    for kind in kinds {
        api.set(kind, Verb::List, unready.clone());
    }
    api.set(
        Resource::Ready,
        Verb::Get,
        Reply::Text(500, "[-]etcd failed"),
    );
    let mut member = slow(&api);
    member.until_said("lost").await;
    for kind in kinds {
        api.heal(kind, Verb::List);
    }
    api.heal(Resource::Ready, Verb::Get);
    member.until_said("synced").await;
}

#[tokio::test]
async fn pauses_end_though_no_heartbeat_saw_the_absence() {
    let mut api = api();
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let mut timing = short();
    let long = Duration::from_secs(3600);
    (timing.heartbeat, timing.first_pause, timing.longest_pause) = (long, long, long);
    let mut member = Member::start(folder, "fake", &timing, Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    api.kill();
    member.until_said("lost watch").await;
    api.apply(Resource::EndpointSlices, slice("web", 4));
    api.resume();
    member.until_ready("web", 4).await;
}

#[tokio::test]
async fn an_api_that_is_gone_as_soon_as_it_is_watched_is_followed_2_s_after_its_return() {
    let mut api = api();
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let times = Timing::default();
    let timing = Timing {
        down: times.down,
        look: times.look,
        ..short()
    };
    let mut member = Member::start(folder, "fake", &timing, Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
    api.kill();
    member.until_said("lost").await;
    api.apply(Resource::EndpointSlices, slice("web", 4));
    api.resume();
    let ready = member.until_ready("web", 4);
    let in_time = tokio::time::timeout(Duration::from_secs(2), ready).await;
    in_time.expect("what it says is believed 2 s after it answers again");
}
