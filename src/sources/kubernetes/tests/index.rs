//! First sync, relists and warnings.

use kube::runtime::watcher::Event;
use serde_json::json;

use super::super::convert::unreadable;
use super::super::index::{Observation, TopologySource};
use super::{
    How, NAMESPACE, World, annotated, endpoints, load_balancer, name, node, slice, upserted,
};
use crate::model::Change;

/// The names in a `Synced`, and the ready endpoints of each.
fn synced(changes: &[Change]) -> Vec<(String, u32)> {
    match changes.last() {
        Some(Change::Synced(all)) => all
            .iter()
            .map(|(name, facts)| (name.name.to_string(), facts.endpoints.ready))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_said_before_every_needed_kind_is_complete() {
    let mut world = World::new(TopologySource::Nodes);
    assert_eq!(
        world.list_services(&[load_balancer("web"), load_balancer("api")]),
        []
    );
    assert_eq!(world.index.sync(), None);
    assert_eq!(
        world.list_slices(&[slice("web-1", "web", &["10.1.0.1"])]),
        []
    );
    assert_eq!(world.index.sync(), None);
    assert_eq!(
        world.slice(How::Applied, &slice("api-1", "api", &["10.1.0.2"])),
        []
    );
    assert_eq!(world.list_nodes(&[node("n1", "r1", "r1-a")]), []);
    let changes = world.index.sync().unwrap();
    assert_eq!(changes.len(), 3);
    assert!(matches!(&changes[0], Change::Topology(learnt) if learnt.zones.len() == 1));
    assert_eq!(
        synced(&changes),
        [("api".to_owned(), 1), ("web".to_owned(), 1)]
    );
}

#[test]
fn half_a_list_completes_nothing() {
    let mut world = World::new(TopologySource::Configuration);
    world.list_slices(&[]);
    world.index.observe(Observation::Services(Event::Init));
    world.service(How::Listed, &load_balancer("web"));
    assert_eq!(world.index.sync(), None);
}

#[test]
fn only_real_changes_are_said() {
    let mut world = World::synced();
    let mut object = load_balancer("web");
    world.service(How::Applied, &object);
    object["metadata"]["resourceVersion"] = json!("7");
    object["metadata"]["annotations"]["example.com/other"] = json!("x");
    object["status"]["conditions"] = json!([]);
    assert_eq!(world.service(How::Applied, &object), []);
    let touched = slice("web-1", "web", &[]);
    assert_eq!(world.slice(How::Applied, &touched), []);
}

#[test]
fn a_relist_removes_what_the_completed_list_lacks() {
    let mut world = World::synced();
    world.service(How::Applied, &load_balancer("web"));
    world.service(How::Applied, &load_balancer("api"));
    world.index.observe(Observation::Services(Event::Init));
    assert_eq!(world.service(How::Listed, &load_balancer("web")), []);
    let done = world.index.observe(Observation::Services(Event::InitDone));
    assert_eq!(done, [Change::Remove(name("api"))]);
}

#[test]
fn a_relist_of_slices_removes_no_service() {
    let mut world = World::synced();
    world.service(How::Applied, &load_balancer("web"));
    world.slice(How::Applied, &slice("web-1", "web", &["10.1.0.1"]));
    assert_eq!(endpoints(&world.list_slices(&[])), (0, 0));
}

#[test]
fn a_relist_that_breaks_off_removes_nothing() {
    let mut world = World::synced();
    world.service(How::Applied, &load_balancer("web"));
    world.service(How::Applied, &load_balancer("api"));
    world.index.observe(Observation::Services(Event::Init));
    world.service(How::Listed, &load_balancer("web"));
    assert_eq!(world.index.observe(Observation::Services(Event::Init)), []);
    world.service(How::Listed, &load_balancer("api"));
    let done = world.index.observe(Observation::Services(Event::InitDone));
    assert_eq!(done, [Change::Remove(name("web"))]);
}

#[test]
fn a_second_sync_says_everything_anew() {
    let mut world = World::synced();
    world.service(How::Applied, &load_balancer("web"));
    let changes = world.index.sync().unwrap();
    assert_eq!(synced(&changes), [("web".to_owned(), 0)]);
    assert_eq!(world.service(How::Applied, &load_balancer("web")), []);
}

#[test]
fn a_relist_from_an_earlier_state_goes_by_the_list_alone() {
    let mut world = World::synced();
    let mut later = load_balancer("web");
    later["metadata"]["resourceVersion"] = json!("900");
    later["status"]["loadBalancer"]["ingress"][0]["ip"] = json!("203.0.113.99");
    world.service(How::Applied, &later);
    let mut earlier = load_balancer("web");
    earlier["metadata"]["resourceVersion"] = json!("100");
    let facts = upserted(&world.list_services(&[earlier]));
    assert_eq!(facts.addresses[0].to_string(), "203.0.113.11");
}

#[test]
fn an_unreadable_object_is_one_warning_and_keeps_what_it_said() {
    let mut world = World::synced();
    world.service(How::Applied, &load_balancer("web"));
    let metadata =
        serde_json::from_value(json!({ "namespace": NAMESPACE, "name": "web" })).unwrap();
    for _ in 0..2 {
        let seen = unreadable(&metadata, "invalid type");
        assert_eq!(
            world
                .index
                .observe(Observation::Services(Event::Apply(seen))),
            []
        );
    }
    assert_eq!(world.warnings(), ["cannot be read: invalid type"]);
    world.index.observe(Observation::Services(Event::Init));
    let seen = unreadable(&metadata, "invalid type");
    world
        .index
        .observe(Observation::Services(Event::InitApply(seen)));
    let done = world.index.observe(Observation::Services(Event::InitDone));
    assert_eq!(done, []);
}

#[test]
fn a_warning_is_said_once_until_it_changes() {
    let mut world = World::synced();
    let bad = annotated(load_balancer("web"), "weight", "heavy");
    world.service(How::Applied, &bad);
    assert_eq!(world.warnings().len(), 1);
    world.service(How::Applied, &bad);
    world.list_services(std::slice::from_ref(&bad));
    assert_eq!(world.warnings().len(), 0);
    world.service(How::Applied, &load_balancer("web"));
    world.service(How::Applied, &bad);
    assert_eq!(world.warnings().len(), 1);
}
