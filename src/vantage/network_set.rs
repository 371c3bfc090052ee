//! Networks that an address may be in.

use std::net::IpAddr;

use ipnet::IpNet;

use super::networks::Networks;

/// A set of networks of both families. An address is looked up in it by one binary search.
#[derive(Debug, Clone, Default)]
pub struct NetworkSet(Networks<()>);

impl NetworkSet {
    /// Compiles networks, which may overlap.
    pub fn compile(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let networks = networks.into_iter();
        let mut networks: Vec<IpNet> = networks.map(|network| network.trunc()).collect();
        networks.sort_unstable();
        networks.dedup();
        let networks = networks.into_iter().map(|network| (network, ()));
        Self(Networks::compile(networks))
    }

    /// Whether an address is in one of the networks; one of IPv4 that is mapped to IPv6 is one of IPv4.
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.of(address.to_canonical()).says.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_any_of_them() {
        let networks = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"];
        let set = NetworkSet::compile(networks.map(|network| network.parse().unwrap()));
        let holds = |address: &str| set.contains(address.parse().unwrap());
        for inside in ["10.0.0.1", "10.1.2.3", "::ffff:10.0.0.1", "2001:db8::1"] {
            assert!(holds(inside), "{inside}");
        }
        for outside in ["11.0.0.0", "9.255.255.255", "2001:db9::", "::1"] {
            assert!(!holds(outside), "{outside}");
        }
        assert!(!NetworkSet::default().contains([10, 0, 0, 1].into()));
    }
}
