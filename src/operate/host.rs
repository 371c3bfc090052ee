//! A host cluster: a Secret for each member.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::api::{Api, Refusal};
use super::cluster::uid;
use super::credential::{CONTEXT, MemberCredential};
use super::entry::{KnownMember, MemberEntry, Other, is_ending};
use super::error::OperateError;
use super::manifest::{MANAGED, MadeKind, ROLE, path};
use crate::names::Label;

/// Says that a Secret is a member.
const LABEL: &str = "gazetteer.dev/member";

/// Where the kubeconfig is in a Secret.
const KUBECONFIG: &str = "kubeconfig";

/// Where keys of the member are in a Secret.
const KEYS: &str = "member.toml";

/// A host cluster, by the operator's rights.
pub(super) struct Host {
    /// Its API.
    api: Api,
    /// Where the Secrets are.
    pub(super) namespace: String,
    /// Which cluster it is.
    pub(super) uid: String,
}

impl Host {
    /// Asks which cluster it is.
    pub(super) async fn open(api: Api, namespace: String) -> Result<Self, OperateError> {
        let uid = uid(&api).await;
        let uid = uid.map_err(|refusal| {
            OperateError::Api(format!("host cluster {}: {refusal}", api.client.url))
        })?;
        Ok(Self {
            api,
            namespace,
            uid,
        })
    }

    /// Where the Secret of a member is.
    fn path(&self, name: &str) -> String {
        path(MadeKind::Secret, Some(&self.namespace), name)
    }

    /// A Secret as it is shown.
    fn shown(&self, name: &str) -> String {
        format!("secret {}/{name} of the host cluster", self.namespace)
    }

    /// What it refuses.
    fn refused(&self, name: &str, refusal: &Refusal) -> OperateError {
        OperateError::Api(format!("{}: {refusal}", self.shown(name)))
    }

    /// What is written down of a member.
    pub(super) async fn known(&self, name: &Label) -> Result<KnownMember, OperateError> {
        let name = name.as_str();
        let secret = self.api.get(&self.path(name)).await;
        let secret = secret.map_err(|refusal| self.refused(name, &refusal))?;
        let Some(secret) = secret else {
            return Ok(KnownMember::default());
        };
        let mut known = KnownMember {
            credential: value(&secret, KUBECONFIG).and_then(|text| MemberCredential::read(&text)),
            ..KnownMember::default()
        };
        if let Some(keys) = value(&secret, KEYS) {
            known.has_definition = true;
            known.is_ending = keys
                .parse::<toml::Table>()
                .is_ok_and(|table| is_ending(&table));
        }
        let is_member = secret["metadata"]["labels"][LABEL] == "true";
        if !is_member || known.credential.is_none() {
            known.foreign = Some(self.shown(name));
        }
        Ok(known)
    }

    /// The kubeconfigs that `join` wrote for other members. No other is tried: whoever may write Secrets
    /// there must not have programs run here.
    pub(super) async fn others(&self, name: &Label) -> Result<Vec<Other>, OperateError> {
        let namespace = &self.namespace;
        let path = format!("/api/v1/namespaces/{namespace}/secrets?labelSelector={LABEL}%3Dtrue");
        let listed = self.api.get(&path).await;
        let listed = listed.map_err(|refusal| self.refused("*", &refusal))?;
        let listed = listed.unwrap_or_default();
        let items = listed["items"].as_array().into_iter().flatten();
        let others = items.filter_map(|secret| {
            let other: Label = secret["metadata"]["name"].as_str()?.parse().ok()?;
            let text = value(secret, KUBECONFIG)?;
            MemberCredential::read(&text)?;
            (other != *name).then(|| Other {
                name: other,
                text,
                path: "kubeconfig".into(),
                context: CONTEXT.to_owned(),
            })
        });
        Ok(others.collect())
    }

    /// Refuses a host cluster in which the Secret cannot be written: by rights, and by a dry run.
    pub(super) async fn check_writable(&self, name: &Label) -> Result<(), OperateError> {
        let name = name.as_str();
        let object = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": self.namespace},
        });
        let tried = self.api.apply(&self.path(name), &object, true).await;
        tried
            .map(drop)
            .map_err(|refusal| OperateError::Refused(format!("{}: {refusal}", self.shown(name))))
    }

    /// Writes a member down. Keys that are there stay as they are.
    pub(super) async fn write(
        &self,
        entry: &MemberEntry<'_>,
        is_dry: bool,
    ) -> Result<Vec<(String, String)>, OperateError> {
        let name = entry.name.as_str();
        let shown = self.shown(name);
        let Some(credential) = entry.credential else {
            return Ok(vec![(shown, "unchanged".to_owned())]);
        };
        if is_dry {
            return Ok(vec![(shown, "would be written".to_owned())]);
        }
        let encoded = |text: &str| json!(STANDARD.encode(text));
        let kubeconfig = encoded(&credential.render());
        let path = self.path(name);
        let there = self.api.get(&path).await;
        let there = there.map_err(|refusal| self.refused(name, &refusal))?;
        let written = if there.is_some() {
            let patch = json!({"data": {KUBECONFIG: kubeconfig}});
            self.api.merge(&path, &patch).await
        } else {
            let mut data = json!({ KUBECONFIG: kubeconfig });
            let mut keys = entry.keys.clone();
            if entry.is_ending {
                keys += "source = { renew = false }\n";
            }
            if !keys.is_empty() {
                data[KEYS] = encoded(&keys);
            }
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {
                    "name": name, "namespace": self.namespace,
                    "labels": {LABEL: "true", MANAGED: ROLE},
                },
                "data": data,
            });
            self.api.apply(&path, &secret, false).await
        };
        written.map_err(|refusal| self.refused(name, &refusal))?;
        Ok(vec![(shown, "written".to_owned())])
    }

    /// Takes a member away.
    pub(super) async fn remove(
        &self,
        name: &Label,
        is_dry: bool,
    ) -> Result<Vec<(String, String)>, OperateError> {
        let name = name.as_str();
        let path = self.path(name);
        let refused = |refusal: Refusal| self.refused(name, &refusal);
        let Some(secret) = self.api.get(&path).await.map_err(refused)? else {
            return Ok(Vec::new());
        };
        let word = if is_dry {
            "would be removed"
        } else {
            "removed"
        };
        if !is_dry {
            self.api.delete(&path, &secret).await.map_err(refused)?;
        }
        Ok(vec![(self.shown(name), word.to_owned())])
    }
}

/// A text in a Secret.
fn value(secret: &Value, key: &str) -> Option<String> {
    let octets = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
    String::from_utf8(octets).ok()
}
