//! Whether an API takes the daemon's credential, and for how long: `credential`.

use super::super::api::Refusal;
use super::super::cluster::uid;
use super::super::review::{ReviewedRight, is_allowed};
use super::checker::{Attempts, Checked};
use super::finding::CheckFinding;
use super::mending::Mending;
use super::reach::{ReachedApi, rough};
use crate::model::Shown;
use crate::telemetry::clock;

/// What an API says to a credential that it takes.
pub(super) struct Authenticated {
    /// Which cluster it is of; the error is why it does not say so.
    pub(super) uid: Result<String, String>,
}

/// Shows the credential.
pub(super) async fn authenticate(
    reached: &ReachedApi,
    mending: &Mending<'_>,
    attempts: &Attempts,
) -> Checked<Authenticated> {
    let credential = &reached.credential;
    attempts.note("no answer to a request with it");
    let uid = uid(&reached.api).await;
    let (kind, now) = (credential.kind, clock::now());
    let expired = credential.expires.filter(|expires| *expires <= now);
    let refused =
        |why: String| Checked::failed(CheckFinding::failure(why).hint(mending.renew(credential)));
    if let Err(Refusal::Status { code: 401, message }) = &uid {
        let message = Shown(message);
        return refused(match expired {
            Some(at) => format!("{kind} expired at {at}: {message}"),
            None => format!("{kind} not accepted: {message}"),
        });
    }
    // An API whose clock is behind may still take it.
    if let Some(at) = expired {
        return refused(format!("{kind} expired at {at}"));
    }
    if let Err(refusal @ Refusal::Silent(_)) = &uid {
        let said = refusal.to_string();
        return refused(format!("{kind}: {}", Shown(&said)));
    }
    let finding = judge_life(reached, mending, attempts).await;
    Checked {
        findings: vec![finding],
        value: Some(Authenticated {
            uid: uid.map_err(|refusal| Shown(&refusal.to_string()).to_string()),
        }),
    }
}

/// How long it lives on.
async fn judge_life(
    reached: &ReachedApi,
    mending: &Mending<'_>,
    attempts: &Attempts,
) -> CheckFinding {
    let credential = &reached.credential;
    let kind = credential.kind;
    let Some(expires) = credential.expires else {
        return CheckFinding::ok(format!("{kind} accepted, which does not say that it ends"));
    };
    let left = expires.0.saturating_sub(clock::now().0);
    let life = credential
        .issued
        .map(|issued| expires.0.saturating_sub(issued.0));
    let says = format!("{kind} until {expires}, {} left", rough(left));
    if credential.is_renewed
        && let Some((namespace, name)) = &credential.account
    {
        attempts.note("no answer to whether it may be renewed");
        let right = ReviewedRight {
            verb: "create",
            group: "",
            resource: "serviceaccounts",
            subresource: "token",
            namespace: Some(namespace),
            name: Some(name),
        };
        let allowed = is_allowed(&reached.api, &right).await;
        if let Ok(Err(why)) = allowed {
            let says = format!("{says}; the daemon may not renew it: {why}");
            return CheckFinding::warning(says).hint(mending.renew(credential));
        }
    }
    // One that a plugin gives is short-lived on purpose.
    let is_young = credential.is_of_plugin || life.is_none_or(|life| left > life / 3);
    if is_young {
        let how = match (credential.is_renewed, credential.is_of_plugin) {
            (true, _) => ", renewed by the daemon",
            (_, true) => ", given by a plugin",
            _ => ", renewed by nobody",
        };
        return CheckFinding::ok(says + how);
    }
    let why = if credential.is_renewed {
        "; the daemon has not renewed it, as far as this user may read its state folder"
    } else {
        ", renewed by nobody"
    };
    CheckFinding::warning(says + why).hint(mending.renew(credential))
}
