//! The table of all networks.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::prefixes::{Bits, Found, Prefix, Prefixes};
use crate::model::{Fleet, Place, VantageIdx};
use crate::wire::ClientSubnet;

/// Networks of both families, and the places that they name.
#[derive(Debug, Clone)]
pub struct VantageTable {
    ipv4: Prefixes<u32, VantageIdx>,
    ipv6: Prefixes<u128, VantageIdx>,
    places: Vec<Place>,
    own: Option<VantageIdx>,
}

/// Where a client stands, and why that is thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vantage {
    /// Its place; `None` is unknown.
    pub place: Option<VantageIdx>,
    /// What decided.
    pub source: VantageSource,
    /// How many leading bits of the client subnet the answer holds for (RFC 7871 section 7.2.1).
    pub scope: u8,
}

/// What decided where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VantageSource {
    /// The client subnet of the query.
    ClientSubnet,
    /// The source address of the query.
    Source,
    /// Nothing is known of the client: the daemon's own locality stands in.
    Own,
    /// Nothing.
    Unknown,
}

impl VantageTable {
    /// Compiles the networks of `fleet`. Equal networks of different places decide nothing (names:
    /// decision 11).
    pub fn compile(fleet: &Fleet) -> Self {
        let mut places = Vec::new();
        let mut networks: HashMap<IpNet, Option<VantageIdx>> = HashMap::new();
        for network in &fleet.networks {
            let place = intern(&mut places, &network.place);
            let known = networks.entry(network.cidr.trunc()).or_insert(Some(place));
            if *known != Some(place) {
                *known = None;
            }
        }
        let decided = networks
            .into_iter()
            .filter_map(|(cidr, place)| Some((cidr, place?)));
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for (cidr, place) in decided {
            let length = cidr.prefix_len();
            match cidr.addr() {
                IpAddr::V4(address) => ipv4.push((prefix(address.to_bits(), length), place)),
                IpAddr::V6(address) => ipv6.push((prefix(address.to_bits(), length), place)),
            }
        }
        let own = fleet
            .locality
            .as_ref()
            .map(|place| intern(&mut places, place));
        Self {
            ipv4: Prefixes::compile(ipv4),
            ipv6: Prefixes::compile(ipv6),
            places,
            own,
        }
    }

    /// Every place that a network or the own locality names, by its [`VantageIdx`].
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Where a client stands: its subnet decides, then its source address, then the own locality
    /// (names: decision 11, D.11 7).
    #[inline]
    pub fn find(&self, subnet: Option<&ClientSubnet>, source: IpAddr) -> Vantage {
        let mut scope = 0;
        if let Some(subnet) = subnet.filter(|subnet| subnet.source_prefix > 0) {
            let found = self.lookup(subnet.address, subnet.source_prefix);
            scope = found.scope;
            if found.says.is_some() {
                return Vantage {
                    place: found.says,
                    source: VantageSource::ClientSubnet,
                    scope,
                };
            }
        }
        let found = self.lookup(source, if source.is_ipv4() { 32 } else { 128 });
        let (place, source) = match (found.says, self.own) {
            (Some(place), _) => (Some(place), VantageSource::Source),
            (None, Some(own)) => (Some(own), VantageSource::Own),
            (None, None) => (None, VantageSource::Unknown),
        };
        Vantage {
            place,
            source,
            scope,
        }
    }

    #[inline]
    fn lookup(&self, address: IpAddr, length: u8) -> Found<VantageIdx> {
        match address {
            IpAddr::V4(address) => self.ipv4.find(prefix(address.to_bits(), length)),
            IpAddr::V6(address) => self.ipv6.find(prefix(address.to_bits(), length)),
        }
    }
}

/// The index of a place, added at its first use.
fn intern(places: &mut Vec<Place>, place: &Place) -> VantageIdx {
    let index = places.iter().position(|known| known == place);
    let index = index.unwrap_or_else(|| {
        places.push(place.clone());
        places.len() - 1
    });
    VantageIdx(u32::try_from(index).unwrap_or(u32::MAX))
}

/// A prefix of an address.
#[inline]
fn prefix<A: Bits>(address: A, length: u8) -> Prefix<A> {
    Prefix {
        first: address.without(A::behind(length)),
        length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Network;

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
        let table = VantageTable::compile(fleet);
        let cidr: IpNet = subnet.parse().unwrap();
        let subnet = ClientSubnet {
            family: if cidr.addr().is_ipv4() { 1 } else { 2 },
            source_prefix: cidr.prefix_len(),
            address: cidr.addr(),
        };
        let found = table.find(Some(&subnet), IpAddr::from([192, 0, 2, 1]));
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
}
