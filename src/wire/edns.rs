//! What a request says in its OPT record (RFC 6891), client subnet included (RFC 7871).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cookies::SentCookie;
use super::header::{MIN_UDP_SIZE, edns_flag as flag};
use super::reject::Reject;

/// Option codes (IANA "DNS EDNS0 Option Codes").
pub(super) mod option {
    /// Name server identifier (RFC 5001).
    pub(crate) const NSID: u16 = 3;
    /// Client subnet (RFC 7871).
    pub(crate) const CLIENT_SUBNET: u16 = 8;
    /// Proof of an address (RFC 7873).
    pub(crate) const COOKIE: u16 = 10;
    /// How long a TCP connection may be idle (RFC 7828).
    pub(crate) const TCP_KEEPALIVE: u16 = 11;
    /// Extended DNS error (RFC 8914).
    pub(crate) const EXTENDED_ERROR: u16 = 15;
    /// Where resolvers tell of what fails (RFC 9567).
    pub(crate) const REPORT_CHANNEL: u16 = 18;
    /// Which version of its zone an answer is of (RFC 9660).
    pub(crate) const ZONE_VERSION: u16 = 19;
    /// Where the client is (docs/names.md, decision 11); the first code for local use.
    pub(crate) const ZONE_HINT: u16 = 65518;
}

/// What a request asks for by EDNS, version 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are flags and empty options of the record"
)]
pub struct Edns<'a> {
    /// The largest UDP response that the client takes, at least 512.
    pub udp_size: u16,
    /// The DO bit (RFC 3225).
    pub dnssec_ok: bool,
    /// The CO bit: NXDOMAIN may stand beside the NSEC record of an absent name (RFC 9824 section 5.1).
    pub compact_ok: bool,
    /// The client wants to know which server answers (RFC 5001).
    pub nsid_requested: bool,
    /// The client wants to know how long its connection may be idle (RFC 7828).
    pub keepalive_requested: bool,
    /// The client wants to know the version of the zone (RFC 9660).
    pub zone_version_requested: bool,
    /// By what the client proves its address; the first one if there are several (RFC 7873 section 5.2).
    pub cookie: Option<SentCookie<'a>>,
    /// For whom the client asks; the first one if there are several.
    pub client_subnet: Option<ClientSubnet>,
    /// Where the client says that it is; the first one if there are several. Any octets.
    pub zone_hint: Option<&'a [u8]>,
}

impl<'a> Edns<'a> {
    /// The view of an OPT record. Unknown options are ignored (docs/names.md, D.10).
    #[inline]
    pub(super) fn parse(udp_size: u16, flags: u8, options: &'a [u8]) -> Result<Self, Reject> {
        let mut edns = Self {
            udp_size: udp_size.max(MIN_UDP_SIZE),
            dnssec_ok: flags & flag::DNSSEC_OK != 0,
            compact_ok: flags & flag::COMPACT_OK != 0,
            nsid_requested: false,
            keepalive_requested: false,
            zone_version_requested: false,
            cookie: None,
            client_subnet: None,
            zone_hint: None,
        };
        let mut rest = options;
        while !rest.is_empty() {
            let [code0, code1, length0, length1, tail @ ..] = rest else {
                return Err(Reject::FormErr);
            };
            let length = usize::from(u16::from_be_bytes([*length0, *length1]));
            let Some((content, tail)) = tail.split_at_checked(length) else {
                return Err(Reject::FormErr);
            };
            edns.read_option(u16::from_be_bytes([*code0, *code1]), content)?;
            rest = tail;
        }
        Ok(edns)
    }

