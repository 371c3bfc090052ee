//! `gazetteer join`: look, make, prove, tell.

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use super::api::Refusal;
use super::apply::{ObjectChange, remove};
use super::credential::MemberCredential;
use super::entry::MemberEntry;
use super::error::OperateError;
use super::held::{Held, kept, renew};
use super::joining::Joining;
use super::looked::{Looked, look, make_one};
use super::manifest::{MadeKind, Mode, path, shown};
use super::progress::{Progress, StepMark};
use super::prove::Proof;
use super::token::{secret_names, shown_secret};
use crate::model::Shown;
use crate::names::Label;
use crate::sources::kubernetes::TokenClaims;

/// How long daemons have to take a new credential before the old one is made void: they look at it each
/// second.
const TAKEN: Duration = Duration::from_secs(5);

/// What a join has come to.
#[derive(Debug, Clone, Serialize)]
pub struct JoinOutcome {
    /// What the member is called.
    pub member: String,
    /// Which installation it belongs to.
    pub installation: String,
    /// Whether anything was made, changed or written, or would be.
    pub changed: bool,
    /// The daemon's token.
    pub token: Option<TokenFacts>,
}

/// What is known of the daemon's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenFacts {
    /// When it ends, by RFC 3339; none if it does not.
    pub ends: Option<String>,
    /// How many seconds were granted.
    pub granted_seconds: Option<u64>,
    /// Whether it is the one that was there.
    pub kept: bool,
}

/// Joins a member. What was done by the time of an error is taken as it is by the next try.
pub async fn join(
    joining: &Joining,
    progress: &mut Progress<'_>,
) -> Result<JoinOutcome, OperateError> {
    let looked = look(joining, progress).await?;
    if let Some(installation) = looked
        .names
        .installation
        .as_ref()
        .filter(|_| !joining.is_dry)
    {
        looked.place.keep(installation)?;
    }
    let is_made = make(joining, &looked, progress).await?;
    let kept = kept(joining, &looked, is_made, progress).await?;
    let held = match kept {
        Some(held) => Some(held),
        None if joining.is_dry => None,
        None => Some(renew(joining, &looked, progress).await?),
    };
    if let Some(held) = &held {
        progress.found(StepMark::Ok, held.proof.kinds());
        tell_topology(joining, &held.proof, progress);
    } else {
        let says = "token, lists and watches: not tried, there is no credential yet";
        progress.found(StepMark::Skipped, says);
    }
    let is_written = write(joining, &looked, held.as_ref(), progress).await?;
    let mut is_cleared = false;
    if let Some(held) = held.as_ref().filter(|_| !joining.is_dry) {
        is_cleared = clear(&looked, held, progress).await?;
    }
    let installation = looked.names.installation.as_ref();
    Ok(JoinOutcome {
        member: looked.name.to_string(),
        installation: installation.map(ToString::to_string).unwrap_or_default(),
        changed: is_made || is_written || is_cleared,
        token: held.as_ref().map(|held| {
            let claims = held.claims.as_ref();
            TokenFacts {
                ends: claims
                    .and_then(|claims| claims.expires)
                    .map(|ends| ends.to_string()),
                granted_seconds: claims.and_then(TokenClaims::granted),
                kept: held.is_kept,
            }
        }),
    })
}

/// Makes the member's objects. Says whether anything changed, or would.
async fn make(
    joining: &Joining,
    looked: &Looked,
    progress: &mut Progress<'_>,
) -> Result<bool, OperateError> {
    let is_dry = joining.is_dry;
    let failed = |shown: &str, refusal: Refusal| OperateError::Api(format!("{shown}: {refusal}"));
    let mut is_changed = false;
    for object in &looked.objects {
        let shown = object.shown();
        let change = make_one(looked, object, is_dry).await;
        let change = change.map_err(|refusal| failed(&shown, refusal))?;
        is_changed |= change != ObjectChange::Unchanged;
        progress.did(shown, change.word(is_dry));
    }
    if looked.mode == Mode::Renewed {
        return Ok(is_changed);
    }
    // What an earlier join let the daemon do.
    let name = format!("{}-token", looked.names.base());
    let namespace = Some(looked.names.namespace.as_str());
    for kind in [MadeKind::RoleBinding, MadeKind::Role] {
        let shown = shown(kind, namespace, &name);
        let path = path(kind, namespace, &name);
        let removed = remove(&looked.api, &looked.names, &path, is_dry).await;
        let removed = removed.map_err(|refusal| failed(&shown, refusal))?;
        if removed == Some(ObjectChange::Removed) {
            is_changed = true;
            progress.did(shown, ObjectChange::Removed.word(is_dry));
        }
    }
    Ok(is_changed)
}

