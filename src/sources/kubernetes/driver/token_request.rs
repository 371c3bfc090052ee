//! The one request that is no get, list or watch: a new token of our own ServiceAccount
//! (`authentication.k8s.io/v1`, TokenRequest).

use kube::core::request::Error;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

/// The shortest lifetime that an API server lets anybody ask for, in seconds.
const SHORTEST: u64 = 600;

/// What an API server says.
#[derive(Deserialize)]
pub(super) struct GrantedToken {
    /// What it grants.
    pub(super) status: GrantedStatus,
}

/// What is granted.
#[derive(Deserialize)]
pub(super) struct GrantedStatus {
    /// The token.
    pub(super) token: SecretString,
}

/// Asks for a new token of a ServiceAccount for so many seconds; what is granted may be less.
pub(super) fn build(
    namespace: &str,
    account: &str,
    seconds: u64,
) -> Result<http::Request<Vec<u8>>, Error> {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let seconds = seconds.clamp(SHORTEST, u64::from(u32::MAX));
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": { "audiences": [], "expirationSeconds": seconds },
    });
    http::Request::post(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())
        .map_err(Error::BuildRequest)
}
