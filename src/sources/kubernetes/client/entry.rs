//! What one context of a kubeconfig names: a cluster and a user.

use std::path::Path;

use kube::config::{AuthInfo, Cluster, Kubeconfig};
use secrecy::{ExposeSecret, SecretString};

/// A cluster and a user, as they are written, but that paths are absolute and that what is empty is not
/// there.
pub(super) struct Entry {
    /// Where the API is.
    pub(super) cluster: Cluster,
    /// Who we are; nobody, where the context names no user or one that is not there.
    pub(super) user: AuthInfo,
}

impl Entry {
    /// What `context` names. Relative paths are those of `folder`.
    pub(super) fn of(
        kubeconfig: &Kubeconfig,
        context: &str,
        folder: &Path,
    ) -> Result<Self, String> {
        let contexts = kubeconfig.contexts.iter();
        let found = only(contexts.filter(|named| named.name == context))
            .map_err(|Twice| format!("two contexts are called {context}"))?;
        let found = found.and_then(|named| named.context.clone());
        let found = found.ok_or_else(|| format!("no context {context}"))?;
        let clusters = kubeconfig.clusters.iter();
        let cluster = only(clusters.filter(|named| named.name == found.cluster))
            .map_err(|Twice| format!("the cluster of context {context} is there twice"))?;
        let cluster = cluster.and_then(|named| named.cluster.clone());
        let cluster =
            cluster.ok_or_else(|| format!("the cluster of context {context} is not there"))?;
        let users = kubeconfig.auth_infos.iter();
        let user = only(users.filter(|named| found.user.as_ref() == Some(&named.name)))
            .map_err(|Twice| format!("the user of context {context} is there twice"))?;
        let user = user.and_then(|named| named.auth_info.clone());
        let mut entry = Self {
            cluster,
            user: user.unwrap_or_default(),
        };
        entry.drop_empty();
        entry.make_absolute(folder);
        Ok(entry)
    }

    /// What a context of a kubeconfig with this text names; `None` is the present one, else the only one.
    pub(super) fn of_text(text: &[u8], asked: Option<&str>) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "not UTF-8".to_owned())?;
        let parsed = Kubeconfig::from_yaml(text);
        let parsed = parsed.map_err(|_| "not the YAML of a kubeconfig".to_owned())?;
        let context = match asked {
            Some(asked) => asked,
            None => context(&parsed)?,
        };
        Self::of(&parsed, context, Path::new(""))
    }

    /// Takes out what is empty: whoever fills templates leaves keys without values.
    pub(super) fn drop_empty(&mut self) {
        let Self { cluster, user } = self;
        for text in [
            &mut cluster.server,
            &mut cluster.certificate_authority,
            &mut cluster.certificate_authority_data,
            &mut cluster.proxy_url,
            &mut cluster.tls_server_name,
            &mut user.username,
            &mut user.token_file,
            &mut user.client_certificate,
            &mut user.client_certificate_data,
            &mut user.client_key,
            &mut user.impersonate,
            &mut user.impersonate_uid,
        ] {
            text.take_if(|text| text.is_empty());
        }
        let is_empty = |secret: &mut SecretString| secret.expose_secret().is_empty();
        user.token.take_if(is_empty);
        user.client_key_data.take_if(is_empty);
        // A user without a password has an empty one, and a password without a user is nobody's.
        user.password = user
            .username
            .as_ref()
            .map(|_| user.password.take().unwrap_or_default());
    }

    /// Makes relative paths those of the kubeconfig's folder, as kubectl does; a command only if it is
    /// a path.
    fn make_absolute(&mut self, folder: &Path) {
        let Self { cluster, user } = self;
        let command = user.exec.as_mut().and_then(|exec| exec.command.as_mut());
        let paths = [
            cluster.certificate_authority.as_mut(),
            user.client_certificate.as_mut(),
            user.client_key.as_mut(),
            user.token_file.as_mut(),
            command.filter(|command| command.contains('/')),
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path).to_string_lossy().into_owned();
        }
    }

    /// Refuses what contradicts itself, as kubectl does, and what is not supported.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { cluster, user } = self;
        let has_authority =
            cluster.certificate_authority.is_some() || cluster.certificate_authority_data.is_some();
        let has_token = user.token.is_some() || user.token_file.is_some();
        let acts = user.impersonate_uid.is_some()
            || user.impersonate_groups.is_some()
            || user.impersonate_user_extra.is_some();
        let provider = user.auth_provider.as_ref();
        let wrong = if cluster.insecure_skip_tls_verify == Some(true) && has_authority {
            "insecure-skip-tls-verify beside a certificate-authority: remove one of them"
        } else if user.username.is_some() && has_token {
            "username beside token: remove one of them"
        } else if user.exec.is_some() && provider.is_some() {
            "exec beside auth-provider: remove one of them"
        } else if provider.is_some_and(|provider| provider.name != "oidc") {
            "auth-provider is not supported, use an exec plugin"
        } else if acts && user.impersonate.is_none() {
            "as-uid, as-groups and as-user-extra need as"
        } else {
            return Ok(());
        };
        Err(wrong.to_owned())
    }
}

/// The context that counts: the present one, else the only one.
fn context(kubeconfig: &Kubeconfig) -> Result<&str, String> {
    let current = kubeconfig.current_context.as_deref();
    if let Some(current) = current.filter(|current| !current.is_empty()) {
        return Ok(current);
    }
    match kubeconfig.contexts.as_slice() {
        [only] => Ok(&only.name),
        [] => Err("no context".to_owned()),
        _ => Err("no current-context, and several contexts".to_owned()),
    }
}

/// There are several where one is meant.
struct Twice;

/// The only one of these, if there is any.
fn only<T>(mut found: impl Iterator<Item = T>) -> Result<Option<T>, Twice> {
    let first = found.next();
    found.next().map_or(Ok(first), |_| Err(Twice))
}
