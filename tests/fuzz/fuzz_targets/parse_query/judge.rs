//! A second reading of a request, written from the RFCs and slow: what `Query::parse` is held to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gazetteer::wire::{ClientSubnet, Edns, Qname, Query, Reject, SentCookie, opcode};

/// IXFR, whose request has a SOA record in the authority section (RFC 1995 section 3).
const IXFR: u16 = 251;
/// OPT (RFC 6891).
const OPT: u16 = 41;
/// TSIG (RFC 8945).
const TSIG: u16 = 250;
/// The class of TSIG records (RFC 8945 section 4.2).
const ANY: u16 = 255;

/// What a request is.
pub(crate) enum Reading<'a> {
    /// It is not answered, for this reason; with its question if that can be read.
    Rejected(Reject, Option<&'a [u8]>),
    /// A query, with its question and what its OPT record says.
    Query(&'a [u8], Option<Edns<'a>>),
}

impl<'a> Reading<'a> {
    /// Reads a request.
    pub(crate) fn of(request: &'a [u8]) -> Self {
        if request.len() < 12 || request[2] & 0x80 != 0 {
            return Self::Rejected(Reject::Silent, None);
        }
        let question = (count(request, 4) == 1)
            .then(|| question(&request[12..]))
            .flatten();
        let rejected = match request[2] >> 3 & 15 {
            opcode::QUERY => match question.map(|question| (question, query(request, question))) {
                Some((question, Ok(edns))) => return Self::Query(question, edns),
                Some((_, Err(rejected))) => rejected,
                // A cookie may be asked for without a question (RFC 7873 section 5.4).
                None if request[4..10] == [0; 6] && count(request, 10) > 0 => Reject::NoQuestion,
                None => Reject::FormErr,
            },
            opcode::NOTIFY => Reject::Refused,
            _ => Reject::NotImp,
        };
        Self::Rejected(rejected, question)
    }

    /// The question, if there is one.
    pub(crate) fn question(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Rejected(_, question) => question,
            Self::Query(question, _) => Some(question),
        }
    }

    /// It is rightly rejected so.
    pub(crate) fn assert_rejected(&self, reject: Reject) {
        match self {
            Self::Rejected(expected, _) => assert_eq!(reject, *expected),
            Self::Query(..) => panic!("{reject:?} of a good query"),
        }
    }

    /// It is rightly accepted, and read so.
    pub(crate) fn assert_accepted(&self, query: &Query<'_>, qname: &Qname) {
        let Self::Query(question, edns) = self else {
            panic!("accepted what is none");
        };
        let (name, end) = question.split_at(question.len() - 4);
        assert_eq!(query.question, *question);
        assert_eq!(query.qtype.to_be_bytes(), end[..2]);
        assert_eq!(query.qclass.to_be_bytes(), end[2..]);
        assert_eq!(qname.as_wire(), name.to_ascii_lowercase());
        assert_eq!(
            query.is_lower_case,
            !name.iter().any(u8::is_ascii_uppercase)
        );
        assert_eq!(query.edns, *edns);
    }
}

/// A record after the question.
struct Record<'a> {
    /// Its owner is the root, not compressed.
    at_root: bool,
    /// Its type.
    kind: u16,
    /// Its class.
    class: u16,
    /// Its TTL.
    ttl: [u8; 4],
    /// Its rdata.
    rdata: &'a [u8],
}

/// The OPT record of a query with this question, or why it is none.
fn query<'a>(request: &'a [u8], question: &[u8]) -> Result<Option<Edns<'a>>, Reject> {
    let authority = count(request, 8);
    if count(request, 6) > 0 || authority > 0 && count(question, question.len() - 4) != IXFR {
        return Err(Reject::FormErr);
    }
    let mut rest = &request[12 + question.len()..];
    let mut records = Vec::new();
    for _ in 0..u32::from(authority) + u32::from(count(request, 10)) {
        let (record, tail) = record(rest).ok_or(Reject::FormErr)?;
        rest = tail;
        records.push(record);
    }
    if !rest.is_empty() {
        return Err(Reject::FormErr);
    }
    let additional = records.split_off(usize::from(authority));
    let (signatures, others): (Vec<_>, Vec<_>) =
        additional.iter().partition(|record| record.kind == TSIG);
    let opts: Vec<_> = others.iter().filter(|record| record.kind == OPT).collect();
    // One signature at most, behind all else (RFC 8945 section 5.2); one OPT record at most, of the
    // root (RFC 6891 section 6.1.1).
    let is_last = additional.last().is_some_and(|last| last.kind == TSIG);
    if records.iter().any(|record| record.kind == TSIG)
        || signatures.len() > 1
        || (signatures.len() == 1 && !is_last)
        || !signatures.iter().all(|record| is_signature(record))
        || opts.len() > 1
        || !opts.iter().all(|record| record.at_root)
    {
        return Err(Reject::FormErr);
    }
    if !signatures.is_empty() {
        return Err(Reject::BadKey);
    }
    match opts.first() {
        None => Ok(None),
        Some(opt) if opt.ttl[1] != 0 => Err(Reject::BadVers),
        Some(opt) => edns(opt).map(Some).ok_or(Reject::FormErr),
    }
}

