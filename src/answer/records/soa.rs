//! The SOA record of an apex (RFC 1035 section 3.3.13).

use super::names::WrittenNames;
use crate::answer::reply::Reply;
use crate::snapshot::Apex;
use crate::wire::{Owner, Soa};

/// Writes it at `owner`.
pub(in crate::answer) fn write(reply: &mut Reply<'_, '_>, owner: Owner, apex: &Apex, ttl: u32) {
    let primary = apex
        .nameservers
        .first()
        .map_or(&apex.name, |server| &server.name);
    let mut written = WrittenNames::new(reply.lower_case(owner));
    let mname = written.shortened(primary, apex.server_endings.first());
    written.push(reply.response.next_rdata(), apex.server_endings.first());
    let rname = written.shortened(&apex.hostmaster, apex.hostmaster_ending.as_ref());
    let soa = Soa {
        mname,
        rname,
        serial: reply.snapshot.serial().0,
        refresh: 3600,
        retry: 600,
        expire: 86_400,
        minimum: apex.negative_ttl,
    };
    reply.response.soa(owner, ttl, &soa);
}
