//! Members that come, go, change places and are configured otherwise, in any order.

use std::sync::Arc;

use gazetteer::model::{Fleet, Gateway, Member, MemberIdx, Pattern, TopologyFacts};
use gazetteer::snapshot::{Generation, Serial, Snapshot, SnapshotBuilder};
use proptest::prelude::*;

use crate::model::{key_of, label, member_name};
use crate::world::{MEMBERS, World};

/// How a member is configured for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guise {
    Gone,
    Itself,
    Elsewhere,
    WithoutDomain,
    WithGateway,
    WithoutNamespaces,
}

/// How all are, each with what their order is by.
pub(crate) type Step = Vec<(Guise, u8)>;

/// Ways through some sets of members.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let guise = prop_oneof![
        4 => Just(Guise::Gone),
        4 => Just(Guise::Itself),
        1 => Just(Guise::Elsewhere),
        1 => Just(Guise::WithoutDomain),
        1 => Just(Guise::WithGateway),
        1 => Just(Guise::WithoutNamespaces),
    ];
    // Most steps leave most members in their order.
    let place = prop_oneof![3 => Just(0u8), 1 => 0u8..4];
    prop::collection::vec(prop::collection::vec((guise, place), MEMBERS), 1..6)
}

/// Where a member of a world sits in a builder.
pub(crate) fn seat(builder: &SnapshotBuilder, member: usize) -> Option<MemberIdx> {
    builder.fleet().members.find(&label(&member_name(member)))
}

impl World {
    /// The snapshot of this world, by a way through other sets of members, and by one from nothing.
    pub(crate) fn come_and_go(&self, steps: &[Step]) -> Snapshot {
        let mut builder = None;
        for step in steps {
            let fleet = self.fleet_of(step);
            let builder = builder.get_or_insert_with(|| self.empty(fleet.clone()));
            self.pass(builder, fleet);
            // Publishing in between must not matter.
            drop(builder.snapshot(Generation(0), Serial(0)));
        }
        let mut builder = builder.unwrap_or_else(|| self.empty(self.fleet()));
        self.pass(&mut builder, self.fleet());
        builder.snapshot(Generation(1), Serial(1))
    }

    fn empty(&self, fleet: Fleet) -> SnapshotBuilder {
        SnapshotBuilder::new(Arc::new(fleet), self.settings())
    }

    /// The fleet with members in these guises.
    fn fleet_of(&self, step: &Step) -> Fleet {
        let whole = self.fleet();
        let mut placed: Vec<_> = whole.members.iter().zip(step).collect();
        placed.sort_by_key(|(_, (_, place))| *place);
        let members = placed.into_iter();
        let members = members.filter_map(|((_, member), (guise, _))| dressed(member, *guise));
        Fleet {
            members: members.collect(),
            ..whole.clone()
        }
    }

    /// Brings a builder to another fleet, and gives it all facts of who is there.
    fn pass(&self, builder: &mut SnapshotBuilder, fleet: Fleet) {
        let before = Arc::clone(builder.fleet());
        let members = fleet.members.seated_among(&before.members);
        let fleet = Arc::new(Fleet { members, ..fleet });
        assert!(builder.can_take(&fleet));
        for (index, member) in before.members.iter() {
            if fleet.members.find(&member.name).is_none() {
                let gone: Vec<_> = builder.facts(index).map(|(key, _)| key.clone()).collect();
                for key in gone {
                    builder.remove(index, &key);
                }
                // A world may have conditions of shards that are not there.
                for key in &self.damped {
                    builder.set_condition(index, &key_of(*key), None);
                }
            }
        }
        builder.set_fleet(&fleet);
        for (index, member) in fleet.members.iter() {
            if before.members.get(index) != Some(member) {
                builder.set_topology(index, TopologyFacts::default());
            }
        }
        for member in 0..self.members.len() {
            self.fill(builder, member);
        }
        self.overlay(builder);
    }
}

/// A member in a guise.
fn dressed(member: &Member, guise: Guise) -> Option<Member> {
    let mut member = member.clone();
    match guise {
        Guise::Gone => return None,
        Guise::Itself => {}
        Guise::Elsewhere => member.region = Some(label("r2")),
        Guise::WithoutDomain => member.cluster_domain = None,
        Guise::WithGateway => {
            member.gateway = Some(Gateway {
                addresses: vec!["192.0.2.250".parse().expect("an address")],
                port: None,
            });
        }
        Guise::WithoutNamespaces => member.namespaces = vec![Pattern::new("none")],
    }
    Some(member)
}
