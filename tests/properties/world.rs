//! Random worlds, and the snapshots of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use gazetteer::model::{
    FULL_SHARE, Fleet, Joined, MemberOrigin, MemberState, MemberStatus, TopologyFacts, UnixSeconds,
    Verdict, WhenAllDown,
};
use gazetteer::snapshot::{Generation, Partitioner, Serial, Settings, Snapshot, SnapshotBuilder};
use ipnet::Ipv4Net;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::inside::{Inside, inside};
use crate::members::seat;
use crate::model::{index, key_of, label, member_name};

/// The state of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    Held,
    Lost,
    Returning,
    NeverSynced,
    Syncing,
}

/// A federation.
#[derive(Debug, Clone)]
pub(crate) struct Fed {
    pub(crate) name: &'static str,
    pub(crate) apex: &'static str,
    pub(crate) failover: Option<Vec<usize>>,
    /// Without `failover`: `nearest`, else `spread`.
    pub(crate) is_nearest: bool,
    /// `weighted`, whatever the two say.
    pub(crate) is_weighted: bool,
    /// Addresses are probed.
    pub(crate) is_probed: bool,
    pub(crate) fence: Option<Vec<&'static str>>,
    pub(crate) all_down: WhenAllDown,
    pub(crate) members: Vec<usize>,
}

/// A member.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) region: Option<&'static str>,
    pub(crate) zones: Vec<&'static str>,
    pub(crate) state: State,
}

/// What a member says of the policy of a service.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    Nothing,
    Spread,
    Failover(Vec<usize>),
}

/// What one member says of one service.
#[derive(Debug, Clone)]
pub(crate) struct Shard {
    pub(crate) federations: Option<Vec<&'static str>>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Where it is reached inside its member.
    pub(crate) inside: Inside,
    pub(crate) is_ready: bool,
    pub(crate) weight: Option<u32>,
    pub(crate) port: Option<u16>,
    pub(crate) steering: Said,
    pub(crate) all_down: Option<WhenAllDown>,
}

/// Namespace, name, member.
pub(crate) type Place3 = (&'static str, &'static str, usize);

/// A network, and where its clients stand: a region with or without a zone, or a member.
#[derive(Debug, Clone)]
pub(crate) struct Net {
    pub(crate) cidr: Ipv4Net,
    pub(crate) region: Option<&'static str>,
    pub(crate) zone: Option<&'static str>,
    pub(crate) member: Option<usize>,
}

/// A whole world.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) federations: Vec<Fed>,
    pub(crate) members: Vec<Place>,
    pub(crate) static_regions: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) shards: BTreeMap<Place3, Shard>,
    pub(crate) networks: Vec<Net>,
    /// Places of regions on the equator, in degrees of longitude.
    pub(crate) longitudes: BTreeMap<&'static str, u8>,
    /// What probes say of addresses, whatever the port.
    pub(crate) verdicts: BTreeMap<IpAddr, Verdict>,
    /// Shards that are suppressed.
    pub(crate) damped: BTreeSet<Place3>,
    /// Shares of members that operators leave.
    pub(crate) shares: BTreeMap<usize, u16>,
    /// Shares of services, by namespace and name.
    pub(crate) service_shares: BTreeMap<(&'static str, &'static str), u16>,
}

/// One change.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Shard(Place3, Option<Shard>),
    State(usize, State),
    Verdict(IpAddr, Option<Verdict>),
    Damped(Place3, bool),
    Share(usize, u16),
    ServiceShare((&'static str, &'static str), u16),
}

/// Members of every world.
pub(crate) const MEMBERS: usize = 5;

/// Regions; `z0` is a zone too.
const REGIONS: &[&str] = &["r0", "r1", "r2", "z0"];

/// Regions of networks and with locations; `r9` never has a member.
const PLACES: &[&str] = &["r0", "r1", "r2", "z0", "r9"];

/// Zones; each may be in several regions.
const ZONES: &[&str] = &["z0", "z1", "z2", "z3", "r1"];

fn all_down() -> impl Strategy<Value = WhenAllDown> {
    select(vec![
        WhenAllDown::NoData,
        WhenAllDown::NoData,
        WhenAllDown::NxDomain,
        WhenAllDown::LastKnown,
    ])
}

