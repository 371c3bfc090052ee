//! A service at a level: the level that answers, the chain of CNAMEs to it, and its records.

use std::net::IpAddr;

use super::addresses::{Chosen, Own};
use super::clusterset;
use super::limit::lots;
use super::respond::{Negative, Reply};
use super::srv::{self, Targets};
use crate::decide::{Eligible, LevelView, Plan, Trace, choose, eligible};
use crate::model::{MemberIdx, MemberSet, Pod, SrvForm, WhenAllDown};
use crate::snapshot::{Apex, NamedPort, Scope, ScopeIdx, ServiceEntry, Shard, Tree};
use crate::vantage::Vantage;
use crate::wire::{MAX_NAME, Owner, ede, rrtype};

/// Levels of a chain at most: zone, region, global.
const LEVELS: usize = 3;

/// Where the chain of a name begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// The level.
    scope: ScopeIdx,
    /// The name asked is an alias of that level's name.
    is_alias: bool,
    /// Where the client stands, if that is known already.
    vantage: Option<Vantage>,
}

impl Start {
    /// The name asked is that of a level.
    pub(super) fn at(scope: ScopeIdx) -> Self {
        Self {
            scope,
            is_alias: false,
            vantage: None,
        }
    }

    /// The name asked is an alias of that of a level.
    pub(super) fn alias(scope: ScopeIdx, vantage: Option<Vantage>) -> Self {
        Self {
            scope,
            is_alias: true,
            vantage,
        }
    }
}

/// Answers for a service name at a level of an apex, or for the SRV owner of one of its ports there.
pub(super) fn answer<T: Trace>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    start: Start,
    port: Option<&NamedPort>,
    trace: &mut T,
) {
    let inside = match start.vantage {
        Some(vantage) => vantage.inside.map(|member| (member, vantage)),
        None => find_inside(reply),
    };
    match inside {
        None => answer_for(reply, apex, entry, start, port, trace, None),
        Some(inside) => answer_inside(reply, apex, entry, start, port, trace, inside),
    }
}

/// The same for a client inside a member.
#[inline(never)]
fn answer_inside<T: Trace>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    start: Start,
    port: Option<&NamedPort>,
    trace: &mut T,
    inside: (MemberIdx, Vantage),
) {
    answer_for(reply, apex, entry, start, port, trace, Some(inside));
}

/// The same for a client whose member is known, if it is inside one.
#[expect(
    clippy::inline_always,
    reason = "nearly all clients are inside none, and pay for no question about that"
)]
#[inline(always)]
fn answer_for<T: Trace>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    start: Start,
    port: Option<&NamedPort>,
    trace: &mut T,
    inside: Option<(MemberIdx, Vantage)>,
) {
    let snapshot = reply.snapshot;
    let Some(plan) = snapshot.plan(entry.plan) else {
        return reply.not_ready();
    };
    let prefix = port.map_or(&[][..], |port| &port.labels);
    // The name asked fits; that of a clusterset is not made of the key.
    let fixed = match apex.tree {
        Tree::Clusterset => 0,
        _ => prefix.len() + entry.key.len() + apex.name.as_wire().len(),
    };
    let mut levels: [Option<&Scope>; LEVELS] = [None; LEVELS];
    // A fallback skips a level whose name would be over 255 octets (names: D.11, 10).
    let published = snapshot
        .scopes()
        .chain(start.scope)
        .filter(|scope| fixed + scope.path.len() <= MAX_NAME);
    for (place, scope) in levels.iter_mut().zip(published) {
        *place = Some(scope);
    }
    if levels.first().is_some_and(Option::is_none) {
        // An alias of names that are all too long to exist.
        return reply.negative(
            reply.apex.unwrap_or(apex),
            Negative::NoData,
            Some(entry.federation),
        );
    }
    let health = snapshot.state().health_in(entry.federation);
    let caution = || entry.caution().map(|caution| &caution.sets);
    let lots = || lots(reply, entry);
    let candidates = eligible(plan, &entry.health(), caution, health, lots);
    let own = inside.and_then(|(member, _)| own(reply, entry, plan, member));
    let at_end = own.as_ref().map_or(&candidates, |own| &own.eligible);
    let mut vantage = start.vantage;
    let by_member = port.is_some() && is_by_member(plan, apex);
    let views = levels.iter().flatten().map(|scope| {
        let mut view = LevelView {
            members: scope.members,
            nearest: None,
            eligible: &candidates,
            own: None,
            is_listed: by_member,
        };
        if scope.parent.is_none() {
            let known = inside.map(|(_, found)| found).or(start.vantage);
            let found = known.or_else(|| plan.is_nearest.then(|| reply.vantage()));
            vantage = found;
            let place = found
                .filter(|_| plan.is_nearest)
                .and_then(|found| found.place);
            view.nearest = place.and_then(|place| snapshot.nearest(place));
            view.eligible = at_end;
            view.own = own.as_ref().map(|own| own.at.member);
            view.is_listed = by_member && inside.is_none();
        }
        view
    });
    let endpoints = |member| entry.endpoints(member);
    let decision = choose(plan, views, lots, endpoints, trace);
    let at = own.as_ref().filter(|_| decision.own.is_some());
    let chosen = Chosen::new(snapshot, entry, decision.members).with_own(at.map(|own| &own.at));
    let most = plan.max_addresses;
    let limit = most.and_then(|most| chosen.limit(most, lots));
    let chosen = chosen.limited(limit.as_ref());
    let is_drawn = decision.is_drawn || candidates.is_drawn || at_end.is_drawn || limit.is_some();
    if is_drawn {
        trace.lots(lots);
    }
    if let Some(vantage) = vantage {
        trace.vantage(&vantage);
        reply.scope = vantage.scope;
    }
    if is_drawn {
        reply.scope = reply.scope.max(reply.prefix().scope);
    }
    let sync = snapshot.state().federation(entry.federation);
    let is_down = decision.members.is_empty();
    if is_down && !sync.syncing_from_start.is_empty() {
        return reply.not_ready();
    }
    let chain_ttl = if is_down {
        apex.negative_ttl
    } else {
        chosen.ttl
    };
    // Those that are there come first.
    let end = levels.get(decision.level).copied().flatten();
    let first = usize::from(!start.is_alias);
    let mut owner = Owner::QUESTION;
    if let Some(names @ [_, ..]) = levels.get(first..=decision.level) {
        let names = names.iter().flatten().copied();
        let end = write_chain(reply, apex, [prefix, &entry.key], chain_ttl, names);
        let Some(end) = end else { return };
        owner = end;
    }
    if is_down {
        let is_fenced = !at_end.fenced_off.is_empty();
        return write_down(reply, apex, entry, plan, is_fenced);
    }
    let Some(end) = end else { return };
    // A pinned name has no address for clients inside; they are so at the global level alone.
    let by_member = by_member && (inside.is_none() || end.parent.is_some());
    let answering = write_records(reply, apex, &chosen, (owner, end), port, by_member);
    finish(reply, apex, entry, answering);
}

