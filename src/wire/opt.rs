//! The OPT record of a response (RFC 6891).

use std::net::IpAddr;

use super::cookies::COOKIE;
use super::cursor::Cursor;
use super::edns::{ClientSubnet, Edns, option};
use super::header::edns_flag as flag;

/// Octets of an OPT record without options.
const EMPTY: usize = 11;

/// Octets of an option's code and length.
const OPTION_HEAD: usize = 4;

/// Octets of the version of a zone that is its serial: labels, type and serial (RFC 9660 section 4).
const ZONE_VERSION: usize = 6;

/// The type of the version of a zone that is its serial (RFC 9660 section 4).
const SOA_SERIAL: u8 = 0;

/// The UDP size that this server takes and sends at most: no fragments on any usual path.
pub(super) const UDP_SIZE: u16 = 1232;

/// What the OPT record of a response says.
#[derive(Debug, Clone, Copy)]
pub struct OptReply<'a> {
    /// The DO bit, copied from the request.
    pub dnssec_ok: bool,
    /// The CO bit (RFC 9824 section 5.1).
    pub compact_ok: bool,
    /// The largest request that the server takes over UDP.
    pub udp_size: u16,
    /// The high eight bits of the response code.
    pub extended_rcode: u8,
    /// Name server identifier (RFC 5001).
    pub nsid: Option<&'a [u8]>,
    /// How long the TCP connection may be idle, in units of 100 ms (RFC 7828). Not on UDP.
    pub keepalive: Option<u16>,
    /// The client subnet of the request and the scope of the answer (RFC 7871).
    pub client_subnet: Option<(ClientSubnet, u8)>,
    /// The cookie of the request and a server's for it (RFC 7873).
    pub cookie: Option<[u8; COOKIE]>,
    /// How many labels the zone of the answer has, without the root, and its serial (RFC 9660).
    pub zone_version: Option<(u8, u32)>,
    /// The domain to which resolvers report what fails, in wire form (RFC 9567).
    pub report_channel: Option<&'a [u8]>,
    /// Extended DNS errors (RFC 8914).
    pub ede: &'a EdeList<'a>,
}

impl Default for OptReply<'_> {
    fn default() -> Self {
        Self {
            dnssec_ok: false,
            compact_ok: false,
            udp_size: 0,
            extended_rcode: 0,
            nsid: None,
            keepalive: None,
            client_subnet: None,
            cookie: None,
            zone_version: None,
            report_channel: None,
            ede: &EdeList::NONE,
        }
    }
}

impl OptReply<'_> {
    /// A plain reply to a request's OPT record: size 1232, DO copied, no options.
    #[inline]
    pub fn new(edns: &Edns<'_>) -> Self {
        Self::with_dnssec_ok(edns.dnssec_ok)
    }

    /// A plain OPT record.
    #[inline]
    pub(super) fn with_dnssec_ok(dnssec_ok: bool) -> Self {
        Self {
            dnssec_ok,
            udp_size: UDP_SIZE,
            ..Self::default()
        }
    }
}

