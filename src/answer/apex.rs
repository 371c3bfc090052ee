//! The apex and the infrastructure names below it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::client_name;
use super::records::ending::Ending;
use super::records::family::Address;
use super::records::many::turn;
use super::records::names::WrittenNames;
use super::records::rrsig::begin_additional;
use super::records::{soa, statics};
use super::reply::Reply;
use crate::snapshot::{Apex, FixedName, StaticNode, Tree};
use crate::wire::{NameParts, Owner, Qname, rrtype};

/// What `dns-version.<apex>` says (docs/names.md, D.10).
const VERSION: &[u8] = b"1.1.0";

/// What it says in a clusterset: the version of the Multi-Cluster Services DNS specification.
const CLUSTERSET_VERSION: &[u8] = b"1.0.0";

/// Answers for the apex itself.
pub(super) fn answer_apex<'s>(reply: &mut Reply<'s, '_>, apex: &'s Apex) -> Ending<'s> {
    match reply.query.qtype {
        rrtype::DS => {
            // DS records belong to the parent side of a zone cut (RFC 4035 section 2.4).
            let apexes = reply.snapshot.apexes();
            let parent = apex.parent.and_then(|parent| apexes.get(parent));
            return Ending::NoData(parent.unwrap_or(apex), None);
        }
        rrtype::SOA => {
            let owner = reply.at;
            soa::write(reply, owner, apex, apex.ttl);
        }
        rrtype::NS if apex.tree != Tree::Static => name_servers(reply, apex),
        qtype if static_node(apex).is_some_and(|node| node.set(qtype).is_some()) => {
            return static_node(apex).map_or(Ending::NoData(apex, None), |node| {
                statics::write(reply, apex, node)
            });
        }
        qtype => match apex.fixed(&[]) {
            Some(name) => return answer_fixed(reply, apex, name),
            None if qtype == rrtype::ANY => soa::write(reply, reply.at, apex, apex.ttl),
            None => return Ending::NoData(apex, None),
        },
    }
    Ending::Complete
}

/// The static records of the apex itself.
fn static_node(apex: &Apex) -> Option<&StaticNode> {
    let statics = apex.statics.as_ref()?;
    statics.tree.node(&[])
}

/// The NS RRset, and the addresses of the name servers inside the apex.
fn name_servers(reply: &mut Reply<'_, '_>, apex: &Apex) {
    let mut written = WrittenNames::new(reply.lower_case(reply.at));
    for (server, ending) in apex.nameservers.iter().zip(&apex.server_endings) {
        let name = written.shortened(&server.name, Some(ending));
        let owner = reply.response.ns(reply.at, apex.ttl, &name);
        written.push(owner, Some(ending));
    }
    begin_additional(reply);
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
            let name = || NameParts::name(server.name.as_wire());
            let owner = written.get(place);
            let owner = owner.unwrap_or_else(|| reply.response.owner_name(&name()));
            addresses(reply, owner, holder.ttl, ipv4, ipv6);
        }
    }
}

/// Answers for an infrastructure name.
pub(super) fn answer_fixed<'s>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    name: &FixedName,
) -> Ending<'s> {
    let owner = reply.at;
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
                Tree::Federations | Tree::Local | Tree::Static => VERSION,
            };
            reply.response.txt(owner, apex.ttl, version);
        }
        (FixedName::Client, rrtype::TXT | rrtype::ANY) => {
            // Each client has another one.
            reply.signing.is_endless = true;
            client_name::write(reply, owner);
        }
        _ => return Ending::NoData(apex, None),
    }
    Ending::Complete
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
