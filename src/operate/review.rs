//! What an API says of the rights of whoever asks (`SelfSubjectAccessReview`).

use serde_json::{Value, json};

use super::api::{Api, Refusal};
use crate::model::Shown;

/// A right that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReviewedRight<'r> {
    /// What may be done.
    pub(super) verb: &'r str,
    /// The group of the API.
    pub(super) group: &'r str,
    /// The kind of object.
    pub(super) resource: &'r str,
    /// A part of it; none is the object.
    pub(super) subresource: &'r str,
    /// Where; `None` is everywhere.
    pub(super) namespace: Option<&'r str>,
    /// Which object; `None` is any.
    pub(super) name: Option<&'r str>,
}

/// Whether a right is there; the inner error is what is said of one that is not.
pub(super) async fn is_allowed(
    api: &Api,
    right: &ReviewedRight<'_>,
) -> Result<Result<(), String>, Refusal> {
    let mut attributes =
        json!({"group": right.group, "resource": right.resource, "verb": right.verb});
    if !right.subresource.is_empty() {
        attributes["subresource"] = json!(right.subresource);
    }
    for (key, value) in [("namespace", right.namespace), ("name", right.name)] {
        if let Some(value) = value {
            attributes[key] = json!(value);
        }
    }
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = api.create(path, &review).await?;
    let status: &Value = &answer["status"];
    if status["allowed"] == true {
        return Ok(Ok(()));
    }
    let said = [&status["reason"], &status["evaluationError"]];
    let mut said = said.into_iter().filter_map(Value::as_str);
    let said = said.rfind(|text| !text.is_empty());
    Ok(Err(said.map_or("no".to_owned(), |text| {
        Shown(&api.client.mask(text)).to_string()
    })))
}
