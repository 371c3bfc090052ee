//! How members are reached that objects of the host cluster name, and what may be in a kubeconfig out of
//! an object (docs/membership.md, What a kubeconfig may hold).
//!
//! Whoever may write an object would otherwise run programs here, or have files sent out. So nothing here
//! reads a file, and everything that is not known to be harmless is refused by its name.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use kube::config::{AuthInfo, ExecConfig};
use parking_lot::Mutex;
use serde_json::Value;

use super::entry::Entry;
use super::error::ClientError;
use super::kubeconfig;
use super::object_tokens::{Orders, TokenForm, TokenPlace};
use super::settings::ClientSettings;
use crate::config::{AccessProvider, MemberObject};

/// What is asked of access providers, where an object does not say.
const EXEC_VERSION: &str = "client.authentication.k8s.io/v1";

/// How the members are reached that objects name: known here for as long as the process lives, and never
/// on disk. All clones are one.
#[derive(Clone, Default)]
pub struct ObjectCredentials {
    /// By the objects that name the members.
    known: Arc<Mutex<BTreeMap<MemberObject, Known>>>,
    /// Where orders go to whoever asks the host.
    pub(super) orders: Arc<Mutex<Orders>>,
}

/// What is known of one object.
#[derive(Clone)]
struct Known {
    /// What a client is built from, or why there is none.
    settings: Result<ClientSettings, String>,
    /// A hash of what that was read from.
    hash: u64,
    /// Where the token stands that is in it, if one does.
    place: Option<TokenPlace>,
}

/// What our own configuration lets objects name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectRules {
    /// Programs that give credentials.
    pub providers: Vec<AccessProvider>,
    /// What a `proxy-url` may be.
    pub proxies: Vec<String>,
}

/// How a member is reached, where that is no kubeconfig.
#[derive(Clone)]
pub struct ObjectAccess {
    /// The cluster, as a kubeconfig has it.
    pub cluster: Value,
    /// Who we are.
    pub user: ObjectUser,
    /// Where the token of that stands, if one may.
    pub place: Option<TokenPlace>,
}

/// Who we are.
#[derive(Clone)]
pub enum ObjectUser {
    /// Whom this token says.
    Token(Vec<u8>),
    /// The user of a kubeconfig.
    Kubeconfig {
        /// The kubeconfig.
        text: Vec<u8>,
        /// The context in it; `None` is the present one.
        context: Option<String>,
    },
    /// Whom the access provider of this name says.
    Provider(String),
}

impl ObjectCredentials {
    /// Takes the kubeconfig of an object. The error names what is wrong with it, as the member's clients
    /// will say, and shows nothing of what is written there.
    pub fn put_kubeconfig(
        &self,
        object: &MemberObject,
        text: &[u8],
        rules: &ObjectRules,
    ) -> Result<(), String> {
        let mut hasher = DefaultHasher::new();
        (text, format!("{rules:?}")).hash(&mut hasher);
        let place = match object {
            MemberObject::Secret { name, key, .. } => Some(TokenPlace {
                secret: name.clone(),
                key: key.clone(),
                form: TokenForm::Kubeconfig(None),
            }),
            MemberObject::Profile { .. } => None,
        };
        let known = Known {
            settings: read(object, text, rules),
            hash: hasher.finish(),
            place,
        };
        self.learn(object, known)
    }

    /// Takes what an object says of how its member is reached. As
    /// [`put_kubeconfig`](Self::put_kubeconfig) otherwise.
    pub fn put_access(
        &self,
        object: &MemberObject,
        access: &ObjectAccess,
        rules: &ObjectRules,
    ) -> Result<(), String> {
        let mut hasher = DefaultHasher::new();
        (access.cluster.to_string(), format!("{rules:?}")).hash(&mut hasher);
        match &access.user {
            ObjectUser::Token(token) => token.hash(&mut hasher),
            ObjectUser::Kubeconfig { text, context } => (text, context).hash(&mut hasher),
            ObjectUser::Provider(name) => name.hash(&mut hasher),
        }
        let known = Known {
            settings: read_access(object, access, rules),
            hash: hasher.finish(),
            place: access.place.clone(),
        };
        self.learn(object, known)
    }

