//! What the services of a cluster are, learnt from one list of each kind: for those who only look.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::convert::{self, ConvertedObject};
use super::front;
use super::index::{Index, ObjectKind, Observation, TopologySource, WayRules};
use super::objects::{GatewayObject, IngressObject, NodeObject, ServiceObject, SliceObject};
use crate::config::MemberSource;
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
    /// Kinds that cannot be read, and why.
    refused: Vec<(&'static str, String)>,
}

/// The services of a cluster.
#[derive(Debug, Default)]
pub struct SurveyedServices {
    /// Those that a federation may count as exported, by name.
    pub services: Vec<(NamespacedName, Arc<Service>)>,
    /// Namespaces that have any Service.
    pub namespaces: BTreeSet<Label>,
    /// Kinds that services ask for beside what is always read.
    pub wanted: Vec<&'static str>,
    /// Those of them that cannot be read, and why.
    pub refused: Vec<(&'static str, String)>,
    /// What is to be said of the ways to services, with the service as `namespace/name`.
    pub warnings: Vec<(String, String)>,
}

/// An object of a list.
type Listed<T> = Event<ConvertedObject<T>>;

impl ServiceSurvey {
    /// A survey of a member of this source.
    pub fn new(source: &MemberSource) -> Self {
        let rules = WayRules {
            addresses_from: source.addresses_from.clone(),
            front: source.front.clone(),
        };
        let mut index = Index::new(TopologySource::Configuration, rules);
        index.observe(Observation::Services(Listed::Init));
        index.observe(Observation::Slices(Listed::Init));
        index.observe(Observation::Exports(Listed::Init));
        index.observe(Observation::Gateways(Listed::Init));
        index.observe(Observation::Ingresses(Listed::Init));
        index.observe(Observation::Nodes(Listed::Init));
        Self {
            index,
            namespaces: BTreeSet::new(),
            refused: Vec::new(),
        }
    }

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

    /// Kinds that the services taken in so far ask for, and where their versions are.
    pub fn wanted(&self) -> Vec<(&'static str, &'static [&'static str])> {
        let kinds = self.index.wanted();
        kinds.map(|kind| (kind.resource(), kind.paths())).collect()
    }

    /// Takes in objects of such a kind.
    pub fn in_front(&mut self, kind: &str, objects: Vec<Value>) {
        if kind == ObjectKind::Gateways.resource() {
            for object in read::<GatewayObject>(objects) {
                let gateway = Listed::InitApply(front::gateway(&object));
                self.index.observe(Observation::Gateways(gateway));
            }
        } else if kind == ObjectKind::Ingresses.resource() {
            for object in read::<IngressObject>(objects) {
                let ingress = Listed::InitApply(front::ingress(&object));
                self.index.observe(Observation::Ingresses(ingress));
            }
        } else if kind == ObjectKind::Nodes.resource() {
            for object in read::<NodeObject>(objects) {
                let node = Listed::InitApply(convert::node(&object));
                self.index.observe(Observation::Nodes(node));
            }
        }
    }

    /// Takes in that such a kind cannot be read.
    pub fn refuse(&mut self, kind: &'static str, why: &str) {
        let mut kinds = self.index.wanted();
        if let Some(refused) = kinds.find(|known| known.resource() == kind) {
            drop(kinds);
            self.index.refuse(refused, why);
            self.refused.push((kind, why.to_owned()));
        }
    }

    /// What all of them say together.
    pub fn finish(mut self) -> SurveyedServices {
        self.index.observe(Observation::Services(Listed::InitDone));
        self.index.observe(Observation::Slices(Listed::InitDone));
        self.index.observe(Observation::Exports(Listed::InitDone));
        let is_refused = |kind: ObjectKind| {
            let mut refused = self.refused.iter();
            refused.any(|(name, _)| *name == kind.resource())
        };
        let wanted: Vec<ObjectKind> = self.index.wanted().collect();
        for kind in wanted.iter().copied().filter(|kind| !is_refused(*kind)) {
            self.index.observe(match kind {
                ObjectKind::Gateways => Observation::Gateways(Listed::InitDone),
                ObjectKind::Ingresses => Observation::Ingresses(Listed::InitDone),
                _ => Observation::Nodes(Listed::InitDone),
            });
        }
        // What objects say themselves is the daemon's to log.
        self.index.take_warnings();
        let changes = self.index.sync().unwrap_or_default();
        let warnings = self.index.take_warnings().into_iter();
        let warnings = warnings.map(|warning| (warning.object.to_string(), warning.text));
        let synced = changes.into_iter().find_map(|change| match change {
            Change::Synced(services) => Some(services),
            _ => None,
        });
        SurveyedServices {
            services: synced.unwrap_or_default(),
            namespaces: self.namespaces,
            wanted: wanted.iter().map(|kind| kind.resource()).collect(),
            refused: self.refused,
            warnings: warnings.collect(),
        }
    }
}

/// The objects that can be read.
fn read<T: DeserializeOwned>(objects: Vec<Value>) -> impl Iterator<Item = T> {
    let objects = objects.into_iter();
    objects.filter_map(|object| serde_json::from_value(object).ok())
}
