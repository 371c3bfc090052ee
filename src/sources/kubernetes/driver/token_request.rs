//! The one request that is no get, list or watch: a new token of our own ServiceAccount
//! (`authentication.k8s.io/v1`, TokenRequest).

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::super::failure::Failure;
use super::link::Link;
use super::request::{self, ExpectedBody};
use crate::model::limits::TOKEN_BODY;

/// The shortest lifetime that an API server lets anybody ask for, in seconds.
const SHORTEST: u64 = 600;

/// What an API server says.
#[derive(Deserialize)]
struct Said {
    /// What it grants.
    status: Granted,
}

/// What is granted.
#[derive(Deserialize)]
struct Granted {
    /// The token.
    token: SecretString,
}

/// A new token of a ServiceAccount, asked for so many seconds; what is granted may be less.
pub(super) async fn ask(
    link: &Link,
    namespace: &str,
    account: &str,
    seconds: u64,
) -> Result<SecretString, Failure> {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let seconds = seconds.clamp(SHORTEST, u64::from(u32::MAX));
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": { "audiences": [], "expirationSeconds": seconds },
    });
    let request = http::Request::post(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())
        .map_err(kube::core::request::Error::BuildRequest);
    let asked = ExpectedBody {
        what: "a token",
        limit: &TOKEN_BODY,
    };
    let limit = link.timing.page;
    let answer = request::value::<Said>(link, request, asked);
    let said = tokio::time::timeout(limit, answer).await;
    Ok(said
        .unwrap_or_else(|_| Err(Failure::no_answer(limit)))?
        .status
        .token)
}
