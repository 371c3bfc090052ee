//! The SOA record of an apex (RFC 1035 section 3.3.13).

use super::names::WrittenNames;
use crate::answer::reply::Reply;
use crate::snapshot::Apex;
use crate::wire::{Owner, Soa, rrtype};

/// Writes it at `owner`.
pub(in crate::answer) fn write(reply: &mut Reply<'_, '_>, owner: Owner, apex: &Apex, ttl: u32) {
    let serial = apex.serial(reply.snapshot.serial().0);
    if let Some(soa) = apex
        .statics
        .as_ref()
        .and_then(|statics| statics.soa.as_ref())
    {
        let serial = serial.to_be_bytes();
        let parts = [&*soa.names, &serial, &soa.times];
        reply.response.rdata(owner, rrtype::SOA, ttl, &parts);
        return;
    }
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
        serial,
        refresh: 3600,
        retry: 600,
        expire: 86_400,
        minimum: apex.negative_ttl,
    };
    reply.response.soa(owner, ttl, &soa);
}
