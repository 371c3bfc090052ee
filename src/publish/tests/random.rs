//! Random facts: a replayed log says the same as the facts themselves, and every fact is read as
//! it was written.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::{option, sample};

use super::fixture::label;
use crate::model::{
    Endpoints, Export, Identity, Inside, NamespacedName, Pod, Policy, Port, Protocol, Service,
    ServiceKind, Spec, SrvForm, Steering, UnixSeconds, WayIn, WhenAllDown,
};
use crate::names::Label;
use crate::publish::disk::fact::{Fact, Learnt, MemberMeta};
use crate::publish::disk::fact_log::FactLog;
use crate::publish::disk::facts_v1;
use crate::publish::disk::facts_v1::{Decoder, Payload};
use crate::publish::disk::files::{FileOwner, LogTail, MemberImage, Paths};
use crate::snapshot::{Resolved, Serial};
use crate::wire::NameBuf;

/// One of few labels, so that facts meet.
fn labels() -> impl Strategy<Value = Label> {
    sample::select(vec!["a", "b", "c-1", "longer-than-the-others"]).prop_map(label)
}

fn names() -> impl Strategy<Value = NamespacedName> {
    (labels(), labels()).prop_map(|(namespace, name)| NamespacedName { namespace, name })
}

fn hostnames() -> impl Strategy<Value = NameBuf> {
    sample::select(vec!["a.elb.example", "_x.b.example", "c"]).prop_map(|n| n.parse().unwrap())
}

fn ports() -> impl Strategy<Value = Port> {
    let protocols = sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    (option::of(labels()), protocols, any::<u16>()).prop_map(|(name, protocol, port)| Port {
        name,
        protocol,
        port,
        // Some are other ones outside.
        outside: port ^ (port & 1) << 4,
    })
}

fn steerings() -> impl Strategy<Value = Steering> {
    let policies = sample::select(vec![
        Policy::Nearest,
        Policy::Spread,
        Policy::Weighted,
        Policy::Failover,
    ]);
    let downs = sample::select(vec![
        WhenAllDown::NoData,
        WhenAllDown::NxDomain,
        WhenAllDown::LastKnown,
    ]);
    let lists = || option::of(vec(labels(), 0..3).prop_map(Vec::into_boxed_slice));
    let ttls = option::of((0u64..100_000).prop_map(Duration::from_millis));
    (
        option::of(any::<u32>()),
        ttls,
        option::of(policies),
        lists(),
        lists(),
        option::of(downs),
        (
            option::of(1..=32u8),
            option::of(1..=100u8),
            option::of(sample::select(vec![SrvForm::Shared, SrvForm::Members])),
        ),
        [option::of(labels()), option::of(labels())],
    )
        .prop_map(
            |(weight, ttl, policy, order, fence, when_all_down, bounds, names)| {
                let [dns_prefix, external_name] = names;
                let (max_addresses, spill_over, srv) = bounds;
                Steering {
                    weight,
                    ttl,
                    policy,
                    order,
                    fence,
                    when_all_down,
                    max_addresses,
                    spill_over,
                    srv,
                    probe: None,
                    dns_prefix,
                    external_name,
                }
            },
        )
}

fn insides() -> impl Strategy<Value = Inside> {
    let pods = (option::of(labels()), any::<IpAddr>(), any::<bool>());
    let pods = pods.prop_map(|(hostname, address, is_ready)| Pod {
        hostname,
        address,
        is_ready,
    });
    prop_oneof![
        vec(any::<IpAddr>(), 1..3).prop_map(|addresses| Inside::ClusterIps(addresses.into())),
        vec(pods, 0..4).prop_map(Inside::of_pods),
    ]
}

fn services() -> impl Strategy<Value = Arc<Service>> {
    let kinds = sample::select(vec![
        ServiceKind::LoadBalancer,
        ServiceKind::ClusterIp,
        ServiceKind::Headless,
        ServiceKind::ExternalName,
    ]);
    let exports = sample::select(vec![Export::Unsaid, Export::Exported, Export::Refused]);
    let said = (
        kinds,
        exports,
        option::of(vec(labels(), 0..3)),
        vec(ports(), 0..3),
    );
    let found = (
        vec(any::<IpAddr>(), 0..3),
        vec(hostnames(), 0..3),
        any::<(u32, u32, bool)>(),
        option::of(insides()),
    );
    (said, found, steerings()).prop_map(|(said, found, steering)| {
        let (kind, export, federations, ports) = said;
        let (addresses, hostnames, (ready, total, allow_without_endpoints), inside) = found;
        let spec = Spec {
            kind,
            export,
            allow_without_endpoints,
            has_external_ips: false,
            federations: federations.map(Into::into),
            ports: ports.into(),
            way_in: WayIn::Usual,
            steering,
        };
        Arc::new(Service {
            spec: spec.into(),
            addresses: addresses.into(),
            hostnames: hostnames.into_iter().collect(),
            endpoints: Endpoints { ready, total },
            inside: inside.map(Arc::new),
        })
    })
}

