//! Any octets are a GeoIP database or none, and a database says the same of all addresses of a
//! network.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gazetteer::model::{GeoCode, GeoDatabase};
use gazetteer::sources::geoip::warning;
use libfuzzer_sys::fuzz_target;

/// Inside and outside the networks of the seeds.
const ADDRESSES: [IpAddr; 7] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 200)),
    IpAddr::V4(Ipv4Addr::BROADCAST),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

fuzz_target!(|octets: &[u8]| {
    let Ok(database) = GeoDatabase::read(octets.to_vec()) else {
        return;
    };
    let places_nobody = warning(&database).is_some();
    for address in ADDRESSES {
        let (prefix, says) = look_up(&database, address);
        for other in ends(address, prefix) {
            let found = look_up(&database, other);
            assert_eq!(found, (prefix, says), "{address} and {other}");
        }
        // The first network is looked at whatever comes later.
        assert!(
            !places_nobody || address != ADDRESSES[0] || says.is_none(),
            "{address} has a place"
        );
    }
});

/// A place: a country, a continent and a location, as bits of degrees.
type Place = (Option<GeoCode>, Option<GeoCode>, Option<[u64; 2]>);

/// What there is of an address, and for how many leading bits it holds.
fn look_up(database: &GeoDatabase, address: IpAddr) -> (u8, Option<Place>) {
    let Some(record) = database.find(address) else {
        return (0, None);
    };
    let prefix = record.prefix(address);
    assert!(prefix <= if address.is_ipv4() { 32 } else { 128 });
    let location = record.location();
    if let Some(at) = location {
        assert!((-90.0..=90.0).contains(&at.lat) && (-180.0..=180.0).contains(&at.lon));
    }
    let place = (
        record.country(),
        record.continent(),
        location.map(|at| [at.lat.to_bits(), at.lon.to_bits()]),
    );
    (prefix, (place != (None, None, None)).then_some(place))
}

/// The first and the last address of a network, unless it is all there is.
fn ends(address: IpAddr, prefix: u8) -> Vec<IpAddr> {
    if prefix == 0 {
        // Also said of what is in no network of this family.
        return Vec::new();
    }
    match address {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            let ends = [address.to_bits() & !rest, address.to_bits() | rest];
            ends.map(|bits| Ipv4Addr::from_bits(bits).into()).into()
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
            let ends = [address.to_bits() & !rest, address.to_bits() | rest];
            ends.map(|bits| Ipv6Addr::from_bits(bits).into()).into()
        }
    }
}
