//! The overrides of all replicas: a `ConfigMap` in a host cluster, which the daemons only read. Two operators
//! at once do not lose each other's: what is written is written over what was read, or not at all.

use serde_json::{Value, json};

use super::api::{Api, Refusal};
use super::contexts::{ApiTrust, ContextChoice, open};
use super::error::OperateError;
use super::manifest::{MANAGED, ROLE};
use crate::model::OVERRIDES_KEY;

/// Where the overrides of all replicas are.
#[derive(Debug, Clone)]
pub struct OverridesPlace {
    /// The operator's context of the host cluster.
    pub choice: ContextChoice,
    /// The namespace of the `ConfigMap`.
    pub namespace: String,
    /// What it is called.
    pub name: String,
}

/// A `ConfigMap` with overrides, by the operator's rights.
pub struct OverridesMap {
    /// The API of the host cluster.
    api: Api,
    /// The namespace of the `ConfigMap`.
    namespace: String,
    /// What it is called.
    name: String,
}

/// What was read of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundOverrides {
    /// What is under the key, if there is such a key.
    pub text: Option<String>,
    /// Its `resourceVersion`; `None` where there is no such object.
    version: Option<String>,
}

impl OverridesMap {
    /// Opens the context. Asks nothing.
    pub async fn open(place: OverridesPlace) -> Result<Self, OperateError> {
        let opened = open(&place.choice, &ApiTrust::default()).await?;
        Ok(Self {
            api: opened.api,
            namespace: place.namespace,
            name: place.name,
        })
    }

    /// Where it is.
    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }

    /// Where it and others are.
    fn collection(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace)
    }

    /// What the API refuses.
    fn refused(&self, refusal: &Refusal) -> OperateError {
        let Self {
            namespace, name, ..
        } = self;
        let why = format!("configmap {namespace}/{name} of the host cluster: {refusal}");
        OperateError::Api(why)
    }

    /// Reads it.
    pub async fn read(&self) -> Result<FoundOverrides, OperateError> {
        let read = self.api.get(&self.path()).await;
        let read = read.map_err(|refusal| self.refused(&refusal))?;
        let text_at = |value: &Value| value.as_str().map(str::to_owned);
        Ok(
            read.map_or_else(FoundOverrides::default, |object| FoundOverrides {
                text: text_at(&object["data"][OVERRIDES_KEY]),
                version: text_at(&object["metadata"]["resourceVersion"]),
            }),
        )
    }

    /// Writes it, unless it is not any more as it was found. Returns its `resourceVersion` then; `None` is
    /// to be read and decided anew.
    pub async fn write(
        &self,
        found: &FoundOverrides,
        text: &str,
    ) -> Result<Option<String>, OperateError> {
        let written = if let Some(version) = &found.version {
            let patch = json!({
                "metadata": {"resourceVersion": version}, "data": {OVERRIDES_KEY: text},
            });
            self.api.merge(&self.path(), &patch).await
        } else {
            let object = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {
                    "name": self.name, "namespace": self.namespace,
                    "labels": {MANAGED: ROLE},
                },
                "data": {OVERRIDES_KEY: text},
            });
            self.api.create(&self.collection(), &object).await
        };
        match written {
            Ok(object) => {
                let version = object["metadata"]["resourceVersion"].as_str();
                Ok(Some(version.unwrap_or_default().to_owned()))
            }
            // Another operator was faster.
            Err(Refusal::Status { code: 409, .. }) => Ok(None),
            Err(Refusal::Status { code: 404, .. }) if found.version.is_some() => Ok(None),
            Err(refusal) => Err(self.refused(&refusal)),
        }
    }
}
