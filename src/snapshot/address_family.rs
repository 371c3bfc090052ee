//! Addresses by their family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address, if it is of IPv4.
pub(crate) fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The address, if it is of IPv6.
pub(crate) fn ipv6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}