/// Whether SRV records lead to members one by one (names: decision 19). A clusterset has names of its
/// own, and one target for each of its services.
#[inline]
fn is_by_member(plan: &Plan, apex: &Apex) -> bool {
    plan.srv == SrvForm::Members && apex.tree != Tree::Clusterset
}

/// Writes the records at `owner`, the name of a populated level or one of its SRV owners, `by_member` or
/// shared. Returns the
/// members in it, `None` for no record.
#[inline]
fn write_records(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    chosen: &Chosen<'_>,
    (owner, level): (Owner, &Scope),
    port: Option<&NamedPort>,
    by_member: bool,
) -> Option<MemberSet> {
    match port {
        None => match write_addresses(reply, chosen, owner) {
            None if apex.tree == Tree::Clusterset => clusterset::write_ports(reply, apex, chosen),
            members => members,
        },
        Some(port) if apex.tree == Tree::Clusterset => {
            clusterset::write_port(reply, apex, chosen, port)
        }
        Some(port) => {
            let targets = Targets::at(reply.snapshot, apex, chosen.entry, level);
            if by_member {
                srv::write_by_member(reply, &targets, chosen, owner, port)
            } else {
                srv::write(reply, &targets, chosen, owner, port)
            }
        }
    }
}

/// Ends the answer for a service of which no member is eligible, though some may be outside the fence
/// (names: decision 2).
pub(super) fn write_down(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    plan: &Plan,
    is_fenced: bool,
) {
    if is_fenced {
        reply
            .errors
            .push(ede::OTHER, "no eligible member within the fence");
    }
    let negative = match plan.when_all_down {
        WhenAllDown::NxDomain => Negative::NxDomain,
        WhenAllDown::NoData | WhenAllDown::LastKnown => Negative::NoData,
    };
    reply.negative(apex, negative, Some(entry.federation));
}

/// Writes the CNAMEs from the name asked to the names of `levels`, one after the other, each made of
/// `labels` and the level. Returns the name at the end; `None` when the first CNAME alone is asked
/// for.
#[inline]
fn write_chain<'s>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    labels: [&[u8]; 2],
    ttl: u32,
    levels: impl Iterator<Item = &'s Scope>,
) -> Option<Owner> {
    let mut owner = Owner::QUESTION;
    let mut apex_at = reply.asked_apex(apex);
    let [prefix, key] = labels;
    for level in levels {
        let target = Reply::below_apex(apex, [prefix, key, &level.path], apex_at);
        owner = reply.response.cname(owner, ttl, &target);
        let octets = prefix.len() + key.len() + level.path.len();
        if apex_at.is_none() {
            apex_at = Some(owner.skip(octets));
            reply.chain_apex = apex_at;
        }
        if matches!(reply.query.qtype, rrtype::CNAME | rrtype::ANY) {
            return None;
        }
    }
    Some(owner)
}