    /// Says of an object why its member cannot be reached.
    pub fn refuse(&self, object: &MemberObject, why: String) {
        let mut hasher = DefaultHasher::new();
        why.hash(&mut hasher);
        let known = Known {
            settings: Err(why),
            hash: hasher.finish(),
            place: None,
        };
        // That is what was said.
        let _ = self.learn(object, known);
    }

    /// Forgets an object.
    pub fn remove(&self, object: &MemberObject) {
        self.known.lock().remove(object);
    }

    /// Takes what is known of an object.
    fn learn(&self, object: &MemberObject, known: Known) -> Result<(), String> {
        let said = known.settings.as_ref().map(|_| ()).map_err(String::clone);
        self.known.lock().insert(object.clone(), known);
        said
    }

    /// Where the token of an object stands.
    pub(super) fn place(&self, object: &MemberObject) -> Option<TokenPlace> {
        self.known.lock().get(object)?.place.clone()
    }

    /// What a client of an object's member is built from.
    pub(super) fn settings(&self, object: &MemberObject) -> Result<ClientSettings, ClientError> {
        let known = self.known.lock().get(object).cloned();
        let not_yet = || {
            let why = "not read yet, as the host cluster has not answered since the start";
            Err(format!("{object}: {why}"))
        };
        let settings = known.map_or_else(not_yet, |known| known.settings);
        settings.map_err(ClientError::Object)
    }

    /// A hash of what is known of an object.
    pub(super) fn hash(&self, object: &MemberObject) -> u64 {
        let known = self.known.lock();
        known.get(object).map_or(0, |known| known.hash)
    }
}

impl std::fmt::Debug for ObjectCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.known.lock();
        f.debug_set().entries(known.keys()).finish()
    }
}

/// What a kubeconfig out of an object says, if it holds nothing else than it may.
fn read(object: &MemberObject, text: &[u8], rules: &ObjectRules) -> Result<ClientSettings, String> {
    let entry = Entry::of_text(text, None).map_err(|why| format!("{object}: {why}"))?;
    settings(object, entry, rules)
}

/// What an object says of how its member is reached, if that is nothing else than it may be.
fn read_access(
    object: &MemberObject,
    access: &ObjectAccess,
    rules: &ObjectRules,
) -> Result<ClientSettings, String> {
    let at = |why: String| format!("{object}: {why}");
    let cluster = serde_json::from_value(access.cluster.clone());
    let cluster = cluster.map_err(|_| at("not the cluster of a kubeconfig".to_owned()))?;
    let user = match &access.user {
        ObjectUser::Token(token) => {
            let token = String::from_utf8_lossy(token);
            AuthInfo {
                token: Some(token.trim().into()),
                ..AuthInfo::default()
            }
        }
        ObjectUser::Kubeconfig { text, context } => {
            Entry::of_text(text, context.as_deref()).map_err(at)?.user
        }
        ObjectUser::Provider(name) => AuthInfo {
            exec: Some(ExecConfig {
                command: Some(name.clone()),
                ..ExecConfig::default()
            }),
            ..AuthInfo::default()
        },
    };
    let mut entry = Entry { cluster, user };
    entry.drop_empty();
    settings(object, entry, rules)
}

/// What a client of an entry is built from, if it holds nothing else than it may.
fn settings(
    object: &MemberObject,
    mut entry: Entry,
    rules: &ObjectRules,
) -> Result<ClientSettings, String> {
    let at = |reason: String| format!("{object}: {reason}");
    if let Some(key) = forbidden(&entry, rules) {
        return Err(at(format!("{key} is not allowed here")));
    }
    entry.check().map_err(at)?;
    if let Some(exec) = &mut entry.user.exec {
        let mut providers = rules.providers.iter();
        let named = providers.find(|one| exec.command.as_ref() == Some(&one.name));
        // It was looked at.
        let named = named.ok_or_else(|| at("no such access provider".to_owned()))?;
        *exec = plugin(named, exec.api_version.as_deref());
    }
    let settings = kubeconfig::settings(entry, Path::new(&object.to_string()));
    settings.map_err(|error| match error {
        ClientError::Kubeconfig(why) if why.starts_with(&object.to_string()) => why,
        ClientError::Kubeconfig(why) => at(why),
        other => at(other.to_string()),
    })
}