fn order() -> impl Strategy<Value = Vec<usize>> {
    subsequence((0..MEMBERS).collect::<Vec<_>>(), 0..=MEMBERS).prop_shuffle()
}

fn federation(name: &'static str) -> impl Strategy<Value = Fed> {
    let apexes = select(vec!["example.com", "example.com", "inner.example.com"]);
    let fence = prop::option::weighted(0.3, subsequence(REGIONS.to_vec(), 0..=3));
    let members = prop_oneof![
        3 => Just((0..MEMBERS).collect::<Vec<_>>()),
        1 => subsequence((0..MEMBERS).collect::<Vec<_>>(), 1..MEMBERS),
    ];
    let failover = prop::option::weighted(0.3, order());
    let rarely = prop::bool::weighted(0.2);
    let steered = (failover, any::<bool>(), rarely, any::<bool>());
    (apexes, steered, fence, all_down(), members).prop_map(
        move |(apex, (failover, is_nearest, is_weighted, is_probed), fence, all_down, members)| {
            Fed {
                name,
                apex,
                failover,
                is_nearest,
                is_weighted,
                is_probed,
                fence,
                all_down,
                members,
            }
        },
    )
}

fn state() -> impl Strategy<Value = State> {
    use State::{Held, Lost, NeverSynced, Ready, Returning};
    select(vec![
        Ready,
        Ready,
        Ready,
        Held,
        Lost,
        Lost,
        Returning,
        NeverSynced,
    ])
}

fn place() -> impl Strategy<Value = Place> {
    let region = prop::option::weighted(0.85, select(REGIONS.to_vec()));
    (region, subsequence(ZONES.to_vec(), 0..=2), state()).prop_map(|(region, zones, state)| Place {
        region,
        zones: if region.is_some() { zones } else { Vec::new() },
        state,
    })
}

fn shard(member: usize) -> impl Strategy<Value = Shard> {
    let pool = move |first: bool| -> Vec<IpAddr> {
        let mut all: Vec<String> = vec![format!("192.0.2.{member}"), format!("192.0.2.1{member}")];
        all.push(format!("2001:db8::{member}"));
        if first {
            all.push("192.0.2.200".to_owned());
        }
        all.iter().filter_map(|text| text.parse().ok()).collect()
    };
    (
        prop::option::weighted(0.2, subsequence(vec!["fa", "fb", "fc"], 0..=2)),
        any::<bool>().prop_flat_map(move |first| subsequence(pool(first), 0..=3)),
        prop::bool::weighted(0.6),
        select(vec![None, None, None, Some(0), Some(1), Some(7)]),
        select(vec![None, Some(80), Some(80), Some(8080)]),
        prop_oneof![
            8 => Just(Said::Nothing),
            1 => Just(Said::Spread),
            1 => order().prop_map(Said::Failover),
        ],
        prop::option::weighted(0.1, all_down()),
        inside(member),
    )
        .prop_map(
            |(federations, addresses, is_ready, weight, port, steering, all_down, inside)| Shard {
                federations,
                addresses: match inside {
                    Inside::ClusterIps(_) => addresses,
                    Inside::Pods(_) => Vec::new(),
                },
                inside,
                is_ready,
                weight,
                port,
                steering,
                all_down,
            },
        )
}

/// The addresses that shards have.
fn address() -> impl Strategy<Value = IpAddr> {
    let last = prop_oneof![0..MEMBERS, (10..10 + MEMBERS), Just(200)];
    (last, any::<bool>()).prop_map(|(last, is_ipv4)| {
        let text = if is_ipv4 {
            format!("192.0.2.{last}")
        } else {
            format!("2001:db8::{last}")
        };
        text.parse().expect("an address")
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    use Verdict::{Damped, Down, Suspect, Up};
    select(vec![Up, Up, Suspect, Down, Down, Down, Damped])
}

fn share() -> impl Strategy<Value = u16> {
    select(vec![0, 0, 1, FULL_SHARE / 2, FULL_SHARE - 1, FULL_SHARE])
}

fn service() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![("n0", "s0"), ("n0", "s1"), ("svc", "svc")])
}

fn key() -> impl Strategy<Value = Place3> {
    (service(), 0..MEMBERS).prop_map(|((namespace, name), member)| (namespace, name, member))
}

