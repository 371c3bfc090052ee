//! Which signatures and denials an answer has, one line each.

use hickory_proto::op::Message;
use hickory_proto::rr::{Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

use crate::answer::signature_notes::{SignatureNotes, SignatureOrigin};
use crate::model::UnixSeconds;
use crate::wire::{rrtype, suffixes};

/// The lines of a response, in its order.
pub(super) fn lines(response: &[u8], notes: &SignatureNotes<'_>, now: UnixSeconds) -> Vec<String> {
    let Ok(message) = Message::from_vec(response) else {
        return Vec::new();
    };
    let sections = [&message.answers, &message.authorities, &message.additionals];
    let lines = sections.into_iter().flatten().filter_map(|record| {
        let rdata = record.data.to_bytes().ok()?;
        match u16::from(record.record_type()) {
            rrtype::RRSIG => signature(record, &rdata, notes, now),
            rrtype::NSEC => denial(record, &rdata),
            _ => None,
        }
    });
    lines.collect()
}

/// What an RRSIG record says, and where it came from.
fn signature(
    record: &Record,
    rdata: &[u8],
    notes: &SignatureNotes<'_>,
    now: UnixSeconds,
) -> Option<String> {
    let (fixed, _) = rdata.split_first_chunk::<18>()?;
    let [type0, type1, algorithm, _, ttl @ ..] = *fixed;
    let [
        ttl0,
        ttl1,
        ttl2,
        ttl3,
        end0,
        end1,
        end2,
        end3,
        _,
        _,
        _,
        _,
        tag0,
        tag1,
    ] = ttl;
    let covered = u16::from_be_bytes([type0, type1]);
    let tag = u16::from_be_bytes([tag0, tag1]);
    let original_ttl = u32::from_be_bytes([ttl0, ttl1, ttl2, ttl3]);
    let expiration = u32::from_be_bytes([end0, end1, end2, end3]);
    let now32 = u32::try_from(now.0 & u64::from(u32::MAX)).unwrap_or_default();
    let left = expiration.wrapping_sub(now32);
    let until = UnixSeconds(now.0 + u64::from(left));
    let (days, hours) = (left / 86_400, left % 86_400 / 3_600);
    let name = &record.name;
    let owner = name.to_lowercase().to_bytes().ok()?;
    let origin = match notes.origin((&owner, covered), tag)? {
        SignatureOrigin::Found => "found".to_owned(),
        SignatureOrigin::OfLastSlot => "of the last slot".to_owned(),
        SignatureOrigin::Made(took) => format!("made in {}us", took.as_micros()),
    };
    let rrtype = mnemonic(covered);
    Some(format!(
        "signed  {rrtype} {name} by {algorithm}/{tag} until {until} ({days}d{hours}h), original TTL {original_ttl}, {origin}"
    ))
}

/// What an NSEC record says.
fn denial(record: &Record, rdata: &[u8]) -> Option<String> {
    let types = nsec_types(rdata)?;
    let has = |rrtype: u16| types.contains(&rrtype);
    let why = if has(rrtype::NXNAME) {
        "absent"
    } else if has(rrtype::NS) && !has(rrtype::SOA) {
        "a zone that is not signed"
    } else if has(rrtype::CNAME) {
        "an alias"
    } else if types.len() == 2 {
        "an empty non-terminal"
    } else {
        "no such type"
    };
    let shown: Vec<_> = types.iter().map(|rrtype| mnemonic(*rrtype)).collect();
    let (name, shown) = (&record.name, shown.join(" "));
    Some(format!("denies  NSEC {name} [{shown}], {why}"))
}

/// The types that the rdata of an NSEC record has (RFC 4034 section 4.1).
pub(super) fn nsec_types(rdata: &[u8]) -> Option<Vec<u16>> {
    // Behind the root of the next name.
    let mut rest = suffixes(rdata).last()?.strip_prefix(&[0])?;
    let mut types = Vec::new();
    while let Some(([window, length], tail)) = rest.split_first_chunk::<2>() {
        let (bits, tail) = tail.split_at_checked(usize::from(*length))?;
        rest = tail;
        for (octet, place) in bits.iter().zip(0_u16..) {
            let set = (0..8_u16).filter(|bit| octet & (0x80 >> bit) != 0);
            types.extend(set.map(|bit| u16::from(*window) << 8 | place << 3 | bit));
        }
    }
    Some(types)
}

/// The name of a type.
pub(super) fn mnemonic(number: u16) -> String {
    match number {
        rrtype::NXNAME => "NXNAME".to_owned(),
        _ => RecordType::from(number).to_string(),
    }
}