/// What an entry holds that it may not, by its name.
fn forbidden(entry: &Entry, rules: &ObjectRules) -> Option<&'static str> {
    let Entry { cluster, user } = entry;
    let has_user = |server: &String| {
        let rest = server.split_once("://").map_or(&**server, |(_, rest)| rest);
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        place.contains('@')
    };
    let is_unlisted = |proxy: &String| !rules.proxies.contains(proxy);
    let is_unnamed = |exec: &ExecConfig| {
        let command = exec.command.as_ref();
        !rules.providers.iter().any(|it| Some(&it.name) == command)
    };
    let has_more = |exec: &ExecConfig| {
        let args = exec.args.as_ref().is_some_and(|args| !args.is_empty());
        args || exec.env.as_ref().is_some_and(|env| !env.is_empty())
    };
    let exec = user.exec.as_ref();
    let found = [
        (
            cluster.insecure_skip_tls_verify == Some(true),
            "cluster.insecure-skip-tls-verify",
        ),
        (
            cluster.certificate_authority.is_some(),
            "cluster.certificate-authority",
        ),
        (
            cluster.server.as_ref().is_some_and(has_user),
            "a user in cluster.server",
        ),
        (
            cluster.proxy_url.as_ref().is_some_and(is_unlisted),
            "this cluster.proxy-url",
        ),
        (exec.is_some_and(is_unnamed), "user.exec"),
        (exec.is_some_and(has_more), "args or env of user.exec"),
        (user.auth_provider.is_some(), "user.auth-provider"),
        (user.token_file.is_some(), "user.tokenFile"),
        (user.client_certificate.is_some(), "user.client-certificate"),
        (user.client_key.is_some(), "user.client-key"),
        (user.username.is_some(), "user.username"),
        (
            user.impersonate.is_some()
                || user.impersonate_uid.is_some()
                || user.impersonate_groups.is_some()
                || user.impersonate_user_extra.is_some(),
            "user.as",
        ),
    ];
    found.into_iter().find_map(|(is, key)| is.then_some(key))
}

