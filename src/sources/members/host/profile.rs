//! `ClusterProfile`s of the host cluster as members (KEP-4322, KEP-5339). Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::super::kubernetes::{
    HostObject, ObjectAccess, ObjectUser, TokenForm, TokenPlace,
};
use crate::config::{HostCluster, MemberObject, ObjectMember, ProfileOrigin};

/// The property that says what a cluster is called in its clusterset (KEP-2149).
const NAME: &str = "cluster.clusterset.k8s.io";

/// The extension of a cluster that access providers are told.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

/// Secrets by their names.
pub(super) type NamedSecrets = BTreeMap<String, HostObject>;

/// What a `ClusterProfile` says.
pub(super) struct ReadProfile {
    /// The member.
    pub(super) member: ObjectMember,
    /// How it is reached, or why it cannot be.
    pub(super) access: Result<ObjectAccess, String>,
    /// Whoever made it says that its control plane is not healthy.
    pub(super) is_unhealthy: bool,
}

/// Reads a `ClusterProfile`; `secrets` are those of its namespace.
pub(super) fn read(
    profile: &HostObject,
    host: &HostCluster,
    origin: &ProfileOrigin,
    secrets: &NamedSecrets,
) -> ReadProfile {
    let status = &profile.body["status"];
    let object = MemberObject::Profile {
        namespace: host.namespace.clone(),
        name: profile.name.clone(),
    };
    let called = named(&status["properties"], NAME).and_then(|it| it["value"].as_str());
    let called = called.filter(|name| !name.is_empty());
    let access = access(profile, host, origin, secrets);
    let healthy = all(&status["conditions"]).find(|one| one["type"] == "ControlPlaneHealthy");
    ReadProfile {
        access: access.map_err(|why| format!("{object}: {why}")),
        member: ObjectMember {
            object,
            name: called.unwrap_or(&profile.name).to_owned(),
            keys: String::new(),
        },
        is_unhealthy: healthy.is_some_and(|condition| condition["status"] == "False"),
    }
}

/// How the cluster of a profile is reached.
fn access(
    profile: &HostObject,
    host: &HostCluster,
    origin: &ProfileOrigin,
    secrets: &NamedSecrets,
) -> Result<ObjectAccess, String> {
    let status = &profile.body["status"];
    // What it was called before counts where the newer one says nothing.
    let offered = ["accessProviders", "credentialProviders"];
    let offered = offered
        .into_iter()
        .map(|key| &status[key])
        .find(|list| all(list).next().is_some())
        .unwrap_or(&Value::Null);
    let mut wanted = origin.access.iter();
    let found = wanted.find_map(|name| Some((name, named(offered, name)?)));
    let Some((name, found)) = found else {
        let offers = all(offered).filter_map(|one| one["name"].as_str());
        let offers: Vec<_> = offers.map(|name| format!("{name:?}")).collect();
        let offers = match offers.as_slice() {
            [] => "access provider offered".to_owned(),
            some => format!("access provider of {}", some.join(", ")),
        };
        return Err(format!("no {offers}, have {}", origin.access.join(", ")));
    };
    let cluster = &found["cluster"];
    let told = named(&cluster["extensions"], EXTENSION).map_or(&Value::Null, |it| &it["extension"]);
    let (user, place) = match name.as_str() {
        "secretreader" => {
            let secret = told["clusterName"].as_str().unwrap_or(&profile.name);
            let place = TokenPlace {
                secret: secret.to_owned(),
                key: "token".to_owned(),
                form: TokenForm::Alone,
            };
            (ObjectUser::Token(value(secrets, &place)?), Some(place))
        }
        "kubeconfig-secretreader" => {
            let text = |key: &str| told[key].as_str().filter(|text| !text.is_empty());
            if text("namespace").is_some_and(|namespace| namespace != host.namespace) {
                return Err("a Secret of another namespace is not allowed here".to_owned());
            }
            let secret = text("name").ok_or_else(|| format!("{EXTENSION}: no name of a Secret"))?;
            let context = text("context").map(str::to_owned);
            let place = TokenPlace {
                secret: secret.to_owned(),
                key: text("key").unwrap_or("kubeconfig").to_owned(),
                form: TokenForm::Kubeconfig(context.clone()),
            };
            let text = value(secrets, &place)?;
            (ObjectUser::Kubeconfig { text, context }, Some(place))
        }
        other => (ObjectUser::Provider(other.to_owned()), None),
    };
    Ok(ObjectAccess {
        cluster: cluster.clone(),
        user,
        place,
    })
}

