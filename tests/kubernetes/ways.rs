//! The way of clients outside to services of a member (docs/gateways.md): what services name, what
//! stands in front of them, and what is watched for that.

use std::sync::Arc;

use gazetteer::config::{MemberSource, Source};
use gazetteer::model::{Service, WayIn};
use hickory_proto::rr::RecordType;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::daemon::{Daemon, eventually, query};
use crate::fake_apiserver::{FakeApi, Push, Reply, Resource, Verb};
use crate::member::{Member, api, service, short, slice};
use crate::program::beginning;

/// A member whose topology is configured, so that its nodes need not be watched.
fn member(api: &FakeApi, addresses_from: &[&str]) -> Member {
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let source = MemberSource {
        member: "m1".parse().unwrap(),
        has_topology: true,
        facts_limit: 1 << 30,
        renews: true,
        addresses_from: addresses_from
            .iter()
            .map(|cidr| cidr.parse().unwrap())
            .collect(),
        front: None,
        source: Source::Kubeconfig {
            path: folder.path().join("kubeconfig"),
            context: "fake".to_owned(),
        },
    };
    Member::run(folder, source, &short(), Arc::new(Semaphore::new(4)))
}

/// An object with annotations of ours.
fn annotated(mut object: Value, annotations: &[(&str, &str)]) -> Value {
    for (name, value) in annotations {
        object["metadata"]["annotations"][format!("gazetteer.dev/{name}")] = json!(value);
    }
    object
}

/// The service `web` of type `ClusterIP`, exported, with these annotations.
fn exported(annotations: &[(&str, &str)]) -> Value {
    let mut object = annotated(service("web"), &[("export", "true")]);
    object["spec"]["type"] = json!("ClusterIP");
    object["status"] = json!({});
    annotated(object, annotations)
}

/// A Gateway `infra/public` that listens at 8080 for `http`.
fn gateway(address: &str, programmed: &str) -> Value {
    json!({
        "metadata": { "namespace": "infra", "name": "public" },
        "spec": { "listeners": [{ "name": "http", "protocol": "HTTP", "port": 8080 }] },
        "status": {
            "addresses": [{ "type": "IPAddress", "value": address }],
            "conditions": [{ "type": "Programmed", "status": programmed }],
        },
    })
}

/// What a service says of the way to it.
fn way(service: &Service) -> (WayIn, Vec<String>, Option<u16>) {
    let addresses = service.addresses.iter().map(ToString::to_string);
    let port = service.ports.first().map(|port| port.outside);
    (service.way_in, addresses.collect(), port)
}

/// Waits until the service `web` is reached so.
async fn until_way(member: &mut Member, way_in: WayIn, addresses: &[&str], port: u16) {
    let expected = addresses.iter().map(ToString::to_string).collect();
    let expected = (way_in, expected, Some(port));
    let what = format!("{expected:?}");
    member
        .until(&what, |member| {
            let web = member.services.get("shop/web");
            web.is_some_and(|web| way(web) == expected)
        })
        .await;
}

/// SK01: addresses within what the member allows count, others leave it as it was.
#[tokio::test]
async fn a_service_names_addresses_that_its_member_allows() {
    let api = api();
    let mut member = member(&api, &["198.51.100.0/24"]);
    until_way(&mut member, WayIn::Usual, &["203.0.113.11"], 80).await;
    let named = |value| annotated(service("web"), &[("addresses", value)]);
    api.apply(Resource::Services, named("198.51.100.7"));
    until_way(&mut member, WayIn::Named, &["198.51.100.7"], 80).await;
    api.apply(Resource::Services, named("192.0.2.7"));
    until_way(&mut member, WayIn::Usual, &["203.0.113.11"], 80).await;
    api.apply(Resource::Services, named("198.51.100.8,192.0.2.7"));
    until_way(&mut member, WayIn::Named, &["198.51.100.8"], 80).await;
    api.apply(Resource::Services, service("web"));
    until_way(&mut member, WayIn::Usual, &["203.0.113.11"], 80).await;
    // Nothing asked for more than what every member needs.
    for resource in [Resource::Gateways, Resource::Ingresses, Resource::Nodes] {
        assert_eq!(api.read(|state| state.count(resource, Verb::List)), 0);
    }
    member.stop().await;
}

