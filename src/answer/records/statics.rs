//! Static records, referrals to zones below, and the addresses of names that records lead to.

use smallvec::SmallVec;

use super::denial;
use super::ending::Ending;
use super::rrsig::{begin_additional, sign_section};
use crate::answer::reply::Reply;
use crate::model::StaticSet;
use crate::snapshot::{Apex, StaticNode};
use crate::wire::{Owner, Qname, rrtype};

/// Writes the records of a static owner.
#[cold]
pub(in crate::answer) fn write<'s>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    node: &'s StaticNode,
) -> Ending<'s> {
    let qtype = reply.query.qtype;
    let set = match qtype {
        // One RRset stands for all (RFC 8482 section 4.1).
        rrtype::ANY => node.sets().first(),
        _ => node.set(qtype),
    };
    let Some(set) = set else {
        return Ending::NoData(apex, None);
    };
    let owner = reply.at;
    let targets = write_set(reply, owner, set);
    write_addresses(reply, &targets);
    Ending::Complete
}

/// Writes an NS set and no answer: another zone begins at the cut, `skip` labels of the name further on.
#[cold]
pub(in crate::answer) fn write_referral<'s>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    (node, skip): (&'s StaticNode, usize),
) -> Ending<'s> {
    if skip == 0 && reply.query.qtype == rrtype::DS {
        // The zone above has the DS records of a cut (RFC 4035 section 3.1.4.1).
        return write(reply, apex, node);
    }
    let left = reply.qname.between(0, skip).len();
    let owner = reply.at.skip(left);
    sign_section(reply);
    if reply.at == Owner::QUESTION {
        reply.response.set_authoritative(false);
    }
    reply.response.begin_authority();
    let Some(servers) = node.set(rrtype::NS) else {
        return Ending::Complete;
    };
    let targets = write_set(reply, owner, servers);
    if let Some(ds) = node.set(rrtype::DS) {
        write_set(reply, owner, ds);
    } else {
        denial::write_cut(reply, (apex, owner));
    }
    write_addresses(reply, &targets);
    Ending::Complete
}

/// The most names whose addresses are added to a reply.
const MOST_TARGETS: usize = 16;

/// A name that a record leads to.
struct Target<'s> {
    /// Where it is in the message.
    at: Owner,
    /// In wire form.
    name: &'s [u8],
}

/// Names that records lead to.
type Targets<'s> = SmallVec<[Target<'s>; MOST_TARGETS]>;

/// Writes an RRset. Returns the names that its records lead to.
fn write_set<'s>(reply: &mut Reply<'_, '_>, owner: Owner, set: &'s StaticSet) -> Targets<'s> {
    // Where the name is in the rdata (RFC 1035 section 3.3, RFC 2782).
    let before = match set.rrtype {
        rrtype::NS => Some(0),
        rrtype::MX => Some(2),
        rrtype::SRV => Some(6),
        _ => None,
    };
    let mut targets = Targets::new();
    for rdata in &set.rdata {
        let at = reply.response.rdata(owner, set.rrtype, set.ttl, &[rdata]);
        let name = before.and_then(|before| Some((before, rdata.get(before..)?)));
        if let Some((before, name)) = name.filter(|_| targets.len() < MOST_TARGETS) {
            let at = at.skip(before);
            targets.push(Target { at, name });
        }
    }
    targets
}

/// Writes the addresses that names have by static records, glue below cuts too.
fn write_addresses(reply: &mut Reply<'_, '_>, targets: &Targets<'_>) {
    if targets.is_empty() {
        return;
    }
    begin_additional(reply);
    let mut name = Qname::new();
    for target in targets {
        if name.read(target.name).is_none() {
            continue;
        }
        let snapshot = reply.snapshot;
        let (networks, client) = (snapshot.client_networks(), reply.client.address);
        let apex = snapshot.apexes().find(&name);
        let apex = apex.filter(|(_, apex)| networks.are_served_zone(&apex.name, client));
        let Some((_, apex)) = apex else {
            continue;
        };
        let left = name.label_count() - apex.labels;
        let tree = apex.statics.as_ref().map(|statics| &statics.tree);
        let node = tree.and_then(|tree| tree.node(name.between(0, left)));
        for rrtype in [rrtype::A, rrtype::AAAA] {
            if let Some(set) = node.and_then(|node| node.set(rrtype)) {
                write_set(reply, target.at, set);
            }
        }
    }
}