/// A shard, and where it is.
fn placed() -> impl Strategy<Value = (Place3, Shard)> {
    key().prop_flat_map(|key| (Just(key), shard(key.2)))
}

/// An address of a few networks, so that many fall together.
pub(crate) fn client() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(|bits| Ipv4Addr::from(0x0a00_0000 | bits & 0x00c0_c0ff))
}

fn network() -> impl Strategy<Value = Net> {
    let place = prop_oneof![
        4 => (select(PLACES.to_vec()), prop::option::of(select(ZONES.to_vec())))
            .prop_map(|(region, zone)| (Some(region), zone, None)),
        1 => (0..MEMBERS).prop_map(|member| (None, None, Some(member))),
    ];
    let length = select(vec![4u8, 8, 9, 10, 16, 17, 18, 24, 28, 32]);
    (client(), length, place).prop_map(|(address, length, (region, zone, member))| Net {
        cidr: Ipv4Net::new(address, length).expect("at most 32").trunc(),
        region,
        zone,
        member,
    })
}

/// Any world.
pub(crate) fn world() -> impl Strategy<Value = World> {
    (
        (
            federation("fa"),
            federation("fb"),
            federation("fc"),
            1usize..=3,
        ),
        prop::collection::vec(place(), MEMBERS),
        prop::option::weighted(0.4, subsequence(vec!["z1", "z9"], 0..=2)),
        prop::collection::vec(placed(), 0..14),
        prop::collection::vec(network(), 0..6),
        prop::collection::btree_map(select(PLACES.to_vec()), 0u8..4, 0..6),
        (
            prop::collection::btree_map(address(), verdict(), 0..8),
            prop::collection::btree_set(key(), 0..4),
            prop::collection::btree_map(0..MEMBERS, share(), 0..3),
            prop::collection::btree_map(service(), share(), 0..2),
        ),
    )
        .prop_map(
            |((a, b, c, count), members, extra, shards, networks, longitudes, health)| World {
                networks,
                longitudes,
                verdicts: health.0,
                damped: health.1,
                shares: health.2,
                service_shares: health.3,
                federations: [a, b, c].into_iter().take(count).collect(),
                members,
                static_regions: extra.map(|zones| ("r9", zones)).into_iter().collect(),
                shards: shards.into_iter().collect(),
            },
        )
}

/// Changes to a world.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        3 => placed().prop_map(|(key, shard)| Change::Shard(key, Some(shard))),
        2 => key().prop_map(|key| Change::Shard(key, None)),
        1 => (0..MEMBERS, state()).prop_map(|(member, state)| Change::State(member, state)),
        2 => (address(), prop::option::of(verdict())).prop_map(|(of, said)| Change::Verdict(of, said)),
        1 => (key(), any::<bool>()).prop_map(|(key, is)| Change::Damped(key, is)),
        1 => (0..MEMBERS, share()).prop_map(|(member, share)| Change::Share(member, share)),
        1 => (service(), share()).prop_map(|(key, share)| Change::ServiceShare(key, share)),
    ];
    prop::collection::vec(change, 1..20)
}

impl World {
    /// The same world, with one service of a `nearest` federation in every member.
    pub(crate) fn with_nearest(mut self) -> Self {
        if let Some(fed) = self.federations.first_mut() {
            fed.is_nearest = true;
            fed.failover = None;
            fed.is_weighted = false;
            fed.fence = None;
        }
        self.shares.clear();
        for member in 0..MEMBERS {
            let shard = self.shards.entry(("n0", "s0", member)).or_insert(Shard {
                federations: None,
                addresses: Vec::new(),
                inside: Inside::ClusterIps(Vec::new()),
                is_ready: true,
                weight: None,
                port: None,
                steering: Said::Nothing,
                all_down: None,
            });
            shard.federations = None;
            shard.steering = Said::Nothing;
            shard.inside = Inside::ClusterIps(Vec::new());
            let own = [192, 0, 2, u8::try_from(member).unwrap_or_default()];
            shard.addresses.push(Ipv4Addr::from(own).into());
        }
        self
    }

    /// An address to ask at for each member.
    pub(crate) fn settings(&self) -> Settings {
        let members = 0..self.members.len();
        Settings {
            listeners: members
                .map(|member| Some(label(&member_name(member))))
                .collect(),
            ..Settings::default()
        }
    }

