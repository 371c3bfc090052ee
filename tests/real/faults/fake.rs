//! A member whose API is a fake: for what a real API server cannot be made to do.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::fake_apiserver::{FakeApi, Resource};
use crate::fleet::Fleet;
use crate::objects;

/// A fake API server with one namespace of services.
pub(crate) struct FakeMember {
    /// The server.
    pub(crate) api: FakeApi,
    /// The namespace.
    namespace: &'static str,
}

impl FakeMember {
    /// A fake in the place of a member of the fleet.
    pub(crate) fn start(fleet: &Fleet, number: usize, namespace: &'static str) -> Self {
        let member = &fleet.members[number];
        let api = FakeApi::start();
        let node = json!({"metadata": {"name": "node", "labels": {
            "topology.kubernetes.io/region": member.region,
            "topology.kubernetes.io/zone": member.zone,
        }}});
        api.apply(Resource::Nodes, node);
        let identity = json!({
            "metadata": {"namespace": "default", "name": "kubernetes", "uid": "fake"},
            "spec": {"type": "ClusterIP", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]},
        });
        api.apply(Resource::Services, identity);
        Self { api, namespace }
    }

    /// Creates or replaces a service with one ready endpoint.
    pub(crate) fn publish(&self, service: &str, addresses: &[IpAddr]) {
        let ingress = addresses.iter().map(|address| json!({"ip": address}));
        self.api.apply(
            Resource::Services,
            json!({
                "metadata": {
                    "namespace": self.namespace, "name": service,
                    "annotations": {"gazetteer.dev/export": "true"},
                },
                "spec": {
                    "type": "LoadBalancer",
                    "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
                },
                "status": {"loadBalancer": {"ingress": ingress.collect::<Vec<Value>>()}},
            }),
        );
        self.set_endpoints(service, 1, true);
    }

    /// Makes all endpoints of a service ready, or none.
    pub(crate) fn set_endpoints(&self, service: &str, count: u8, ready: bool) {
        let mut slice = objects::slice(&format!("{service}-1"), service, "10.1.0.1", ready);
        slice["metadata"]["namespace"] = json!(self.namespace);
        let endpoints = (1..=count)
            .map(|n| json!({"addresses": [format!("10.1.0.{n}")], "conditions": {"ready": ready}}));
        slice["endpoints"] = endpoints.collect();
        self.api.apply(Resource::EndpointSlices, slice);
    }

    /// Deletes a service and its slice.
    pub(crate) fn delete(&self, service: &str) {
        let slice = format!("{service}-1");
        self.api.delete(Resource::Services, self.namespace, service);
        self.api
            .delete(Resource::EndpointSlices, self.namespace, &slice);
    }
}
