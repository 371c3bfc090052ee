//! The objects, their versions, and what happened to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::faults::Push;
use super::request::Resource;

/// Resource, namespace (empty for none) and name.
pub(super) type Key = (Resource, String, String);

/// Objects by key.
pub(super) type Objects = BTreeMap<Key, Value>;

/// A state to come back to.
#[derive(Clone)]
pub(crate) struct Saved {
    /// The version.
    version: u64,
    /// The objects.
    objects: Arc<Objects>,
}

/// Something that watches are told.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// At this version an object became this one; before, it was the other one, if it was there.
    Object {
        /// The version.
        version: u64,
        /// What it was.
        old: Option<Value>,
        /// What it is; of one that is gone what it was, at this version.
        new: Value,
        /// It is gone.
        is_gone: bool,
    },
    /// A fault, at this version.
    Push(Push, u64),
}

/// The store.
pub(super) struct Store {
    /// The resourceVersion of the newest change.
    pub(super) version: u64,
    /// Watches from before this version are too old.
    pub(super) oldest: u64,
    /// Counts restores: a watch of another epoch ends.
    pub(super) epoch: u64,
    /// The objects.
    pub(super) objects: Arc<Objects>,
    /// What happened since the last restore, oldest first.
    pub(super) log: Vec<(Resource, Entry)>,
    /// What lists that are being paged read from, by version.
    pub(super) pages: HashMap<u64, Arc<Objects>>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            // Not from 1, so that it can go backwards.
            version: 100,
            oldest: 100,
            epoch: 0,
            objects: Arc::default(),
            log: Vec::new(),
            pages: HashMap::new(),
        }
    }
}

impl Store {
    /// Creates or replaces an object. A wrong object is stored as it is; only its metadata is
    /// completed.
    pub(super) fn apply(&mut self, resource: Resource, mut object: Value) {
        self.version += 1;
        let key = (resource, text(&object, "namespace"), text(&object, "name"));
        let (version, kind) = resource.types();
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("{}-{}", key.1, key.2));
        }
        let old = Arc::make_mut(&mut self.objects).insert(key, object.clone());
        let entry = Entry::Object {
            version: self.version,
            old,
            new: object,
            is_gone: false,
        };
        self.log.push((resource, entry));
    }

    /// Deletes an object. Says whether it was there.
    pub(super) fn delete(&mut self, resource: Resource, namespace: &str, name: &str) -> bool {
        let key = (resource, namespace.to_owned(), name.to_owned());
        let Some(mut object) = Arc::make_mut(&mut self.objects).remove(&key) else {
            return false;
        };
        self.version += 1;
        let old = object.clone();
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let entry = Entry::Object {
            version: self.version,
            old: Some(old),
            new: object,
            is_gone: true,
        };
        self.log.push((resource, entry));
        true
    }

    /// Does something to open watches.
    pub(super) fn push(&mut self, resource: Resource, push: Push) {
        self.log.push((resource, Entry::Push(push, self.version)));
    }

    /// Forgets what happened so far, and the pages of lists.
    pub(super) fn compact(&mut self) {
        // One version passes, so that a watch from the newest change is too old as well.
        self.version += 1;
        self.oldest = self.version;
        self.pages.clear();
    }

    /// The state now.
    pub(super) fn save(&self) -> Saved {
        Saved {
            version: self.version,
            objects: Arc::clone(&self.objects),
        }
    }

    /// Goes back to an earlier state.
    pub(super) fn restore(&mut self, saved: &Saved) {
        *self = Self {
            version: saved.version,
            oldest: saved.version,
            epoch: self.epoch + 1,
            objects: Arc::clone(&saved.objects),
            log: Vec::new(),
            pages: HashMap::new(),
        };
    }
}

/// A text of an object's metadata; empty when it is missing.
fn text(object: &Value, field: &str) -> String {
    let text = object["metadata"][field].as_str();
    text.unwrap_or_default().to_owned()
}
