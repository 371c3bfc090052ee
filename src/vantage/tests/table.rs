//! Who stands where, by everything that says so.

use super::*;
use crate::model::{Member, Network};
use VantageSource::{ClientSubnet as Subnet, Listener, Source, Unknown, ZoneHint};

/// A table of a fleet whose members are where their number is.
fn compile(fleet: &Fleet, trusted: &[&str], listeners: &[Option<Label>]) -> VantageTable {
    let trusted: Vec<IpNet> = trusted.iter().map(|cidr| cidr.parse().unwrap()).collect();
    VantageTable::compile(&Surroundings {
        fleet,
        topology: &vec![TopologyFacts::default(); fleet.members.len()],
        learnt: &[],
        trusted: &trusted,
        listeners,
        database: None,
    })
}

fn place(region: &str) -> Place {
    Place {
        region: Some(region.parse().unwrap()),
        ..Place::default()
    }
}

fn fleet(networks: &[(&str, &str)]) -> Fleet {
    let networks = networks.iter().map(|(cidr, region)| Network {
        cidr: cidr.parse().unwrap(),
        place: place(region),
    });
    Fleet {
        networks: networks.collect(),
        ..Fleet::default()
    }
}

/// Looks up a subnet, asked from 192.0.2.1, and compares region and scope.
fn check(fleet: &Fleet, subnet: &str, expected: (Option<&str>, u8)) {
    let table = compile(fleet, &[], &[]);
    let cidr: IpNet = subnet.parse().unwrap();
    let subnet = ClientSubnet {
        family: if cidr.addr().is_ipv4() { 1 } else { 2 },
        source_prefix: cidr.prefix_len(),
        address: cidr.addr(),
    };
    let found = table.find(&Asker {
        listener: None,
        hint: None,
        subnet: Some(&subnet),
        source: IpAddr::from([192, 0, 2, 1]),
    });
    let region = found.place.map(|index| {
        table.places()[usize::try_from(index.0).unwrap()]
            .region
            .clone()
            .unwrap()
            .to_string()
    });
    assert_eq!((region.as_deref(), found.scope), expected, "{cidr}");
}

#[test]
fn the_subnet_decides_before_the_source() {
    let fleet = fleet(&[
        ("10.0.0.0/8", "a"),
        ("10.64.0.0/10", "b"),
        ("192.0.2.0/24", "c"),
        ("2001:db8::/32", "d"),
    ]);
    check(&fleet, "10.64.1.0/24", (Some("b"), 10));
    check(&fleet, "10.1.0.0/24", (Some("a"), 10));
    check(&fleet, "10.128.0.0/24", (Some("a"), 9));
    // A network counts only if it holds the whole subnet.
    check(&fleet, "10.64.0.0/9", (Some("a"), 10));
    check(&fleet, "10.0.0.0/7", (Some("c"), 10));
    check(&fleet, "172.16.0.0/16", (Some("c"), 2));
    check(&fleet, "0.0.0.0/0", (Some("c"), 0));
    check(&fleet, "2001:db8:1::/48", (Some("d"), 32));
    check(&fleet, "2001:db9::/48", (Some("c"), 32));
}

#[test]
fn equal_networks_of_different_places_decide_nothing() {
    let fleet = fleet(&[
        ("10.0.0.0/8", "a"),
        ("10.1.0.0/16", "b"),
        ("10.1.0.0/16", "c"),
    ]);
    check(&fleet, "10.1.0.0/24", (Some("a"), 8));
}

#[test]
fn the_own_locality_stands_in() {
    let mut fleet = fleet(&[]);
    check(&fleet, "10.1.0.0/24", (None, 0));
    fleet.locality = Some(place("home"));
    check(&fleet, "10.1.0.0/24", (Some("home"), 0));
}

/// A fleet of members `m1` and `m2`, with the networks 10.1.0.0/16 and 10.2.0.0/16.
fn members() -> Fleet {
    let label = |text: &str| text.parse::<Label>().unwrap();
    let member = |name: &str| Member {
        name: label(name),
        region: None,
        zones: Vec::new(),
        namespaces: Vec::new(),
        gateway: None,
        addresses_from: Vec::new(),
        cluster_domain: None,
    };
    let network = |(cidr, member): (&str, &str)| Network {
        cidr: cidr.parse().unwrap(),
        place: Place {
            member: Some(label(member)),
            ..Place::default()
        },
    };
    Fleet {
        members: ["m1", "m2"].map(member).into_iter().collect(),
        networks: [("10.1.0.0/16", "m1"), ("10.2.0.0/16", "m2")]
            .map(network)
            .into(),
        ..Fleet::default()
    }
}

