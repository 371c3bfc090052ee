//! Which addresses count: one policy for all that say any, be it load balancers, facts files,
//! resolvers, annotations, name servers, gateways or probes (docs/names.md, decision 16).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use smallvec::SmallVec;

/// Addresses of one service. Two, one of each family as a rule, stand in the service itself.
pub type Addresses = SmallVec<[IpAddr; 2]>;

/// Which addresses count. Private ones do: federations over VPNs are real.
///
/// Applied where facts are compiled and where a configuration is read, not where facts are kept:
/// what is persisted stays what the source said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressPolicy {
    /// Loopback addresses count, too.
    takes_loopback: bool,
}

/// Why an address does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unusable {
    /// `0.0.0.0/8` or `::` (RFC 6890).
    Unspecified,
    /// `127.0.0.0/8` or `::1`, where somebody else than this host may ask.
    Loopback,
    /// `169.254.0.0/16` (RFC 3927) or `fe80::/10` (RFC 4291, 2.5.6).
    LinkLocal,
    /// `224.0.0.0/4` (RFC 5771) or `ff00::/8` (RFC 4291, 2.7).
    Multicast,
    /// `255.255.255.255` (RFC 919).
    Broadcast,
    /// `64:ff9b::/96` in a resolver's answer: made by a DNS64 for its own network alone (RFC 6147).
    Translated,
    /// Named by a service, and in none of the networks that its member lets services name.
    NotAllowed,
}

impl fmt::Display for Unusable {
    /// As it stands behind the address: `169.254.1.1 is link-local`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "is unspecified",
            Self::Loopback => "is a loopback address",
            Self::LinkLocal => "is link-local",
            Self::Multicast => "is a multicast address",
            Self::Broadcast => "is the broadcast address",
            Self::Translated => "is for the network of a NAT64 alone",
            Self::NotAllowed => "is in none of the member's addresses-from",
        })
    }
}

impl AddressPolicy {
    /// The policy of a daemon that listens for queries at these addresses: loopback addresses count
    /// where every one of them is a loopback address itself, since then nobody else can ask.
    pub fn of_listeners(listeners: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut listeners = listeners.into_iter().peekable();
        Self {
            takes_loopback: listeners.peek().is_some()
                && listeners.all(|address| address.to_canonical().is_loopback()),
        }
    }

    /// The address as records hold it and probes reach it: one of IPv4 in IPv6 (`::ffff:0:0/96`)
    /// *is* that IPv4 address. Errors are why it does not count.
    pub fn judge(self, address: IpAddr) -> Result<IpAddr, Unusable> {
        let address = address.to_canonical();
        let unusable = match address {
            IpAddr::V4(address) => unusable_ipv4(address),
            IpAddr::V6(address) => unusable_ipv6(address),
        };
        match unusable {
            Some(Unusable::Loopback) if self.takes_loopback => Ok(address),
            Some(unusable) => Err(unusable),
            None => Ok(address),
        }
    }

    /// As [`judge`](Self::judge), of an address that a resolver answered with.
    pub fn judge_resolved(self, address: IpAddr) -> Result<IpAddr, Unusable> {
        match self.judge(address)? {
            IpAddr::V6(translated) if translated.segments().starts_with(&NAT64) => {
                Err(Unusable::Translated)
            }
            address => Ok(address),
        }
    }
}

/// The well-known prefix of NAT64, `64:ff9b::/96` (RFC 6052, 2.1).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Why an IPv4 address does not count.
fn unusable_ipv4(address: Ipv4Addr) -> Option<Unusable> {
    match address.octets() {
        [0, ..] => Some(Unusable::Unspecified),
        [127, ..] => Some(Unusable::Loopback),
        [169, 254, ..] => Some(Unusable::LinkLocal),
        [224..=239, ..] => Some(Unusable::Multicast),
        [255, 255, 255, 255] => Some(Unusable::Broadcast),
        _ => None,
    }
}

/// Why an IPv6 address does not count.
fn unusable_ipv6(address: Ipv6Addr) -> Option<Unusable> {
    if address.is_unspecified() {
        Some(Unusable::Unspecified)
    } else if address.is_loopback() {
        Some(Unusable::Loopback)
    } else if address.is_unicast_link_local() {
        Some(Unusable::LinkLocal)
    } else if address.is_multicast() {
        Some(Unusable::Multicast)
    } else {
        None
    }
}

/// An address as text. The octets of IPv4 are decimal whatever zeros lead them, as Kubernetes reads
/// them (`ParseIPSloppy` in its package `net`): `203.0.113.006` is `203.0.113.6`. It stays as it was
/// said: [`AddressPolicy::judge`] turns IPv4 in IPv6 into IPv4.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| {
        // Of an IPv6 address with an IPv4 address at its end, that alone.
        let start = text.rfind(':').map_or(0, |colon| colon + 1);
        let (ipv6, ipv4) = text.split_at_checked(start)?;
        let ipv4 = sloppy_ipv4(ipv4)?;
        if ipv6.is_empty() {
            return Some(ipv4.into());
        }
        format!("{ipv6}{ipv4}").parse().ok()
    })
}

