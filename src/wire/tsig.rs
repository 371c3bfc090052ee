//! Requests that are signed with a key (RFC 8945). No key is known here, so there is one reply to them:
//! the error BADKEY, in a record that is not signed (sections 5.2.1 and 5.3.2).

use super::codes::{class, rrtype};
use super::cursor::Cursor;
use super::header::HEADER;
use super::name::MAX_NAME;
use super::record::Record;

/// The error of a key that is not known (RFC 8945 section 3).
const BADKEY: u16 = 17;

/// Octets of the rdata between the algorithm and the MAC: time, fudge, and the length of the MAC.
const BEFORE_MAC: usize = 10;

/// Octets of the rdata behind the MAC without other data: original id, error, and a length.
const BEHIND_MAC: usize = 6;

/// What a TSIG record says, as far as an error repeats it (RFC 8945 section 4.2).
#[derive(Debug, Clone, Copy)]
struct Signature<'a> {
    /// The name of the algorithm, in wire form.
    algorithm: &'a [u8],
    /// When it was signed, and how far that may be off.
    time_and_fudge: [u8; 8],
    /// The id that the message had when it was signed.
    original_id: [u8; 2],
}

impl<'a> Signature<'a> {
    /// Reads the rdata of a record; `None` if it is malformed.
    fn read(rdata: &'a [u8]) -> Option<Self> {
        let end = name_end(rdata)?;
        let (algorithm, rest) = rdata.split_at_checked(end)?;
        let (&fixed, rest) = rest.split_first_chunk::<BEFORE_MAC>()?;
        let [time_and_fudge @ .., length0, length1] = fixed;
        let mac = usize::from(u16::from_be_bytes([length0, length1]));
        let (_, rest) = rest.split_at_checked(mac)?;
        let (&fixed, other) = rest.split_first_chunk::<BEHIND_MAC>()?;
        let [id0, id1, _, _, length0, length1] = fixed;
        let is_whole = other.len() == usize::from(u16::from_be_bytes([length0, length1]));
        is_whole.then_some(Self {
            algorithm,
            time_and_fudge,
            original_id: [id0, id1],
        })
    }
}

/// Whether a record is a well-formed TSIG record.
#[cold]
pub(super) fn is_well_formed(record: &Record<'_>) -> bool {
    record.class == class::ANY && record.ttl == [0; 4] && Signature::read(record.rdata).is_some()
}

/// Writes the TSIG record that tells that the key of a request is not known, at the start of `out`.
/// `question` is the length of the question, `records` how many records follow it, of which the last
/// is the TSIG record. Returns its length, `None` if it does not fit.
#[cold]
pub(super) fn write_bad_key(
    request: &[u8],
    (question, records): (usize, u32),
    out: &mut [u8],
) -> Option<usize> {
    let mut at = HEADER + question;
    let mut rest = request.get(at..)?;
    for _ in 1..records {
        (_, rest) = Record::split(rest)?;
    }
    at = request.len() - rest.len();
    let (record, _) = Record::split(rest)?;
    let signature = Signature::read(record.rdata)?;
    let mut name = [0; MAX_NAME];
    let key = expand(request, at, &mut name)?;
    let length = signature.algorithm.len() + BEFORE_MAC + BEHIND_MAC;
    let free = out.len();
    let cursor = &mut Cursor(out);
    cursor.put(key)?;
    for number in [rrtype::TSIG, class::ANY, 0, 0, u16::try_from(length).ok()?] {
        cursor.put(&number.to_be_bytes())?;
    }
    cursor.put(signature.algorithm)?;
    cursor.put(&signature.time_and_fudge)?;
    cursor.put(&[0; 2])?;
    cursor.put(&signature.original_id)?;
    cursor.put(&BADKEY.to_be_bytes())?;
    cursor.put(&[0; 2])?;
    Some(free - cursor.0.len())
}

/// Where an uncompressed name at the start of `octets` ends; `None` if it is none.
fn name_end(octets: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let length = usize::from(*octets.get(at)?);
        at += 1 + length;
        match length {
            0 => return (at <= MAX_NAME).then_some(at),
            1..=63 => {}
            _ => return None,
        }
    }
}

/// The name at an offset of a message, its pointers followed, in `out`.
fn expand<'o>(message: &[u8], mut at: usize, out: &'o mut [u8; MAX_NAME]) -> Option<&'o [u8]> {
    let mut length = 0;
    // Whatever is pointed to is before all that was read.
    let mut before = at + 1;
    loop {
        match *message.get(at)? {
            0 => return out.get(..=length),
            high @ 0xc0..=0xff => {
                let low = *message.get(at + 1)?;
                at = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                if at >= before {
                    return None;
                }
                before = at;
            }
            count @ 1..=63 => {
                let end = at + 1 + usize::from(count);
                let label = message.get(at..end)?;
                out.get_mut(length..length + label.len())?
                    .copy_from_slice(label);
                length += label.len();
                at = end;
            }
            _ => return None,
        }
    }
}