fn networks() -> impl Strategy<Value = Vec<IpNet>> {
    // Few, so that some go that are there.
    let one = (0u8..4, 8u8..=32)
        .prop_map(|(octet, length)| IpNet::new([10, octet, 0, 0].into(), length).unwrap());
    vec(one, 0..4)
}

fn facts() -> impl Strategy<Value = Fact> {
    let texts = || option::of("[a-z0-9.-]{0,9}");
    let identities =
        ("https://[a-z]{1,9}", texts(), texts()).prop_map(|(origin, uid, version)| Identity {
            origin,
            uid,
            version,
        });
    let known = btree_set((labels(), option::of(labels())), 0..4);
    let learnt = (option::of(labels()), btree_set(labels(), 0..3), known).prop_map(
        |(region, zones, known)| Learnt {
            region,
            zones,
            known,
        },
    );
    let resolved = (any::<Vec<[u8; 4]>>(), any::<Vec<[u8; 16]>>(), any::<u32>()).prop_map(
        |(ipv4, ipv6, ttl)| Resolved {
            ipv4: ipv4.into_iter().map(Into::into).collect(),
            ipv6: ipv6.into_iter().map(Into::into).collect(),
            ttl: Duration::from_secs(ttl.into()),
        },
    );
    prop_oneof![
        8 => (names(), services()).prop_map(|(name, service)| Fact::Service(name, service)),
        4 => names().prop_map(Fact::Gone),
        1 => identities.prop_map(Fact::Identity),
        1 => any::<u64>().prop_map(|at| Fact::FirstSynced(UnixSeconds(at))),
        1 => any::<u64>().prop_map(|at| Fact::Seen(UnixSeconds(at))),
        1 => learnt.prop_map(Fact::Learnt),
        1 => (networks(), networks()).prop_map(|(new, gone)| Fact::Networks(new, gone)),
        1 => Just(Fact::Discarded),
        1 => any::<u32>().prop_map(|serial| Fact::Serial(Serial(serial))),
        1 => any::<u32>().prop_map(Fact::LongestTtl),
        2 => (hostnames(), option::of(resolved)).prop_map(|(name, to)| Fact::Hostname(name, to)),
    ]
}

/// What must be read after some facts.
#[derive(Default)]
struct Expected {
    kept: MemberMeta,
    services: BTreeMap<NamespacedName, Arc<Service>>,
}

impl Expected {
    fn fold(&mut self, fact: Fact) {
        match fact {
            Fact::Service(name, service) => {
                self.services.insert(name, service);
            }
            Fact::Gone(name) => {
                self.services.remove(&name);
            }
            Fact::Hostname(name, None) => {
                self.kept.hostnames.remove(&name);
            }
            Fact::Discarded => *self = Self::default(),
            fact => {
                self.kept.fold(fact);
            }
        }
    }

    fn whole(&self) -> MemberImage {
        let services = self.services.iter();
        MemberImage {
            kept: self.kept.clone(),
            services: services
                .map(|(name, service)| (name.clone(), service.clone()))
                .collect(),
        }
    }
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Facts that are written together.
    Append(Vec<Fact>),
    /// Everything is written anew.
    Replace,
    /// The process ends, and another goes on.
    Restart,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(facts(), 1..6).prop_map(Step::Append),
        1 => Just(Step::Replace),
        2 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_fact_is_read_as_it_was_written(fact in facts()) {
        let mut payload = Vec::new();
        facts_v1::encode(&fact, &mut payload);
        // What repeats is read in another way.
        let mut known = Decoder::default();
        for _ in 0..2 {
            let read = facts_v1::decode(&payload, &mut known).unwrap();
            prop_assert!(matches!(read, Payload::Fact(read) if read == fact));
        }
    }

    #[test]
    fn foreign_octets_are_an_error_and_no_panic(payload in any::<Vec<u8>>()) {
        let _ = facts_v1::decode(&payload, &mut Decoder::default());
    }

    #[test]
    fn a_replayed_log_says_what_the_facts_say(
        steps in vec(steps(), 1..20),
        compact_from in sample::select(vec![0u64, 400, 1 << 20]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let paths =
            Paths { folder: folder.path().into(), owner: FileOwner::Member(label("a")) };
        let open = |tail| FactLog::compacting(paths.clone(), tail, compact_from);
        let (mut lane, mut expected) = (open(LogTail::Fresh), Expected::default());
        for step in steps {
            match step {
                Step::Append(facts) => {
                    for fact in facts {
                        lane.append(&fact);
                        expected.fold(fact);
                    }
                    lane.write().unwrap();
                }
                Step::Replace => lane.replace(&expected.whole()).unwrap(),
                Step::Restart => lane = open(paths.read().1),
            }
            let (mut whole, _) = paths.read();
            whole.services.sort_by(|(a, _), (b, _)| a.cmp(b));
            prop_assert_eq!(whole, expected.whole());
        }
    }
}
