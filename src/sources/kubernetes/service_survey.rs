//! What the services of a cluster are, learnt from one list of each kind: for those who only look.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::convert::{self, ConvertedObject};
use super::index::{Index, Observation, TopologySource};
use super::objects::{ServiceObject, SliceObject};
use crate::model::{Change, NamespacedName, Service};
use crate::names::Label;

/// A survey that goes on: objects are taken in page by page. Objects that cannot be read are passed
/// over.
#[derive(Debug)]
pub struct ServiceSurvey {
    /// Joins them, as the daemon does.
    index: Index,
    /// Namespaces of all Services.
    namespaces: BTreeSet<Label>,
}

/// The services of a cluster.
#[derive(Debug, Default)]
pub struct SurveyedServices {
    /// Those that a federation may count as exported, by name.
    pub services: Vec<(NamespacedName, Arc<Service>)>,
    /// Namespaces that have any Service.
    pub namespaces: BTreeSet<Label>,
}

/// An object of a list.
type Listed<T> = Event<ConvertedObject<T>>;

impl Default for ServiceSurvey {
    fn default() -> Self {
        let mut index = Index::new(TopologySource::Configuration);
        index.observe(Observation::Services(Listed::Init));
        index.observe(Observation::Slices(Listed::Init));
        index.observe(Observation::Exports(Listed::Init));
        Self {
            index,
            namespaces: BTreeSet::new(),
        }
    }
}

impl ServiceSurvey {
    /// Takes in Services.
    pub fn services(&mut self, objects: Vec<Value>) {
        for object in read::<ServiceObject>(objects) {
            let namespace = object.metadata.namespace.as_deref();
            let namespace = namespace.and_then(|namespace| namespace.parse().ok());
            self.namespaces.extend(namespace);
            let service = Listed::InitApply(convert::service(object));
            self.index.observe(Observation::Services(service));
        }
    }

    /// Takes in EndpointSlices.
    pub fn slices(&mut self, objects: Vec<Value>) {
        for object in read::<SliceObject>(objects) {
            let slice = Listed::InitApply(convert::slice(&object));
            self.index.observe(Observation::Slices(slice));
        }
    }

    /// Takes in ServiceExports.
    pub fn exports(&mut self, objects: Vec<Value>) {
        for mut object in objects {
            let metadata = object.get_mut("metadata").map(Value::take);
            let Ok(metadata) = serde_json::from_value(metadata.unwrap_or_default()) else {
                continue;
            };
            let export = Listed::InitApply(convert::export(&metadata));
            self.index.observe(Observation::Exports(export));
        }
    }

    /// What all of them say together.
    pub fn finish(mut self) -> SurveyedServices {
        self.index.observe(Observation::Services(Listed::InitDone));
        self.index.observe(Observation::Slices(Listed::InitDone));
        self.index.observe(Observation::Exports(Listed::InitDone));
        let changes = self.index.sync().unwrap_or_default();
        let synced = changes.into_iter().find_map(|change| match change {
            Change::Synced(services) => Some(services),
            _ => None,
        });
        SurveyedServices {
            services: synced.unwrap_or_default(),
            namespaces: self.namespaces,
        }
    }
}

/// The objects that can be read.
fn read<T: DeserializeOwned>(objects: Vec<Value>) -> impl Iterator<Item = T> {
    let objects = objects.into_iter();
    objects.filter_map(|object| serde_json::from_value(object).ok())
}
