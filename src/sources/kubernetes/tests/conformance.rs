//! The slim types against the full ones: a field that was misspelled, or renamed upstream, would
//! silently yield nothing.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::DeserializeGuard;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::objects::{NodeObject, ServiceObject, SliceObject};

/// Reads a full object by a slim type.
fn slim<T: DeserializeOwned + kube::Resource>(full: impl Serialize) -> T {
    let text = serde_json::to_string(&full).unwrap();
    let guard: DeserializeGuard<T> = serde_json::from_str(&text).unwrap();
    guard.0.unwrap()
}

/// Metadata with what is read of it.
fn metadata() -> ObjectMeta {
    ObjectMeta {
        name: Some("web".to_owned()),
        namespace: Some("shop".to_owned()),
        labels: Some([("a".to_owned(), "b".to_owned())].into()),
        annotations: Some([("c".to_owned(), "d".to_owned())].into()),
        ..Default::default()
    }
}

#[test]
fn slim_services_read_full_ones() {
    let full = core::Service {
        metadata: metadata(),
        spec: Some(core::ServiceSpec {
            type_: Some("LoadBalancer".to_owned()),
            cluster_ip: Some("None".to_owned()),
            cluster_ips: Some(vec!["None".to_owned()]),
            publish_not_ready_addresses: Some(true),
            ports: Some(vec![core::ServicePort {
                name: Some("http".to_owned()),
                protocol: Some("TCP".to_owned()),
                port: 80,
                app_protocol: Some("http".to_owned()),
                node_port: Some(30080),
                target_port: Some(IntOrString::Int(8080)),
            }]),
            ..Default::default()
        }),
        status: Some(core::ServiceStatus {
            load_balancer: Some(core::LoadBalancerStatus {
                ingress: Some(vec![core::LoadBalancerIngress {
                    ip: Some("203.0.113.11".to_owned()),
                    hostname: Some("a9.elb.example".to_owned()),
                    ip_mode: Some("VIP".to_owned()),
                    ports: Some(vec![core::PortStatus {
                        error: Some("Broken".to_owned()),
                        port: 80,
                        protocol: "TCP".to_owned(),
                    }]),
                }]),
            }),
            ..Default::default()
        }),
    };
    let read: ServiceObject = slim(&full);
    assert_eq!(read.metadata, full.metadata);
    let spec = read.spec.unwrap();
    assert_eq!(spec.kind.as_deref(), Some("LoadBalancer"));
    assert_eq!(spec.cluster_ip.as_deref(), Some("None"));
    assert_eq!(spec.cluster_ips, Some(vec!["None".to_owned()]));
    assert_eq!(spec.publish_not_ready_addresses, Some(true));
    let port = &spec.ports.unwrap()[0];
    assert_eq!(port.name.as_deref(), Some("http"));
    assert_eq!(port.protocol.as_deref(), Some("TCP"));
    assert_eq!(port.port, 80);
    let ingress = &read.status.unwrap().load_balancer.unwrap().ingress.unwrap()[0];
    assert_eq!(ingress.ip.as_deref(), Some("203.0.113.11"));
    assert_eq!(ingress.hostname.as_deref(), Some("a9.elb.example"));
    assert_eq!(
        ingress.ports.as_ref().unwrap()[0].error.as_deref(),
        Some("Broken")
    );
}

#[test]
fn slim_slices_read_full_ones() {
    let full = discovery::EndpointSlice {
        metadata: metadata(),
        address_type: "IPv4".to_owned(),
        endpoints: vec![discovery::Endpoint {
            addresses: vec!["10.1.0.1".to_owned()],
            conditions: Some(discovery::EndpointConditions {
                ready: Some(false),
                serving: Some(true),
                terminating: Some(true),
            }),
            hostname: Some("web-0".to_owned()),
            ..Default::default()
        }],
        ports: Some(vec![discovery::EndpointPort {
            app_protocol: Some("http".to_owned()),
            name: Some("http".to_owned()),
            port: Some(8080),
            protocol: Some("TCP".to_owned()),
        }]),
    };
    let read: SliceObject = slim(&full);
    assert_eq!(read.metadata, full.metadata);
    assert_eq!(read.address_type.as_deref(), Some("IPv4"));
    let endpoint = &read.endpoints.unwrap()[0];
    assert_eq!(
        endpoint.addresses.as_deref(),
        Some(["10.1.0.1".to_owned()].as_slice())
    );
    assert_eq!(endpoint.hostname.as_deref(), Some("web-0"));
    let conditions = endpoint.conditions.as_ref().unwrap();
    assert_eq!(
        (conditions.ready, conditions.terminating),
        (Some(false), Some(true))
    );
    let port = &read.ports.unwrap()[0];
    assert_eq!(port.name.as_deref(), Some("http"));
    assert_eq!(port.protocol.as_deref(), Some("TCP"));
    assert_eq!(port.port, Some(8080));
}

#[test]
fn slim_nodes_read_full_ones() {
    let full = core::Node {
        metadata: metadata(),
        spec: Some(core::NodeSpec {
            pod_cidr: Some("10.244.1.0/24".to_owned()),
            pod_cidrs: Some(vec!["10.244.1.0/24".to_owned()]),
            ..Default::default()
        }),
        status: Some(core::NodeStatus {
            addresses: Some(vec![core::NodeAddress {
                type_: "InternalIP".to_owned(),
                address: "192.0.2.1".to_owned(),
            }]),
            ..Default::default()
        }),
    };
    let read: NodeObject = slim(&full);
    assert_eq!(read.metadata, full.metadata);
    let spec = read.spec.unwrap();
    assert_eq!(spec.pod_cidr.as_deref(), Some("10.244.1.0/24"));
    assert_eq!(spec.pod_cidrs, Some(vec!["10.244.1.0/24".to_owned()]));
    let address = &read.status.unwrap().addresses.unwrap()[0];
    assert_eq!(
        (&*address.kind, &*address.address),
        ("InternalIP", "192.0.2.1")
    );
}

#[test]
fn empty_objects_are_read() {
    let service: ServiceObject = slim(core::Service::default());
    assert!(service.spec.is_none());
    let slice: SliceObject = slim(discovery::EndpointSlice::default());
    assert_eq!(slice.address_type.as_deref(), Some(""));
}

#[test]
fn a_malformed_object_keeps_its_name() {
    let text = r#"{"metadata":{"name":"web","namespace":"shop"},"spec":{"ports":[{"port":"x"}]}}"#;
    let guard: DeserializeGuard<ServiceObject> = serde_json::from_str(text).unwrap();
    let error = guard.0.unwrap_err();
    assert_eq!(error.metadata.name.as_deref(), Some("web"));
}
