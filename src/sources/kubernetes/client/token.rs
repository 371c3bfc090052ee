//! What a bearer token says of itself: the claims of a JSON Web Token (RFC 7519). They are not
//! verified, as only the API can do that, and decide nothing but when to ask for another one, and which
//! of two tokens of one ServiceAccount counts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::model::UnixSeconds;

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// When it was issued.
    pub(super) issued: Option<UnixSeconds>,
    /// When it expires; `None` is never.
    pub(super) expires: Option<UnixSeconds>,
    /// Whose it is, if it is that of a ServiceAccount.
    pub(super) account: Option<TokenOwner>,
}

/// A ServiceAccount of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenOwner {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// Its UID: another one of its name is another one.
    uid: String,
    /// Who has issued the token.
    issuer: String,
}

/// The claims as they are written.
#[derive(Deserialize)]
struct Written {
    /// Seconds since 1970, perhaps with a fraction.
    iat: Option<f64>,
    /// The same.
    exp: Option<f64>,
    /// Who has issued it.
    iss: Option<String>,
    /// What Kubernetes says besides.
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

/// What Kubernetes says besides.
#[derive(Deserialize)]
struct Kubernetes {
    /// The namespace of the account.
    namespace: String,
    /// The account.
    serviceaccount: Named,
}

/// A name and a UID.
#[derive(Deserialize)]
struct Named {
    /// The name.
    name: String,
    /// The UID.
    uid: String,
}

impl Claims {
    /// Those of `token`; `None` of one that is no JSON Web Token.
    pub(super) fn of(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let written: Written = serde_json::from_slice(&claims).ok()?;
        let account = written.kubernetes.map(|kubernetes| TokenOwner {
            namespace: kubernetes.namespace,
            name: kubernetes.serviceaccount.name,
            uid: kubernetes.serviceaccount.uid,
            issuer: written.iss.unwrap_or_default(),
        });
        Some(Self {
            issued: written.iat.map(seconds),
            expires: written.exp.map(seconds),
            account,
        })
    }
}

/// Whole seconds.
fn seconds(written: f64) -> UnixSeconds {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is no time is the first or the last one"
    )]
    UnixSeconds(written as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A token with these claims.
    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn the_claims_of_a_service_account_are_read() {
        let written = token(&json!({
            "aud": ["https://kubernetes.default.svc"], "exp": 7200, "iat": 3600.5, "nbf": 3600,
            "iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:kube-system:g",
            "kubernetes.io": { "namespace": "kube-system", "serviceaccount": { "name": "g", "uid": "u" } },
        }));
        let claims = Claims::of(&written).unwrap();
        assert_eq!(claims.issued, Some(UnixSeconds(3600)));
        assert_eq!(claims.expires, Some(UnixSeconds(7200)));
        let account = claims.account.unwrap();
        assert_eq!(
            (&*account.namespace, &*account.name, &*account.uid),
            ("kube-system", "g", "u")
        );
    }

    #[test]
    fn other_tokens_have_no_account_or_no_claims() {
        let other = token(&json!({ "exp": 1, "email": "me@example.com" }));
        assert_eq!(Claims::of(&other).unwrap().account, None);
        for text in ["", "opaque", "a.b", "a.!.c", "e30.e30", "e30.W10.c"] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
        let odd = token(&json!({ "exp": -1.5e300, "iat": 1e300 }));
        let odd = Claims::of(&odd).unwrap();
        assert_eq!(
            (odd.expires, odd.issued),
            (Some(UnixSeconds(0)), Some(UnixSeconds(u64::MAX)))
        );
    }
}
