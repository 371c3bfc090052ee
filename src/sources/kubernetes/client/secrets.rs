//! The secrets of a client, which nothing that is shown may hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::AuthInfo;
use secrecy::{ExposeSecret, SecretString};

use super::proxy::Proxy;

/// What is shown instead of a secret.
const MASK: &str = "[secret]";

/// Texts shorter than this are in many words that are no secrets.
const SHORTEST: usize = 4;

/// The secrets that a client sends: an API that is confused, or a proxy before it, may send them
/// back in what it says. `Debug` shows none of them.
#[derive(Debug, Default)]
pub(in super::super) struct Secrets(Vec<SecretString>);

impl Secrets {
    /// Those of `auth_info` and of a proxy.
    pub(super) fn of(auth_info: &AuthInfo, proxy: Option<&Proxy>) -> Self {
        let mut secrets: Vec<SecretString> = auth_info.token.iter().cloned().collect();
        let user = auth_info.username.as_ref().zip(auth_info.password.as_ref());
        let of_proxy = proxy.and_then(|proxy| proxy.user.as_ref());
        let of_proxy = of_proxy.map(|(user, password)| (user, password));
        for (user, password) in user.into_iter().chain(of_proxy) {
            let both = format!("{user}:{}", password.expose_secret());
            secrets.push(password.clone());
            secrets.push(STANDARD.encode(both).into());
        }
        let provider = auth_info.auth_provider.iter();
        let configured = provider.flat_map(|provider| provider.config.values());
        secrets.extend(configured.map(|value| value.as_str().into()));
        secrets.retain(|secret| secret.expose_secret().len() >= SHORTEST);
        Self(secrets)
    }

    /// A text of the API without them.
    pub(in super::super) fn mask(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose_secret(), MASK)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_and_never_shown() {
        let auth_info = AuthInfo {
            token: Some("TOKEN-SECRET".into()),
            username: Some("me".to_owned()),
            password: Some("PASS-SECRET".into()),
            ..AuthInfo::default()
        };
        let secrets = Secrets::of(
            &auth_info,
            Some(&Proxy::parse("http://p:PROXY-SECRET@p").unwrap()),
        );
        let said = "Bearer TOKEN-SECRET, Basic bWU6UEFTUy1TRUNSRVQ=, PASS-SECRET, PROXY-SECRET";
        assert_eq!(
            secrets.mask(said),
            "Bearer [secret], Basic [secret], [secret], [secret]"
        );
        assert!(!format!("{secrets:?}").contains("SECRET"), "{secrets:?}");
    }
}
