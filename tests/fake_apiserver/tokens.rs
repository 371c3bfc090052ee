//! Tokens of a ServiceAccount, as an API server issues them: JSON Web Tokens that nobody has signed.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::status;
use super::replies::json_reply;

/// Where a token of the ServiceAccount `kube-system/gazetteer` is asked for.
const PATH: &str = "/api/v1/namespaces/kube-system/serviceaccounts/gazetteer/token";

/// Issues tokens. Whoever has none that is valid is not let in.
#[derive(Debug, Default)]
pub(crate) struct Issuer {
    /// The longest lifetime that it grants, in seconds.
    most: u64,
    /// Nobody may ask for a token.
    pub(crate) is_denied: bool,
    /// The lifetimes that were asked for, in seconds, oldest first.
    pub(crate) asked: Vec<u64>,
    /// What was issued, and when it expires.
    issued: Vec<(String, i64)>,
}

impl Issuer {
    /// One that grants so many seconds at most.
    pub(crate) fn new(most: u64) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Issues a token that lives so many seconds.
    pub(crate) fn issue(&mut self, seconds: u64) -> String {
        let now = Timestamp::now().as_second();
        let expires = now + i64::try_from(seconds).expect("a short lifetime");
        let claims = json!({
            "aud": ["https://kubernetes.default.svc"], "exp": expires, "iat": now, "nbf": now,
            "iss": "https://kubernetes.default.svc",
            "jti": self.issued.len().to_string(),
            "sub": "system:serviceaccount:kube-system:gazetteer",
            "kubernetes.io": {
                "namespace": "kube-system",
                "serviceaccount": { "name": "gazetteer", "uid": "e2b1a0c4" },
            },
        });
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        self.issued.push((token.clone(), expires));
        token
    }

    /// Whether this token lets anybody in.
    pub(super) fn knows(&self, token: Option<&str>) -> bool {
        let now = Timestamp::now().as_second();
        let mut issued = self.issued.iter();
        issued.any(|(known, expires)| Some(known.as_str()) == token && now < *expires)
    }

    /// Whether any token lets anybody in.
    pub(crate) fn has_valid(&self) -> bool {
        let now = Timestamp::now().as_second();
        self.issued.iter().any(|(_, expires)| now < *expires)
    }

    /// Answers a TokenRequest.
    pub(super) fn answer(&mut self, path: &str, body: &[u8]) -> Response {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        if path != PATH || request["kind"] != "TokenRequest" {
            return json_reply(&status(404, "NotFound", "not found"));
        }
        let seconds = request["spec"]["expirationSeconds"].as_u64();
        let seconds = seconds.expect("a lifetime is asked for");
        self.asked.push(seconds);
        if self.is_denied {
            let said =
                "serviceaccounts \"gazetteer\" is forbidden: cannot create resource \"token\"";
            return json_reply(&status(403, "Forbidden", said));
        }
        let granted = seconds.min(self.most);
        let token = self.issue(granted);
        json_reply(&json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {},
            "spec": { "expirationSeconds": granted },
            "status": { "token": token, "expirationTimestamp": "2026-01-01T00:00:00Z" },
        }))
    }
}
