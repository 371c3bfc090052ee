//! Chains of static CNAME and DNAME records, in one apex and from one to the other, and of federation names.

use std::path::Path;
use std::sync::Arc;

use gazetteer::model::{StaticSet, StaticZone};
use gazetteer::snapshot::SnapshotBuilder;
use gazetteer::wire::NameBuf;

use crate::world;

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const DNAME: u16 = 39;

/// The two apexes: one beside a federation, one of static records alone.
pub(crate) const APEXES: [&str; 2] = ["example.com", "example.net"];

/// Names, and how many records the answer section has for A: where nothing is signed, where the first apex is, and
/// where both are.
pub(crate) const CHAINS: &[(&str, [u8; 3])] = &[
    ("www.example.com", [6, 8, 8]),
    ("two.example.com", [7, 10, 10]),
    ("far.example.com", [2, 3, 4]),
    ("back.example.net", [8, 11, 12]),
    ("a.old.example.com", [3, 5, 5]),
    ("ring.example.com", [2, 4, 4]),
    ("down.example.com", [4, 8, 8]),
];

/// The world with these static records.
pub(crate) fn builder() -> SnapshotBuilder {
    let mut fleet = world::fleet();
    let service = "my-service.my-namespace.my-federation.svc.example.com";
    let down = "out.my-namespace.my-federation.svc.europe-west1-d.europe-west1.example.com";
    let first = [
        ("a.new", A, vec![192, 0, 2, 84]),
        ("down", CNAME, name(down)),
        ("far", CNAME, name("www.example.net")),
        ("old", DNAME, name("new.example.com")),
        ("ring", CNAME, name("gnir.example.com")),
        ("gnir", CNAME, name("ring.example.com")),
        ("two", CNAME, name("www.example.com")),
        ("www", CNAME, name(service)),
    ];
    let mut soa = [name("ns1.example.net"), name("hostmaster.example.net")].concat();
    soa.extend([0; 20]);
    let second = [
        ("", SOA, soa),
        ("", NS, name("ns1.example.com")),
        ("back", CNAME, name("two.example.com")),
        ("www", A, vec![192, 0, 2, 80]),
    ];
    let [com, net] = APEXES;
    fleet.statics = vec![zone(com, &first), zone(net, &second)];
    world::builder_of(fleet)
}

/// A zone of these sets, one record each.
fn zone(apex: &str, sets: &[(&str, u16, Vec<u8>)]) -> Arc<StaticZone> {
    let place: Arc<Path> = Path::new("a.zone").into();
    let sets = sets.iter().map(|(owner, rrtype, rdata)| {
        let mut owner = match owner {
            &"" => Vec::new(),
            owner => name(owner),
        };
        owner.pop();
        StaticSet {
            owner: owner.into(),
            rrtype: *rrtype,
            ttl: 300,
            rdata: vec![rdata.as_slice().into()],
            place: (Arc::clone(&place), 1),
        }
    });
    let mut sets: Vec<_> = sets.collect();
    sets.sort_by(|a, b| (&a.owner, a.rrtype).cmp(&(&b.owner, b.rrtype)));
    Arc::new(StaticZone {
        serial: None,
        apex: apex.parse().unwrap(),
        sets,
        files: Vec::new(),
    })
}

/// A name in wire form.
fn name(text: &str) -> Vec<u8> {
    let name: NameBuf = text.parse().unwrap();
    name.as_wire().to_vec()
}
