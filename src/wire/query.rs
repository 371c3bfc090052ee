//! The view of one request.

use super::codes::{opcode, rrtype};
use super::edns::Edns;
use super::header::{HEADER, flag};
use super::name_parts::Owner;
use super::qname::Qname;
use super::record::Record;
use super::reject::Reject;
use super::tsig;

/// A well-formed request of operation QUERY with one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// Message id.
    pub id: u16,
    /// RD, to be copied.
    pub recursion_desired: bool,
    /// CD, to be copied.
    pub checking_disabled: bool,
    /// Whether the name in the question has no upper-case octet, so that pointers into it give
    /// lower-case names.
    pub is_lower_case: bool,
    /// Name, type and class as received; they start at octet 12 of the message.
    pub question: &'a [u8],
    /// The type asked for.
    pub qtype: u16,
    /// The class asked for.
    pub qclass: u16,
    /// What the OPT record says, if there is one.
    pub edns: Option<Edns<'a>>,
}

impl<'a> Query<'a> {
    /// Reads a request in one pass (docs/names.md, D.10) and its name into `qname`.
    #[inline]
    pub fn parse(request: &'a [u8], qname: &mut Qname) -> Result<Self, Reject> {
        let Some((&header, body)) = request.split_first_chunk::<HEADER>() else {
            return Err(Reject::Silent);
        };
        let [id0, id1, flags0, flags1, counts @ ..] = header;
        if flags0 & flag::RESPONSE != 0 {
            return Err(Reject::Silent);
        }
        match (flags0 & flag::OPCODE) >> 3 {
            opcode::QUERY => {}
            opcode::NOTIFY => return Err(Reject::Refused),
            _ => return Err(Reject::NotImp),
        }
        if let [0, 0, 0, 0, 0, 0, additional @ ..] = counts
            && additional != [0, 0]
        {
            return Err(Reject::NoQuestion);
        }
        let [0, 1, 0, 0, authority0, authority1, additional0, additional1] = counts else {
            return Err(Reject::FormErr);
        };
        let name_length = qname.read(body).ok_or(Reject::FormErr)?;
        let (question, records) = body
            .split_at_checked(name_length + 4)
            .ok_or(Reject::FormErr)?;
        let [.., type0, type1, class0, class1] = question else {
            return Err(Reject::FormErr);
        };
        let qtype = u16::from_be_bytes([*type0, *type1]);
        let authority = u16::from_be_bytes([authority0, authority1]);
        // Only a request for an incremental transfer names the serial it has (RFC 1995 section 3).
        if authority != 0 && qtype != rrtype::IXFR {
            return Err(Reject::FormErr);
        }
        let additional = u16::from_be_bytes([additional0, additional1]);
        Ok(Self {
            id: u16::from_be_bytes([id0, id1]),
            recursion_desired: flags0 & flag::RECURSION_DESIRED != 0,
            checking_disabled: flags1 & flag::CHECKING_DISABLED != 0,
            is_lower_case: qname.is_lower_case(),
            question,
            qtype,
            qclass: u16::from_be_bytes([*class0, *class1]),
            edns: read_edns(records, authority, additional)?,
        })
    }

    /// A pointer to the part of the question's name that starts at label `index`, if it is in
    /// lower case. `qname` is the one that [`Self::parse`] filled.
    #[inline]
    pub fn suffix_owner(&self, qname: &Qname, index: usize) -> Option<Owner> {
        if !self.is_lower_case || index >= qname.label_count() {
            return None;
        }
        qname
            .offset(index)
            .map(|octets| Owner::QUESTION.skip(octets))
    }
}

/// Finds the one OPT record; everything after the question has to be well-formed records. A TSIG record
/// is the last of all, or the request is malformed (RFC 8945 section 5.2).
#[inline]
pub(super) fn read_edns(
    octets: &[u8],
    authority: u16,
    additional: u16,
) -> Result<Option<Edns<'_>>, Reject> {
    let mut rest = octets;
    for _ in 0..authority {
        let (record, tail) = Record::split(rest).ok_or(Reject::FormErr)?;
        rest = tail;
        if record.rrtype == rrtype::TSIG {
            return Err(Reject::FormErr);
        }
    }
    let mut opt = None;
    let mut is_signed = false;
    for _ in 0..additional {
        if is_signed {
            return Err(Reject::FormErr);
        }
        let (record, tail) = Record::split(rest).ok_or(Reject::FormErr)?;
        rest = tail;
        if record.rrtype != rrtype::OPT {
            is_signed = record.rrtype == rrtype::TSIG;
            if is_signed && !tsig::is_well_formed(&record) {
                return Err(Reject::FormErr);
            }
            continue;
        }
        if !record.has_root_owner || opt.is_some() {
            return Err(Reject::FormErr);
        }
        opt = Some(record);
    }
    if !rest.is_empty() {
        return Err(Reject::FormErr);
    }
    if is_signed {
        return Err(Reject::BadKey);
    }
    let Some(opt) = opt else {
        return Ok(None);
    };
    let [_, version, flags, _] = opt.ttl;
    if version != 0 {
        return Err(Reject::BadVers);
    }
    Edns::parse(opt.class, flags, opt.rdata).map(Some)
}