/// Whether a TSIG record is well-formed (RFC 8945 section 4.2).
fn is_signature(record: &Record<'_>) -> bool {
    let length = |at: usize| {
        record
            .rdata
            .get(at..at + 2)
            .map(|_| usize::from(count(record.rdata, at)))
    };
    // The algorithm; time and fudge; the MAC; id and error; other data.
    let whole = || {
        let mac = name_end(record.rdata)? + 8;
        let other = mac + 2 + length(mac)? + 4;
        Some(other + 2 + length(other)?)
    };
    record.class == ANY && record.ttl == [0; 4] && whole() == Some(record.rdata.len())
}

/// What an OPT record of version 0 says, unless an option is malformed.
fn edns<'a>(opt: &Record<'a>) -> Option<Edns<'a>> {
    let mut options = Vec::new();
    let mut rest = opt.rdata;
    while !rest.is_empty() {
        let length = usize::from(count(rest.get(..4)?, 2));
        options.push((count(rest, 0), rest.get(4..4 + length)?));
        rest = &rest[4 + length..];
    }
    let all = |code: u16| {
        options
            .iter()
            .filter(move |option| option.0 == code)
            .map(|option| option.1)
    };
    // Requests for a server's name are empty (RFC 5001).
    if !all(3).all(<[u8]>::is_empty) {
        return None;
    }
    // The client's part of a cookie, and 8 to 32 octets of a server or none (RFC 7873 section 4).
    if !all(10).all(|cookie| cookie.len() == 8 || (16..=40).contains(&cookie.len())) {
        return None;
    }
    // A request for the version of a zone is empty, and there is one at most (RFC 9660).
    if !all(19).all(<[u8]>::is_empty) || all(19).count() > 1 {
        return None;
    }
    let subnets = all(8).map(client_subnet).collect::<Option<Vec<_>>>()?;
    Some(Edns {
        udp_size: opt.class.max(512),
        dnssec_ok: opt.ttl[2] & 0x80 != 0,
        compact_ok: opt.ttl[2] & 0x40 != 0,
        nsid_requested: all(3).next().is_some(),
        // One for an idle time is too (RFC 7828 section 3.2.1); another one is ignored.
        keepalive_requested: all(11).any(<[u8]>::is_empty),
        zone_version_requested: all(19).next().is_some(),
        cookie: all(10).next().map(SentCookie),
        client_subnet: subnets.first().copied(),
        zone_hint: all(65518).next(),
    })
}

/// A client subnet (RFC 7871 section 6), unless it is malformed. An IPv4 network that is mapped to IPv6
/// counts as the IPv4 network.
fn client_subnet(content: &[u8]) -> Option<ClientSubnet> {
    let (head, octets) = content.split_at_checked(4)?;
    let (family, source_prefix, scope) = (count(head, 0), head[2], head[3]);
    let width: u32 = match family {
        0 => 0,
        1 => 32,
        2 => 128,
        _ => return None,
    };
    let prefix = u32::from(source_prefix);
    if scope != 0 || prefix > width || octets.len() != prefix.div_ceil(8) as usize {
        return None;
    }
    // The address at the high end of 128 bits.
    let bits = octets
        .iter()
        .zip((0..16).rev())
        .map(|(octet, at)| u128::from(*octet) << (8 * at))
        .sum::<u128>();
    if bits.checked_shl(prefix).unwrap_or(0) != 0 {
        return None;
    }
    let mapped = 0xffff_u128 << 32;
    let subnet = |address, source_prefix| ClientSubnet {
        family,
        source_prefix,
        address,
    };
    let v4 = |bits: u128| IpAddr::V4(Ipv4Addr::from_bits(bits as u32));
    Some(match family {
        2 if prefix >= 96 && bits >> 32 == mapped >> 32 => subnet(v4(bits), source_prefix - 96),
        2 => subnet(IpAddr::V6(Ipv6Addr::from_bits(bits)), source_prefix),
        _ => subnet(v4(bits >> 96), source_prefix),
    })
}

/// The number of two octets at an offset.
fn count(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// The question at the start of some octets: a name without compression, a type and a class.
fn question(octets: &[u8]) -> Option<&[u8]> {
    octets.get(..name_end(octets)? + 4)
}

/// Where the name at the start of some octets ends, which has no pointers and 255 octets at most
/// (RFC 1035 section 2.3.4).
fn name_end(octets: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let length = usize::from(*octets.get(at)?);
        at += 1 + length;
        match length {
            0 => return (at <= 255).then_some(at),
            1..=63 => {}
            _ => return None,
        }
    }
}

/// The record at the start of some octets, and what follows. Pointers are not followed.
fn record(octets: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let mut at = 0;
    loop {
        match *octets.get(at)? {
            0 => break at += 1,
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => break at += 2,
            _ => return None,
        }
    }
    let fixed = octets.get(at..at + 10)?;
    let end = at + 10 + usize::from(count(fixed, 8));
    let record = Record {
        at_root: octets[0] == 0,
        kind: count(fixed, 0),
        class: count(fixed, 2),
        ttl: [fixed[4], fixed[5], fixed[6], fixed[7]],
        rdata: octets.get(at + 10..end)?,
    };
    Some((record, &octets[end..]))
}
