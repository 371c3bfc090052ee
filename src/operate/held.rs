//! The daemon's credential in a member: the one that is there, or a new one.

use super::api::Refusal;
use super::apply::ObjectChange;
use super::credential::MemberCredential;
use super::error::OperateError;
use super::joining::Joining;
use super::looked::Looked;
use super::manifest::{MadeKind, Mode, path};
use super::progress::{Progress, StepMark};
use super::prove::{Proof, prove};
use super::spans::{DAY, span};
use super::token::{make_secret, request, secret_names, shown_secret};
use crate::sources::kubernetes::TokenClaims;
use crate::telemetry::clock;

/// How long a token is asked for, in seconds.
const LIFETIME: u64 = 30 * DAY;

/// The least that a token must live, in seconds, if nobody renews it.
const UNRENEWED: u64 = 7 * DAY;

/// A credential that works.
pub(super) struct Held {
    /// The credential.
    pub(super) credential: MemberCredential,
    /// What its token says.
    pub(super) claims: Option<TokenClaims>,
    /// What it was seen to do.
    pub(super) proof: Proof,
    /// Whether it is the one that was there.
    pub(super) is_kept: bool,
}

/// The credential that is written down, if it works and has half of its life left.
pub(super) async fn kept(
    joining: &Joining,
    looked: &Looked,
    is_made: bool,
    progress: &mut Progress<'_>,
) -> Result<Option<Held>, OperateError> {
    let Some(credential) = looked.known.credential.clone() else {
        return Ok(None);
    };
    let Some(claims) = TokenClaims::of(&credential.token) else {
        return Ok(None);
    };
    let account = (looked.names.namespace.clone(), looked.names.account());
    let is_long_lived = claims.expires.is_none();
    let fits = !joining.renews
        && credential.endpoint == looked.endpoint
        && claims.subject == Some(account)
        && is_long_lived == (looked.mode == Mode::LongLived)
        && claims.is_young(clock::now());
    if !fits {
        return Ok(None);
    }
    // One that does not work is replaced.
    let proven = prove(&credential, &looked.uid, is_made && !joining.is_dry).await;
    let Ok(proof) = proven else { return Ok(None) };
    tell_token(joining, looked, Some(&claims), true, progress)?;
    Ok(Some(Held {
        credential,
        claims: Some(claims),
        proof,
        is_kept: true,
    }))
}

/// A new credential, proven.
pub(super) async fn renew(
    joining: &Joining,
    looked: &Looked,
    progress: &mut Progress<'_>,
) -> Result<Held, OperateError> {
    let Looked { api, names, .. } = looked;
    let token = if looked.mode == Mode::LongLived {
        let (name, is_new) = secret_to_make(joining, looked).await?;
        let (is_made, token) = make_secret(api, names, &name, is_new).await?;
        let change = if is_made {
            ObjectChange::Created
        } else {
            ObjectChange::Unchanged
        };
        progress.did(shown_secret(names, &name), change.word(false));
        token
    } else {
        request(api, names, joining.lifetime.unwrap_or(LIFETIME)).await?
    };
    let claims = TokenClaims::of(&token);
    tell_token(joining, looked, claims.as_ref(), false, progress)?;
    let credential = MemberCredential {
        endpoint: looked.endpoint.clone(),
        token,
    };
    let proof = prove(&credential, &looked.uid, true).await?;
    Ok(Held {
        credential,
        claims,
        proof,
        is_kept: false,
    })
}

/// Which Secret the token is to be in, and whether one of that name is made anew: the one that is in use
/// stays until its successor is.
async fn secret_to_make(
    joining: &Joining,
    looked: &Looked,
) -> Result<(String, bool), OperateError> {
    let [first, second] = secret_names(&looked.names);
    let credential = looked.known.credential.as_ref();
    let claims = credential.and_then(|credential| TokenClaims::of(&credential.token));
    let used = claims.and_then(|claims| claims.secret);
    if !joining.renews {
        return Ok((used.unwrap_or(first), false));
    }
    let is_first_there = if let Some(used) = &used {
        *used == first
    } else {
        let path = path(MadeKind::Secret, Some(&looked.names.namespace), &first);
        let there = looked.api.get(&path).await;
        let failed = |refusal: Refusal| OperateError::Api(refusal.to_string());
        there.map_err(failed)?.is_some()
    };
    Ok((if is_first_there { second } else { first }, true))
}

/// Says how long the token lives. One that nobody renews must live for long enough.
fn tell_token(
    joining: &Joining,
    looked: &Looked,
    claims: Option<&TokenClaims>,
    is_kept: bool,
    progress: &mut Progress<'_>,
) -> Result<(), OperateError> {
    let ends = claims.and_then(|claims| claims.expires);
    let granted = claims.and_then(TokenClaims::granted);
    let (Some(ends), Some(granted)) = (ends, granted) else {
        progress.found(StepMark::Ok, "token without an end, that of a secret");
        return Ok(());
    };
    if looked.mode == Mode::Ending && granted < UNRENEWED {
        let granted = span(granted);
        return Err(OperateError::Unproven(format!(
            "the token was granted for {granted}, and nobody would renew it: leave out --no-renew, \
             or say --long-lived"
        )));
    }
    let how = match looked.mode {
        Mode::Renewed => "renewed by the daemon",
        Mode::Ending | Mode::LongLived => "renewed by nobody",
    };
    let granted = span(granted);
    let says = if is_kept {
        format!("token until {ends} (granted {granted}), {how}, kept")
    } else {
        let asked = span(joining.lifetime.unwrap_or(LIFETIME));
        format!("token until {ends} (asked {asked}, granted {granted}), {how}")
    };
    progress.found(StepMark::Ok, says);
    Ok(())
}
