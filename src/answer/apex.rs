//! The apex and the infrastructure names below it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::family::Address;
use super::many::turn;
use super::places::Places;
use super::respond::{Negative, Reply};
use crate::snapshot::{Apex, FixedName, Tree};
use crate::wire::{Owner, Qname, Target, rrtype};

/// What `dns-version.<apex>` says (names: D.10).
const VERSION: &[u8] = b"1.1.0";

/// What it says in a clusterset: the version of the Multi-Cluster Services DNS specification.
const CLUSTERSET_VERSION: &[u8] = b"1.0.0";

/// Answers for the apex itself.
pub(super) fn answer_apex(reply: &mut Reply<'_, '_>, apex: &Apex) {
    match reply.query.qtype {
        rrtype::SOA => reply.soa(Owner::QUESTION, apex, apex.ttl),
        rrtype::NS => name_servers(reply, apex),
        _ => match apex.fixed(&[]) {
            Some(name) => answer_fixed(reply, apex, name),
            None if reply.query.qtype == rrtype::ANY => {
                reply.soa(Owner::QUESTION, apex, apex.ttl);
            }
            None => reply.negative(apex, Negative::NoData, None),
        },
    }
}

/// The NS RRset, and the addresses of the name servers inside the apex.
fn name_servers(reply: &mut Reply<'_, '_>, apex: &Apex) {
    let mut places = Places::new(reply.lower_case(Owner::QUESTION));
    for (server, ending) in apex.nameservers.iter().zip(&apex.server_endings) {
        let name = places.shortened(&server.name, Some(ending));
        let owner = reply.response.ns(Owner::QUESTION, apex.ttl, &name);
        places.push(owner, Some(ending));
    }
    reply.response.begin_additional();
    for (server, place) in apex.nameservers.iter().zip(1..) {
        let qname = Qname::from_name(&server.name);
        let Some((_, holder)) = reply.snapshot.apexes().find(&qname) else {
            continue;
        };
        let left = qname.between(0, qname.label_count() - holder.labels);
        let Some(FixedName::NameServer { ipv4, ipv6 }) = holder.fixed(left) else {
            continue;
        };
        if !(ipv4.is_empty() && ipv6.is_empty()) {
            let name = || Target::name(server.name.as_wire());
            let owner = places.get(place);
            let owner = owner.unwrap_or_else(|| reply.response.owner_name(&name()));
            addresses(reply, owner, holder.ttl, ipv4, ipv6);
        }
    }
}

/// Answers for an infrastructure name.
pub(super) fn answer_fixed(reply: &mut Reply<'_, '_>, apex: &Apex, name: &FixedName) {
    let owner = Owner::QUESTION;
    match (name, reply.query.qtype) {
        (FixedName::NameServer { ipv4, .. }, rrtype::A | rrtype::ANY) if !ipv4.is_empty() => {
            addresses(reply, owner, apex.ttl, ipv4, &[]);
        }
        (FixedName::NameServer { ipv6, .. }, rrtype::AAAA | rrtype::ANY) if !ipv6.is_empty() => {
            addresses(reply, owner, apex.ttl, &[], ipv6);
        }
        (FixedName::Version, rrtype::TXT | rrtype::ANY) => {
            let version = match apex.tree {
                Tree::Clusterset => CLUSTERSET_VERSION,
                Tree::Federations | Tree::Local => VERSION,
            };
            reply.response.txt(owner, apex.ttl, version);
        }
        _ => reply.negative(apex, Negative::NoData, None),
    }
}

fn addresses(
    reply: &mut Reply<'_, '_>,
    owner: Owner,
    ttl: u32,
    ipv4: &[Ipv4Addr],
    ipv6: &[Ipv6Addr],
) {
    family(reply, owner, ttl, ipv4);
    family(reply, owner, ttl, ipv6);
}

/// Those of one family, in an order that turns with the query.
fn family<A: Address>(reply: &mut Reply<'_, '_>, owner: Owner, ttl: u32, all: &[A]) {
    let mark = reply.response.mark();
    let turned = turn(reply.query.id, &[]);
    let begin = turned.checked_rem(all.len()).unwrap_or_default();
    let (last, first) = all.split_at_checked(begin).unwrap_or_default();
    for address in first.iter().chain(last) {
        address.write(&mut reply.response, owner, ttl);
    }
    if !all.is_empty() {
        reply.response.may_be_partial(mark, A::LENGTH);
    }
}