/// Up to four extended DNS errors.
#[derive(Debug, Clone, Copy, Default)]
pub struct EdeList<'a> {
    /// Information codes and texts; the first `length` count.
    errors: [(u16, &'a str); 4],
    /// How many there are.
    length: usize,
}

impl<'a> EdeList<'a> {
    /// No error.
    const NONE: Self = Self {
        errors: [(0, ""); 4],
        length: 0,
    };

    /// Adds an error, unless its code is there already or four others are.
    pub fn push(&mut self, info_code: u16, text: &'a str) {
        if self.iter().any(|(code, _)| code == info_code) {
            return;
        }
        if let Some(place) = self.errors.get_mut(self.length) {
            *place = (info_code, text);
            self.length += 1;
        }
    }

    /// Information codes and texts, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a str)> {
        self.errors.iter().copied().take(self.length)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// How much of an OPT record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// Extended errors without their texts.
    WithoutTexts,
    /// No option at all.
    Empty,
}

impl OptReply<'_> {
    /// Writes the record at the start of `out`; its length, or `None` if it does not fit.
    #[inline]
    pub(super) fn write(&self, out: &mut [u8], extent: Extent) -> Option<usize> {
        let options = self.options_length(extent);
        let length = EMPTY + options;
        let (head, rest) = out.get_mut(..length)?.split_first_chunk_mut::<EMPTY>()?;
        let [size0, size1] = self.udp_size.to_be_bytes();
        let [length0, length1] = u16::try_from(options).ok()?.to_be_bytes();
        let flags = (u8::from(self.dnssec_ok) * flag::DNSSEC_OK)
            | (u8::from(self.compact_ok) * flag::COMPACT_OK);
        let rcode = self.extended_rcode;
        *head = [0, 0, 41, size0, size1, rcode, 0, flags, 0, length0, length1];
        if options != 0 {
            self.write_options(rest, extent)?;
        }
        Some(length)
    }

    /// Octets of the record.
    pub(super) fn length(&self, extent: Extent) -> usize {
        EMPTY + self.options_length(extent)
    }

    /// Octets of all options.
    #[inline]
    fn options_length(&self, extent: Extent) -> usize {
        if extent == Extent::Empty {
            return 0;
        }
        let nsid = self.nsid.map_or(0, |nsid| OPTION_HEAD + nsid.len());
        let keepalive = self.keepalive.map_or(0, |_| OPTION_HEAD + 2);
        let subnet = self
            .client_subnet
            .map_or(0, |(subnet, _)| OPTION_HEAD + 4 + subnet.address_octets());
        let cookie = self.cookie.map_or(0, |cookie| OPTION_HEAD + cookie.len());
        let version = self.zone_version.map_or(0, |_| OPTION_HEAD + ZONE_VERSION);
        let channel = self
            .report_channel
            .map_or(0, |name| OPTION_HEAD + name.len());
        let mut errors = 0;
        for (_, text) in self.ede.iter() {
            errors += OPTION_HEAD + 2 + shown(text, extent).len();
        }
        nsid + keepalive + subnet + cookie + version + channel + errors
    }

    /// Fills `rest`, which is as long as the options.
    fn write_options(&self, rest: &mut [u8], extent: Extent) -> Option<()> {
        let cursor = &mut Cursor(rest);
        if let Some(nsid) = self.nsid {
            put_option(cursor, option::NSID, [nsid, &[]])?;
        }
        if let Some((subnet, scope)) = &self.client_subnet {
            let [family0, family1] = subnet.family.to_be_bytes();
            let prefixes = [subnet.source_prefix, *scope];
            let [source, scope] = prefixes.map(|bits| bits.saturating_add(subnet.bits_before()));
            let head = [family0, family1, source, scope];
            let length = subnet.address_octets();
            let (four, sixteen);
            let octets = match &subnet.address {
                IpAddr::V4(address) if subnet.bits_before() > 0 => {
                    sixteen = address.to_ipv6_mapped().octets();
                    sixteen.get(..length)?
                }
                IpAddr::V4(address) => {
                    four = address.octets();
                    four.get(..length)?
                }
                IpAddr::V6(address) => {
                    sixteen = address.octets();
                    sixteen.get(..length)?
                }
            };
            put_option(cursor, option::CLIENT_SUBNET, [&head, octets])?;
        }
        if let Some(timeout) = self.keepalive {
            put_option(cursor, option::TCP_KEEPALIVE, [&timeout.to_be_bytes(), &[]])?;
        }
        if let Some(cookie) = &self.cookie {
            put_option(cursor, option::COOKIE, [cookie, &[]])?;
        }
        if let Some((labels, serial)) = self.zone_version {
            let parts = [&[labels, SOA_SERIAL][..], &serial.to_be_bytes()];
            put_option(cursor, option::ZONE_VERSION, parts)?;
        }
        if let Some(name) = self.report_channel {
            put_option(cursor, option::REPORT_CHANNEL, [name, &[]])?;
        }
        for (code, text) in self.ede.iter() {
            let parts = [&code.to_be_bytes()[..], shown(text, extent).as_bytes()];
            put_option(cursor, option::EXTENDED_ERROR, parts)?;
        }
        Some(())
    }
}

/// An error's text as far as it is written.
fn shown(text: &str, extent: Extent) -> &str {
    match extent {
        Extent::Whole => text,
        Extent::WithoutTexts | Extent::Empty => "",
    }
}

/// Writes one option, its content in two parts.
fn put_option(cursor: &mut Cursor<'_>, code: u16, parts: [&[u8]; 2]) -> Option<()> {
    let length = u16::try_from(parts.iter().map(|part| part.len()).sum::<usize>()).ok()?;
    cursor.put(&code.to_be_bytes())?;
    cursor.put(&length.to_be_bytes())?;
    parts.into_iter().try_for_each(|part| cursor.put(part))
}
