//! What holds for every world (docs/names.md, Properties).
//!
//! `oracle` says what is answered, from the text of names D.5 and D.6 alone; `world` makes random
//! worlds; here they meet the code.

#[path = "properties/ask.rs"]
mod ask;
#[path = "properties/digest.rs"]
mod digest;
#[path = "properties/geo.rs"]
mod geo;
#[path = "properties/inside.rs"]
mod inside;
#[path = "properties/members.rs"]
mod members;
#[path = "mmdb/mod.rs"]
mod mmdb;
#[path = "properties/model.rs"]
mod model;
#[path = "properties/oracle.rs"]
mod oracle;
#[path = "properties/overlay.rs"]
mod overlay;
#[path = "properties/rules.rs"]
mod rules;
#[path = "properties/trees.rs"]
mod trees;
#[path = "properties/world.rs"]
mod world;

use proptest::prelude::*;

use ask::{Answer, View, ask, octets};
use oracle::{Expected, Oracle};
use world::{World, world};

/// Every type that the rules look at.
const TYPES: &[&str] = &["A", "AAAA", "CNAME", "SRV", "TXT", "NS"];

/// Names to ask of a world: what exists, and what is close to it.
fn names(oracle: &Oracle<'_>, picks: &[(usize, u8)]) -> Vec<String> {
    let existing: Vec<_> = oracle.names().collect();
    let close = |(pick, way): &(usize, u8)| -> Option<String> {
        let name = existing.get(pick % existing.len().max(1))?;
        let mut labels: Vec<&str> = name.split('.').collect();
        let place = pick / 7 % labels.len();
        match way {
            0 => labels.insert(0, "x"),
            1 => labels.insert(0, "m0"),
            2 => labels.insert(0, "_http"),
            3 => labels.insert(place, "r0"),
            4 => {
                labels.remove(place);
            }
            5 => {
                let other = labels.len().saturating_sub(3);
                labels.swap(place, other);
            }
            6 => *labels.get_mut(place)? = "s1",
            _ => {}
        }
        (!labels.is_empty()).then(|| labels.join("."))
    };
    picks.iter().filter_map(close).collect()
}

