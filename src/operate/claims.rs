//! What a ServiceAccount's token says of itself. Nothing here verifies a token: the API does.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::model::UnixSeconds;

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenClaims {
    /// When it was issued.
    pub(super) issued: Option<UnixSeconds>,
    /// When it ends; tokens of Secrets do not.
    pub(super) ends: Option<UnixSeconds>,
    /// Namespace and name of its ServiceAccount.
    pub(super) account: Option<(String, String)>,
    /// The Secret that it lives in, if it does.
    pub(super) secret: Option<String>,
}

/// The claims that are read (RFC 7519, 4.1).
#[derive(Deserialize)]
struct Payload {
    /// When it was issued.
    iat: Option<u64>,
    /// When it ends.
    exp: Option<u64>,
    /// `system:serviceaccount:NAMESPACE:NAME`
    sub: Option<String>,
    /// Of tokens that live in a Secret.
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name")]
    secret: Option<String>,
}

impl TokenClaims {
    /// Reads a token; `None` for what is no JSON Web Token.
    pub(super) fn read(token: &SecretString) -> Option<Self> {
        let payload = token.expose_secret().split('.').nth(1)?;
        let octets = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let payload: Payload = serde_json::from_slice(&octets).ok()?;
        let account = payload.sub.as_deref().and_then(|subject| {
            let names = subject.strip_prefix("system:serviceaccount:")?;
            let (namespace, name) = names.split_once(':')?;
            Some((namespace.to_owned(), name.to_owned()))
        });
        Some(Self {
            issued: payload.iat.map(UnixSeconds),
            ends: payload.exp.map(UnixSeconds),
            account,
            secret: payload.secret,
        })
    }

    /// How long it was made for, in seconds; `None` for ever.
    pub(super) fn granted(&self) -> Option<u64> {
        let (issued, ends) = self.issued.zip(self.ends)?;
        Some(ends.0.saturating_sub(issued.0))
    }

    /// Whether half of its life is left at `now`.
    pub(super) fn is_young(&self, now: UnixSeconds) -> bool {
        let Some(ends) = self.ends else { return true };
        let granted = self.granted().unwrap_or_default();
        ends.0.saturating_sub(now.0) >= granted / 2 && ends > now
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A token that says this.
    pub(in super::super) fn token(payload: &Value) -> SecretString {
        let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
        format!("e30.{payload}.c2ln").into()
    }

    #[test]
    fn a_token_says_how_long_it_lives_and_whose_it_is() {
        let said = json!({"iat": 1000, "exp": 3000, "sub": "system:serviceaccount:kube-system:g"});
        let claims = TokenClaims::read(&token(&said)).unwrap();
        assert_eq!(claims.granted(), Some(2000));
        assert_eq!(
            claims.account,
            Some(("kube-system".to_owned(), "g".to_owned()))
        );
        assert!(claims.is_young(UnixSeconds(2000)));
        assert!(!claims.is_young(UnixSeconds(2001)));
        let forever = TokenClaims::read(&token(&json!({"sub": "me"}))).unwrap();
        assert!(forever.is_young(UnixSeconds(u64::MAX)) && forever.account.is_none());
        assert_eq!(TokenClaims::read(&"opaque".into()), None);
    }
}