/// SK02: a service behind a Gateway follows it.
#[tokio::test]
async fn a_service_follows_the_gateway_in_front_of_it() {
    let api = api();
    api.apply(Resource::Gateways, gateway("192.0.2.1", "True"));
    api.apply(
        Resource::Services,
        exported(&[("via", "gateway/infra/public")]),
    );
    let mut member = member(&api, &[]);
    member.until_said("synced").await;
    // The first sync has waited for the Gateway: nothing is withdrawn by a restart.
    let web = &member.services["shop/web"];
    assert_eq!(
        way(web),
        (WayIn::Front, vec!["192.0.2.1".to_owned()], Some(8080))
    );
    api.apply(Resource::Gateways, gateway("192.0.2.2", "True"));
    until_way(&mut member, WayIn::Front, &["192.0.2.2"], 8080).await;
    api.apply(Resource::Gateways, gateway("192.0.2.2", "False"));
    until_way(&mut member, WayIn::Closed, &["192.0.2.2"], 8080).await;
    api.apply(Resource::Gateways, gateway("192.0.2.2", "Unknown"));
    until_way(&mut member, WayIn::Front, &["192.0.2.2"], 8080).await;
    // Its health is that of its own endpoints.
    api.apply(Resource::EndpointSlices, slice("web", 0));
    member.until_ready("web", 0).await;
    assert!(api.delete(Resource::Gateways, "infra", "public"));
    until_way(&mut member, WayIn::Front, &[], 80).await;
    assert_eq!(member.fewest, 1, "the name stays");
    assert_eq!(member.count("lost"), 0);
    member.stop().await;
}

/// SK03: an Ingress and another Service in front.
#[tokio::test]
async fn an_ingress_and_another_service_stand_in_front() {
    let api = api();
    let mut ingress = json!({ "metadata": { "namespace": "shop", "name": "web" } });
    ingress["status"]["loadBalancer"]["ingress"] = json!([{ "ip": "192.0.2.8" }]);
    api.apply(Resource::Ingresses, ingress);
    let mut web = exported(&[("via", "ingress/shop/web")]);
    web["spec"]["ports"] = json!([{ "name": "https", "port": 9443 }]);
    api.apply(Resource::Services, web);
    let mut member = member(&api, &[]);
    until_way(&mut member, WayIn::Front, &["192.0.2.8"], 443).await;
    let mut envoy = service("envoy");
    envoy["spec"]["ports"] = json!([{ "name": "http", "port": 8080 }]);
    envoy["status"]["loadBalancer"]["ingress"] = json!([{ "ip": "192.0.2.9" }]);
    api.apply(Resource::Services, envoy);
    api.apply(Resource::EndpointSlices, slice("envoy", 1));
    api.apply(
        Resource::Services,
        exported(&[("via", "service/shop/envoy")]),
    );
    until_way(&mut member, WayIn::Front, &["192.0.2.9"], 8080).await;
    api.apply(Resource::EndpointSlices, slice("envoy", 0));
    until_way(&mut member, WayIn::Closed, &["192.0.2.9"], 8080).await;
    member.stop().await;
}

/// SK04: without the kind there is no address and the member is not lost; it is picked up when it is
/// there; after that, its loss is the member's.
#[tokio::test]
async fn a_kind_that_is_absent_is_picked_up_and_then_needed() {
    let api = api();
    for verb in [Verb::List, Verb::Watch] {
        api.set(Resource::Gateways, verb, Reply::absent());
    }
    api.apply(Resource::Gateways, gateway("192.0.2.1", "True"));
    api.apply(
        Resource::Services,
        exported(&[("via", "gateway/infra/public")]),
    );
    let mut member = member(&api, &[]);
    member.until_said("synced").await;
    until_way(&mut member, WayIn::Front, &[], 80).await;
    for verb in [Verb::List, Verb::Watch] {
        api.heal(Resource::Gateways, verb);
    }
    until_way(&mut member, WayIn::Front, &["192.0.2.1"], 8080).await;
    assert_eq!(member.count("lost"), 0);
    api.until("a watch", |state| state.watches(Resource::Gateways) == 1)
        .await;
    for verb in [Verb::List, Verb::Watch] {
        api.set(Resource::Gateways, verb, Reply::denied());
    }
    api.push(Resource::Gateways, Push::End);
    member.until_said("lost refused gateways").await;
    let web = &member.services["shop/web"];
    assert_eq!(
        way(web),
        (WayIn::Front, vec!["192.0.2.1".to_owned()], Some(8080))
    );
    for verb in [Verb::List, Verb::Watch] {
        api.heal(Resource::Gateways, verb);
    }
    member
        .until("contact", |member| {
            let said = member.said.last();
            said.is_some_and(|said| said == "synced" || said == "resumed")
        })
        .await;
    member.stop().await;
}