/// What is under a key of a Secret.
fn value(secrets: &NamedSecrets, place: &TokenPlace) -> Result<Vec<u8>, String> {
    let (name, key) = (&place.secret, &place.key);
    let secret = secrets
        .get(name)
        .ok_or_else(|| format!("no Secret {name:?}"))?;
    let data = secret.body["data"][key].as_str();
    let data = data.and_then(|data| STANDARD.decode(data).ok());
    data.ok_or_else(|| format!("Secret {name:?}: no key {key:?}"))
}

/// The elements of a list, if it is one.
fn all(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The element of a list that is called so.
fn named<'v>(list: &'v Value, name: &str) -> Option<&'v Value> {
    all(list).find(|one| one["name"] == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Source;

    /// An object.
    fn object(name: &str, body: Value) -> HostObject {
        HostObject {
            name: name.to_owned(),
            version: "1".to_owned(),
            body,
        }
    }

    /// What is read of a profile with this status, where these access providers are wanted.
    fn read_with(status: &Value, wanted: &[&str]) -> ReadProfile {
        let origin = ProfileOrigin {
            selector: String::new(),
            access: wanted.iter().map(|name| (*name).to_owned()).collect(),
        };
        let host = HostCluster {
            source: Source::InCluster,
            namespace: "n".to_owned(),
            secrets: None,
            profiles: Some(origin.clone()),
            providers: Vec::new(),
            proxies: Vec::new(),
            overrides: None,
        };
        let secret = |name: &str, key: &str, text: &str| {
            let body = json!({"data": {key: STANDARD.encode(text)}});
            (name.to_owned(), object(name, body))
        };
        let secrets = [secret("p", "token", "T"), secret("k", "value", "K")];
        let profile = object("p", json!({ "status": status }));
        read(&profile, &host, &origin, &secrets.into())
    }

    /// An access provider of this name, told this.
    fn offer(name: &str, told: &Value) -> Value {
        let extensions = json!([{"name": EXTENSION, "extension": told}]);
        let server = format!("https://{name}");
        json!({"name": name, "cluster": {"server": server, "extensions": extensions}})
    }

    #[test]
    fn the_first_provider_that_is_offered_counts() {
        let offers = [
            offer("secretreader", &json!({})),
            offer(
                "kubeconfig-secretreader",
                &json!({"name": "k", "key": "value"}),
            ),
            offer("google", &json!({})),
        ];
        for key in ["accessProviders", "credentialProviders"] {
            let status = json!({key: offers, "properties": [{"name": NAME, "value": "c1"}]});
            for wanted in ["secretreader", "kubeconfig-secretreader", "google"] {
                let read = read_with(&status, &["other", wanted]);
                assert_eq!(read.member.name, "c1");
                let access = read.access.ok().unwrap();
                assert_eq!(access.cluster["server"], format!("https://{wanted}"));
                let user = match access.user {
                    ObjectUser::Token(token) => token,
                    ObjectUser::Kubeconfig { text, .. } => text,
                    ObjectUser::Provider(name) => name.into_bytes(),
                };
                let expected = match wanted {
                    "secretreader" => "T",
                    "kubeconfig-secretreader" => "K",
                    other => other,
                };
                assert_eq!(user, expected.as_bytes());
            }
        }
    }

    #[test]
    fn what_no_provider_fits_says_so() {
        let why = |status: &Value, wanted: &str| read_with(status, &[wanted]).access.err().unwrap();
        let google = json!({"accessProviders": [offer("google", &json!({}))]});
        assert_eq!(
            why(&google, "secretreader"),
            "clusterprofile n/p: no access provider of \"google\", have secretreader"
        );
        assert_eq!(
            why(&json!({}), "secretreader"),
            "clusterprofile n/p: no access provider offered, have secretreader"
        );
        let elsewhere = json!({"clusterName": "x"});
        let elsewhere = json!({"accessProviders": [offer("secretreader", &elsewhere)]});
        assert!(why(&elsewhere, "secretreader").ends_with("no Secret \"x\""));
        let reader = "kubeconfig-secretreader";
        let other = json!({"name": "k", "key": "value", "namespace": "other"});
        let other = json!({"accessProviders": [offer(reader, &other)]});
        assert!(why(&other, reader).contains("another namespace is not allowed"));
    }

    #[test]
    fn a_control_plane_that_is_said_to_be_unhealthy_is_a_member_all_the_same() {
        let condition = json!({"type": "ControlPlaneHealthy", "status": "False"});
        let read = read_with(&json!({"conditions": [condition]}), &["secretreader"]);
        assert!(read.is_unhealthy);
        assert_eq!(read.member.name, "p");
    }
}
