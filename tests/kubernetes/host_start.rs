//! A daemon that starts before its host cluster has said which members there are.

use std::path::Path;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::daemon::{Daemon, eventually, query};
use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb};
use crate::host_members::{NAME, folder, join, member_api, until, until_metric};
use crate::program::{run, write};

/// What is said of members while nothing is known of them.
const UNKNOWN: &str =
    "which members there are is not known yet: waiting for Secrets of the host cluster";

/// A host that does not list its Secrets yet, and one of them with its member.
fn silent() -> (FakeApi, FakeApi) {
    let (host, api) = (FakeApi::start(), member_api("t"));
    join(&host, "a", &api, "t");
    host.set(Resource::Secrets, Verb::List, Reply::denied());
    (host, api)
}

/// The response code for the A records of a name.
fn code_at(daemon: &Daemon, name: &str) -> Option<ResponseCode> {
    Some(
        query(daemon.dns, name, RecordType::A)?
            .metadata
            .response_code,
    )
}

/// Standard output of a run.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn it_is_not_ready_before_it_is_known_which_members_there_are() {
    let (host, _api) = silent();
    let folder = folder(&host, "membership.secrets = {}");
    let path = folder.path();
    let mut daemon = Daemon::start(path, "g.toml");
    daemon.log(&["the host cluster does not say which members there are"]);
    // No name is absent: a member may have it.
    assert_eq!(code_at(&daemon, NAME), Some(ResponseCode::ServFail));
    let unready = "[-]members not ready: waiting for Secrets of the host cluster";
    let (status, body) = daemon.get("/readyz?verbose").unwrap();
    assert_eq!((status, body.lines().next()), (503, Some(unready)));
    until_metric(&daemon, "gazetteer_membership_awaited{origin=\"secret\"} 1");
    let shown = said(path, &["clusters", "--state-dir", "state"]);
    assert!(shown.contains(UNKNOWN), "{shown}");
    let explained = said(path, &["explain", NAME, "A", "--state-dir", "state"]);
    assert!(explained.contains(UNKNOWN), "{explained}");
    // What there is nobody else of stays as it is.
    let apex = code_at(&daemon, "nothing.at.all.example.com.");
    assert_eq!(apex, Some(ResponseCode::NXDomain));

    host.heal(Resource::Secrets, Verb::List);
    daemon = daemon.ready();
    // It waited for the member that it has heard of, too.
    assert!(daemon.addresses(NAME).is_some_and(|all| !all.is_empty()));
    until(path, &["a Ready"]);
    until_metric(&daemon, "gazetteer_membership_awaited{origin=\"secret\"} 0");
    let shown = said(path, &["clusters", "--state-dir", "state"]);
    assert!(!shown.contains("not known yet"), "{shown}");
    let absent = code_at(&daemon, "other.shop.f.svc.example.com.");
    assert_eq!(absent, Some(ResponseCode::NXDomain));

    // A restart knows them.
    daemon.signal("TERM");
    assert!(daemon.end().success());
    drop(daemon);
    host.set(Resource::Secrets, Verb::List, Reply::denied());
    let daemon = Daemon::start(path, "g.toml").ready();
    until(path, &["a Held"]);
    assert_eq!(
        code_at(&daemon, "other.shop.f.svc.example.com."),
        Some(ResponseCode::NXDomain)
    );
}

#[test]
fn a_host_that_names_nobody_is_known_too() {
    let host = FakeApi::start();
    let folder = folder(&host, "membership.secrets = {}");
    let mut daemon = Daemon::start(folder.path(), "g.toml").ready();
    until_metric(&daemon, "gazetteer_membership_awaited{origin=\"secret\"} 0");
    daemon.signal("TERM");
    assert!(daemon.end().success());
    drop(daemon);
    host.set(Resource::Secrets, Verb::List, Reply::denied());
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    assert_eq!(code_at(&daemon, NAME), Some(ResponseCode::NXDomain));
}

#[test]
fn nobody_is_awaited_for_longer_than_a_first_sync() {
    let (host, _api) = silent();
    let folder = folder(&host, "membership.secrets = {}");
    let file = folder.path().join("g.toml");
    let text = std::fs::read_to_string(&file).unwrap() + "sync-timeout = \"1s\"\n";
    write(&file, &text);
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    daemon.log(&["not heard in time", "Secrets of the host cluster"]);
    assert_eq!(code_at(&daemon, NAME), Some(ResponseCode::NXDomain));
    host.heal(Resource::Secrets, Verb::List);
    until(folder.path(), &["a Ready"]);
}

#[test]
fn a_kind_that_is_not_served_names_nobody() {
    let (host, api) = (FakeApi::start(), member_api("t"));
    join(&host, "a", &api, "t");
    host.set(Resource::ClusterProfiles, Verb::List, Reply::absent());
    let folder = folder(
        &host,
        "membership.secrets = {}\nmembership.cluster-profiles = {}",
    );
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    until(folder.path(), &["a Ready"]);
    until_metric(
        &daemon,
        "gazetteer_membership_awaited{origin=\"profile\"} 0",
    );
    eventually("it answers", || {
        daemon.addresses(NAME).is_some_and(|all| !all.is_empty())
    });
}

#[test]
fn a_federation_whose_members_are_all_known_waits_for_nobody() {
    let (host, _api) = silent();
    let folder = folder(&host, "membership.secrets = {}");
    let path = folder.path();
    let mut text = std::fs::read_to_string(path.join("g.toml")).unwrap();
    text += "members = [\"m\"]\n\n[[member]]\nname = \"m\"\nregion = \"r\"\n\
        source = { file = \"m.facts\" }\n";
    write(&path.join("g.toml"), &text);
    write(
        &path.join("m.facts"),
        "[[service]]\nnamespace = \"n\"\nname = \"s\"\naddresses = [\"203.0.113.1\"]\n",
    );
    let daemon = Daemon::start(path, "g.toml");
    eventually("its member is read", || {
        code_at(&daemon, NAME) == Some(ResponseCode::NXDomain)
    });
    let ready = daemon.get("/readyz").map(|(status, _)| status);
    assert_eq!(ready, Some(503));
}