#[test]
fn inside_is_whom_a_listener_or_somebody_trusted_says() {
    let fleet = members();
    let listeners = [
        None,
        Some("m2".parse().unwrap()),
        Some("m3".parse().unwrap()),
    ];
    let table = compile(&fleet, &["10.1.0.0/24", "192.0.2.0/24"], &listeners);
    let subnet = ClientSubnet {
        family: 1,
        source_prefix: 24,
        address: IpAddr::from([10, 2, 0, 0]),
    };
    let none = ClientSubnet {
        family: 1,
        source_prefix: 0,
        address: IpAddr::from([0; 4]),
    };
    let check = |listener: Option<u32>,
                 hint: Option<&str>,
                 subnet: Option<&ClientSubnet>,
                 source: &str,
                 expected: (VantageSource, Option<u8>, bool)| {
        let found = table.find(&Asker {
            listener: listener.map(ListenerIdx),
            hint: hint.map(str::as_bytes),
            subnet,
            source: source.parse().unwrap(),
        });
        let inside = found.inside.map(|member| member.0);
        assert_eq!(
            (found.source, inside, found.is_hint_ignored),
            expected,
            "{listener:?} {hint:?} {source}"
        );
    };
    check(
        Some(1),
        Some("m1"),
        Some(&subnet),
        "10.1.0.1",
        (Listener, Some(1), false),
    );
    // A member that is gone, and an address that is bound to none.
    check(Some(2), None, None, "10.1.0.1", (Source, Some(0), false));
    check(Some(0), None, None, "10.1.0.1", (Source, Some(0), false));
    check(Some(9), None, None, "10.1.0.1", (Source, Some(0), false));
    check(
        None,
        Some("m2"),
        Some(&subnet),
        "192.0.2.1",
        (ZoneHint, Some(1), false),
    );
    check(
        None,
        Some("m2"),
        None,
        "198.51.100.1",
        (Unknown, None, true),
    );
    check(None, Some("m3"), None, "192.0.2.1", (Unknown, None, true));
    check(None, None, Some(&subnet), "10.1.0.1", (Subnet, None, false));
    check(
        None,
        None,
        Some(&none),
        "10.1.0.1",
        (Source, Some(0), false),
    );
    check(
        None,
        None,
        None,
        "::ffff:10.1.0.1",
        (Source, Some(0), false),
    );
    // Known to be there, but not trusted.
    check(None, None, None, "10.1.1.1", (Source, None, false));
    check(None, None, None, "10.2.0.1", (Source, None, false));
}

#[test]
fn what_members_teach_decides_where_no_other_claims_it() {
    let fleet = members();
    let networks = |cidrs: &[&str]| cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect();
    let table = VantageTable::compile(&Surroundings {
        fleet: &fleet,
        topology: &[],
        learnt: &[
            networks(&[
                "10.244.0.0/24",
                "10.244.1.0/24",
                "10.2.0.0/16",
                "192.0.2.1/32",
            ]),
            networks(&["10.244.0.0/24", "10.244.2.0/24", "2001:db8::/64"]),
        ],
        trusted: &["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        listeners: &[],
        database: None,
    });
    let check = |source: &str, inside: Option<u8>| {
        let found = table.find(&Asker {
            listener: None,
            hint: None,
            subnet: None,
            source: source.parse().unwrap(),
        });
        assert_eq!(found.inside.map(|member| member.0), inside, "{source}");
    };
    check("10.244.0.1", None);
    check("10.244.1.1", Some(0));
    check("10.244.2.1", Some(1));
    check("192.0.2.1", Some(0));
    check("192.0.2.2", None);
    check("2001:db8::1", Some(1));
    // Configured for the other one.
    check("10.2.0.1", Some(1));
    let contested = [Contested {
        cidr: "10.244.0.0/24".parse().unwrap(),
        members: [MemberIdx(0), MemberIdx(1)].into_iter().collect(),
    }];
    assert_eq!(table.contested(), contested);
}
