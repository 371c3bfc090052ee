//! NSEC records: that a name or a type does not exist, by one record made for the name asked (compact
//! denial, RFC 9824). Nothing lies between the name and the next one, so that no cache can deny anything
//! else by it (RFC 8198).

use std::net::IpAddr;

use crate::answer::reply::Reply;
use crate::answer::subject::Subject;
use crate::dnssec::{NextName, TypeSet};
use crate::model::MemberSet;
use crate::snapshot::{Apex, FixedName, ServiceEntry, StaticNode};
use crate::wire::{Owner, rrtype};

/// What a name that is denied is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::answer) enum Denied {
    /// It does not exist.
    Name,
    /// It exists without the type.
    Type,
    /// It exists and is an alias at present.
    Alias,
}

/// Writes the NSEC record of `owner`, a name in `apex`.
#[cold]
pub(in crate::answer) fn write(
    reply: &mut Reply<'_, '_>,
    (apex, owner): (&Apex, Owner),
    types: &TypeSet,
) {
    let expanded;
    let name = if owner == reply.at {
        reply.qname
    } else {
        match reply.response.expand(owner) {
            Some(name) => {
                expanded = name;
                &expanded
            }
            None => return,
        }
    };
    let apex_name = apex.name.as_wire();
    let next = if reply.signing.is_at_cut {
        NextName::beyond(name.as_wire(), apex_name)
    } else {
        NextName::after(name.as_wire(), apex_name)
    };
    let mut types = types.clone();
    types.insert(rrtype::RRSIG);
    types.insert(rrtype::NSEC);
    let bits = types.bit_maps();
    let parts = [next.as_wire(), &bits];
    let response = &mut reply.response;
    response.rdata(owner, rrtype::NSEC, apex.negative_ttl, &parts);
}

/// Writes the NSEC record of a cut without DS records, in a signed apex: the zone below is not signed (RFC 4035
/// section 3.1.4.1).
pub(in crate::answer) fn write_cut(reply: &mut Reply<'_, '_>, (apex, owner): (&Apex, Owner)) {
    if reply.signing.is_wanted && reply.snapshot.keys_of(apex).is_some() {
        reply.signing.is_at_cut = true;
        write(reply, (apex, owner), &TypeSet::of(&[rrtype::NS]));
    }
}

/// The types of the name without records, or of the name asked, as its NSEC record says them: those that
/// it has for anybody, less the type asked. More than there are do no harm; fewer would let a resolver
/// deny what another client has.
pub(in crate::answer) fn types(
    reply: &Reply<'_, '_>,
    subject: &Subject<'_>,
    denied: Denied,
) -> TypeSet {
    let mut types = match denied {
        Denied::Name => return TypeSet::of(&[rrtype::NXNAME]),
        Denied::Alias => return TypeSet::of(&[rrtype::CNAME]),
        Denied::Type if reply.signing.is_at_cut => TypeSet::of(&[rrtype::NS]),
        Denied::Type => of_subject(reply, subject),
    };
    types.remove(reply.query.qtype);
    types
}

fn of_subject(reply: &Reply<'_, '_>, subject: &Subject<'_>) -> TypeSet {
    let srv = TypeSet::of(&[rrtype::SRV]);
    match *subject {
        Subject::Apex => of_apex(reply),
        Subject::Fixed(name) => of_fixed(name),
        Subject::EmptyNonTerminal | Subject::NotReady => TypeSet::default(),
        Subject::Level { port: Some(_), .. }
        | Subject::Local { port: Some(_), .. }
        | Subject::Clusterset { port: Some(_), .. }
        | Subject::Pinned { port: Some(_), .. } => srv,
        Subject::Level { entry, .. }
        | Subject::Prefixed { entry }
        | Subject::Local { entry, .. } => {
            let scope = reply.signing.end_scope.map(|scope| scope.members);
            of_members(entry, scope.unwrap_or(MemberSet::ALL))
        }
        Subject::Clusterset { entry, .. } => {
            let mut types = of_members(entry, MemberSet::ALL);
            types.insert(rrtype::SRV);
            types
        }
        Subject::Pinned { entry, shard, .. } | Subject::Pods { entry, shard, .. } => {
            of_members(entry, MemberSet::from_iter([shard.member]))
        }
        Subject::Static { node, .. }
        | Subject::Renamed { node, .. }
        | Subject::Delegated { node, .. } => of_static(node),
        Subject::Aliased { alias, entry, node } => {
            let mut types = of_static(node);
            if reply.qname.label_count() == reply.apex.map_or(0, |apex| apex.labels) {
                types = of_apex(reply);
            }
            let of_service = entry.map(|entry| of_members(entry, MemberSet::ALL));
            for rrtype in [rrtype::A, rrtype::AAAA] {
                if alias.takes(rrtype) && of_service.as_ref().is_some_and(|types| types.has(rrtype))
                {
                    types.insert(rrtype);
                }
            }
            types
        }
        Subject::Absent { .. } => TypeSet::of(&[rrtype::NXNAME]),
    }
}

fn of_apex(reply: &Reply<'_, '_>) -> TypeSet {
    let apex = reply.apex;
    let fixed = apex.and_then(|apex| apex.fixed(&[]));
    let mut types = fixed.map_or(TypeSet::default(), of_fixed);
    let statics = apex.and_then(|apex| apex.statics.as_ref()?.tree.node(&[]));
    for set in statics.map(StaticNode::sets).unwrap_or_default() {
        types.insert(set.rrtype);
    }
    types.insert(rrtype::SOA);
    types.insert(rrtype::NS);
    if let Some(keys) = apex.and_then(|apex| reply.snapshot.keys_of(apex)) {
        types.insert(rrtype::DNSKEY);
        if !keys.cds().is_empty() {
            types.insert(rrtype::CDS);
            types.insert(rrtype::CDNSKEY);
        }
    }
    types
}

/// The types that a static owner has.
fn of_static(node: &StaticNode) -> TypeSet {
    let mut types = TypeSet::default();
    for set in node.sets() {
        types.insert(set.rrtype);
    }
    types
}

fn of_fixed(name: &FixedName) -> TypeSet {
    let mut types = TypeSet::default();
    match name {
        FixedName::EmptyNonTerminal => {}
        FixedName::NameServer { ipv4, ipv6 } => {
            if !ipv4.is_empty() {
                types.insert(rrtype::A);
            }
            if !ipv6.is_empty() {
                types.insert(rrtype::AAAA);
            }
        }
        FixedName::Version | FixedName::Client => types.insert(rrtype::TXT),
    }
    types
}

/// The types of addresses of members, whatever their health, for clients inside and outside.
fn of_members(entry: &ServiceEntry, members: MemberSet) -> TypeSet {
    let members = members & entry.members();
    let mut types = TypeSet::default();
    let inside = || {
        let all = members.iter().filter_map(|member| entry.inside(member));
        all.flat_map(|inside| {
            let pods = inside.pods().iter().map(|pod| pod.address);
            inside.addresses().chain(pods)
        })
    };
    let whole = || members.iter().filter_map(|member| entry.whole(member));
    if entry.ipv4_of(members).any(|(_, all)| !all.is_empty())
        || whole().any(|whole| !whole.ipv4.is_empty())
        || inside().any(|address: IpAddr| address.is_ipv4())
    {
        types.insert(rrtype::A);
    }
    if entry.ipv6_of(members).any(|(_, all)| !all.is_empty())
        || whole().any(|whole| !whole.ipv6.is_empty())
        || inside().any(|address: IpAddr| address.is_ipv6())
    {
        types.insert(rrtype::AAAA);
    }
    types
}
