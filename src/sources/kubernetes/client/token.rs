//! What a bearer token says of itself: the claims of a JSON Web Token (RFC 7519). They are not
//! verified, as only the API can do that, and decide nothing but when to ask for another one, and which
//! of two tokens of one ServiceAccount counts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::model::UnixSeconds;

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// When it was issued.
    pub issued: Option<UnixSeconds>,
    /// When it expires; `None` is never, as of tokens of Secrets.
    pub expires: Option<UnixSeconds>,
    /// Namespace and name of the ServiceAccount that is its subject.
    pub subject: Option<(String, String)>,
    /// The Secret that it lives in, if it does.
    pub secret: Option<String>,
    /// Whose it is, if it was issued to a ServiceAccount on request.
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
    /// `system:serviceaccount:NAMESPACE:NAME`
    sub: Option<String>,
    /// Of tokens that live in a Secret.
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name")]
    secret: Option<String>,
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

impl TokenClaims {
    /// Those of `token`; `None` of one that is no JSON Web Token.
    pub fn of(token: &SecretString) -> Option<Self> {
        let mut parts = token.expose_secret().split('.');
        let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let written: Written = serde_json::from_slice(&claims).ok()?;
        let account = written.kubernetes.map(|kubernetes| TokenOwner {
            namespace: kubernetes.namespace,
            name: kubernetes.serviceaccount.name,
            uid: kubernetes.serviceaccount.uid,
            issuer: written.iss.unwrap_or_default(),
        });
        let subject = written.sub.as_deref().and_then(|subject| {
            let names = subject.strip_prefix("system:serviceaccount:")?;
            let (namespace, name) = names.split_once(':')?;
            Some((namespace.to_owned(), name.to_owned()))
        });
        Some(Self {
            issued: written.iat.map(seconds),
            expires: written.exp.map(seconds),
            subject,
            secret: written.secret,
            account,
        })
    }

    /// How long it was issued for, in seconds; `None` for ever.
    pub fn granted(&self) -> Option<u64> {
        let (issued, expires) = self.issued.zip(self.expires)?;
        Some(expires.0.saturating_sub(issued.0))
    }

    /// Whether half of its life is left at `now`.
    pub fn is_young(&self, now: UnixSeconds) -> bool {
        let Some(expires) = self.expires else {
            return true;
        };
        let granted = self.granted().unwrap_or_default();
        expires.0.saturating_sub(now.0) >= granted / 2 && expires > now
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
    fn token(claims: &Value) -> SecretString {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())).into()
    }

    #[test]
    fn the_claims_of_a_service_account_are_read() {
        let written = token(&json!({
            "aud": ["https://kubernetes.default.svc"], "exp": 7200, "iat": 3600.5, "nbf": 3600,
            "iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:kube-system:g",
            "kubernetes.io": { "namespace": "kube-system", "serviceaccount": { "name": "g", "uid": "u" } },
        }));
        let claims = TokenClaims::of(&written).unwrap();
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
        assert_eq!(TokenClaims::of(&other).unwrap().account, None);
        for text in ["", "opaque", "a.b", "a.!.c", "e30.e30", "e30.W10.c"] {
            assert_eq!(TokenClaims::of(&text.into()), None, "{text}");
        }
        let odd = token(&json!({ "exp": -1.5e300, "iat": 1e300 }));
        let odd = TokenClaims::of(&odd).unwrap();
        assert_eq!(
            (odd.expires, odd.issued),
            (Some(UnixSeconds(0)), Some(UnixSeconds(u64::MAX)))
        );
    }

    #[test]
    fn a_token_says_how_long_it_lives_and_whose_it_is() {
        let said = json!({"iat": 1000, "exp": 3000, "sub": "system:serviceaccount:kube-system:g"});
        let claims = TokenClaims::of(&token(&said)).unwrap();
        assert_eq!(claims.granted(), Some(2000));
        assert_eq!(
            claims.subject,
            Some(("kube-system".to_owned(), "g".to_owned()))
        );
        assert!(claims.is_young(UnixSeconds(2000)));
        assert!(!claims.is_young(UnixSeconds(2001)));
        let forever = TokenClaims::of(&token(&json!({"sub": "me"}))).unwrap();
        assert!(forever.is_young(UnixSeconds(u64::MAX)) && forever.subject.is_none());
    }
}