/// The member that a client is inside, and where it stands then. Where nobody can be inside one, this
/// costs one branch.
#[inline]
fn find_inside(reply: &Reply<'_, '_>) -> Option<(MemberIdx, Vantage)> {
    if !reply.snapshot.vantages().knows_inside() {
        return None;
    }
    let vantage = reply.vantage();
    Some((vantage.inside?, vantage))
}

/// A service as a client inside one of its members sees it.
pub(super) struct Within<'s> {
    /// Where it is reached there.
    pub(super) at: Own<'s>,
    /// Who is eligible for that client.
    pub(super) eligible: Eligible,
}

/// A service as a client inside `member` sees it; `None` when it is not reached there.
#[inline(never)]
pub(super) fn own<'s>(
    reply: &Reply<'_, '_>,
    entry: &'s ServiceEntry,
    plan: &Plan,
    member: MemberIdx,
) -> Option<Within<'s>> {
    let inside = entry.inside(member)?;
    let health = reply.snapshot.state().health_in(entry.federation);
    let has = |is_family: fn(&IpAddr) -> bool| inside.addresses().any(|ip| is_family(&ip));
    let families = (has(IpAddr::is_ipv4), has(IpAddr::is_ipv6));
    let caution = entry.caution().map(|caution| &caution.sets);
    let caution = caution.map(|sets| sets.inside(member, families.0, families.1));
    let shards = entry.health_inside(member);
    Some(Within {
        at: Own::new(member, inside),
        eligible: eligible(
            plan,
            &shards,
            || caution.as_ref(),
            health,
            || lots(reply, entry),
        ),
    })
}

/// Answers for a service in one member and no other, or for an SRV owner of it (names:
/// decision 7).
pub(super) fn answer_pinned(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    shard: &Shard<'_>,
    port: Option<u16>,
) {
    let chosen = Chosen::pinned(reply.snapshot, entry, shard);
    let answering = match port {
        Some(port) => {
            let targets = Targets::global(reply.snapshot, apex, entry);
            srv::write_pinned(reply, &targets, &chosen, shard, port)
        }
        None => write_addresses(reply, &chosen, Owner::QUESTION),
    };
    finish(reply, apex, entry, answering);
}

/// Answers for the pods of one host name, which only clients inside their member are given (names:
/// decision 12), but in a clusterset, whose operator says that pods are routable in it.
pub(super) fn answer_pods<T: Trace>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    member: MemberIdx,
    pods: &[Pod],
    trace: &mut T,
) {
    let vantage = reply.vantage();
    trace.vantage(&vantage);
    let members = MemberSet::from_iter([member]);
    let own = Own::of_pods(member, pods);
    let chosen = Chosen::new(reply.snapshot, entry, members).with_own(Some(&own));
    let is_reached = vantage.inside == Some(member) || apex.tree == Tree::Clusterset;
    let answering = if is_reached {
        trace.own(member);
        write_addresses(reply, &chosen, Owner::QUESTION)
    } else {
        None
    };
    finish(reply, apex, entry, answering);
}

/// The records of a name that has addresses. Returns the members in it, `None` for no record.
#[expect(
    clippy::inline_always,
    reason = "a few instructions of every answer, called from several places"
)]
#[inline(always)]
pub(super) fn write_addresses(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    owner: Owner,
) -> Option<MemberSet> {
    let types = address_types(reply.query.qtype);
    let mut sets = types.iter().map(|qtype| chosen.write(reply, owner, *qtype));
    sets.find(|members| !members.is_empty())
}

/// The types of addresses that a type asks for: the first that there is.
pub(super) fn address_types(qtype: u16) -> &'static [u16] {
    match qtype {
        rrtype::A => &[rrtype::A],
        rrtype::AAAA => &[rrtype::AAAA],
        rrtype::ANY => &[rrtype::A, rrtype::AAAA],
        _ => &[],
    }
}

/// Ends an answer: a positive one with a note if a held member's facts are in it, a negative one
/// with the SOA record, or HINFO for ANY (RFC 8482).
pub(super) fn finish(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    answering: Option<MemberSet>,
) {
    match answering {
        Some(members) => note_stale(reply, members),
        None if reply.query.qtype == rrtype::ANY => {
            reply
                .response
                .hinfo(Owner::QUESTION, apex.negative_ttl, b"RFC8482", b"");
        }
        None => reply.negative(apex, Negative::NoData, Some(entry.federation)),
    }
}

/// Says so when facts of a member that is not live are in the answer (RFC 8914, code 3).
fn note_stale(reply: &mut Reply<'_, '_>, members: MemberSet) {
    if !(members & reply.snapshot.state().health.stale).is_empty() {
        reply.errors.push(ede::STALE_ANSWER, "");
    }
}
