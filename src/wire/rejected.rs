//! Replies to requests that are not queries.

use super::codes::{rcode, rrtype};
use super::header::{HEADER, MIN_UDP_SIZE, flag};
use super::opt::{Extent, OptReply};
use super::qname::Qname;
use super::record::Record;
use super::reject::Reject;
use super::tsig;

/// Writes the reply to a request that [`super::Query::parse`] rejected; its length in `out`.
///
/// `None`: nothing is to be sent. `out` holds at least 512 octets. The question is echoed if it
/// can be read, and an OPT record is added if the request has one that can be found
/// (docs/names.md, D.10). A signed request gets a TSIG record with the error, unless its names are
/// so long that it does not fit into 512 octets.
#[cold]
pub fn reject(request: &[u8], reject: Reject, out: &mut [u8]) -> Option<usize> {
    let code = match reject {
        Reject::Silent => return None,
        Reject::FormErr | Reject::NoQuestion => rcode::FORMERR,
        Reject::NotImp => rcode::NOTIMP,
        Reject::Refused => rcode::REFUSED,
        Reject::BadVers => rcode::BADVERS,
        Reject::BadKey => rcode::NOTAUTH,
    };
    // What any client takes over UDP.
    let most = out.len().min(MIN_UDP_SIZE.into());
    let out = out.get_mut(..most)?;
    let (&header, body) = request.split_first_chunk::<HEADER>()?;
    let [id0, id1, flags0, flags1, counts @ ..] = header;
    let question = read_question(counts, body);
    let opt = question.and_then(|question| find_opt(counts, body.get(question.len()..)?));

    let place = out.get_mut(HEADER..)?;
    let mut length = 0;
    if let Some(question) = question {
        place.get_mut(..question.len())?.copy_from_slice(question);
        length = question.len();
    }
    if let Some(mut opt) = opt {
        opt.extended_rcode = code >> 4;
        length += opt.write(place.get_mut(length..)?, Extent::Whole)?;
    }
    let mut signature = None;
    if reject == Reject::BadKey
        && let Some(question) = question
    {
        let at = (question.len(), records(counts));
        signature = tsig::write_bad_key(request, at, place.get_mut(length..)?);
        length += signature.unwrap_or_default();
    }
    *out.first_chunk_mut::<HEADER>()? = [
        id0,
        id1,
        flag::RESPONSE | flags0 & (flag::OPCODE | flag::RECURSION_DESIRED),
        flags1 & flag::CHECKING_DISABLED | code & 0x0f,
        0,
        u8::from(question.is_some()),
        0,
        0,
        0,
        0,
        0,
        u8::from(opt.is_some()) + u8::from(signature.is_some()),
    ];
    Some(HEADER + length)
}

/// The question, if there is exactly one and it is well-formed.
fn read_question(counts: [u8; 8], body: &[u8]) -> Option<&[u8]> {
    let [0, 1, ..] = counts else {
        return None;
    };
    let name_length = Qname::new().read(body)?;
    body.get(..name_length + 4)
}

/// How many records follow the question, by the header.
fn records(counts: [u8; 8]) -> u32 {
    let [_, _, numbers @ ..] = counts;
    let (numbers, _) = numbers.as_chunks::<2>();
    let numbers = numbers.iter().map(|number| u16::from_be_bytes(*number));
    numbers.map(u32::from).sum()
}

/// A plain reply to the OPT record, if there is exactly one among well-formed records.
fn find_opt(counts: [u8; 8], mut rest: &[u8]) -> Option<OptReply<'static>> {
    let [
        _,
        _,
        answer0,
        answer1,
        authority0,
        authority1,
        additional0,
        additional1,
    ] = counts;
    let others = u32::from(u16::from_be_bytes([answer0, answer1]))
        + u32::from(u16::from_be_bytes([authority0, authority1]));
    for _ in 0..others {
        (_, rest) = Record::split(rest)?;
    }
    let mut opt = None;
    for _ in 0..u16::from_be_bytes([additional0, additional1]) {
        let record;
        (record, rest) = Record::split(rest)?;
        if record.rrtype != rrtype::OPT {
            continue;
        }
        if !record.has_root_owner || opt.is_some() {
            return None;
        }
        let [_, _, flags, _] = record.ttl;
        opt = Some(OptReply::with_dnssec_ok(flags & 0x80 != 0));
    }
    opt
}
