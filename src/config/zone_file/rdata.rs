//! The rdata of one record, read by the crate `domain`.
//!
//! Its reader of whole files knows no units of time and tells no column, so it is given one record at a
//! time, put together again from the record's tokens.

use std::fmt::Write;

use domain::base::iana::Rtype;
use domain::base::name::{ParsedName, ToName};
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecordData, Zonefile};

use super::lexer::Token;
use super::owner::WireName;
use super::ttl::time;
use crate::wire::rrtype;

/// Where the times of an SOA record are among its rdata (RFC 1035 section 3.3.13).
const SOA_TIMES: std::ops::RangeInclusive<usize> = 3..=6;

/// The token before rdata of any type (RFC 3597 section 5).
const GENERIC: &str = "\\#";

/// Reads the rdata of a record of the type `rrtype`: uncompressed, names in lower case, as DNSSEC's canonical
/// form has it (RFC 4034 section 6.2).
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(
    rrtype: u16,
    tokens: &[Token<'_>],
    origin: &WireName,
) -> Result<Box<[u8]>, String> {
    let rtype = Rtype::from_int(rrtype);
    if tokens.is_empty() {
        return Err(format!("{rtype}: no data"));
    }
    let mut file = Zonefile::from(line(rrtype, tokens).as_str());
    file.set_origin(origin.to_name());
    let data = match file.next_entry() {
        Ok(Some(Entry::Record(record))) => record.into_data(),
        Ok(_) => return Err(format!("{rtype}: not a record")),
        // It tells a line and a column of what it was given: leave them out.
        Err(error) => {
            let error = error.to_string();
            let reason = error.splitn(3, ':').last().unwrap_or_default().trim();
            let hint = match reason {
                "unknown record type with concrete data" => {
                    "; write it in the generic form of RFC 3597: \\# LENGTH OCTETS"
                }
                _ => "",
            };
            return Err(format!("{rtype}: {reason}{hint}"));
        }
    };
    let octets = match &data {
        ScannedRecordData::Unknown(unknown) => generic(rtype, unknown.data().as_ref())?,
        data => composed(data),
    };
    Ok(octets.into())
}

/// One record in a line of its own.
fn line(rrtype: u16, tokens: &[Token<'_>]) -> String {
    let mut line = format!(". 0 IN TYPE{rrtype}");
    let is_generic = tokens.first().is_some_and(|token| token.text == GENERIC);
    for (place, token) in tokens.iter().enumerate() {
        if !token.is_joined || place == 0 {
            line.push(' ');
        }
        if token.is_quoted {
            line.push('"');
        }
        let seconds = time(token.text).filter(|_| {
            rrtype == rrtype::SOA && SOA_TIMES.contains(&place) && !is_generic && !token.is_quoted
        });
        match seconds {
            Some(seconds) => line.push_str(&seconds.to_string()),
            None => push_printable(&mut line, token.text),
        }
        if token.is_quoted {
            line.push('"');
        }
    }
    line.push('\n');
    line
}

/// Text with escapes for what `domain` takes in no other form: octets that are not printable.
fn push_printable(line: &mut String, text: &str) {
    for octet in text.bytes() {
        if (0x20..0x7f).contains(&octet) {
            line.push(char::from(octet));
        } else {
            // To a string it does not fail.
            let _ = write!(line, "\\{octet:03}");
        }
    }
}

/// Rdata that was written in the generic form: of a known type, it must be right.
fn generic(rtype: Rtype, octets: &[u8]) -> Result<Vec<u8>, String> {
    let mut parser = domain::dep::octseq::Parser::from_ref(octets);
    let wrong = |_| format!("{rtype}: the octets are no data of this type");
    let data = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(rtype, &mut parser)
        .map_err(wrong)?;
    match data {
        None | Some(ZoneRecordData::Unknown(_)) => Ok(octets.to_vec()),
        Some(_) if parser.remaining() > 0 => Err(format!("{rtype}: octets after the data")),
        Some(data) => Ok(composed(&data)),
    }
}

/// Rdata in canonical form.
fn composed(data: &impl ComposeRecordData) -> Vec<u8> {
    let mut octets = Vec::new();
    // Vectors grow: it does not fail.
    let _ = data.compose_canonical_rdata(&mut octets);
    octets
}
