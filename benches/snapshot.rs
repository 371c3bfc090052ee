//! Changes: one, a storm, and the first build of a table.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion};
use gazetteer::model::{MemberIdx, MemberState};
use gazetteer::snapshot::{Generation, Serial, SnapshotBuilder};

use crate::world;

/// One endpoint change and its publication, whatever the number of services.
pub(crate) fn one_change(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("change");
    for services in [10_000, 100_000, 1_000_000] {
        let mut builder = world::build(services);
        let mut turn = 0;
        group.bench_function(BenchmarkId::new("endpoints", services), |bencher| {
            bencher.iter(|| {
                turn += 1;
                change(&mut builder, turn * 7919 % services, turn);
                builder.snapshot(Generation(u64::from(turn)), Serial(turn))
            });
        });
        group.bench_function(BenchmarkId::new("member fails", services), |bencher| {
            bencher.iter(|| {
                turn += 1;
                let mut status = builder.status(MemberIdx(0)).expect("a member").clone();
                status.state = if turn % 2 == 0 {
                    MemberState::Ready
                } else {
                    MemberState::Lost
                };
                builder.set_status(MemberIdx(0), status);
                builder.snapshot(Generation(u64::from(turn)), Serial(turn))
            });
        });
    }
    group.finish();
}

/// Sets the ready endpoints of one shard.
fn change(builder: &mut SnapshotBuilder, index: u32, turn: u32) {
    let member = world::members_of(index).next().expect("a shard");
    builder.upsert(
        member,
        &world::name(index),
        world::service(index, member, turn % 3),
    );
}

/// 50,000 changes, then one publication.
pub(crate) fn storm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("storm");
    group.sample_size(10);
    let mut builder = world::build(100_000);
    let mut turn = 0;
    group.bench_function("50000 endpoints of 100000", |bencher| {
        bencher.iter(|| {
            let before = builder.snapshot(Generation(1), Serial(1));
            turn += 1;
            for index in 0..50_000 {
                change(&mut builder, index * 2, turn);
            }
            black_box((before, builder.snapshot(Generation(2), Serial(2))))
        });
    });
    group.finish();
}

/// The first build, three members each.
pub(crate) fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table");
    group.sample_size(10);
    for services in [10_000, 100_000, 1_000_000] {
        group.bench_function(BenchmarkId::from_parameter(services), |bencher| {
            bencher.iter_batched(|| (), |()| world::build(services), BatchSize::PerIteration);
        });
    }
    group.finish();
}
