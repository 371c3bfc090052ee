//! Tests of the pure parts, without a server or a runtime.

mod annotations;
mod conformance;
mod index;
mod inside;
mod property;
mod slices;
mod topology;
mod ways;

use std::sync::Arc;

use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::convert;
use super::front;
use super::index::{Index, ObjectKind, Observation, TopologySource, WayRules};
use crate::model::{Change, Endpoints, LearntTopology, NamespacedName, Service};

/// The namespace of every test object.
const NAMESPACE: &str = "shop";

/// An index and the ways to feed it.
struct World {
    /// The index under test.
    index: Index,
}

/// What kind of event an object comes in.
#[derive(Clone, Copy)]
enum How {
    /// From a list.
    Listed,
    /// New or changed.
    Applied,
    /// Deleted.
    Deleted,
}

impl How {
    /// The event.
    fn of<T>(self, seen: T) -> Event<T> {
        match self {
            How::Listed => Event::InitApply(seen),
            How::Applied => Event::Apply(seen),
            How::Deleted => Event::Delete(seen),
        }
    }
}

impl World {
    /// An index that has listed nothing yet.
    fn new(topology_source: TopologySource) -> Self {
        Self::with(topology_source, WayRules::default())
    }

    /// The same, of a member with these rules.
    fn with(topology_source: TopologySource, rules: WayRules) -> Self {
        Self {
            index: Index::new(topology_source, rules),
        }
    }

    /// An index that has listed nothing, to the end, and needs no nodes.
    fn synced() -> Self {
        let mut world = Self::new(TopologySource::Configuration);
        world.list_services(&[]);
        world.list_slices(&[]);
        assert_eq!(world.index.sync(), Some(vec![Change::Synced(vec![])]));
        world
    }

    /// Takes a Service in.
    fn service(&mut self, how: How, object: &Value) -> Vec<Change> {
        let object = serde_json::from_value(object.clone()).unwrap();
        let event = how.of(convert::service(object));
        self.index.observe(Observation::Services(event))
    }

    /// Takes an EndpointSlice in.
    fn slice(&mut self, how: How, object: &Value) -> Vec<Change> {
        let object = serde_json::from_value(object.clone()).unwrap();
        let event = how.of(convert::slice(&object));
        self.index.observe(Observation::Slices(event))
    }

    /// Takes a Node in.
    fn node(&mut self, how: How, object: &Value) -> Vec<Change> {
        let object = serde_json::from_value(object.clone()).unwrap();
        let event = how.of(convert::node(&object));
        self.index.observe(Observation::Nodes(event))
    }

    /// Takes a ServiceExport in.
    fn export(&mut self, how: How, object: &Value) -> Vec<Change> {
        let metadata = serde_json::from_value(object["metadata"].clone()).unwrap();
        let event = how.of(convert::export(&metadata));
        self.index.observe(Observation::Exports(event))
    }

    /// Takes a Gateway in.
    fn gateway(&mut self, how: How, object: &Value) -> Vec<Change> {
        let object = serde_json::from_value(object.clone()).unwrap();
        let event = how.of(front::gateway(&object));
        self.index.observe(Observation::Gateways(event))
    }

    /// Lists Gateways to the end.
    fn list_gateways(&mut self, objects: &[Value]) -> Vec<Change> {
        let mut changes = self.index.observe(Observation::Gateways(Event::Init));
        for object in objects {
            changes.extend(self.gateway(How::Listed, object));
        }
        changes.extend(self.index.observe(Observation::Gateways(Event::InitDone)));
        changes
    }

    /// Lists Ingresses to the end.
    fn list_ingresses(&mut self, objects: &[Value]) -> Vec<Change> {
        let mut changes = self.index.observe(Observation::Ingresses(Event::Init));
        for object in objects {
            let object = serde_json::from_value(object.clone()).unwrap();
            let event = How::Listed.of(front::ingress(&object));
            changes.extend(self.index.observe(Observation::Ingresses(event)));
        }
        changes.extend(self.index.observe(Observation::Ingresses(Event::InitDone)));
        changes
    }

