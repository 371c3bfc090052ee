//! The Kubernetes objects that scenarios make.

use serde_json::{Value, json};

use crate::member::Member;
use crate::wait::{SOON, until};

/// Path of a namespace's core objects of one kind.
fn core(namespace: &str, kind: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/{kind}")
}

/// Path of a namespace's slices.
pub(crate) fn slices(namespace: &str) -> String {
    format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")
}

/// Path of a namespace's deployments.
fn deployments(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments")
}

/// Path of a service.
pub(crate) fn service_path(namespace: &str, name: &str) -> String {
    format!("{}/{name}", core(namespace, "services"))
}

/// A slice of a service with one endpoint.
pub(crate) fn slice(name: &str, service: &str, address: &str, ready: bool) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}],
    })
}

impl Member {
    /// A load balancer service, exported by annotation; with a selector only if asked, so that
    /// otherwise its slices are the test's own.
    pub(crate) fn service(&self, namespace: &str, name: &str, selected: bool, ingress: &Value) {
        self.namespace(namespace);
        let mut object = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "annotations": {"gazetteer.dev/export": "true"}},
            "spec": {
                "type": "LoadBalancer",
                "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            },
        });
        if selected {
            object["spec"]["selector"] = json!({"app": name});
        }
        self.api.apply(&service_path(namespace, name), &object);
        self.set_ingress(namespace, name, ingress);
    }

    /// Writes what the load balancer of a service says.
    pub(crate) fn set_ingress(&self, namespace: &str, name: &str, ingress: &Value) {
        let status = json!({"status": {"loadBalancer": {"ingress": ingress}}});
        let path = format!("{}/status", service_path(namespace, name));
        self.api.patch(&path, &status);
    }

    /// A service whose slices are written by hand, with one ready endpoint and its nth address.
    pub(crate) fn simple_service(&self, namespace: &str, name: &str, n: u8) {
        self.service(namespace, name, false, &json!([{"ip": self.balancer(n)}]));
        self.set_slice(namespace, name, true);
    }

    /// The one slice of a simple service.
    pub(crate) fn set_slice(&self, namespace: &str, name: &str, ready: bool) {
        let object = slice(&format!("{name}-1"), name, "10.1.0.1", ready);
        let path = format!("{}/{name}-1", slices(namespace));
        self.api.apply(&path, &object);
    }

    /// A deployment whose pods a service of the same name selects.
    pub(crate) fn deployment(&self, namespace: &str, name: &str, replicas: u32) {
        self.namespace(namespace);
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {
                        // The controller of slices passes over pods whose node it does not find;
                        // without a kubelet, only a grace period of zero lets a pod go.
                        "nodeName": "node",
                        "terminationGracePeriodSeconds": 0,
                        "containers": [{"name": "web", "image": "none"}],
                    },
                },
            },
        });
        let path = format!("{}/{name}", deployments(namespace));
        self.api.apply(&path, &object);
    }

    /// Changes how many pods a deployment wants.
    pub(crate) fn scale(&self, namespace: &str, name: &str, replicas: u32) {
        let path = format!("{}/{name}", deployments(namespace));
        self.api
            .patch(&path, &json!({"spec": {"replicas": replicas}}));
    }

    /// The names of a deployment's pods, once there are so many.
    pub(crate) fn pods(&self, namespace: &str, app: &str, count: usize) -> Vec<String> {
        let path = format!("{}?labelSelector=app%3D{app}", core(namespace, "pods"));
        until(
            &format!("{count} pods of {app} in {}", self.name),
            SOON,
            || {
                let list = self.api.get(&path).map_err(|refusal| refusal.to_string())?;
                let items = list["items"].as_array().cloned().unwrap_or_default();
                let names: Vec<String> = items
                    .iter()
                    .filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned()))
                    .collect();
                if names.len() == count {
                    Ok(names)
                } else {
                    Err(format!("{names:?}"))
                }
            },
        )
    }

    /// What a kubelet would say of a pod.
    pub(crate) fn set_pod(&self, namespace: &str, pod: &str, address: &str, ready: bool) {
        let ready = if ready { "True" } else { "False" };
        let status = json!({"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": ready}],
        }});
        let path = format!("{}/{pod}/status", core(namespace, "pods"));
        self.api.patch(&path, &status);
    }

    /// Makes every pod of a deployment ready, or not.
    pub(crate) fn set_pods(&self, namespace: &str, app: &str, count: usize, ready: bool) {
        for (number, pod) in self.pods(namespace, app, count).iter().enumerate() {
            self.set_pod(namespace, pod, &format!("10.1.0.{}", number + 1), ready);
        }
    }
}
