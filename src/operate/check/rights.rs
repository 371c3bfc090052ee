//! What the daemon may do, proven by doing: `rights-list`, `rights-watch`, `rights-paths`,
//! `rights-least`.

use std::collections::BTreeMap;

use futures::future::join_all;
use http::StatusCode;

use super::super::api::{Api, Refusal};
use super::super::followed::{EXPORTS, FollowedKind, KINDS, NODES, list_one, open_watch};
use super::super::review::{ReviewedRight, is_allowed};
use super::checker::{Attempts, Checked, Checker};
use super::files::or_ok;
use super::finding::CheckFinding;
use super::id::CheckId;
use super::mending::Mending;
use super::reach::ReachedApi;
use crate::model::Shown;

/// Kinds that could be listed, and the version of each list.
#[derive(Debug, Default)]
pub(super) struct ListedKinds {
    /// By name: where the kind is, and the version.
    listed: BTreeMap<&'static str, (&'static str, String)>,
    /// ServiceExports are not installed.
    is_without_exports: bool,
}

impl ListedKinds {
    /// Where a kind is, if it could be listed.
    pub(super) fn path(&self, kind: &str) -> Option<&'static str> {
        self.listed.get(kind).map(|(path, _)| *path)
    }

    /// Its kinds in words.
    fn shown(&self) -> String {
        let kinds = KINDS.iter().map(|(kind, _)| *kind);
        let kinds = kinds.filter(|kind| self.listed.contains_key(kind));
        let mut kinds: Vec<_> = kinds.collect();
        if self.listed.contains_key("serviceexports") {
            kinds.push("serviceexports");
        }
        let installed = if self.is_without_exports {
            "; serviceexports are not installed there"
        } else {
            ""
        };
        kinds.join(", ") + installed
    }
}

/// Kinds that the daemon follows: nodes only where they say something.
fn kinds(has_topology: bool) -> impl Iterator<Item = FollowedKind> {
    KINDS
        .into_iter()
        .filter(move |kind| !has_topology || *kind != NODES)
}

/// What somebody may not do.
fn refused(
    reached: &ReachedApi,
    mending: &Mending<'_>,
    verb: &str,
    on: &str,
    refusal: &Refusal,
) -> CheckFinding {
    let said = refusal.to_string();
    let finding = CheckFinding::failure(format!("{on}: {}", Shown(&said)));
    match refusal {
        Refusal::Status { code: 403, .. } => {
            finding.hint(mending.grant(&reached.credential, verb, on))
        }
        _ => finding,
    }
}

/// Lists one object of each kind.
pub(super) async fn check_lists(
    reached: &ReachedApi,
    mending: &Mending<'_>,
    has_topology: bool,
    attempts: &Attempts,
) -> Checked<ListedKinds> {
    attempts.note("no answer to a list");
    let api = &reached.api;
    let listed = kinds(has_topology).map(async |(kind, path)| {
        let listed = list_one(api, path).await;
        (kind, listed.map(|version| Some((path, version))))
    });
    let (mut all, exports) = tokio::join!(join_all(listed), list_exports(api));
    all.push(("serviceexports", exports));
    let mut kinds = ListedKinds::default();
    let mut findings = Vec::new();
    for (kind, listed) in all {
        match listed {
            Ok(Some(listed)) => drop(kinds.listed.insert(kind, listed)),
            Ok(None) => kinds.is_without_exports = true,
            Err(refusal) => findings.push(refused(reached, mending, "list", kind, &refusal)),
        }
    }
    Checked {
        findings: or_ok(findings, || kinds.shown()),
        value: Some(kinds),
    }
}

/// Lists one ServiceExport, of the version that is served; `None` if none is.
async fn list_exports(api: &Api) -> Result<Option<(&'static str, String)>, Refusal> {
    for (_, path) in EXPORTS {
        match list_one(api, path).await {
            Err(Refusal::Status { code: 404, .. }) => {}
            listed => return listed.map(|version| Some((path, version))),
        }
    }
    Ok(None)
}

/// Opens a watch of each kind.
pub(super) async fn check_watches(
    reached: &ReachedApi,
    mending: &Mending<'_>,
    has_topology: bool,
    listed: &ListedKinds,
    attempts: &Attempts,
) -> Checked<()> {
    attempts.note("no answer to a watch");
    let exports = listed.path("serviceexports");
    let exports = exports.map(|path| ("serviceexports", path));
    let opened = kinds(has_topology)
        .chain(exports)
        .map(async |(kind, path)| {
            let version = listed.listed.get(kind).map(|(_, version)| &**version);
            let opened = open_watch(&reached.api, path, version.unwrap_or("0")).await;
            (kind, opened)
        });
    let opened = join_all(opened).await.into_iter();
    let findings = opened.filter_map(|(kind, opened)| {
        let refusal = opened.err()?;
        Some(refused(reached, mending, "watch", kind, &refusal))
    });
    let shown = || {
        let kinds = kinds(has_topology).map(|(kind, _)| kind);
        let kinds: Vec<_> = kinds.chain(exports.map(|(kind, _)| kind)).collect();
        kinds.join(", ")
    };
    or_ok(findings.collect(), shown).into()
}

/// Asks for paths that are no objects.
pub(super) async fn check_paths(
    reached: &ReachedApi,
    mending: &Mending<'_>,
    attempts: &Attempts,
) -> Checked<()> {
    attempts.note("no answer to /version");
    let mut findings = Vec::new();
    let grant = |path| mending.grant(&reached.credential, "get", path);
    let status = reached.readyz.status;
    if status != StatusCode::OK {
        findings.push(CheckFinding::failure(format!("/readyz: {status}")).hint(grant("/readyz")));
    }
    match reached.api.get("/version").await {
        Ok(Some(_)) => {}
        Ok(None) => findings.push(CheckFinding::failure("/version: not found")),
        Err(refusal) => findings.push(refused(reached, mending, "get", "/version", &refusal)),
    }
    or_ok(findings, || "/readyz, /version".to_owned()).into()
}

/// Asks for rights that the daemon should not have.
pub(super) async fn check_least(
    reached: &ReachedApi,
    mending: &Mending<'_>,
    attempts: &Attempts,
) -> Checked<()> {
    attempts.note("no answer to a review of rights");
    let right = |verb, group, resource| ReviewedRight {
        verb,
        group,
        resource,
        subresource: "",
        namespace: None,
        name: None,
    };
    let mut findings = Vec::new();
    for (right, says) in [
        (right("*", "*", "*"), "it may do everything (verb * on *)"),
        (right("get", "", "secrets"), "it may read secrets"),
    ] {
        match is_allowed(&reached.api, &right).await {
            Ok(Ok(())) => {
                findings.push(CheckFinding::warning(says).hint(mending.least(&reached.credential)));
                break;
            }
            Ok(Err(_)) => {}
            Err(refusal) => {
                let said = refusal.to_string();
                let says = format!("reviews of rights: {}", Shown(&said));
                return CheckFinding::skipped(says).into();
            }
        }
    }
    or_ok(findings, || "nothing beyond what it needs".to_owned()).into()
}

/// Makes the checks of rights that nothing else needs.
pub(super) async fn check_others(
    checker: &Checker<'_>,
    reached: &ReachedApi,
    mending: &Mending<'_>,
) {
    tokio::join!(
        checker.run(CheckId::RightsPaths, async |attempts| {
            check_paths(reached, mending, attempts).await
        }),
        checker.run(CheckId::RightsLeast, async |attempts| {
            check_least(reached, mending, attempts).await
        }),
    );
}
