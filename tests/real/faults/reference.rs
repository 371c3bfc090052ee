//! The test's own watch of a member, past everything that a test may put in gazetteer's way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Event};
use tokio::task::JoinHandle;

use super::truth::Truth;
use crate::api::runtime;
use crate::member::Member;

/// A running watch; it ends when dropped.
pub(crate) struct Reference(JoinHandle<()>);

impl Drop for Reference {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a member says of itself.
#[derive(Default)]
struct View {
    /// The addresses of each service.
    services: BTreeMap<String, BTreeSet<IpAddr>>,
    /// The service of each slice, and whether one of its endpoints is ready.
    slices: BTreeMap<String, (String, bool)>,
}

/// Tells the truth what a member says of a namespace, as soon as it says it.
pub(crate) fn follow(
    member: &Member,
    number: usize,
    namespace: &str,
    truth: &Arc<Truth>,
) -> Reference {
    let services = kube::Api::<Service>::namespaced(member.api.client(), namespace);
    let slices = kube::Api::<EndpointSlice>::namespaced(member.api.client(), namespace);
    let truth = Arc::clone(truth);
    Reference(runtime().spawn(async move {
        let configuration = watcher::Config::default();
        let mut services = pin!(watcher::watcher(services, configuration.clone()));
        let mut slices = pin!(watcher::watcher(slices, configuration));
        let (mut view, mut listing) = (View::default(), View::default());
        loop {
            let is_told = tokio::select! {
                Some(said) = services.next() => said.map(|event| {
                    fold(event, &mut view.services, &mut listing.services, addresses);
                }).is_ok(),
                Some(said) = slices.next() => said.map(|event| {
                    fold(event, &mut view.slices, &mut listing.slices, readiness);
                }).is_ok(),
                else => return,
            };
            if !is_told {
                // A watch tries again when it is next asked.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            view.tell(number, &truth);
        }
    }))
}

/// Folds an event into what was said before.
fn fold<K: kube::Resource<DynamicType = ()>, V>(
    event: Event<K>,
    view: &mut BTreeMap<String, V>,
    listing: &mut BTreeMap<String, V>,
    value: impl Fn(&K) -> V,
) {
    let name = |object: &K| object.meta().name.clone().unwrap_or_default();
    match event {
        Event::Apply(object) => drop(view.insert(name(&object), value(&object))),
        Event::Delete(object) => drop(view.remove(&name(&object))),
        Event::Init => listing.clear(),
        Event::InitApply(object) => drop(listing.insert(name(&object), value(&object))),
        Event::InitDone => *view = std::mem::take(listing),
    }
}

/// The load balancer addresses of a service.
fn addresses(service: &Service) -> BTreeSet<IpAddr> {
    let status = service.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let ingress = balancer.and_then(|balancer| balancer.ingress.as_ref());
    let addresses = ingress.into_iter().flatten();
    addresses
        .filter_map(|ingress| ingress.ip.as_ref()?.parse().ok())
        .collect()
}

/// The service of a slice, and whether one of its endpoints is ready.
fn readiness(slice: &EndpointSlice) -> (String, bool) {
    let labels = slice.metadata.labels.as_ref();
    let service = labels.and_then(|labels| labels.get("kubernetes.io/service-name"));
    let is_ready = slice.endpoints.iter().any(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        // Without a word it is ready.
        conditions.and_then(|conditions| conditions.ready) != Some(false)
    });
    (service.cloned().unwrap_or_default(), is_ready)
}

impl View {
    /// Says all of it; what has not changed since changes nothing.
    fn tell(&self, member: usize, truth: &Truth) {
        let none = BTreeSet::new();
        for (service, addresses) in &self.services {
            let mut slices = self.slices.values();
            let is_ready = slices.any(|(of, ready)| of == service && *ready);
            truth.set_shard(service, member, if is_ready { addresses } else { &none });
        }
        truth.keep_services(member, |service| self.services.contains_key(service));
    }
}
