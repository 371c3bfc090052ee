//! The checks of one member, from its kubeconfig to its rights. What depends on something that fails is
//! not looked at.

use super::super::cluster::clusterset_id;
use super::super::name::member_name;
use super::checker::{Attempts, Checked, Checker};
use super::credential::authenticate;
use super::dns::exported_names;
use super::exports::{check_exports, judge_ways};
use super::finding::CheckFinding;
use super::id::CheckId;
use super::lengths::SeenNames;
use super::mending::Mending;
use super::nodes::check_labels;
use super::reach::{ReachedApi, judge_certificate, judge_clock, reach};
use super::rights::{ListedKinds, check_lists, check_others, check_watches};
use super::settings::CheckSettings;
use crate::config::{Config, MemberSource};
use crate::model::{Member, Shown};
use crate::sources::kubernetes::{NodeSurvey, ObjectCredentials, SurveyedServices};

/// Checks that need an answer of the API.
const BEYOND_REACH: [CheckId; 3] = [
    CheckId::ApiCertificate,
    CheckId::ApiClock,
    CheckId::Credential,
];

/// Checks that need a credential that the API takes.
const BEYOND_CREDENTIAL: [CheckId; 11] = [
    CheckId::ApiIdentity,
    CheckId::RightsList,
    CheckId::RightsWatch,
    CheckId::RightsPaths,
    CheckId::RightsLeast,
    CheckId::Labels,
    CheckId::Exports,
    CheckId::Via,
    CheckId::Networks,
    CheckId::Names,
    CheckId::ClustersetId,
];

/// Checks that need to know what can be listed.
const BEYOND_LISTS: [CheckId; 7] = [
    CheckId::RightsList,
    CheckId::RightsWatch,
    CheckId::Labels,
    CheckId::Exports,
    CheckId::Via,
    CheckId::Networks,
    CheckId::Names,
];

/// Whether anything is wanted that needs an API.
pub(super) fn wants_members(settings: &CheckSettings) -> bool {
    let ids = [CheckId::ApiReachable].into_iter();
    let mut ids = ids.chain(BEYOND_REACH).chain(BEYOND_CREDENTIAL);
    ids.any(|id| settings.wants(id))
}

/// What was seen of a member, to be compared with the others'.
#[derive(Debug, Default)]
pub(super) struct SeenMember {
    /// Which cluster it is; the error is why that is not known. `None` is said already.
    pub(super) uid: Option<Result<String, String>>,
    /// Where its nodes stand, if that was read.
    pub(super) nodes: Option<NodeSurvey>,
    /// What its names are, if its services were read.
    pub(super) names: Option<SeenNames>,
    /// Names that its services may have, if its DNS server is to be asked for one.
    pub(super) exported: Vec<String>,
}

/// A member as it is checked.
pub(super) struct CheckedMember<'c> {
    /// The configuration.
    pub(super) config: &'c Config,
    /// Where its facts come from.
    pub(super) source: &'c MemberSource,
    /// What is configured of it.
    pub(super) member: &'c Member,
    /// How members of a host cluster are reached.
    pub(super) objects: ObjectCredentials,
    /// Commands that mend it.
    pub(super) mending: Mending<'c>,
}

/// Checks a member that has an API.
pub(super) async fn check_member(checker: &Checker<'_>, checked: &CheckedMember<'_>) -> SeenMember {
    let CheckedMember {
        source, mending, ..
    } = checked;
    let credentials = checked.config.state_dir.join(CREDENTIALS);
    let work = async |attempts: &Attempts| {
        reach(source, &credentials, &checked.objects, mending, attempts).await
    };
    let reached = checker.need(CheckId::ApiReachable, work).await;
    let Some(reached) = reached else {
        let why = "the API was not reached";
        skip(checker, &BEYOND_REACH, why);
        skip(checker, &BEYOND_CREDENTIAL, why);
        return SeenMember::default();
    };
    let reached = &reached;
    checker.say(
        CheckId::ApiCertificate,
        vec![judge_certificate(reached, mending)],
    );
    checker.say(CheckId::ApiClock, vec![judge_clock(reached)]);
    let asks_through = checker.settings().asks_through(source);
    let wants_more = checker.wants(&[CheckId::Credential]) || checker.wants(&BEYOND_CREDENTIAL);
    if !wants_more && !asks_through {
        return SeenMember::default();
    }
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
    let ((nodes, services), (), ()) = tokio::join!(
        check_kinds(checker, reached, checked),
        check_others(checker, reached, mending),
        checker.run(CheckId::ClustersetId, async |attempts| {
            check_clusterset_id(reached, source, mending, attempts).await
        }),
    );
    let (config, member) = (checked.config, checked.member);
    let surveyed = services.as_ref();
    let exported = surveyed.filter(|_| asks_through);
    SeenMember {
        uid: Some(authenticated.uid),
        nodes,
        names: surveyed.map(|surveyed| SeenNames::of(surveyed, &config.fleet, member)),
        exported: exported.map_or_else(Vec::new, |surveyed| {
            exported_names(config, member, &surveyed.services)
        }),
    }
}

