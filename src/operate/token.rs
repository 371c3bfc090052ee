//! Tokens of the ServiceAccount: bound ones, that end, and those of Secrets.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::api::Api;
use super::apply::is_ours;
use super::error::OperateError;
use super::manifest::{MadeKind, Names, path, shown, token_secret};
use crate::telemetry::clock;

/// How long the cluster may take to put a token into a Secret.
const FILLED: Duration = Duration::from_secs(20);

/// How long to wait before a Secret is looked at again.
const AGAIN: Duration = Duration::from_millis(200);

/// Asks for a token that ends after `lifetime` seconds, if the cluster grants that.
pub(super) async fn request(
    api: &Api,
    names: &Names,
    lifetime: u64,
) -> Result<SecretString, OperateError> {
    let account = path(
        MadeKind::ServiceAccount,
        Some(&names.namespace),
        &names.account(),
    );
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": lifetime},
    });
    let answer = api.create(&format!("{account}/token"), &request).await;
    let answer = answer.map_err(|refusal| OperateError::Api(format!("token: {refusal}")))?;
    let token = answer["status"]["token"].as_str();
    token.map(SecretString::from).ok_or_else(|| {
        OperateError::Api("token: the cluster grants one, and does not say it".to_owned())
    })
}

/// The two names of Secrets of an installation: while one is replaced, both are there.
pub(super) fn secret_names(names: &Names) -> [String; 2] {
    let base = names.base();
    let second = format!("{base}-2");
    [base, second]
}

/// Makes a Secret called `name`, and waits until the cluster has put a token into it. One of that name
/// that is there already is used, unless it is to be `new`.
pub(super) async fn make_secret(
    api: &Api,
    names: &Names,
    name: &str,
    is_new: bool,
) -> Result<(bool, SecretString), OperateError> {
    let object = token_secret(names, name);
    let (path, shown) = (object.path(), object.shown());
    let failed = |why: String| OperateError::Api(format!("{shown}: {why}"));
    let there = api.get(&path).await;
    let mut there = there.map_err(|refusal| failed(refusal.to_string()))?;
    if let Some(secret) = &there
        && !is_ours(secret, names)
    {
        return Err(failed("is somebody else's".to_owned()));
    }
    if is_new && let Some(secret) = there.take() {
        // Left by a command that was cut short: nobody uses it.
        let deleted = api.delete(&path, &secret).await;
        deleted.map_err(|refusal| failed(refusal.to_string()))?;
    }
    let is_made = there.is_none();
    if is_made {
        let made = api.apply(&path, &object.manifest, false).await;
        made.map_err(|refusal| failed(refusal.to_string()))?;
    }
    let deadline: Instant = clock::monotonic() + FILLED;
    loop {
        let secret = api.get(&path).await;
        let secret = secret.map_err(|refusal| failed(refusal.to_string()))?;
        if let Some(token) = secret.as_ref().and_then(token_in) {
            return Ok((is_made, token));
        }
        if clock::monotonic() >= deadline {
            let why = "the cluster puts no token into it: does its controller manager run?";
            return Err(failed(why.to_owned()));
        }
        sleep(AGAIN).await;
    }
}

/// The token in a Secret.
fn token_in(secret: &Value) -> Option<SecretString> {
    let data = secret["data"]["token"].as_str()?;
    let token = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
    (!token.is_empty()).then(|| token.into())
}

/// A Secret of the installation as it is shown.
pub(super) fn shown_secret(names: &Names, name: &str) -> String {
    shown(MadeKind::Secret, Some(&names.namespace), name)
}