    /// Takes one option in.
    fn read_option(&mut self, code: u16, content: &'a [u8]) -> Result<(), Reject> {
        match code {
            // In requests both are empty (RFC 5001 section 2.1, RFC 9660 section 3.2.1).
            option::NSID | option::ZONE_VERSION if !content.is_empty() => {
                return Err(Reject::FormErr);
            }
            // There is one at most (RFC 9660 section 3.2.1).
            option::ZONE_VERSION if self.zone_version_requested => return Err(Reject::FormErr),
            option::NSID => self.nsid_requested = true,
            // Over UDP it must be ignored whatever it holds (RFC 7828 section 3.3.1), and here nobody
            // knows how the request came: a client that gives a time-out of its own asks for nothing.
            option::TCP_KEEPALIVE => self.keepalive_requested |= content.is_empty(),
            option::COOKIE => {
                let cookie = SentCookie::parse(content).ok_or(Reject::FormErr)?;
                self.cookie.get_or_insert(cookie);
            }
            option::ZONE_VERSION => self.zone_version_requested = true,
            option::CLIENT_SUBNET => {
                let subnet = ClientSubnet::parse(content).ok_or(Reject::FormErr)?;
                self.client_subnet.get_or_insert(subnet);
            }
            option::ZONE_HINT => {
                self.zone_hint.get_or_insert(content);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The network for which a resolver asks (RFC 7871 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSubnet {
    /// As received: 1 for IPv4, 2 for IPv6, 0 for "no network" as `dig +subnet=0` sends it.
    pub family: u16,
    /// How many bits of `address` count, at most 32 or 128. 0 asks to forget the client.
    pub source_prefix: u8,
    /// The network; bits beyond `source_prefix` are zero. `0.0.0.0` for family 0. An IPv4 address
    /// in family 2 came mapped to IPv6 (docs/names.md, decision 16), with a prefix of 96 bits more.
    pub address: IpAddr,
}

/// Bits before an IPv4 address that is mapped to IPv6 (RFC 4291 section 2.5.5.2).
pub(super) const MAPPED_BITS: u8 = 96;

impl ClientSubnet {
    /// Reads the option's content; `None` is a FORMERR (RFC 7871 sections 6 and
    /// 7.2.1).
    fn parse(content: &[u8]) -> Option<Self> {
        let [family0, family1, source_prefix, scope_prefix, octets @ ..] = content else {
            return None;
        };
        let family = u16::from_be_bytes([*family0, *family1]);
        let width = match family {
            0 => 0,
            1 => 32,
            2 => 128,
            _ => return None,
        };
        if *scope_prefix != 0
            || *source_prefix > width
            || octets.len() != octets_of(*source_prefix)
            || has_bits_beyond(octets, *source_prefix)
        {
            return None;
        }
        let address = if family == 2 {
            IpAddr::V6(Ipv6Addr::from(padded::<16>(octets)?))
        } else {
            IpAddr::V4(Ipv4Addr::from(padded::<4>(octets)?))
        };
        let mapped = match (address, source_prefix.checked_sub(MAPPED_BITS)) {
            (IpAddr::V6(address), Some(left)) => address.to_ipv4_mapped().map(|ip| (ip, left)),
            _ => None,
        };
        let (address, source_prefix) = match mapped {
            Some((address, left)) => (IpAddr::V4(address), left),
            None => (address, *source_prefix),
        };
        Some(Self {
            family,
            source_prefix,
            address,
        })
    }

    /// Bits before those that count: an option carries them too.
    pub(super) fn bits_before(&self) -> u8 {
        if self.family == 2 && self.address.is_ipv4() {
            MAPPED_BITS
        } else {
            0
        }
    }

    /// How many octets of the address an option carries.
    pub(super) fn address_octets(&self) -> usize {
        octets_of(self.source_prefix.saturating_add(self.bits_before()))
    }
}

/// Octets that hold a prefix.
fn octets_of(prefix: u8) -> usize {
    usize::from(prefix.div_ceil(8))
}

/// Whether the last octet of a prefix has a bit that the prefix does not cover.
fn has_bits_beyond(octets: &[u8], prefix: u8) -> bool {
    let covered = prefix % 8;
    covered != 0 && octets.last().is_some_and(|last| last << covered != 0)
}

/// `octets`, filled up with zeros.
fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut address = [0; N];
    address.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(address)
}
