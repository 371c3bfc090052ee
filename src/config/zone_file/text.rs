//! Static records as a master file.

use std::fmt::Write;

use domain::base::iana::Rtype;
use domain::base::name::ParsedName;
use domain::base::rdata::ParseRecordData;
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;

use super::check::shown;
use crate::model::StaticZone;

/// The records of a zone, one in a line, each with its whole owner and its TTL.
pub fn zone_text(zone: &StaticZone) -> String {
    let mut text = String::new();
    for set in &zone.sets {
        let (owner, rtype) = (shown(&set.owner, &zone.apex), Rtype::from_int(set.rrtype));
        for rdata in &set.rdata {
            let data = data(rtype, rdata);
            // To a string it does not fail.
            let _ = writeln!(text, "{owner}. {} IN {rtype} {data}", set.ttl);
        }
    }
    text
}

/// Rdata as text; in the generic form (RFC 3597 section 5) where the type is not known.
fn data(rtype: Rtype, rdata: &[u8]) -> String {
    let parsed = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(
        rtype,
        &mut Parser::from_ref(rdata),
    );
    match parsed {
        Ok(Some(data)) if !matches!(data, ZoneRecordData::Unknown(_)) => {
            data.display_zonefile(DisplayKind::Simple).to_string()
        }
        _ => {
            let mut text = format!("\\# {} ", rdata.len());
            for octet in rdata {
                let _ = write!(text, "{octet:02x}");
            }
            text
        }
    }
}
