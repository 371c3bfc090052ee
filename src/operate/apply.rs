//! Makes objects what they should be, and says what that changed.

use serde_json::Value;

use super::api::{Api, Refusal};
use super::manifest::{INSTALLATION, MadeKind, Names, Object};

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectChange {
    /// It was not there.
    Created,
    /// It was there, and otherwise.
    Changed,
    /// It was there, as it should be.
    Unchanged,
    /// It is gone.
    Removed,
}

impl ObjectChange {
    /// In a word, or what it would be.
    pub(super) fn word(self, is_dry: bool) -> String {
        let word = match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => return "unchanged".to_owned(),
            Self::Removed => "removed",
        };
        let would = if is_dry { "would be " } else { "" };
        format!("{would}{word}")
    }
}

/// Makes an object what it should be. A ServiceAccount that somebody else made is taken as it is.
pub(super) async fn apply(
    api: &Api,
    names: &Names,
    object: &Object,
    is_dry: bool,
) -> Result<ObjectChange, Refusal> {
    let path = object.path();
    let before = api.get(&path).await?;
    if let Some(before) = &before
        && object.kind == MadeKind::ServiceAccount
        && !is_ours(before, names)
    {
        return Ok(ObjectChange::Unchanged);
    }
    let after = api.apply(&path, &object.manifest, is_dry).await?;
    let Some(before) = before else {
        return Ok(ObjectChange::Created);
    };
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    // A dry run keeps the version.
    let is_same = version(&before) == version(&after) && essence(before) == essence(after);
    Ok(if is_same {
        ObjectChange::Unchanged
    } else {
        ObjectChange::Changed
    })
}

/// Whether an object has the label of the installation.
pub(super) fn is_ours(object: &Value, names: &Names) -> bool {
    let label = object["metadata"]["labels"][INSTALLATION].as_str();
    let installation = names.installation.as_ref().map(ToString::to_string);
    label.is_some() && label == installation.as_deref()
}

/// An object without what the server keeps of its history.
fn essence(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    object
}

/// Removes an object, if it is there and the installation's.
pub(super) async fn remove(
    api: &Api,
    names: &Names,
    path: &str,
    is_dry: bool,
) -> Result<Option<ObjectChange>, Refusal> {
    let Some(object) = api.get(path).await? else {
        return Ok(None);
    };
    if !is_ours(&object, names) {
        return Ok(Some(ObjectChange::Unchanged));
    }
    if !is_dry && !api.delete(path, &object).await? {
        return Ok(None);
    }
    Ok(Some(ObjectChange::Removed))
}
