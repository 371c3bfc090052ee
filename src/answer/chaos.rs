//! Class CH: which server this is, for people who look for it.

use super::reply::Reply;
use crate::wire::rrtype;

/// The names under which a server says which one of many it is (RFC 4892), in wire form.
const IDENTITIES: [&[u8]; 2] = [b"\x02id\x06server\0", b"\x08hostname\x04bind\0"];

/// The names under which it says what it runs.
const VERSIONS: [&[u8]; 2] = [b"\x07version\x06server\0", b"\x07version\x04bind\0"];

/// What it runs.
const VERSION: &str = concat!("gazetteer ", env!("CARGO_PKG_VERSION"));

/// Answers for a name of class CH; returns whether there is something to say to this client.
#[cold]
pub(super) fn answer(reply: &mut Reply<'_, '_>) -> bool {
    if !matches!(reply.query.qtype, rrtype::TXT | rrtype::ANY) {
        return false;
    }
    let name = reply.qname.as_wire();
    let text = if IDENTITIES.contains(&name) {
        reply.snapshot.settings().nsid.as_deref()
    } else if VERSIONS.contains(&name) {
        let networks = reply.snapshot.client_networks();
        let is_told = networks.are_diagnostic(reply.client.address);
        is_told.then_some(VERSION)
    } else {
        None
    };
    let Some(text) = text else {
        return false;
    };
    reply.response.chaos_txt(text.as_bytes());
    true
}
