//! Networks that an address may be in.

use std::net::IpAddr;

use ipnet::IpNet;

use super::networks::Networks;

/// A set of networks of both families. Most addresses are decided by their first octet, the others by one
/// binary search.
#[derive(Debug, Clone, Default)]
pub struct NetworkSet {
    networks: Networks<()>,
    ipv4: FirstOctets,
    ipv6: FirstOctets,
}

/// How much of what begins with an octet is in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    Nothing,
    Part,
    All,
}

/// The share of each first octet.
#[derive(Debug, Clone)]
struct FirstOctets([Share; 256]);

impl Default for FirstOctets {
    fn default() -> Self {
        Self([Share::Nothing; 256])
    }
}

impl FirstOctets {
    /// Adds the networks that begin with `first`, of a length of `length` bits.
    fn add(&mut self, first: u8, length: u8) {
        let more = u8::MAX.checked_shr(u32::from(length)).unwrap_or(0);
        let share = if length <= 8 { Share::All } else { Share::Part };
        let octets = usize::from(first)..=usize::from(first | more);
        for known in self.0.get_mut(octets).into_iter().flatten() {
            if *known != Share::All {
                *known = share;
            }
        }
    }

    /// The share of one.
    #[inline]
    fn of(&self, first: u8) -> Share {
        let share = self.0.get(usize::from(first));
        share.copied().unwrap_or(Share::Nothing)
    }
}

impl NetworkSet {
    /// Compiles networks, which may overlap.
    pub fn compile(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let networks = networks.into_iter();
        let mut networks: Vec<IpNet> = networks.map(|network| network.trunc()).collect();
        networks.sort_unstable();
        networks.dedup();
        let mut set = Self::default();
        for network in &networks {
            let length = network.prefix_len();
            match network.addr() {
                IpAddr::V4(address) => set.ipv4.add(address.octets()[0], length),
                IpAddr::V6(address) => set.ipv6.add(address.octets()[0], length),
            }
        }
        let networks = networks.into_iter().map(|network| (network, ()));
        set.networks = Networks::compile(networks);
        set
    }

    /// Whether an address is in one of the networks; one of IPv4 that is mapped to IPv6 is one of IPv4.
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        let share = match address {
            IpAddr::V4(address) => self.ipv4.of(address.octets()[0]),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => self.ipv4.of(address.octets()[0]),
                None => self.ipv6.of(address.octets()[0]),
            },
        };
        match share {
            Share::Nothing => false,
            Share::All => true,
            Share::Part => self.has(address.to_canonical()),
        }
    }

    /// The same by all of its bits.
    #[inline(never)]
    fn has(&self, address: IpAddr) -> bool {
        self.networks.of(address).says.is_some()
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

    #[test]
    fn networks_shorter_than_an_octet_count_whole() {
        let networks = ["0.0.0.0/0", "fe00::/7", "172.16.0.0/12"];
        let set = |index: usize| NetworkSet::compile([networks[index].parse().unwrap()]);
        let holds = |index: usize, address: &str| set(index).contains(address.parse().unwrap());
        assert!(holds(0, "255.255.255.255") && holds(0, "0.0.0.0") && !holds(0, "::1"));
        assert!(holds(1, "fe80::1") && holds(1, "ff02::1") && !holds(1, "fd00::1"));
        assert!(holds(2, "172.31.0.1") && !holds(2, "172.32.0.1") && !holds(2, "173.16.0.1"));
    }
}
