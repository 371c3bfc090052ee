//! Requests that ask for nothing but a cookie (RFC 7873 section 5.4).

use super::codes::rcode;
use super::cookies::{ClientCookie, CookieResult, SentCookie};
use super::header::{HEADER, flag};
use super::opt::{Extent, OptReply};
use super::query::read_edns;

/// The cookie of a request without a question; `None` for one that has none, or more than that.
#[cold]
pub fn cookie_without_question(request: &[u8]) -> Option<SentCookie<'_>> {
    let (header, records) = request.split_first_chunk::<HEADER>()?;
    let [.., 0, 0, 0, 0, 0, 0, additional0, additional1] = *header else {
        return None;
    };
    let additional = u16::from_be_bytes([additional0, additional1]);
    read_edns(records, 0, additional).ok()??.cookie
}

/// Writes the reply to such a request: its cookie, and BADCOOKIE if that was not good. Its length in `out`.
#[cold]
pub fn answer_cookie(request: &[u8], cookie: &ClientCookie, out: &mut [u8]) -> Option<usize> {
    let code = match cookie.result {
        CookieResult::New | CookieResult::Good => rcode::NOERROR,
        CookieResult::Expired | CookieResult::Bad => rcode::BADCOOKIE,
    };
    let [id0, id1, flags0, flags1, ..] = *request.first_chunk::<HEADER>()?;
    let opt = OptReply {
        extended_rcode: code >> 4,
        cookie: Some(cookie.octets),
        ..OptReply::with_dnssec_ok(false)
    };
    let (header, place) = out.split_first_chunk_mut::<HEADER>()?;
    *header = [
        id0,
        id1,
        flag::RESPONSE | flags0 & flag::RECURSION_DESIRED,
        flags1 & flag::CHECKING_DISABLED | code & 0x0f,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
    ];
    Some(HEADER + opt.write(place, Extent::Whole)?)
}
