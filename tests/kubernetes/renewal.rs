//! Tokens of ServiceAccounts that are renewed by the daemon, and those that end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gazetteer::config::{MemberSource, Source};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::fake_apiserver::{FakeApi, Issuer, Push, Resource};
use crate::member::{Member, fill, kubeconfig, service, short};

/// Seconds that a token lives here.
const LIFETIME: u64 = 6;

/// An API that grants no token for longer.
fn api() -> FakeApi {
    let api = FakeApi::start_tls();
    fill(&api);
    api.script(|script| {
        script.issuer = Some(Issuer::new(LIFETIME));
    });
    api
}

/// What the issuer of `api` says.
fn issuer<T>(api: &FakeApi, ask: impl FnOnce(&mut Issuer) -> T) -> T {
    let mut said = None;
    api.script(|script| said = script.issuer.as_mut().map(ask));
    said.expect("an issuer")
}

/// Writes a kubeconfig with a token that is issued now.
fn join(api: &FakeApi, folder: &Path) {
    api.kubeconfig(folder);
    let cluster = json!({ "server": api.url(), "certificate-authority": "ca.pem" });
    let token = issuer(api, |issuer| issuer.issue(LIFETIME));
    kubeconfig(folder, "c", &cluster, &json!({ "token": token }));
}

/// Runs the member of the kubeconfig in `folder`.
fn member(folder: TempDir, renews: bool) -> Member {
    let source = MemberSource {
        member: "m1".parse().unwrap(),
        has_topology: false,
        facts_limit: 1 << 30,
        renews,
        addresses_from: Vec::new(),
        front: None,
        source: Source::Kubeconfig {
            path: folder.path().join("kubeconfig"),
            context: "c".to_owned(),
        },
    };
    let lists = Arc::new(Semaphore::new(4));
    Member::run(folder, source, &short(), lists)
}

/// Waits until so many tokens have been asked for.
async fn until_asked(api: &FakeApi, times: usize) {
    api.until(&format!("{times} requests"), |state| state.asked() >= times)
        .await;
}

/// Waits until what was issued has expired, ends all watches, and waits for what comes of that.
async fn until_lost(member: &mut Member, api: &FakeApi) {
    while issuer(api, |issuer| issuer.has_valid()) {
        // Nothing but the time makes it so.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Those that are open stay open.
    assert_eq!(member.said, ["synced"]);
    api.end_watches();
    member.until_said("lost client").await;
    let said = member.said.last().unwrap();
    assert!(said.contains("credential expired at 20"), "{said}");
}

#[tokio::test]
async fn a_token_is_renewed_at_half_of_what_was_granted() {
    let api = api();
    let folder = tempfile::tempdir().unwrap();
    join(&api, folder.path());
    let began = Instant::now();
    let mut member = member(folder, true);
    member.until_said("synced").await;
    // The fourth is asked for after the first two have expired.
    until_asked(&api, 4).await;
    let asked = issuer(&api, |issuer| issuer.asked.clone());
    // The shortest lifetime that may be asked for.
    assert!(asked.iter().all(|seconds| *seconds == 600), "{asked:?}");
    let most = began.elapsed().as_secs() / (LIFETIME / 2 - 1) + 1;
    assert!(
        asked.len() as u64 <= most,
        "{} in {:?}",
        asked.len(),
        began.elapsed()
    );
    api.push(Resource::Services, Push::End);
    api.apply(Resource::Services, service("api"));
    member.until_services(&["api", "web"]).await;
    assert_eq!(member.said, ["synced"]);
    let metrics = member.metrics();
    for line in [
        "gazetteer_sources_credential_renewals_total{member=\"m1\",result=\"renewed\"} ",
        "gazetteer_sources_credential_expiry_timestamp_seconds{member=\"m1\"} ",
        "gazetteer_sources_certificate_expiry_timestamp_seconds{member=\"m1\"} ",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let contact = member.contact();
    assert!(
        contact.heard.is_some() && contact.expires.is_some(),
        "{contact:?}"
    );
    let kubeconfig = std::fs::read(member.folder.path().join("kubeconfig")).unwrap();
    // A restart goes on with what is kept: what is configured has expired.
    let member = member.stop_and_keep().await;
    assert!(member.path().join("credentials/m1.token").exists());
    let mut restarted = self::member(member, true);
    restarted.until_said("synced").await;
    let now = std::fs::read(restarted.folder.path().join("kubeconfig")).unwrap();
    assert_eq!(now, kubeconfig, "the configuration is not written");
}

#[tokio::test]
async fn without_the_right_the_token_ends_and_says_so() {
    let api = api();
    issuer(&api, |issuer| issuer.is_denied = true);
    let folder = tempfile::tempdir().unwrap();
    join(&api, folder.path());
    let mut member = member(folder, true);
    member.until_said("synced").await;
    until_asked(&api, 1).await;
    until_lost(&mut member, &api).await;
    let metrics = member.metrics();
    let line = "gazetteer_sources_credential_renewals_total{member=\"m1\",result=\"refused\"} ";
    assert!(metrics.contains(line), "{metrics}");
    // Whoever joins again is let in at once.
    join(&api, member.folder.path());
    member
        .until("let in again", |member| {
            let last = member.said.last();
            last.is_some_and(|said| said == "synced" || said == "resumed")
        })
        .await;
}

#[tokio::test]
async fn a_restart_with_an_expired_token_says_that_it_has_expired() {
    let api = api();
    let folder = tempfile::tempdir().unwrap();
    join(&api, folder.path());
    let mut running = member(folder, true);
    running.until_said("synced").await;
    until_asked(&api, 3).await;
    let folder = running.stop_and_keep().await;
    std::fs::remove_dir_all(folder.path().join("credentials")).unwrap();
    let mut restarted = member(folder, true);
    restarted.until_said("lost client").await;
    let said = restarted.said.last().unwrap();
    assert!(said.contains("credential expired at 20"), "{said}");
    join(&api, restarted.folder.path());
    restarted.until_said("synced").await;
}

#[tokio::test]
async fn a_token_that_is_not_to_be_renewed_is_not() {
    let api = api();
    let folder = tempfile::tempdir().unwrap();
    join(&api, folder.path());
    let mut member = member(folder, false);
    member.until_said("synced").await;
    until_lost(&mut member, &api).await;
    let asked = issuer(&api, |issuer| issuer.asked.len());
    assert_eq!(asked, 0);
    assert!(!member.folder.path().join("credentials").exists());
}
