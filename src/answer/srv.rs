//! SRV records and the addresses of their targets (RFC 2782; names: D.7).

use super::addresses::Chosen;
use super::respond::Reply;
use crate::model::MemberSet;
use crate::snapshot::{Apex, NamedPort, Scope, Scopes, Shard};
use crate::wire::{MAX_NAME, Owner, Target, rrtype};

/// SRV priority of every record.
const PRIORITY: u16 = 0;

/// SRV weight of every record.
const WEIGHT: u16 = 100;

/// Labels of an SRV owner left of its service: `_port._proto`.
const PORT_LABELS: usize = 2;

/// Writes the SRV RRset of a populated level. Returns the members in it, `None` for no record.
///
/// The target is the name of the level. If the chosen shards differ in the port, each has a record
/// of its own whose target is its pinned name.
pub(super) fn write(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    owner: Owner,
    port: &NamedPort,
    level: &Scope,
) -> Option<MemberSet> {
    if !matches!(reply.query.qtype, rrtype::SRV | rrtype::ANY) {
        return None;
    }
    let mut numbers = chosen.shards().map(|shard| port.number(shard.member));
    let first = numbers.next()?;
    if let (Some(number), true) = (first, numbers.all(|number| number == first)) {
        let target = target(apex, [&[], &chosen.entry.key, &level.path]);
        let at = reply
            .response
            .srv(owner, chosen.ttl, PRIORITY, WEIGHT, number, &target);
        write_target(reply, chosen, at);
        return Some(chosen.members);
    }
    let mut members = MemberSet::EMPTY;
    for shard in chosen.shards() {
        let name = pinned(reply, apex, chosen, &shard);
        if let (Some(number), Some(name)) = (port.number(shard.member), name) {
            reply
                .response
                .srv(owner, chosen.ttl, PRIORITY, WEIGHT, number, &name);
            members.insert(shard.member);
        }
    }
    reply.response.begin_additional();
    for shard in chosen.entry.shards_of(members) {
        if let Some(name) = pinned(reply, apex, chosen, &shard) {
            let own = Chosen::pinned(reply.snapshot, chosen.entry, &shard);
            let at = reply.response.owner_name(&name);
            own.write(reply, at, rrtype::A);
            own.write(reply, at, rrtype::AAAA);
        }
    }
    (!members.is_empty()).then_some(members)
}

/// Writes the SRV record of a pinned name.
pub(super) fn write_pinned(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    shard: &Shard<'_>,
    port: u16,
) -> Option<MemberSet> {
    if !matches!(reply.query.qtype, rrtype::SRV | rrtype::ANY) {
        return None;
    }
    let name = pinned(reply, apex, chosen, shard)?;
    Some(write_one(reply, chosen, port, &name))
}

/// Writes the SRV record of the client's own member, whose target is the name asked without the port
/// (names: D.8).
pub(super) fn write_own(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    port: &NamedPort,
) -> Option<MemberSet> {
    if !matches!(reply.query.qtype, rrtype::SRV | rrtype::ANY) {
        return None;
    }
    let shard = chosen.shards().next()?;
    let number = port.number(shard.member)?;
    let qname = reply.qname;
    let name = Target::name(qname.suffix(PORT_LABELS));
    Some(write_one(reply, chosen, number, &name))
}

/// Writes an SRV record at the name asked, and the addresses of its target.
fn write_one(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    port: u16,
    name: &Target<'_>,
) -> MemberSet {
    let at = reply
        .response
        .srv(Owner::QUESTION, chosen.ttl, PRIORITY, WEIGHT, port, name);
    write_target(reply, chosen, at);
    chosen.members
}

/// Writes the addresses of the one target.
fn write_target(reply: &mut Reply<'_, '_>, chosen: &Chosen<'_>, at: Owner) {
    reply.response.begin_additional();
    chosen.write(reply, at, rrtype::A);
    chosen.write(reply, at, rrtype::AAAA);
}

/// The pinned name of a shard; `None` if it would be over 255 octets.
fn pinned<'t>(
    reply: &Reply<'t, '_>,
    apex: &'t Apex,
    chosen: &Chosen<'t>,
    shard: &Shard<'_>,
) -> Option<Target<'t>> {
    let member = reply.snapshot.apexes().member_label(shard.member);
    let global = reply.snapshot.scopes().chain(Scopes::GLOBAL).next()?;
    let (key, path) = (&*chosen.entry.key, &*global.path);
    let length = member.len() + key.len() + path.len() + apex.name.as_wire().len();
    (length <= MAX_NAME).then(|| target(apex, [member, key, path]))
}

/// A target below an apex. Never compressed: RFC 2782 forbids it.
fn target<'t>(apex: &'t Apex, labels: [&'t [u8]; 3]) -> Target<'t> {
    let [first, second, third] = labels;
    Target::new([first, second, third, apex.name.without_root()], None)
}
