//! What is said step by step is what would be said at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::runtime::watcher::Event;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::index::{Observation, TopologySource};
use super::{How, World, annotated, cluster_ip, headless, load_balancer, service_export, slice};
use crate::model::{Change, NamespacedName, Service};

/// Names of services.
const SERVICES: [&str; 3] = ["a", "b", "c"];

/// A step in the life of a member.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A Service comes or changes: its number, and how it looks.
    Service(usize, u8),
    /// A Service goes.
    NoService(usize),
    /// A slice comes or changes: its number, its service, and the state of each endpoint.
    Slice(usize, usize, [Option<bool>; 3]),
    /// A slice goes.
    NoSlice(usize),
    /// A ServiceExport comes.
    Export(usize),
    /// A ServiceExport goes.
    NoExport(usize),
    /// Services are listed anew, after this many were lost from sight.
    RelistServices,
    /// Slices are listed anew; the first list breaks off.
    RelistSlices,
}

/// The objects of a member.
#[derive(Default)]
struct Cluster {
    /// Services by name.
    services: BTreeMap<usize, Value>,
    /// Slices by number.
    slices: BTreeMap<usize, Value>,
    /// Exported services.
    exports: BTreeMap<usize, Value>,
}

/// Any step.
fn step() -> impl Strategy<Value = Step> {
    let service = 0..SERVICES.len();
    let state = prop::option::of(any::<bool>());
    prop_oneof![
        (service.clone(), 0..8u8).prop_map(|(name, look)| Step::Service(name, look)),
        service.clone().prop_map(Step::NoService),
        (
            0..4usize,
            service.clone(),
            [state.clone(), state.clone(), state]
        )
            .prop_map(|(number, name, states)| Step::Slice(number, name, states)),
        (0..4usize).prop_map(Step::NoSlice),
        service.clone().prop_map(Step::Export),
        service.prop_map(Step::NoExport),
        Just(Step::RelistServices),
        Just(Step::RelistSlices),
    ]
}

/// A service that looks like one of eight.
fn service(name: &str, look: u8) -> Value {
    let mut object = match look {
        1 => cluster_ip(name),
        2 => annotated(cluster_ip(name), "export", "true"),
        3 => annotated(load_balancer(name), "export", "false"),
        4 => annotated(load_balancer(name), "weight", "0"),
        6 | 7 => headless(name),
        _ => load_balancer(name),
    };
    if matches!(look, 5 | 7) {
        object["spec"]["publishNotReadyAddresses"] = json!(true);
    }
    object
}

/// A slice with up to three endpoints.
fn endpoints(number: usize, name: &str, states: [Option<bool>; 3]) -> Value {
    let mut object = slice(&format!("s{number}"), name, &[]);
    let present = states.iter().enumerate();
    let endpoints: Vec<Value> = present
        .filter_map(|(host, ready)| {
            let ready = (*ready)?;
            let address = format!("10.1.0.{host}");
            let mut endpoint = json!({ "addresses": [address], "conditions": { "ready": ready } });
            if number + host != 2 {
                endpoint["hostname"] = json!(format!("web-{}", number / 2));
            }
            Some(endpoint)
        })
        .collect();
    object["endpoints"] = json!(endpoints);
    object
}

/// Takes a step in the cluster, and in the world that watches it.
fn take(cluster: &mut Cluster, world: &mut World, step: Step) -> Vec<Change> {
    match step {
        Step::Service(name, look) => {
            let object = service(SERVICES[name], look);
            cluster.services.insert(name, object.clone());
            world.service(How::Applied, &object)
        }
        Step::NoService(name) => match cluster.services.remove(&name) {
            Some(object) => world.service(How::Deleted, &object),
            None => Vec::new(),
        },
        Step::Slice(number, name, states) => {
            let object = endpoints(number, SERVICES[name], states);
            cluster.slices.insert(number, object.clone());
            world.slice(How::Applied, &object)
        }
        Step::NoSlice(number) => match cluster.slices.remove(&number) {
            Some(object) => world.slice(How::Deleted, &object),
            None => Vec::new(),
        },
        Step::Export(name) => {
            let object = service_export(SERVICES[name]);
            cluster.exports.insert(name, object.clone());
            world.export(How::Applied, &object)
        }
        Step::NoExport(name) => match cluster.exports.remove(&name) {
            Some(object) => world.export(How::Deleted, &object),
            None => Vec::new(),
        },
        Step::RelistServices => {
            // What goes while nobody watches is missing from the next list only.
            cluster.services.pop_first();
            let all: Vec<Value> = cluster.services.values().cloned().collect();
            world.list_services(&all)
        }
        Step::RelistSlices => {
            let all: Vec<Value> = cluster.slices.values().cloned().collect();
            let mut changes = world.index.observe(Observation::Slices(Event::Init));
            for object in all.iter().take(1) {
                changes.extend(world.slice(How::Listed, object));
            }
            changes.extend(world.list_slices(&all));
            changes
        }
    }
}

/// What a fresh index says of the cluster.
fn at_once(cluster: &Cluster) -> BTreeMap<NamespacedName, Arc<Service>> {
    let mut world = World::new(TopologySource::Configuration);
    for object in cluster.exports.values() {
        world.export(How::Applied, object);
    }
    world.list_slices(&cluster.slices.values().cloned().collect::<Vec<_>>());
    world.list_services(&cluster.services.values().cloned().collect::<Vec<_>>());
    everything(&mut world)
}

/// What an index says in full.
fn everything(world: &mut World) -> BTreeMap<NamespacedName, Arc<Service>> {
    match world.index.sync().unwrap().pop() {
        Some(Change::Synced(all)) => all.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn steps_lead_to_what_a_fresh_list_says(steps in prop::collection::vec(step(), 0..40)) {
        let mut cluster = Cluster::default();
        let mut world = World::synced();
        let mut said = BTreeMap::new();
        for step in steps {
            for change in take(&mut cluster, &mut world, step) {
                match change {
                    Change::Upsert(name, facts) => {
                        let old = said.insert(name, Arc::clone(&facts));
                        prop_assert_ne!(old, Some(facts), "a change that changes nothing");
                    }
                    Change::Remove(name) => prop_assert!(said.remove(&name).is_some()),
                    other => panic!("{other:?}"),
                }
            }
        }
        prop_assert_eq!(&said, &at_once(&cluster));
        prop_assert_eq!(&said, &everything(&mut world));
    }
}
