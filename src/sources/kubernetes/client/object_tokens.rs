//! Tokens in Secrets of the host cluster: where one stands, and how another takes its place there. Pure,
//! but for the orders to whoever asks the host.

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, oneshot};

use super::entry::Entry;
use super::kept::is_later;
use crate::config::MemberObject;

/// Orders that may wait to be taken: more than there are members.
const ORDERS: usize = 512;

/// Where a token stands in a Secret of the host cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlace {
    /// The name of the Secret.
    pub secret: String,
    /// The key in it.
    pub key: String,
    /// What is under the key.
    pub form: TokenForm,
}

/// What a token stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenForm {
    /// Nothing else.
    Alone,
    /// A kubeconfig: the token is that of this context, or of the one that counts without.
    Kubeconfig(Option<String>),
}

/// What whoever renews tokens asks of whoever asks the host.
pub enum TokenOrder {
    /// Which token stands there now, if that can be told.
    Read(TokenPlace, oneshot::Sender<SecretString>),
    /// Another token is to stand there, if it is the later one of the same ServiceAccount.
    Write {
        /// The object that names the member.
        object: MemberObject,
        /// Where the token of it stands.
        place: TokenPlace,
        /// The token.
        token: SecretString,
    },
}

/// Where orders go; nowhere while no host is followed.
pub(super) type Orders = Option<mpsc::Sender<TokenOrder>>;

/// A place for orders, and where they are taken.
pub(super) fn orders() -> (mpsc::Sender<TokenOrder>, mpsc::Receiver<TokenOrder>) {
    mpsc::channel(ORDERS)
}

impl TokenPlace {
    /// The token in what is under the key.
    pub fn token(&self, value: &[u8]) -> Option<SecretString> {
        let token = match &self.form {
            TokenForm::Alone => std::str::from_utf8(value).ok()?.trim().into(),
            TokenForm::Kubeconfig(context) => {
                let entry = Entry::of_text(value, context.as_deref()).ok()?;
                entry.user.token?
            }
        };
        (!token.expose_secret().is_empty()).then_some(token)
    }

    /// What is under the key with another token in place of the one that stands there, all else as it is;
    /// `None` where that is no older one of the same ServiceAccount. The error says why it cannot be.
    pub fn replaced(
        &self,
        value: &[u8],
        token: &SecretString,
    ) -> Result<Option<Vec<u8>>, &'static str> {
        let old = self.token(value).ok_or("there is no token any more")?;
        if !is_later(token, &old) {
            return Ok(None);
        }
        let text = std::str::from_utf8(value).map_err(|_| "not UTF-8")?;
        let text = text.replace(old.expose_secret(), token.expose_secret());
        let new = text.into_bytes();
        let now = self.token(&new);
        // One that is written over several lines, say.
        now.filter(|now| now.expose_secret() == token.expose_secret())
            .ok_or("the token is written in a way that is not understood")?;
        Ok(Some(new))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    /// A token of the ServiceAccount with this UID, issued then.
    fn token(uid: &str, issued: u64) -> SecretString {
        let claims = json!({
            "iat": issued, "exp": issued + 3600,
            "kubernetes.io": { "namespace": "n", "serviceaccount": { "name": "g", "uid": uid } },
        });
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())).into()
    }

    /// A kubeconfig with these tokens of the users `a` and `b`; `a` is the present one.
    fn kubeconfig(a: &SecretString, b: &SecretString) -> String {
        let [a, b] = [a, b].map(|token| token.expose_secret().to_owned());
        format!(
            "# kept\napiVersion: v1\nkind: Config\ncurrent-context: a\n\
             clusters:\n- name: c\n  cluster: {{server: 'https://c'}}\n\
             contexts:\n- name: a\n  context: {{cluster: c, user: a}}\n\
             - name: b\n  context: {{cluster: c, user: b}}\n\
             users:\n- name: a\n  user:\n    token: \"{a}\"\n- name: b\n  user: {{token: {b}}}\n"
        )
    }

    #[test]
    fn a_later_token_takes_the_place_of_the_old_one_and_of_nothing_else() {
        let (old, other, new) = (token("u", 1), token("v", 2), token("u", 3));
        let of = |form| TokenPlace {
            secret: "s".to_owned(),
            key: "k".to_owned(),
            form,
        };
        let text = kubeconfig(&old, &other);
        let place = of(TokenForm::Kubeconfig(None));
        let written = place.replaced(text.as_bytes(), &new).unwrap().unwrap();
        assert_eq!(
            String::from_utf8(written.clone()).unwrap(),
            kubeconfig(&new, &other)
        );
        // It is there, or a later one, or somebody else's.
        assert_eq!(place.replaced(&written, &new), Ok(None));
        assert_eq!(place.replaced(&written, &old), Ok(None));
        let b = of(TokenForm::Kubeconfig(Some("b".to_owned())));
        assert_eq!(b.replaced(text.as_bytes(), &new), Ok(None));
        let alone = of(TokenForm::Alone);
        let lined = |token: &SecretString| format!("{}\n", token.expose_secret()).into_bytes();
        assert_eq!(alone.replaced(&lined(&old), &new), Ok(Some(lined(&new))));
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let new = token("u", 3);
        let place = TokenPlace {
            secret: "s".to_owned(),
            key: "k".to_owned(),
            form: TokenForm::Kubeconfig(None),
        };
        let missing = Err("there is no token any more");
        assert_eq!(place.replaced(b"{}", &new), missing);
        assert_eq!(place.replaced(b"\xff", &new), missing);
        let old = token("u", 1);
        let folded = old.expose_secret().replacen("e30.", "\\x65\\x330.", 1);
        let text = kubeconfig(&folded.into(), &old);
        // Escapes of YAML: the same token, and not the same text.
        let text = text.replace("{token: ", "{username: ");
        assert_eq!(
            place.replaced(text.as_bytes(), &new),
            Err("the token is written in a way that is not understood")
        );
    }
}