/// SK05: nodes are watched once a service asks for its node ports.
#[tokio::test]
async fn node_ports_follow_the_nodes() {
    let api = api();
    let node = |name: &str, address: &str, ready: &str, drained: bool| {
        json!({
            "metadata": { "name": name },
            "spec": { "unschedulable": drained },
            "status": {
                "conditions": [{ "type": "Ready", "status": ready }],
                "addresses": [{ "type": "ExternalIP", "address": address }],
            },
        })
    };
    api.apply(Resource::Nodes, node("n1", "192.0.2.1", "True", false));
    api.apply(Resource::Nodes, node("n2", "192.0.2.2", "True", false));
    let mut member = member(&api, &[]);
    member.until_said("synced").await;
    assert_eq!(api.read(|state| state.watches(Resource::Nodes)), 0);
    let mut web = exported(&[("node-port", "true")]);
    web["spec"]["type"] = json!("NodePort");
    web["spec"]["ports"] = json!([{ "name": "http", "port": 80, "nodePort": 30080 }]);
    api.apply(Resource::Services, web);
    until_way(
        &mut member,
        WayIn::Front,
        &["192.0.2.1", "192.0.2.2"],
        30080,
    )
    .await;
    api.apply(Resource::Nodes, node("n2", "192.0.2.2", "Unknown", false));
    until_way(&mut member, WayIn::Front, &["192.0.2.1"], 30080).await;
    api.apply(Resource::Nodes, node("n2", "192.0.2.2", "True", false));
    api.apply(Resource::Nodes, node("n1", "192.0.2.1", "True", true));
    until_way(&mut member, WayIn::Front, &["192.0.2.2"], 30080).await;
    member.stop().await;
}

/// SK03 and SK06, as clients see it, with what is kept over a restart.
#[test]
fn answers_have_the_addresses_and_ports_of_the_way_in() {
    let mut api = api();
    api.apply(Resource::Gateways, gateway("192.0.2.1", "True"));
    let mut web = exported(&[("via", "gateway/infra/public"), ("ports", "fed=40000")]);
    web["spec"]["ports"] = json!([{ "name": "http", "port": 80 }, { "name": "fed", "port": 8443 }]);
    api.apply(Resource::Services, web);
    let named = |address: &str| {
        let mut named = service("named");
        named["metadata"]["annotations"] = json!({
            "gazetteer.dev/export": "true", "gazetteer.dev/addresses": address,
        });
        named
    };
    api.apply(Resource::Services, named("198.51.100.7"));
    api.apply(Resource::EndpointSlices, slice("named", 1));
    let folder = tempfile::tempdir().unwrap();
    api.kubeconfig(folder.path());
    let member = "probe = { kind = \"none\" }\nhold = \"1h\"\n[[member]]\nname = \"a\"\n\
         addresses-from = [\"198.51.100.0/24\"]\n\
         source = { kubeconfig = \"kubeconfig\", context = \"fake\" }\n";
    let configuration = folder.path().join("g.toml");
    crate::fake_apiserver::write(&configuration, &(beginning("") + member));
    let seen = |daemon: &Daemon| {
        let srv = |name: &str| {
            let reply = query(daemon.dns, name, RecordType::SRV).expect("a reply");
            let records = reply.answers.iter();
            let srv = records.filter(|record| record.record_type() == RecordType::SRV);
            let texts: Vec<_> = srv.map(|record| record.data.to_string()).collect();
            texts.join(", ")
        };
        let addresses = daemon.addresses("web.shop.f.svc.example.com.");
        let named = daemon.addresses("named.shop.f.svc.example.com.");
        format!(
            "{addresses:?} {named:?} {} {} {}",
            srv("_fed._tcp.web.shop.f.svc.example.com."),
            srv("_fed._tcp.a.web.shop.f.svc.example.com."),
            srv("_http._tcp.a.web.shop.f.svc.example.com."),
        )
    };
    let pinned = "a.web.shop.f.svc.example.com.";
    let global = "web.shop.f.svc.example.com.";
    let expected = format!(
        "Some({{\"192.0.2.1\"}}) Some({{\"198.51.100.7\"}}) 0 100 40000 {global} 0 100 40000 {pinned} \
         0 100 8080 {pinned}"
    );
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    assert_eq!(seen(&daemon), expected);
    api.apply(Resource::Services, named("192.0.2.7"));
    eventually("its load balancer", || {
        let addresses = daemon.addresses("named.shop.f.svc.example.com.");
        addresses.is_some_and(|all| all.contains("203.0.113.11"))
    });
    api.apply(Resource::Services, named("198.51.100.7"));
    eventually("its own address", || seen(&daemon) == expected);
    drop(daemon);
    api.kill();
    let daemon = Daemon::start(folder.path(), "g.toml");
    assert_eq!(seen(&daemon), expected, "kept");
    drop(daemon);
    // What the configuration allows no more does not count, whatever is kept.
    let narrower = member.replace("198.51.100.0/24", "198.51.100.0/32");
    crate::fake_apiserver::write(&configuration, &(beginning("") + &narrower));
    let daemon = Daemon::start(folder.path(), "g.toml");
    let named = daemon.addresses("named.shop.f.svc.example.com.");
    assert_eq!(named.map(|all| all.len()), Some(0));
}
