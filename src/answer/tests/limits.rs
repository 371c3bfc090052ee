//! `max-addresses` and `spill-over`, as many clients see them (docs/names.md, decision 6).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{federation, name, service, world_of};
use crate::answer::{Client, Transport};
use crate::model::{Endpoints, Federation, MemberIdx, Policy, Service, UnixSeconds};
use crate::snapshot::{Generation, Serial, Snapshot, SnapshotBuilder};

/// The time of the first slot.
const NOON: u64 = 1_800_000_000;

/// The last octets of the addresses that a client network is answered at a time.
pub(super) fn ask(snapshot: &Snapshot, subnet: Ipv4Addr, now: u64) -> BTreeSet<u8> {
    let mut request = super::octets::request("s.n.fed.svc.example.com", 1);
    // It ends in a client subnet of 24 bits.
    request.truncate(request.len() - 3);
    request.extend_from_slice(&subnet.octets()[..3]);
    let client = Client {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        listener: None,
        transport: Transport::Tcp { idle: 0 },
        cookie: None,
        now: UnixSeconds(now),
        elapsed: Duration::ZERO,
    };
    let message = super::answered(snapshot, &request, &client);
    let addresses = message.answers.iter().map(|record| record.data.ip_addr());
    let last = addresses.map(|address| match address {
        Some(IpAddr::V4(address)) => address.octets()[3],
        other => panic!("no IPv4 address: {other:?}"),
    });
    last.collect()
}

/// The network `n`.
pub(super) fn subnet(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + n * 256)
}

/// A service in members `a`, `b` and `c` with so many addresses in each.
fn many(counts: [u8; 3], most: u8) -> SnapshotBuilder {
    let mut builder = world_of(Federation {
        policy: Policy::Spread,
        max_addresses: Some(most),
        ..federation()
    });
    for (member, count) in (0u8..).zip(counts) {
        let mut facts = Service::clone(&service([203, 0, 113, 1], 1, 80));
        let addresses = (0..count).map(|n| IpAddr::from([203, 0, 113, 1 + member * 50 + n]));
        facts.addresses = addresses.collect();
        builder.upsert(MemberIdx(member), &name(), facts.into());
    }
    builder
}

fn snapshot(builder: &mut SnapshotBuilder) -> Snapshot {
    builder.snapshot(Generation(1), Serial(1))
}

proptest! {
    #[test]
    fn an_answer_has_as_many_as_it_may_and_keeps_them(
        counts in prop::array::uniform3(0..40u8),
        most in 1..=32u8,
        network in 0..60_000u32,
    ) {
        let all = usize::from(counts.iter().sum::<u8>());
        let mut builder = many(counts, most);
        let before = snapshot(&mut builder);
        let first = ask(&before, subnet(network), NOON);
        prop_assert_eq!(first.len(), all.min(most.into()));
        prop_assert_eq!(&first, &ask(&before, subnet(network), NOON + 29));
        // When a member goes, what others had stays.
        builder.remove(MemberIdx(1), &name());
        let after = ask(&snapshot(&mut builder), subnet(network), NOON);
        let of_others = first.iter().copied().filter(|last| !(51..=90).contains(last));
        prop_assert!(of_others.collect::<BTreeSet<_>>().is_subset(&after));
    }
}

#[test]
fn every_address_has_its_part() {
    let snapshot = snapshot(&mut many([5, 10, 5], 4));
    let mut counts = [0u32; 256];
    for network in 0..2000 {
        for last in ask(&snapshot, subnet(network), NOON) {
            counts[usize::from(last)] += 1;
        }
    }
    // A fifth of 2,000 answers has each; 4.5 standard deviations.
    let used: Vec<_> = counts.iter().filter(|count| **count > 0).collect();
    assert_eq!(used.len(), 20);
    assert!(
        used.iter().all(|count| count.abs_diff(400) < 81),
        "{used:?}"
    );
}

/// A service in `a` (ready, all), `b` and `c`, of which all spills over in this order.
fn spilling(endpoints: [(u32, u32); 3], fence: Option<&str>) -> SnapshotBuilder {
    let mut builder = world_of(Federation {
        policy: Policy::Failover,
        order: ["a", "b", "c"].map(|name| name.parse().unwrap()).into(),
        spill_over: Some(80),
        fence: fence.map(|region| vec![region.parse().unwrap()]),
        ..federation()
    });
    for (member, (ready, total)) in (0u8..).zip(endpoints) {
        let mut facts = Service::clone(&service([203, 0, 113, 1 + member], 1, 80));
        facts.endpoints = Endpoints { ready, total };
        builder.upsert(MemberIdx(member), &name(), Arc::new(facts));
    }
    builder
}

/// How many of 2,000 networks have each member, which has one address.
fn shares(builder: &mut SnapshotBuilder) -> [u32; 3] {
    let snapshot = snapshot(builder);
    let mut counts = [0; 3];
    for network in 0..2000 {
        let one = ask(&snapshot, subnet(network), NOON);
        assert_eq!(one.len(), 1, "{one:?}");
        for last in one {
            counts[usize::from(last) - 1] += 1;
        }
    }
    counts
}

#[test]
fn a_small_neighbor_gets_what_it_can_carry() {
    // 80 endpoints are to be ready: 40 are, the neighbor has 4, and the rest is of the third.
    let counts = shares(&mut spilling([(40, 100), (4, 4), (200, 200)], None));
    for (count, expected) in counts.into_iter().zip([1000, 100, 900]) {
        assert!(count.abs_diff(expected) < 90, "{counts:?}");
    }
    let counts = shares(&mut spilling([(0, 100), (4, 4), (200, 200)], None));
    assert!(counts[0] == 0 && counts[1].abs_diff(100) < 40, "{counts:?}");
    let counts = shares(&mut spilling([(80, 100), (4, 4), (200, 200)], None));
    assert_eq!(counts, [2000, 0, 0]);
}
