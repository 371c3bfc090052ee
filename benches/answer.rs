//! The query path: its steps alone, and `respond` end to end for each kind of answer.
//!
//! "cold" walks over all services, so that hardly anything is in the cache of the processor; "hot"
//! asks for 64 of them.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use gazetteer::answer::{Client, NoTrace, Signatures, Transport, respond};
use gazetteer::decide::{LevelView, choose, eligible};
use gazetteer::model::{MemberSet, UnixSeconds};
use gazetteer::names::{Below, Form, split};
use gazetteer::snapshot::{Generation, Serial, Snapshot};
use gazetteer::wire::{Owner, Qname, Query, ResponseWriter, rrtype};

use crate::world;

const SERVICES: u32 = 100_000;

/// Asked one after the other in a stride that no prefetcher follows.
const STRIDE: u32 = 7919;

const CLIENT: Client = Client {
    address: IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)),
    listener: None,
    transport: Transport::Udp,
    cookie: None,
    now: UnixSeconds(1_800_000_000),
    elapsed: Duration::ZERO,
};

fn snapshot() -> Snapshot {
    world::build(SERVICES).snapshot(Generation(1), Serial(1))
}

/// Requests of one kind, over all services or 64 of them.
fn requests(count: u32, one: impl Fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| one(index * STRIDE % SERVICES))
        .collect()
}

/// Measures steps.
pub(crate) fn steps(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let request = world::request("", 4711, "", rrtype::A, true);
    let mut group = criterion.benchmark_group("step");
    let mut qname = Qname::new();
    group.bench_function("parse", |bencher| {
        bencher.iter(|| Query::parse(black_box(&request), &mut qname).is_ok());
    });
    let query = Query::parse(&request, &mut qname).expect("a request");
    let qname = qname.clone();
    group.bench_function("classify", |bencher| {
        bencher.iter(|| {
            let (index, apex) = snapshot.apexes().find(black_box(&qname)).expect("an apex");
            match split(&qname, qname.label_count() - apex.labels) {
                Form::Tree {
                    below: Below::Service { key, .. },
                    topology,
                } => snapshot
                    .scopes()
                    .find(topology)
                    .and(snapshot.seek(key).entry(&snapshot))
                    .is_some_and(|entry| snapshot.is_in(entry, index)),
                _ => false,
            }
        });
    });
    let entry = snapshot.entry(qname.between(0, 3)).expect("a service");
    let plan = snapshot.plan(entry.plan).expect("a plan");
    group.bench_function("choose", |bencher| {
        bencher.iter(|| {
            let draw = || unreachable!("the plan is not weighted and nothing is drained");
            let health = black_box(entry).health();
            let eligible = eligible(plan, &health, || None, &snapshot.state().health, draw);
            choose(
                plan,
                [LevelView {
                    members: MemberSet::ALL,
                    nearest: None,
                    eligible: &eligible,
                    own: None,
                    is_listed: false,
                }],
                draw,
                |_| unreachable!("nothing spills over"),
                &mut NoTrace,
            )
        });
    });
    let mut out = [0; 1232];
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            let mut response = ResponseWriter::new(&mut out, 1232, black_box(&query));
            for shard in entry.shards() {
                for address in shard.ipv4 {
                    response.a(Owner::QUESTION, 30, *address);
                }
            }
            response.finish(None)
        });
    });
    group.finish();
}

/// A kind of request: its name, and the one for a service.
type Kind = (&'static str, fn(u32) -> Vec<u8>);

/// Measures answers.
pub(crate) fn answers(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let kinds: [Kind; 9] = [
        ("A", |index| world::request("", index, "", rrtype::A, false)),
        ("A with ECS", |index| {
            world::request("", index, "", rrtype::A, true)
        }),
        ("A of a zone", |index| {
            let member = index % u32::from(world::MEMBERS);
            world::request("", index, &format!("region-{member}-a."), rrtype::A, false)
        }),
        ("AAAA", |index| {
            world::request("", index, "", rrtype::AAAA, false)
        }),
        ("SRV", |index| {
            world::request("_http._tcp.", index, "", rrtype::SRV, false)
        }),
        ("chain", |index| {
            world::request("", index, "region-empty-a.region-empty.", rrtype::A, false)
        }),
        ("chain with ECS", |index| {
            world::request("", index, "region-empty-a.region-empty.", rrtype::A, true)
        }),
        ("NODATA", |index| {
            world::request("", index, "", rrtype::MX, false)
        }),
        ("NXDOMAIN", |index| {
            world::request("", index + SERVICES, "", rrtype::A, false)
        }),
    ];
    let mut group = criterion.benchmark_group("respond");
    for (kind, request) in kinds {
        for (heat, count) in [("hot", 64), ("cold", SERVICES)] {
            let requests = requests(count, request);
            let mut next = requests.iter().cycle();
            let mut out = [0; 1232];
            group.bench_function(BenchmarkId::new(kind, heat), |bencher| {
                bencher.iter(|| {
                    let request = next.next().expect("it goes around");
                    respond(
                        &snapshot,
                        request,
                        &CLIENT,
                        Signatures::None,
                        &mut NoTrace,
                        &mut out,
                    )
                });
            });
        }
    }
    group.finish();
}