    /// The snapshot of this world, from nothing.
    pub(crate) fn build(&self) -> Snapshot {
        self.build_of(self.fleet())
    }

    /// The same, of this world's facts under another configuration.
    pub(crate) fn build_of(&self, fleet: Fleet) -> Snapshot {
        let fleet = Arc::new(fleet);
        let mut builder = SnapshotBuilder::new(Arc::clone(&fleet), self.settings());
        // All facts at once, as a start gives them.
        let partitioner = Partitioner::new(fleet);
        let divide = |member| {
            let known = self.shards.iter();
            let known = known.filter(|(key, _)| key.2 == member && self.has_facts(member));
            let services = known.map(|(key, shard)| (key_of(*key), Arc::new(shard.model())));
            partitioner.partition(index(member), services.collect())
        };
        let partitioned = (0..self.members.len()).map(divide).collect();
        builder.restore(partitioner.clone(), partitioned);
        for member in 0..self.members.len() {
            self.fill(&mut builder, member);
        }
        self.overlay(&mut builder);
        builder.snapshot(Generation(1), Serial(1))
    }

    /// The snapshot after changes one by one, and the world that they lead to.
    pub(crate) fn fold(&self, changes: &[Change]) -> (Snapshot, Self) {
        let mut world = self.clone();
        let mut builder = SnapshotBuilder::new(Arc::new(self.fleet()), self.settings());
        for member in 0..self.members.len() {
            self.fill(&mut builder, member);
        }
        world.overlay(&mut builder);
        for change in changes {
            match change {
                Change::Shard(key, Some(shard)) => {
                    world.shards.insert(*key, shard.clone());
                    if world.has_facts(key.2) {
                        let service = Arc::new(shard.model());
                        builder.upsert(index(key.2), &key_of(*key), service);
                    }
                }
                Change::Shard(key, None) => {
                    world.shards.remove(key);
                    builder.remove(index(key.2), &key_of(*key));
                }
                Change::State(member, state) => {
                    if let Some(place) = world.members.get_mut(*member) {
                        place.state = *state;
                    }
                    world.fill(&mut builder, *member);
                }
                other => world.take(other, &mut builder),
            }
            // Publishing in between must not matter.
            drop(builder.snapshot(Generation(0), Serial(0)));
        }
        (builder.snapshot(Generation(1), Serial(1)), world)
    }

    /// The same world with another state of one member.
    pub(crate) fn with_state(&self, member: usize, state: State) -> Self {
        let mut world = self.clone();
        if let Some(place) = world.members.get_mut(member) {
            place.state = state;
        }
        world
    }

    /// Whether anything is known of a member.
    pub(crate) fn has_facts(&self, member: usize) -> bool {
        let state = self.members.get(member).map(|place| place.state);
        !matches!(state, Some(State::NeverSynced | State::Syncing) | None)
    }

    /// Gives a builder the facts and the state of one member.
    pub(crate) fn fill(&self, builder: &mut SnapshotBuilder, member: usize) {
        let (Some(place), Some(index)) = (self.members.get(member), seat(builder, member)) else {
            return;
        };
        let kept: BTreeSet<_> = (self.shards.keys())
            .filter(|key| key.2 == member && self.has_facts(member))
            .map(|key| key_of(*key))
            .collect();
        let held: Vec<_> = (builder.facts(index)).map(|(key, _)| key.clone()).collect();
        for key in held.iter().filter(|key| !kept.contains(key)) {
            builder.remove(index, key);
        }
        for (key, shard) in &self.shards {
            if key.2 == member && self.has_facts(member) {
                builder.upsert(index, &key_of(*key), Arc::new(shard.model()));
            }
        }
        builder.set_topology(index, TopologyFacts::default());
        builder.set_status(
            index,
            MemberStatus {
                name: label(&member_name(member)),
                origin: MemberOrigin::default(),
                state: match place.state {
                    State::Ready => MemberState::Ready,
                    State::Held => MemberState::Held,
                    State::Lost => MemberState::Lost,
                    State::Returning => MemberState::Returning,
                    State::NeverSynced => MemberState::NeverSynced,
                    State::Syncing => MemberState::Syncing(Joined::AtStart),
                },
                outlook: None,
                reason: None,
                since: UnixSeconds(0),
                version: None,
                first_synced: None,
                warnings: Vec::new(),
            },
        );
    }
}