/// An access provider as an exec plugin that is told of this cluster.
fn plugin(provider: &AccessProvider, version: Option<&str>) -> ExecConfig {
    let variable = |(name, value): &(String, String)| {
        let pairs = [("name", name), ("value", value)];
        pairs
            .map(|(key, text)| (key.to_owned(), text.clone()))
            .into()
    };
    ExecConfig {
        api_version: Some(version.unwrap_or(EXEC_VERSION).to_owned()),
        command: Some(provider.command.to_string_lossy().into_owned()),
        args: Some(provider.args.clone()),
        env: Some(provider.env.iter().map(variable).collect()),
        drop_env: None,
        install_hint: None,
        interactive_mode: None,
        provide_cluster_info: true,
        cluster: None,
        ..ExecConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The Secret of these tests.
    fn secret() -> MemberObject {
        MemberObject::Secret {
            namespace: "gazetteer".to_owned(),
            name: "x".to_owned(),
            key: "kubeconfig".to_owned(),
        }
    }

    /// A kubeconfig of this cluster and user.
    fn kubeconfig(cluster: &Value, user: &Value) -> Value {
        json!({
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        })
    }

    /// What becomes of a kubeconfig.
    fn taken(kubeconfig: &Value) -> Result<ClientSettings, String> {
        let rules = ObjectRules {
            providers: vec![AccessProvider {
                name: "google".to_owned(),
                command: "/bin/gcp".into(),
                args: vec!["-q".to_owned()],
                env: vec![("A".to_owned(), "b".to_owned())],
            }],
            proxies: vec!["http://192.0.2.9:3128".to_owned()],
        };
        let known = ObjectCredentials::default();
        known.put_kubeconfig(&secret(), kubeconfig.to_string().as_bytes(), &rules)?;
        Ok(known.settings(&secret()).unwrap())
    }

    #[test]
    fn what_is_harmless_is_taken() {
        let cluster = json!({"server": "https://192.0.2.1:6443", "tls-server-name": "a"});
        let user = json!({"token": "t0ken"});
        let settings = taken(&kubeconfig(&cluster, &user)).unwrap();
        assert_eq!(settings.server.to_string(), "https://192.0.2.1:6443/");
        let mut listed = cluster.clone();
        listed["proxy-url"] = json!("http://192.0.2.9:3128");
        taken(&kubeconfig(&listed, &user)).unwrap();
        let named = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "google"}});
        let exec = taken(&kubeconfig(&cluster, &named))
            .unwrap()
            .user
            .exec
            .unwrap();
        assert_eq!(exec.command.as_deref(), Some("/bin/gcp"));
        assert_eq!(exec.args, Some(vec!["-q".to_owned()]));
        let told = exec.cluster.unwrap();
        assert_eq!(told.server.as_deref(), Some("https://192.0.2.1:6443"));
    }

    #[test]
    fn everything_else_is_refused_by_its_name() {
        let good = json!({"server": "https://192.0.2.1:6443"});
        let cluster = |key: &str, value: Value| {
            let mut cluster = good.clone();
            cluster[key] = value;
            kubeconfig(&cluster, &json!({"token": "t0ken"}))
        };
        let user = |key: &str, value: Value| kubeconfig(&good, &json!({key: value}));
        let exec = |command: &str, more: Value| {
            let mut exec = json!({"apiVersion": "v1", "command": command});
            exec["args"] = more;
            user("exec", exec)
        };
        for (text, key) in [
            (
                cluster("insecure-skip-tls-verify", json!(true)),
                "cluster.insecure-skip-tls-verify",
            ),
            (
                cluster("certificate-authority", json!("/etc/passwd")),
                "cluster.certificate-authority",
            ),
            (
                cluster("proxy-url", json!("http://192.0.2.8:3128")),
                "this cluster.proxy-url",
            ),
            (
                cluster("server", json!("https://me:pass@192.0.2.1")),
                "a user in cluster.server",
            ),
            (exec("/bin/sh", json!([])), "user.exec"),
            (exec("sh", json!(null)), "user.exec"),
            (exec("google", json!(["x"])), "args or env of user.exec"),
            (user("tokenFile", json!("/etc/passwd")), "user.tokenFile"),
            (
                user("client-certificate", json!("/etc/passwd")),
                "user.client-certificate",
            ),
            (user("client-key", json!("/etc/passwd")), "user.client-key"),
            (user("username", json!("me")), "user.username"),
            (user("as", json!("root")), "user.as"),
            (
                user("auth-provider", json!({"name": "oidc", "config": {}})),
                "user.auth-provider",
            ),
        ] {
            let why = taken(&text).err().unwrap();
            let expected = format!("secret gazetteer/x: {key} is not allowed here");
            assert_eq!(why, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_kubeconfig_is_refused_and_not_shown() {
        let named = |context: &str| {
            let mut text = kubeconfig(&json!({"server": "https://a"}), &json!({}));
            text["current-context"] = json!(context);
            taken(&text).err()
        };
        assert_eq!(named("x"), None);
        let why = named("y").unwrap();
        assert_eq!(why, "secret gazetteer/x: no context y");
        let known = ObjectCredentials::default();
        let rules = ObjectRules::default();
        for (text, words) in [
            (&b"SECRET: ["[..], "not the YAML of a kubeconfig"),
            (b"\xFFSECRET", "not UTF-8"),
            (b"{}", "no context"),
            (b"", "no context"),
        ] {
            let why = known.put_kubeconfig(&secret(), text, &rules).unwrap_err();
            assert_eq!(why, format!("secret gazetteer/x: {words}"));
            assert!(!format!("{known:?}").contains("SECRET"));
        }
        known.remove(&secret());
        let why = known.settings(&secret()).err().unwrap().to_string();
        assert!(why.contains("not read yet"), "{why}");
    }
}
