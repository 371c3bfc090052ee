//! The part of a client's address that draws depend on.

use std::net::IpAddr;

use crate::wire::ClientSubnet;

/// Bits of an IPv4 address that count.
const IPV4_BITS: u8 = 24;

/// Bits of an IPv6 address that count.
const IPV6_BITS: u8 = 56;

/// The network of a client, as coarse as clients move: a /24 or /56, or the shorter prefix that its
/// resolver told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientPrefix {
    /// 4 or 6.
    pub family: u8,
    /// The network, left-aligned; bits beyond `length` are zero.
    pub bits: u64,
    /// How many leading bits count.
    pub length: u8,
    /// How many bits of the client subnet of the query it takes: the least scope of an answer that
    /// depends on it (RFC 7871 section 7.2.1); 0 if it is of the source address.
    pub scope: u8,
}

impl ClientPrefix {
    /// The prefix of the client subnet of a query, else of its source address.
    #[inline]
    pub fn of(subnet: Option<&ClientSubnet>, source: IpAddr) -> Self {
        match subnet.filter(|subnet| subnet.source_prefix > 0) {
            Some(subnet) => {
                let cut = Self::cut(subnet.address, subnet.source_prefix);
                Self {
                    scope: cut.length,
                    ..cut
                }
            }
            None => Self::cut(source.to_canonical(), u8::MAX),
        }
    }

    /// At most `length` bits of an address.
    fn cut(address: IpAddr, length: u8) -> Self {
        let (family, bits, most) = match address {
            IpAddr::V4(address) => (4, u64::from(address.to_bits()) << 32, IPV4_BITS),
            IpAddr::V6(address) => {
                let high = u64::try_from(address.to_bits() >> 64).unwrap_or_default();
                (6, high, IPV6_BITS)
            }
        };
        let length = length.min(most);
        let kept = u64::MAX
            .checked_shl(64 - u32::from(length))
            .unwrap_or_default();
        Self {
            family,
            bits: bits & kept,
            length,
            scope: 0,
        }
    }

    /// One of 256 groups of networks, in place of the network.
    #[must_use]
    pub fn grouped(self) -> Self {
        let mixed = self.bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(self.family) << 56;
        let group = (mixed ^ mixed >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        Self {
            bits: group << 56,
            ..self
        }
    }

    /// The first address of the network.
    pub fn address(&self) -> IpAddr {
        if self.family == 4 {
            let bits = u32::try_from(self.bits >> 32).unwrap_or_default();
            IpAddr::V4(bits.into())
        } else {
            IpAddr::V6((u128::from(self.bits) << 64).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_its_24_or_56() {
        let check = |subnet: Option<&str>, source: &str, expected: &str, scope: u8| {
            let subnet = subnet.map(|subnet| {
                let network: ipnet::IpNet = subnet.parse().unwrap();
                ClientSubnet {
                    family: if network.addr().is_ipv4() { 1 } else { 2 },
                    source_prefix: network.prefix_len(),
                    address: network.addr(),
                }
            });
            let prefix = ClientPrefix::of(subnet.as_ref(), source.parse().unwrap());
            let shown = format!("{}/{}", prefix.address(), prefix.length);
            assert_eq!((&*shown, prefix.scope), (expected, scope));
        };
        check(None, "192.0.2.77", "192.0.2.0/24", 0);
        check(None, "::ffff:192.0.2.77", "192.0.2.0/24", 0);
        check(None, "2001:db8:1:2ff::1", "2001:db8:1:200::/56", 0);
        check(Some("10.1.2.3/32"), "192.0.2.1", "10.1.2.0/24", 24);
        check(Some("10.1.0.0/16"), "192.0.2.1", "10.1.0.0/16", 16);
        check(Some("0.0.0.0/0"), "192.0.2.1", "192.0.2.0/24", 0);
        check(Some("2001:db8::/48"), "192.0.2.1", "2001:db8::/48", 48);
        check(Some("2001:db8::/64"), "192.0.2.1", "2001:db8::/56", 56);
    }
}
