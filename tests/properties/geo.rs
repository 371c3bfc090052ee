//! GeoIP databases, right and damaged.

use std::net::{IpAddr, Ipv4Addr};

use gazetteer::model::{GeoCode, GeoDatabase};
use ipnet::Ipv4Net;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::mmdb;

/// A database of three networks.
fn octets() -> Vec<u8> {
    mmdb::write(&[
        (
            "198.51.100.0/24".parse().unwrap(),
            vec![("country", "JP"), ("continent", "AS")],
        ),
        (
            "203.0.113.128/25".parse().unwrap(),
            vec![("lat", "50.5"), ("lon", "-3.25")],
        ),
        ("2001:db8::/32".parse().unwrap(), vec![("continent", "EU")]),
    ])
}

/// Reads everything there is of an address.
fn read(database: &GeoDatabase, address: IpAddr) -> (u8, [Option<GeoCode>; 2], Option<[f64; 2]>) {
    let Some(record) = database.find(address) else {
        return (0, [None; 2], None);
    };
    let location = record.location();
    if let Some(location) = location {
        assert!((-90.0..=90.0).contains(&location.lat) && (-180.0..=180.0).contains(&location.lon));
    }
    let codes = [record.country(), record.continent()];
    (
        record.prefix(address),
        codes,
        location.map(|at| [at.lat, at.lon]),
    )
}

#[test]
fn a_database_says_what_was_written() {
    let database = GeoDatabase::read(octets()).unwrap();
    assert_eq!(
        (database.kind(), database.built().0),
        ("Test-City", 1_800_000_000)
    );
    let check = |address: &str, expected| {
        assert_eq!(
            read(&database, address.parse().unwrap()),
            expected,
            "{address}"
        );
    };
    let [jp, asia, europe] = ["JP", "AS", "eu"].map(GeoCode::new);
    check("198.51.100.7", (24, [jp, asia], None));
    check("203.0.113.200", (25, [None; 2], Some([50.5, -3.25])));
    check("203.0.113.1", (25, [None; 2], None));
    check("192.0.2.1", (6, [None; 2], None));
    check("2001:db8::1", (32, [None, europe], None));
    check("2001:db9::1", (32, [None; 2], None));
}

#[test]
fn a_database_that_can_place_nobody_is_known_by_its_fields() {
    let place = |says: Vec<(&'static str, &'static str)>| {
        let empty = ("198.18.0.0/24".parse().unwrap(), Vec::new());
        let octets = mmdb::write(&[empty, ("198.18.2.0/24".parse().unwrap(), says)]);
        let fields = GeoDatabase::read(octets).unwrap().fields_without_place();
        fields.map(|fields| fields.into_iter().collect::<Vec<_>>())
    };
    assert_eq!(place(vec![("country", "DE")]), None);
    assert_eq!(place(vec![("continent", "EU")]), None);
    assert_eq!(place(vec![("lat", "50.5"), ("lon", "-3.25")]), None);
    let flat = place(vec![("flat-country", "DE")]);
    assert_eq!(flat, Some(vec!["city".to_owned(), "country".to_owned()]));
    let ipv6 = mmdb::write(&[("2a00:1450::/32".parse().unwrap(), vec![("country", "DE")])]);
    let ipv6 = GeoDatabase::read(ipv6).unwrap();
    assert_eq!(ipv6.fields_without_place(), None);
}

/// Whether a database can place somebody of which this many networks say something without a place,
/// each of its own or all the same, before one that has a country.
fn is_place_found_after(networks: u32, says_its_own: bool) -> bool {
    let names: Vec<_> = (0..networks).map(|number| number.to_string()).collect();
    let network = |number: u32| {
        let address = Ipv4Addr::from_bits(0xc612_0000 | number << 4);
        Ipv4Net::new_assert(address, 28).into()
    };
    let unplaced = (0..networks).zip(&names).map(|(number, name)| {
        let name = if says_its_own { name } else { "0" };
        (network(number), vec![("flat-country", name)])
    });
    let placed = (network(networks), vec![("country", "DE")]);
    let records: Vec<_> = unplaced.chain([placed]).collect();
    let database = GeoDatabase::read(mmdb::write(&records)).unwrap();
    database.fields_without_place().is_none()
}

#[test]
fn a_place_is_looked_for_in_so_many_different_records() {
    assert!(is_place_found_after(1023, true));
    assert!(!is_place_found_after(1024, true), "each may be long");
    assert!(is_place_found_after(4000, false), "one record, read once");
}

proptest! {
    #[test]
    fn a_damaged_database_is_refused_or_says_something(
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<Index>()),
        addresses in proptest::collection::vec(any::<IpAddr>(), 4),
    ) {
        let mut octets = octets();
        for (place, octet) in damage {
            *place.get_mut(&mut octets) = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        if let Ok(database) = GeoDatabase::read(octets) {
            let known = ["198.51.100.7", "203.0.113.200", "2001:db8::1"];
            let known = known.map(|address| address.parse::<IpAddr>().unwrap());
            for address in known.into_iter().chain(addresses) {
                let (prefix, ..) = read(&database, address);
                let width = if address.is_ipv4() { 32 } else { 128 };
                prop_assert!(prefix <= width);
            }
            // It ends, whatever it finds.
            database.fields_without_place();
        }
    }

    #[test]
    fn no_octets_make_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let marked = [&octets[..], b"\xab\xcd\xefMaxMind.com", &octets[..]].concat();
        for octets in [octets, marked] {
            if let Ok(database) = GeoDatabase::read(octets) {
                read(&database, IpAddr::from([0; 4]));
                database.fields_without_place();
            }
        }
    }
}