/// Which names to ask.
fn picks() -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop::collection::vec((any::<u16>().prop_map(usize::from), 0u8..16), 40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_what_the_text_says(world in world(), picks in picks()) {
        let snapshot = world.build();
        let oracle = Oracle::new(&world);
        for name in names(&oracle, &picks) {
            for rrtype in ["A", "AAAA", "CNAME", "SRV", "TXT"] {
                if let Some(expected) = oracle.expect(&name, rrtype) {
                    let got = Expected::of(&ask(&snapshot, &name, rrtype));
                    prop_assert_eq!(got, expected, "{} {}\n{:#?}", name, rrtype, world);
                }
            }
        }
    }

    #[test]
    fn a_fold_of_changes_equals_a_new_start(first in world(), changes in world::changes(), picks in picks()) {
        let (folded, world) = first.fold(&changes);
        let rebuilt = world.build();
        let oracle = Oracle::new(&world);
        for name in names(&oracle, &picks) {
            for rrtype in TYPES {
                let query = octets(&name, rrtype);
                let (folded, rebuilt) = (ask::respond(&folded, &query), ask::respond(&rebuilt, &query));
                prop_assert_eq!(folded, rebuilt, "{} {}\n{:#?}\n{:#?}", name, rrtype, changes, world);
            }
        }
    }

    #[test]
    fn members_that_came_and_went_equal_a_new_start(world in world(), steps in members::steps(), picks in picks()) {
        let (moved, rebuilt) = (world.come_and_go(&steps), world.build());
        let oracle = Oracle::new(&world);
        for name in names(&oracle, &picks) {
            for rrtype in TYPES {
                let query = octets(&name, rrtype);
                let (moved, rebuilt) = (ask::respond(&moved, &query), ask::respond(&rebuilt, &query));
                prop_assert_eq!(moved, rebuilt, "{} {}\n{:#?}\n{:#?}", name, rrtype, steps, world);
            }
        }
        prop_assert_eq!(moved.counts().services, rebuilt.counts().services);
        prop_assert_eq!(
            &moved.counts().without_member,
            &rebuilt.counts().without_member
        );
        prop_assert_eq!(moved.counts().ignored, rebuilt.counts().ignored);
    }

    #[test]
    fn no_rule_of_names_is_broken(world in world(), picks in picks()) {
        let snapshot = world.build();
        let oracle = Oracle::new(&world);
        for name in names(&oracle, &picks) {
            let answers: Vec<(&str, Answer)> =
                TYPES.iter().map(|rrtype| (*rrtype, ask(&snapshot, &name, rrtype))).collect();
            let broken = rules::at_one_name(&name, &answers)
                .or_else(|| rules::ancestors(&name, &oracle, (&snapshot).into()))
                .or_else(|| rules::owners(&answers, (&snapshot).into()));
            prop_assert_eq!(broken, None, "{}\n{:#?}", name, world);
        }
        let broken = rules::services(&world, &oracle, &snapshot);
        prop_assert_eq!(broken, None, "{:#?}", world);
    }

    #[test]
    fn no_ancestor_of_a_name_of_any_tree_is_denied(world in world()) {
        let snapshot = world.build();
        let broken = trees::ancestors(&world, &Oracle::new(&world), &snapshot);
        prop_assert_eq!(broken, None, "{:#?}", world);
    }

    #[test]
    fn no_rule_is_broken_inside_and_nobody_else_is_given_an_inside_address(world in world(), picks in picks()) {
        let snapshot = world.build();
        let oracle = Oracle::new(&world);
        let inside = [0, 3].map(|member| (Some(member), View::inside(&snapshot, member)));
        let views: Vec<_> = [(None, View::from(&snapshot))].into_iter().chain(inside).collect();
        for name in names(&oracle, &picks[..16]) {
            for (member, view) in &views {
                let answers: Vec<(&str, Answer)> =
                    TYPES.iter().map(|rrtype| (*rrtype, ask(*view, &name, rrtype))).collect();
                for (_, answer) in &answers {
                    let lines = answer.lines.iter().chain(&answer.additional);
                    let addresses = lines.filter_map(|(_, _, rdata)| rdata.parse().ok());
                    let owner = addresses.filter_map(inside::member_of).find(|of| Some(*of) != *member);
                    prop_assert_eq!(owner, None, "{} to {:?}\n{:#?}", name, member, world);
                }
                let broken = rules::at_one_name(&name, &answers)
                    .or_else(|| rules::ancestors(&name, &oracle, *view))
                    .or_else(|| rules::owners(&answers, *view));
                prop_assert_eq!(broken, None, "{} to {:?}\n{:#?}", name, member, world);
            }
        }
    }

    #[test]
    fn clients_inside_get_what_the_text_says(world in world()) {
        let snapshot = world.build();
        let oracle = Oracle::new(&world);
        for fed in &world.federations {
            for (key, member) in oracle.known(fed).into_iter().flat_map(|key| (0..5).map(move |member| (key, member))) {
                let name = oracle::owner(fed, key, (None, None));
                let view = View::inside(&snapshot, member);
                let [v4, v6] = ["A", "AAAA"].map(|rrtype| ask(view, &name, rrtype).addresses());
                let got: std::collections::BTreeSet<_> = v4.union(&v6).copied().collect();
                if let Some(expected) = oracle.inside(fed, key, member) {
                    prop_assert_eq!(got, expected, "{} in {}\n{:#?}", name, member, world);
                }
            }
        }
    }

    #[test]
    fn ignorance_fails_and_never_denies(world in world(), syncing in 0usize..5, picks in picks()) {
        let empty = world.with_state(syncing, world::State::NeverSynced).build();
        let unsure = world.with_state(syncing, world::State::Syncing).build();
        let oracle = Oracle::new(&world);
        for name in names(&oracle, &picks) {
            for rrtype in TYPES {
                // A chain that ends in nothing may become another one, and so may its first CNAME.
                let is_denied = ["A", "AAAA", "SRV", rrtype]
                    .iter()
                    .all(|rrtype| *rrtype == "CNAME" || !ask(&empty, &name, rrtype).is_positive());
                let (empty, unsure) = (ask(&empty, &name, rrtype), ask(&unsure, &name, rrtype));
                let same = empty.rcode == unsure.rcode && empty.records() == unsure.records();
                let failed = unsure.rcode == 2 && is_denied;
                prop_assert!(same || failed, "{} {}\n{:?}\n{:?}\n{:#?}", name, rrtype, empty, unsure, world);
            }
        }
    }

    #[test]
    fn a_scope_holds_in_every_tree_also_for_clients_inside(
        world in prop_oneof![world().prop_map(World::with_drains), world().prop_map(World::with_nearest)],
        clients in prop::collection::vec((world::client(), any::<u32>()), 4),
    ) {
        let snapshot = world.build();
        let oracle = Oracle::new(&world);
        let views = [View::from(&snapshot), View::inside(&snapshot, 0), View::inside(&snapshot, 3)];
        for fed in &world.federations {
            let names = oracle.known(fed).into_iter().flat_map(|key| trees::services(fed, key));
            for (name, view) in names.flat_map(|name| views.map(|view| (name.clone(), view))) {
                for (client, other) in &clients {
                    let one = ask::ask_for(view, &name, "A", *client);
                    let scope = u32::from(one.scope.expect("a client subnet is answered"));
                    let kept = u32::MAX.checked_shl(32 - scope).unwrap_or(0);
                    let sharing = std::net::Ipv4Addr::from(u32::from(*client) & kept | other & !kept);
                    let same = ask::ask_for(view, &name, "A", sharing);
                    prop_assert_eq!(
                        one.records(), same.records(),
                        "{} for {} and {} at {:?}\n{:#?}", name, client, sharing, view.client.listener, world
                    );
                }
            }
        }
    }

    #[test]
    fn the_nearest_answer_and_their_scope_holds(world in world().prop_map(World::with_nearest), clients in prop::collection::vec((world::client(), any::<u32>()), 20)) {
        let snapshot = world.build();
        let oracle = Oracle::new(&world);
        for fed in &world.federations {
            for key in oracle.known(fed) {
                let name = oracle::owner(fed, key, (None, None));
                for (client, other) in &clients {
                    let [v4, v6] = ["A", "AAAA"].map(|rrtype| ask::ask_for(&snapshot, &name, rrtype, *client));
                    let got: std::collections::BTreeSet<_> = v4.addresses().union(&v6.addresses()).copied().collect();
                    if let Some(expected) = oracle.nearest(fed, key, *client) {
                        prop_assert_eq!(got, expected, "{} for {}\n{:#?}", name, client, world);
                    }
                    let scope = v4.scope.expect("a client subnet is answered");
                    prop_assert_eq!(v6.scope, Some(scope), "the type changes the scope of {}", name);
                    let kept = u32::MAX.checked_shl(32 - u32::from(scope)).unwrap_or(0);
                    let sharing = std::net::Ipv4Addr::from(u32::from(*client) & kept | other & !kept);
                    let same = ask::ask_for(&snapshot, &name, "A", sharing);
                    prop_assert_eq!(
                        (v4.records(), v4.scope), (same.records(), same.scope),
                        "{} for {} and {}\n{:#?}", name, client, sharing, world
                    );
                }
            }
        }
    }

    #[test]
    fn explanations_are_the_answers(world in world(), picks in picks()) {
        let snapshot = world.build();
        let oracle = Oracle::new(&world);
        for name in names(&oracle, &picks) {
            for rrtype in TYPES {
                let broken = rules::explained(&snapshot, &name, rrtype);
                prop_assert_eq!(broken, None, "{} {}\n{:#?}", name, rrtype, world);
            }
        }
    }
}
