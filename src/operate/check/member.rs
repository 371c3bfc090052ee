//! The checks of one member, from its kubeconfig to its rights. What depends on something that fails is
//! not looked at.

use std::path::Path;

use super::super::cluster::clusterset_id;
use super::checker::{Attempts, Checked, Checker};
use super::credential::authenticate;
use super::finding::CheckFinding;
use super::id::CheckId;
use super::mending::Mending;
use super::reach::{ReachedApi, judge_certificate, judge_clock, reach};
use super::rights::{check_lists, check_others, check_watches};
use crate::config::{Config, MemberSource};
use crate::model::Shown;

/// Checks that need an answer of the API.
const BEYOND_REACH: [CheckId; 9] = [
    CheckId::ApiCertificate,
    CheckId::ApiIdentity,
    CheckId::ApiClock,
    CheckId::Credential,
    CheckId::RightsList,
    CheckId::RightsWatch,
    CheckId::RightsPaths,
    CheckId::RightsLeast,
    CheckId::ClustersetId,
];

/// Checks that need a credential that the API takes.
const BEYOND_CREDENTIAL: [CheckId; 6] = [
    CheckId::ApiIdentity,
    CheckId::RightsList,
    CheckId::RightsWatch,
    CheckId::RightsPaths,
    CheckId::RightsLeast,
    CheckId::ClustersetId,
];

/// What was seen of a member, to be compared with the others'.
#[derive(Debug, Default)]
pub(super) struct SeenMember {
    /// Which cluster it is; the error is why that is not known. `None` is said already.
    pub(super) uid: Option<Result<String, String>>,
}

/// Checks a member that has an API.
pub(super) async fn check_member(
    checker: &Checker<'_>,
    config: &Config,
    source: &MemberSource,
    mending: &Mending,
) -> SeenMember {
    let credentials = config.state_dir.join(CREDENTIALS);
    let reached = reached(checker, source, &credentials, mending).await;
    let Some(reached) = reached else {
        skip(checker, &BEYOND_REACH, "the API was not reached");
        return SeenMember::default();
    };
    let reached = &reached;
    checker.say(
        CheckId::ApiCertificate,
        vec![judge_certificate(reached, mending)],
    );
    checker.say(CheckId::ApiClock, vec![judge_clock(reached)]);
    let authenticated = checker
        .need(CheckId::Credential, async |attempts| {
            authenticate(reached, mending, attempts).await
        })
        .await;
    let Some(authenticated) = authenticated else {
        skip(
            checker,
            &BEYOND_CREDENTIAL,
            "there is no credential that works",
        );
        return SeenMember::default();
    };
    tokio::join!(
        check_kinds(checker, reached, source, mending),
        check_others(checker, reached, mending),
        checker.run(CheckId::ClustersetId, async |attempts| {
            check_clusterset_id(reached, source, attempts).await
        }),
    );
    SeenMember {
        uid: Some(authenticated.uid),
    }
}

/// Where renewed tokens are in the state folder.
const CREDENTIALS: &str = "credentials";

/// Reaches its API.
async fn reached(
    checker: &Checker<'_>,
    source: &MemberSource,
    credentials: &Path,
    mending: &Mending,
) -> Option<ReachedApi> {
    let work = async |attempts: &Attempts| reach(source, credentials, mending, attempts).await;
    checker.need(CheckId::ApiReachable, work).await
}

/// Says that checks were not made.
fn skip(checker: &Checker<'_>, ids: &[CheckId], why: &str) {
    for id in ids {
        checker.skip(*id, why);
    }
}

/// Lists and watches what the daemon follows.
async fn check_kinds(
    checker: &Checker<'_>,
    reached: &ReachedApi,
    source: &MemberSource,
    mending: &Mending,
) {
    let has_topology = source.has_topology;
    let listed = checker
        .need(CheckId::RightsList, async |attempts| {
            check_lists(reached, mending, has_topology, attempts).await
        })
        .await;
    let listed = listed.unwrap_or_default();
    checker
        .run(CheckId::RightsWatch, async |attempts| {
            check_watches(reached, mending, has_topology, &listed, attempts).await
        })
        .await;
}

/// Whether it is called as its clusterset calls it.
async fn check_clusterset_id(
    reached: &ReachedApi,
    source: &MemberSource,
    attempts: &Attempts,
) -> Checked<()> {
    attempts.note("no answer to its ClusterProperty");
    let name = source.member.as_str();
    match clusterset_id(&reached.api).await {
        None => CheckFinding::skipped("it has no cluster.clusterset.k8s.io that may be read"),
        Some(own) if own == name => CheckFinding::ok(own),
        Some(own) => {
            let own = Shown(&own);
            let says = format!("its clusterset calls it \"{own}\", and so do names of pods there");
            let hint = format!(
                "kubectl --context CONTEXT get clusterproperty cluster.clusterset.k8s.io, and join it as \"{own}\""
            );
            CheckFinding::warning(says).hint(hint)
        }
    }
    .into()
}
