//! Longest-prefix match of a client subnet.

use std::net::{IpAddr, Ipv4Addr};

use criterion::{BenchmarkId, Criterion};
use gazetteer::model::Fleet;
use gazetteer::vantage::{Asker, Surroundings, VantageTable};
use gazetteer::wire::ClientSubnet;

use crate::world;

/// Measures find.
pub(crate) fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vantage");
    for networks in [16, 4096, 100_000] {
        let fleet = Fleet {
            networks: world::networks(networks),
            ..Fleet::default()
        };
        let table = VantageTable::compile(&Surroundings {
            fleet: &fleet,
            topology: &[],
            trusted: &[],
            listeners: &[],
            database: None,
        });
        let mut turn = 0u32;
        group.bench_function(BenchmarkId::from_parameter(networks), |bencher| {
            bencher.iter(|| {
                turn = turn.wrapping_add(0x9e37_79b9);
                let subnet = ClientSubnet {
                    family: 1,
                    source_prefix: 24,
                    address: IpAddr::V4(Ipv4Addr::from_bits(
                        (10 << 24) + (turn >> 8 << 8) % (networks << 12),
                    )),
                };
                table.find(&Asker {
                    listener: None,
                    hint: None,
                    subnet: Some(&subnet),
                    source: IpAddr::from([198, 51, 100, 1]),
                })
            });
        });
    }
    group.finish();
}