/// Says where the member's nodes stand.
fn tell_topology(joining: &Joining, proof: &Proof, progress: &mut Progress<'_>) {
    let survey = &proof.survey;
    let names = |labels: Vec<&Label>| {
        let names: Vec<_> = labels.into_iter().map(Label::as_str).collect();
        names.join(", ")
    };
    let region = match (&joining.region, &survey.learnt.region) {
        (Some(region), _) => format!("region {region} (as given)"),
        (None, Some(region)) => {
            let (some, all) = (survey.in_region, survey.nodes);
            format!("region {region} ({some} of {all} nodes)")
        }
        (None, None) => {
            let says = "no region: no node has the label topology.kubernetes.io/region";
            progress.found(StepMark::Warning, says);
            return;
        }
    };
    let zones = if joining.zones.is_empty() {
        names(survey.learnt.zones.iter().collect())
    } else {
        names(joining.zones.iter().collect())
    };
    let zones = if zones.is_empty() {
        "no zones".to_owned()
    } else {
        format!("zones {zones}")
    };
    let networks = survey.networks.len();
    let plural = if networks == 1 { "" } else { "s" };
    let says = format!("{region}, {zones}, {networks} network{plural}");
    progress.found(StepMark::Ok, says);
    for warning in &survey.learnt.warnings {
        progress.found(StepMark::Warning, Shown(warning).to_string());
    }
}

/// Writes the member down. Says whether anything was written, or would be.
async fn write(
    joining: &Joining,
    looked: &Looked,
    held: Option<&Held>,
    progress: &mut Progress<'_>,
) -> Result<bool, OperateError> {
    // Where there is none yet, only that there would be one is known.
    let unknown = MemberCredential {
        endpoint: looked.endpoint.clone(),
        token: String::new().into(),
    };
    let credential = match held {
        Some(held) => (!held.is_kept).then_some(&held.credential),
        None => Some(&unknown),
    };
    let keys = keys(joining);
    if !keys.is_empty() && looked.known.has_definition {
        let says = "region and zones: what is written down already stays as it is";
        progress.found(StepMark::Warning, says);
    }
    let entry = MemberEntry {
        name: &looked.name,
        credential,
        keys,
        is_ending: looked.mode == Mode::Ending,
    };
    let mut is_written = false;
    for (object, result) in looked.place.write(entry, joining.is_dry).await? {
        is_written |= result != "unchanged";
        progress.did(object, result);
    }
    Ok(is_written)
}

/// The keys that the operator gives, in TOML.
fn keys(joining: &Joining) -> String {
    let mut keys = String::new();
    if let Some(region) = &joining.region {
        keys.extend(["region = \"", region.as_str(), "\"\n"]);
    }
    if !joining.zones.is_empty() {
        let zones = joining.zones.iter().map(|zone| format!("\"{zone}\""));
        let zones: Vec<_> = zones.collect();
        keys.extend(["zones = [", &zones.join(", "), "]\n"]);
    }
    keys
}

/// Removes Secrets with tokens that are not used any more. Says whether there were any.
async fn clear(
    looked: &Looked,
    held: &Held,
    progress: &mut Progress<'_>,
) -> Result<bool, OperateError> {
    let used = held
        .claims
        .as_ref()
        .and_then(|claims| claims.secret.as_ref());
    let namespace = Some(looked.names.namespace.as_str());
    let mut has_waited = held.is_kept;
    let mut is_changed = false;
    for name in secret_names(&looked.names) {
        let path = path(MadeKind::Secret, namespace, &name);
        let shown = shown_secret(&looked.names, &name);
        let failed = |refusal: Refusal| OperateError::Api(format!("{shown}: {refusal}"));
        let is_used = used == Some(&name);
        if is_used || looked.api.get(&path).await.map_err(failed)?.is_none() {
            continue;
        }
        if !has_waited {
            has_waited = true;
            sleep(TAKEN).await;
        }
        let removed = remove(&looked.api, &looked.names, &path, false).await;
        if removed.map_err(failed)? == Some(ObjectChange::Removed) {
            is_changed = true;
            progress.did(shown.clone(), ObjectChange::Removed.word(false));
        }
    }
    Ok(is_changed)
}
