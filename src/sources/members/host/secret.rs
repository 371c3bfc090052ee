//! Secrets of the host cluster as members. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::super::kubernetes::HostObject;
use crate::config::{MemberObject, ObjectMember, SecretOrigin};

/// The key of a Secret that has keys of `[[member]]`.
const KEYS: &str = "member.toml";

/// A key that has every other one be a member.
const EVERY_KEY: &str = "*";

/// The label of what Argo CD knows of a cluster: no kubeconfig.
const ARGO_CD: &str = "argocd.argoproj.io/secret-type";

/// A member, and the kubeconfig that it is reached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretMember {
    /// The member.
    pub(super) member: ObjectMember,
    /// The kubeconfig.
    pub(super) kubeconfig: Vec<u8>,
}

/// What a Secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadSecret {
    /// Members, at least one.
    Members(Vec<SecretMember>),
    /// None of ours, and no mistake.
    Ignored,
    /// It should be a member and is not, for this reason.
    Wrong(String),
}

/// Reads a Secret.
pub(super) fn read(secret: &HostObject, namespace: &str, origin: &SecretOrigin) -> ReadSecret {
    if !secret.body["metadata"]["labels"][ARGO_CD].is_null() {
        return ReadSecret::Ignored;
    }
    let data = secret.body["data"].as_object();
    let names = data.into_iter().flatten().map(|(key, _)| key.as_str());
    let wanted: Vec<&str> = if origin.key == EVERY_KEY {
        names.filter(|key| *key != KEYS).collect()
    } else {
        names.filter(|key| *key == origin.key).collect()
    };
    if wanted.is_empty() {
        let why = match origin.key.as_str() {
            EVERY_KEY => "no key".to_owned(),
            key => format!("no key {key:?}"),
        };
        return ReadSecret::Wrong(why);
    }
    let keys = match value(&secret.body, KEYS).map(String::from_utf8) {
        None => String::new(),
        Some(Ok(keys)) => keys,
        Some(Err(_)) => return ReadSecret::Wrong(format!("{KEYS}: not UTF-8")),
    };
    let members = wanted.into_iter().map(|key| {
        let object = MemberObject::Secret {
            namespace: namespace.to_owned(),
            name: secret.name.clone(),
            key: key.to_owned(),
        };
        let name = if origin.key == EVERY_KEY {
            key
        } else {
            &secret.name
        };
        let member = ObjectMember {
            object,
            name: name.to_owned(),
            keys: keys.clone(),
        };
        SecretMember {
            member,
            kubeconfig: value(&secret.body, key).unwrap_or_default(),
        }
    });
    ReadSecret::Members(members.collect())
}

/// What is under a key.
fn value(secret: &Value, key: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret["data"][key].as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is read of a Secret with these labels and this data.
    fn read_with(key: &str, labels: &Value, data: &[(&str, &str)]) -> ReadSecret {
        let data = data.iter();
        let data = data.map(|(key, text)| ((*key).to_owned(), json!(STANDARD.encode(text))));
        let data: serde_json::Map<_, _> = data.collect();
        let secret = HostObject {
            name: "x".to_owned(),
            version: "1".to_owned(),
            body: json!({"metadata": {"name": "x", "labels": labels}, "data": data}),
        };
        let origin = SecretOrigin {
            selector: String::new(),
            key: key.to_owned(),
        };
        read(&secret, "n", &origin)
    }

    /// The members of a Secret, each with its kubeconfig and its keys.
    fn members(read: ReadSecret) -> Vec<String> {
        let ReadSecret::Members(members) = read else {
            panic!("{read:?}");
        };
        let one = |one: SecretMember| {
            let kubeconfig = String::from_utf8(one.kubeconfig).unwrap();
            format!("{}={kubeconfig} {}", one.member.name, one.member.keys)
        };
        members.into_iter().map(one).collect()
    }

    #[test]
    fn a_secret_is_a_member_or_one_for_each_key() {
        let none = json!({});
        let data = [("kubeconfig", "K"), ("member.toml", "region = \"r\"")];
        assert_eq!(
            members(read_with("kubeconfig", &none, &data)),
            ["x=K region = \"r\""]
        );
        // Cluster API.
        assert_eq!(
            members(read_with("value", &none, &[("value", "V")])),
            ["x=V "]
        );
        // Istio.
        let data = [("east", "E"), ("west", "W")];
        assert_eq!(
            members(read_with("*", &none, &data)),
            ["east=E ", "west=W "]
        );
    }

    #[test]
    fn what_is_none_is_ignored_or_wrong() {
        let argo = json!({"argocd.argoproj.io/secret-type": "cluster"});
        let data = [("config", "{}"), ("server", "https://a")];
        assert_eq!(read_with("*", &argo, &data), ReadSecret::Ignored);
        let none = json!({});
        assert_eq!(
            read_with("kubeconfig", &none, &data),
            ReadSecret::Wrong("no key \"kubeconfig\"".to_owned())
        );
        assert_eq!(
            read_with("*", &none, &[]),
            ReadSecret::Wrong("no key".to_owned())
        );
    }
}
