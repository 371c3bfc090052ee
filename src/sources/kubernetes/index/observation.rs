//! What is seen of objects, and what is to be said of single ones.

use kube::runtime::watcher::Event;

use super::super::convert::{ConvertedObject, NodeFacts, ObjectKey, ServiceFacts, SliceFacts};
use super::super::front::FrontFacts;
use crate::model::NamespacedName;

/// A kind of object that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) enum ObjectKind {
    /// Services: needed.
    Services,
    /// EndpointSlices: needed.
    Slices,
    /// Nodes: needed where topology is learnt, else only once a service asks for them.
    Nodes,
    /// ServiceExports: an extra.
    Exports,
    /// Gateways: only once something names one.
    Gateways,
    /// Ingresses: only once something names one.
    Ingresses,
}

impl ObjectKind {
    /// Its name in the API.
    pub(in super::super) fn resource(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Slices => "endpointslices",
            Self::Nodes => "nodes",
            Self::Exports => "serviceexports",
            Self::Gateways => "gateways",
            Self::Ingresses => "ingresses",
        }
    }

    /// Where its versions are served, the preferred one first.
    pub(in super::super) fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Services => &["/api/v1/services"],
            Self::Slices => &["/apis/discovery.k8s.io/v1/endpointslices"],
            Self::Nodes => &["/api/v1/nodes"],
            Self::Exports => &[
                "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports",
                "/apis/multicluster.x-k8s.io/v1beta1/serviceexports",
            ],
            Self::Gateways => &["/apis/gateway.networking.k8s.io/v1/gateways"],
            Self::Ingresses => &["/apis/networking.k8s.io/v1/ingresses"],
        }
    }
}

/// An event of one kind, converted.
#[derive(Debug)]
pub(in super::super) enum Observation {
    /// Of a Service.
    Services(Event<ConvertedObject<ServiceFacts>>),
    /// Of an EndpointSlice.
    Slices(Event<ConvertedObject<SliceFacts>>),
    /// Of a Node.
    Nodes(Event<ConvertedObject<NodeFacts>>),
    /// Of a ServiceExport.
    Exports(Event<ConvertedObject<NamespacedName>>),
    /// Of a Gateway.
    Gateways(Event<ConvertedObject<FrontFacts>>),
    /// Of an Ingress.
    Ingresses(Event<ConvertedObject<FrontFacts>>),
}

impl Observation {
    /// The kind of which a list is complete with this.
    pub(in super::super) fn ends_list(&self) -> Option<ObjectKind> {
        match self {
            Self::Services(Event::InitDone) => Some(ObjectKind::Services),
            Self::Slices(Event::InitDone) => Some(ObjectKind::Slices),
            Self::Nodes(Event::InitDone) => Some(ObjectKind::Nodes),
            Self::Exports(Event::InitDone) => Some(ObjectKind::Exports),
            Self::Gateways(Event::InitDone) => Some(ObjectKind::Gateways),
            Self::Ingresses(Event::InitDone) => Some(ObjectKind::Ingresses),
            _ => None,
        }
    }
}

/// Something an operator should know of one object. Said once, until it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Warning {
    /// Of which kind the object is.
    pub(in super::super) kind: ObjectKind,
    /// Which object.
    pub(in super::super) object: ObjectKey,
    /// What.
    pub(in super::super) text: String,
    /// The object could not be read at all.
    pub(in super::super) is_malformed: bool,
}
