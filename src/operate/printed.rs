//! `gazetteer join --print-rbac`: the objects of a join, for those who apply them by hand.

use super::manifest::{MadeKind, Mode, Names, Object, RIGHTS, objects};

/// The objects as YAML, the rules of the ClusterRole octet for octet those of `deploy/rbac.yaml`.
pub fn printed(names: &Names, mode: Mode) -> String {
    let all = objects(names, None, mode);
    let documents: Vec<_> = all.iter().map(document).collect();
    documents.join("---\n")
}

/// One object.
fn document(object: &Object) -> String {
    let manifest = &object.manifest;
    let metadata = &manifest["metadata"];
    let mut text = format!(
        "apiVersion: {}\nkind: {:?}\nmetadata:\n  name: {}\n",
        manifest["apiVersion"].as_str().unwrap_or_default(),
        object.kind,
        object.name
    );
    if let Some(namespace) = &object.namespace {
        text.extend(["  namespace: ", namespace, "\n"]);
    }
    text += "  labels:\n";
    for (label, value) in metadata["labels"].as_object().into_iter().flatten() {
        // Digits alone would be a number.
        text.extend(["    ", label, ": ", &value.to_string(), "\n"]);
    }
    if object.kind == MadeKind::ClusterRole {
        return text + rules();
    }
    for field in ["roleRef", "rules", "subjects"] {
        // JSON is YAML.
        if !manifest[field].is_null() {
            text.extend([field, ": ", &manifest[field].to_string(), "\n"]);
        }
    }
    text
}

/// The rules of the ClusterRole in [`RIGHTS`], as they are written there.
fn rules() -> &'static str {
    let mut documents = RIGHTS.split("---\n");
    let role = documents.find(|one| one.contains("\nkind: ClusterRole\n"));
    let role = role.unwrap_or_default();
    role.find("rules:\n")
        .and_then(|at| role.get(at..))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::operate::manifest;

    #[test]
    fn what_is_printed_is_what_is_made() {
        for account in [None, Some("dns".to_owned())] {
            let names = Names {
                installation: None,
                namespace: "kube-system".to_owned(),
                account,
            };
            let printed = printed(&names, Mode::Renewed);
            let read: Vec<Value> = serde_saphyr::from_multiple(&printed).unwrap();
            let made = objects(&names, None, Mode::Renewed);
            let made: Vec<_> = made.into_iter().map(|object| object.manifest).collect();
            assert_eq!(read, made);
            assert!(printed.contains(rules()) && !rules().is_empty());
            assert_eq!(read[1]["rules"], manifest::rules());
        }
    }
}