    /// Lists Services to the end.
    fn list_services(&mut self, objects: &[Value]) -> Vec<Change> {
        let mut changes = self.index.observe(Observation::Services(Event::Init));
        for object in objects {
            changes.extend(self.service(How::Listed, object));
        }
        changes.extend(self.index.observe(Observation::Services(Event::InitDone)));
        changes
    }

    /// Lists EndpointSlices to the end.
    fn list_slices(&mut self, objects: &[Value]) -> Vec<Change> {
        let mut changes = self.index.observe(Observation::Slices(Event::Init));
        for object in objects {
            changes.extend(self.slice(How::Listed, object));
        }
        changes.extend(self.index.observe(Observation::Slices(Event::InitDone)));
        changes
    }

    /// Lists Nodes to the end.
    fn list_nodes(&mut self, objects: &[Value]) -> Vec<Change> {
        let mut changes = self.index.observe(Observation::Nodes(Event::Init));
        for object in objects {
            changes.extend(self.node(How::Listed, object));
        }
        changes.extend(self.index.observe(Observation::Nodes(Event::InitDone)));
        changes
    }

    /// The texts of the warnings since the last call.
    fn warnings(&mut self) -> Vec<String> {
        let warnings = self.index.take_warnings();
        warnings.into_iter().map(|warning| warning.text).collect()
    }
}

/// A Service of type `LoadBalancer` with one port and one address.
fn load_balancer(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": NAMESPACE, "name": name, "labels": {}, "annotations": {} },
        "spec": {
            "type": "LoadBalancer", "clusterIP": "10.0.0.7",
            "ports": [{ "name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080 }],
        },
        "status": { "loadBalancer": { "ingress": [{ "ip": "203.0.113.11", "ipMode": "VIP" }] } },
    })
}

/// A Service of type `ClusterIP`.
fn cluster_ip(name: &str) -> Value {
    let mut object = load_balancer(name);
    object["spec"]["type"] = json!("ClusterIP");
    object["status"] = json!({ "loadBalancer": {} });
    object
}

/// A Service without a cluster IP that is exported.
fn headless(name: &str) -> Value {
    let mut object = annotated(cluster_ip(name), "export", "true");
    object["spec"]["clusterIP"] = json!("None");
    object["spec"]["clusterIPs"] = json!(["None"]);
    object
}

/// `object` with an annotation of ours.
fn annotated(mut object: Value, name: &str, value: &str) -> Value {
    object["metadata"]["annotations"][format!("gazetteer.dev/{name}")] = json!(value);
    object
}

/// An EndpointSlice of `service` with the given addresses, all ready.
fn slice(name: &str, service: &str, addresses: &[&str]) -> Value {
    let endpoints: Vec<Value> = addresses
        .iter()
        .map(|address| json!({ "addresses": [address], "conditions": { "ready": true } }))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "namespace": NAMESPACE, "name": name,
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{ "name": "http", "protocol": "TCP", "port": 8080 }],
    })
}

/// A Node in a region and zone.
fn node(name: &str, region: &str, zone: &str) -> Value {
    json!({ "metadata": { "name": name, "labels": {
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
    } } })
}

/// A ServiceExport.
fn service_export(name: &str) -> Value {
    json!({ "metadata": { "namespace": NAMESPACE, "name": name } })
}

/// The name of a test service.
fn name(name: &str) -> NamespacedName {
    NamespacedName {
        namespace: NAMESPACE.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

/// The facts of the one service that changed.
fn upserted(changes: &[Change]) -> Arc<Service> {
    match changes {
        [Change::Upsert(_, facts)] => Arc::clone(facts),
        other => panic!("expected one upsert, got {other:?}"),
    }
}

/// The endpoints of the one service that changed, as (ready, total).
fn endpoints(changes: &[Change]) -> (u32, u32) {
    let Endpoints { ready, total } = upserted(changes).endpoints;
    (ready, total)
}

/// The topology of the one change.
fn learnt(changes: &[Change]) -> LearntTopology {
    match changes {
        [Change::Topology(learnt)] => learnt.clone(),
        other => panic!("expected one topology, got {other:?}"),
    }
}