/// Four decimal octets with whatever zeros before them.
fn sloppy_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let is_decimal = !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
        let digits = part.trim_start_matches('0');
        *octet = match digits {
            "" if is_decimal => 0,
            _ if is_decimal => digits.parse().ok()?,
            _ => return None,
        };
    }
    parts.next().is_none().then(|| octets.into())
}

/// A network as text, `10.0.0.0/8`, its address read as [`parse_address`] reads it. One of IPv4 in
/// IPv6 is that network of IPv4.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let is_length = !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit());
    let length = length.parse().ok().filter(|_| is_length)?;
    let network = IpNet::new(parse_address(address)?, length).ok()?;
    Some(canonical_network(network))
}

/// The network of IPv4 that a network of IPv4 in IPv6 is; another as it is.
pub fn canonical_network(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let ipv4 = mapped.addr().to_ipv4_mapped();
    let length = mapped.prefix_len().checked_sub(96);
    let ipv4 = ipv4.zip(length);
    let ipv4 = ipv4.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    ipv4.map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Result<String, Unusable> {
        let address = parse_address(text).unwrap();
        let judged = AddressPolicy::default().judge_resolved(address)?;
        Ok(judged.to_string())
    }

    #[test]
    fn what_no_client_elsewhere_can_reach_does_not_count() {
        use Unusable::{Broadcast, LinkLocal, Loopback, Multicast, Translated, Unspecified};
        for (text, why) in [
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("::ffff:0.0.0.0", Unspecified),
            ("127.0.0.1", Loopback),
            ("127.255.0.1", Loopback),
            ("::1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("169.254.169.254", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("224.0.0.9", Multicast),
            ("239.255.255.255", Multicast),
            ("ff02::1", Multicast),
            ("255.255.255.255", Broadcast),
            ("64:ff9b::203.0.113.1", Translated),
        ] {
            assert_eq!(judged(text), Err(why), "{text}");
        }
        for text in [
            "10.0.0.1",
            "240.0.0.1",
            "255.255.255.254",
            "fec0::1",
            "fd00::1",
        ] {
            assert_eq!(judged(text).as_deref(), Ok(text));
        }
        // Somebody may have such a load balancer; a resolver's answer is another matter.
        let translated = "64:ff9b::1".parse().unwrap();
        assert_eq!(AddressPolicy::default().judge(translated), Ok(translated));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_is_that_address() {
        assert_eq!(judged("::ffff:203.0.113.5").as_deref(), Ok("203.0.113.5"));
        assert_eq!(judged("::ffff:cb00:7105").as_deref(), Ok("203.0.113.5"));
    }

    #[test]
    fn loopback_counts_where_nobody_else_can_ask() {
        let judge = |listeners: &[&str], address: &str| {
            let listeners = listeners.iter().map(|text| text.parse().unwrap());
            let policy = AddressPolicy::of_listeners(listeners);
            policy.judge(address.parse().unwrap()).is_ok()
        };
        assert!(judge(&["127.0.0.1", "::1"], "127.0.0.9"));
        assert!(judge(&["127.0.0.2"], "::1"));
        assert!(judge(&["::ffff:127.0.0.1"], "::ffff:127.0.0.9"));
        assert!(!judge(&["127.0.0.1", "0.0.0.0"], "127.0.0.9"));
        assert!(!judge(&["127.0.0.1"], "169.254.0.1"));
        assert!(!judge(&[], "127.0.0.9"));
    }

    #[test]
    fn leading_zeros_are_decimal_in_ipv4() {
        for (text, expected) in [
            ("203.0.113.006", "203.0.113.6"),
            ("010.000.0000.08", "10.0.0.8"),
            ("::ffff:203.000.113.005", "::ffff:203.0.113.5"),
            ("64:ff9b::010.1.1.1", "64:ff9b::a01:101"),
            ("2001:0db8::0001", "2001:db8::1"),
        ] {
            let expected: IpAddr = expected.parse().unwrap();
            assert_eq!(parse_address(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "1.2.3",
            "1.2.3.",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.0256",
            "1.2.3.+4",
            "0x1.2.3.4",
            "1..2.3",
            " 1.2.3.4",
            "1.2.3.4 ",
            "fe80::1%eth0",
            "::00001",
            "1.2.3.4:80",
            ":1.2.3.4",
        ] {
            assert_eq!(parse_address(text), None, "{text}");
        }
    }

    #[test]
    fn networks_of_ipv4_in_ipv6_are_those_networks() {
        for (text, expected) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("010.0.0.0/08", Some("10.0.0.0/8")),
            ("::ffff:10.0.0.0/104", Some("10.0.0.0/8")),
            ("::ffff:10.0.0.0/128", Some("10.0.0.0/32")),
            ("::ffff:0.0.0.0/95", Some("::ffff:0.0.0.0/95")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("10.0.0.0", None),
            ("10.0.0.0/33", None),
            ("10.0.0.0/+8", None),
        ] {
            let read = parse_network(text).map(|network| network.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
