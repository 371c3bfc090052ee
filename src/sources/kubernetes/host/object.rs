//! Objects of the host cluster as they are read: pages of lists and lines of watches. Pure.

use kube::core::Status;
use serde::Deserialize;
use serde_json::Value;

use super::super::client::Secrets;
use super::super::failure::Failure;

/// An object of the host cluster. `Debug` shows its name alone: it may hold secrets.
#[derive(Clone, PartialEq)]
pub struct HostObject {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The whole object.
    pub body: Value,
}

impl std::fmt::Debug for HostObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostObject({})", self.name)
    }
}

impl HostObject {
    /// Takes an object; `None` of one without a name.
    fn of(body: Value) -> Option<Self> {
        let text = |key: &str| Some(body["metadata"][key].as_str()?.to_owned());
        Some(Self {
            name: text("name")?,
            version: text("resourceVersion").unwrap_or_default(),
            body,
        })
    }
}

/// Reads one object.
pub(super) fn single(octets: &[u8]) -> Result<HostObject, Failure> {
    let what = "an object";
    let body = serde_json::from_slice(octets);
    let body = body.map_err(|error| Failure::undecodable(what, &error))?;
    let object = HostObject::of(body);
    object.ok_or_else(|| Failure::Answer(format!("{what}: no name")))
}

/// A page of a list.
#[derive(Debug, Default)]
pub(super) struct HostPage {
    /// Its objects.
    pub(super) objects: Vec<HostObject>,
    /// Where the list stands.
    pub(super) version: String,
    /// Where the next page begins, when there is one.
    pub(super) more: Option<String>,
}

/// A page as it is written.
#[derive(Deserialize)]
struct WrittenPage {
    /// What the list says of itself.
    #[serde(default)]
    metadata: PageMetadata,
    /// The objects; an empty list may be `null`. One that is missing is no list.
    items: Option<Vec<Value>>,
}

/// What a list says of itself.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    /// Where it stands.
    resource_version: Option<String>,
    /// Where it goes on.
    #[serde(rename = "continue")]
    more: Option<String>,
}

/// Reads a page.
pub(super) fn page(octets: &[u8]) -> Result<HostPage, Failure> {
    let what = "a page of the list";
    let page: Value =
        serde_json::from_slice(octets).map_err(|error| Failure::undecodable(what, &error))?;
    let is_list = page["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    if !is_list || page.get("items").is_none() {
        return Err(Failure::Answer(format!("{what}: no list")));
    }
    let page: WrittenPage =
        serde_json::from_value(page).map_err(|error| Failure::undecodable(what, &error))?;
    let items = page.items.unwrap_or_default().into_iter();
    let objects: Option<Vec<_>> = items.map(HostObject::of).collect();
    let version = page.metadata.resource_version.unwrap_or_default();
    let objects = objects.filter(|_| !version.is_empty());
    let objects = objects.ok_or_else(|| {
        Failure::Answer(format!(
            "{what}: no resourceVersion, or an object without a name"
        ))
    })?;
    Ok(HostPage {
        objects,
        version,
        more: page.metadata.more.filter(|token| !token.is_empty()),
    })
}

/// What a line of a watch says.
#[derive(Debug)]
pub(super) enum HostLine {
    /// An object is there, or is as it says now.
    Applied(HostObject),
    /// An object is gone.
    Deleted(HostObject),
    /// Nothing has changed up to this version.
    Bookmark(String),
    /// The watch ends.
    Error(Failure),
}

/// A line as it is written.
#[derive(Deserialize)]
struct WrittenLine {
    /// What it says of the object.
    #[serde(rename = "type")]
    kind: String,
    /// The object.
    object: Value,
}

/// Reads a line of a watch.
pub(super) fn line(octets: &[u8], secrets: &Secrets) -> Result<HostLine, Failure> {
    let what = "a line of the watch";
    let undecodable = |error: serde_json::Error| Failure::undecodable(what, &error);
    let WrittenLine { kind, object } = serde_json::from_slice(octets).map_err(undecodable)?;
    if kind == "ERROR" {
        let status: Status = serde_json::from_value(object).map_err(undecodable)?;
        return Ok(HostLine::Error(Failure::of_status(&status, secrets)));
    }
    if kind == "BOOKMARK"
        && let Some(version) = object["metadata"]["resourceVersion"].as_str()
    {
        return Ok(HostLine::Bookmark(version.to_owned()));
    }
    let object = HostObject::of(object);
    let object = object.filter(|object| !object.version.is_empty());
    match (kind.as_str(), object) {
        ("ADDED" | "MODIFIED", Some(object)) => Ok(HostLine::Applied(object)),
        ("DELETED", Some(object)) => Ok(HostLine::Deleted(object)),
        _ => Err(Failure::Answer(format!("{what}: no event of an object"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A page, or what is wrong with it.
    fn read(page_of: &Value) -> Result<Vec<String>, String> {
        match page(page_of.to_string().as_bytes()) {
            Ok(page) => Ok(page.objects.into_iter().map(|object| object.name).collect()),
            Err(failure) => Err(failure.text().to_owned()),
        }
    }

    #[test]
    fn only_a_list_is_one() {
        let named = json!({"metadata": {"name": "a", "resourceVersion": "1"}});
        let metadata = json!({"resourceVersion": "7"});
        let list = json!({"kind": "SecretList", "metadata": metadata, "items": [named]});
        assert_eq!(read(&list).unwrap(), ["a"]);
        let empty = json!({"kind": "SecretList", "metadata": metadata, "items": null});
        assert!(read(&empty).unwrap().is_empty());
        for wrong in [
            json!({}),
            json!([]),
            json!({"kind": "SecretList", "metadata": metadata}),
            json!({"kind": "SecretList", "items": []}),
            json!({"kind": "Status", "metadata": metadata, "items": []}),
            json!({"kind": "SecretList", "metadata": metadata, "items": [{}]}),
        ] {
            read(&wrong).unwrap_err();
        }
    }

    #[test]
    fn lines_are_read_and_nothing_of_an_object_is_shown() {
        let secrets = Secrets::default();
        let event = |kind: &str, object: &Value| {
            let text = json!({"type": kind, "object": object}).to_string();
            format!("{:?}", line(text.as_bytes(), &secrets))
        };
        let object = json!({
            "metadata": {"name": "a", "resourceVersion": "8"}, "data": {"k": "SECRET"}
        });
        assert_eq!(event("ADDED", &object), "Ok(Applied(HostObject(a)))");
        assert_eq!(event("DELETED", &object), "Ok(Deleted(HostObject(a)))");
        assert_eq!(event("BOOKMARK", &object), "Ok(Bookmark(\"8\"))");
        assert!(event("ERROR", &json!({"code": 410})).contains("Expired"));
        assert!(event("ADDED", &json!({})).starts_with("Err"));
        assert!(event("OTHER", &object).starts_with("Err"));
    }
}