/// Where renewed tokens are in the state folder.
const CREDENTIALS: &str = "credentials";

/// Says that checks were not made.
fn skip(checker: &Checker<'_>, ids: &[CheckId], why: &str) {
    for id in ids {
        checker.skip(*id, why);
    }
}

/// Lists and watches what the daemon follows, and looks at what it would learn.
async fn check_kinds(
    checker: &Checker<'_>,
    reached: &ReachedApi,
    checked: &CheckedMember<'_>,
) -> (Option<NodeSurvey>, Option<SurveyedServices>) {
    let CheckedMember {
        source, mending, ..
    } = checked;
    if !checker.wants(&BEYOND_LISTS) && !checker.settings().asks_through(source) {
        return (None, None);
    }
    let has_topology = source.has_topology;
    let listed = checker
        .need(CheckId::RightsList, async |attempts| {
            check_lists(reached, mending, has_topology, attempts).await
        })
        .await;
    let listed = &listed.unwrap_or_default();
    let (nodes, services, ()) = tokio::join!(
        look_at_nodes(checker, reached, listed, checked),
        look_at_services(checker, reached, listed, checked),
        checker.run(CheckId::RightsWatch, async |attempts| {
            check_watches(reached, mending, has_topology, listed, attempts).await
        }),
    );
    (nodes, services)
}

/// Reads the nodes.
async fn look_at_nodes(
    checker: &Checker<'_>,
    reached: &ReachedApi,
    listed: &ListedKinds,
    checked: &CheckedMember<'_>,
) -> Option<NodeSurvey> {
    let has_topology = checked.source.has_topology;
    let both = [CheckId::Labels, CheckId::Networks];
    if !checker.wants(&both) {
        return None;
    }
    if has_topology || listed.path("nodes").is_none() {
        let why = if has_topology {
            "region and zones are configured, and nodes are not read"
        } else {
            "nodes cannot be listed"
        };
        skip(checker, &both, why);
        return None;
    }
    let work =
        async |attempts: &Attempts| check_labels(&reached.api, &checked.mending, attempts).await;
    let nodes = checker.need(CheckId::Labels, work).await;
    if nodes.is_none() {
        checker.skip(CheckId::Networks, "its nodes were not read");
    }
    nodes
}

/// Reads the services.
async fn look_at_services(
    checker: &Checker<'_>,
    reached: &ReachedApi,
    listed: &ListedKinds,
    checked: &CheckedMember<'_>,
) -> Option<SurveyedServices> {
    let all = [CheckId::Exports, CheckId::Via, CheckId::Names];
    if !checker.wants(&all) && !checker.settings().asks_through(checked.source) {
        return None;
    }
    let are_listed = ["services", "endpointslices"].map(|kind| listed.path(kind).is_some());
    if are_listed != [true, true] {
        skip(
            checker,
            &all,
            "services and endpointslices cannot be listed",
        );
        return None;
    }
    let (fleet, member) = (&checked.config.fleet, checked.member);
    let work = async |attempts: &Attempts| {
        check_exports(
            &reached.api,
            listed,
            fleet,
            (member, checked.source),
            attempts,
        )
        .await
    };
    let surveyed = checker.need(CheckId::Exports, work).await;
    match &surveyed {
        Some(surveyed) => {
            let findings = judge_ways(surveyed, &checked.mending, &reached.credential);
            checker.say(CheckId::Via, findings);
        }
        None => skip(
            checker,
            &[CheckId::Via, CheckId::Names],
            "its services were not read",
        ),
    }
    surveyed
}

/// Whether it is called as its clusterset calls it.
async fn check_clusterset_id(
    reached: &ReachedApi,
    source: &MemberSource,
    mending: &Mending<'_>,
    attempts: &Attempts,
) -> Checked<()> {
    attempts.note("no answer to its ClusterProperty");
    let name = source.member.as_str();
    match clusterset_id(&reached.api).await {
        None => CheckFinding::skipped("it has no cluster.clusterset.k8s.io that may be read"),
        Some(own) if own == name => CheckFinding::ok(own),
        Some(own) => {
            let shown = Shown(&own);
            let says =
                format!("its clusterset calls it \"{shown}\", and so do names of pods there");
            let hint = match member_name(&own) {
                Ok(own) => mending.rename(&own),
                // No member can be called so.
                Err(_) => {
                    "kubectl --context CONTEXT edit clusterproperty cluster.clusterset.k8s.io"
                        .to_owned()
                }
            };
            CheckFinding::warning(says).hint(hint)
        }
    }
    .into()
}
