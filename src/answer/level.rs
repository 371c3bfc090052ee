//! A service at a level: the level that answers, the chain of CNAMEs to it, and its records.

use std::net::IpAddr;

use super::addresses::{Chosen, Own};
use super::respond::{Negative, Reply};
use super::srv;
use crate::decide::{Eligible, LevelView, Lots, Plan, Trace, choose, eligible};
use crate::model::{MemberIdx, MemberSet, Pod, WhenAllDown};
use crate::snapshot::{Apex, NamedPort, Scope, ScopeIdx, ServiceEntry, Shard};
use crate::vantage::Vantage;
use crate::wire::{MAX_NAME, Owner, ede, rrtype};

/// Levels of a chain at most: zone, region, global.
const LEVELS: usize = 3;

/// Answers for a service name at a level, or for the SRV owner of one of its ports there.
pub(super) fn answer<T: Trace>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    scope: ScopeIdx,
    port: Option<&NamedPort>,
    trace: &mut T,
) {
    let snapshot = reply.snapshot;
    let Some(plan) = snapshot.plan(entry.plan) else {
        return reply.not_ready();
    };
    let prefix = port.map_or(&[][..], |port| &port.labels);
    let fixed = prefix.len() + entry.key.len() + apex.name.as_wire().len();
    let mut levels: [Option<&Scope>; LEVELS] = [None; LEVELS];
    // A fallback skips a level whose name would be over 255 octets (names: D.11, 10).
    let published = snapshot
        .scopes()
        .chain(scope)
        .filter(|scope| fixed + scope.path.len() <= MAX_NAME);
    for (place, scope) in levels.iter_mut().zip(published) {
        *place = Some(scope);
    }
    let health = snapshot.state().health_in(entry.federation);
    let caution = entry.caution().map(|caution| &caution.sets);
    let lots = || lots(reply, entry);
    let candidates = eligible(plan, &entry.health(), caution, health, lots);
    let inside = find_inside(reply);
    let own = inside.and_then(|(member, _)| own(reply, entry, plan, member));
    let at_end = own.as_ref().map_or(&candidates, |own| &own.eligible);
    let mut vantage = None;
    let views = levels.iter().flatten().map(|scope| {
        let mut view = LevelView {
            members: scope.members,
            nearest: None,
            eligible: &candidates,
            own: None,
        };
        if scope.parent.is_none() {
            let found = match inside {
                Some((_, found)) => Some(found),
                None => plan.is_nearest.then(|| reply.vantage()),
            };
            vantage = found;
            let place = found
                .filter(|_| plan.is_nearest)
                .and_then(|found| found.place);
            view.nearest = place.and_then(|place| snapshot.nearest(place));
            view.eligible = at_end;
            view.own = own.as_ref().map(|own| own.at.member);
        }
        view
    });
    let endpoints = |member| entry.endpoints(member);
    let decision = choose(plan, views, lots, endpoints, trace);
    let at = own.as_ref().filter(|_| decision.own.is_some());
    let chosen = Chosen::new(snapshot, entry, decision.members)
        .with_own(at.map(|own| own.at))
        .limited(plan.max_addresses, lots);
    let is_drawn =
        decision.is_drawn || candidates.is_drawn || at_end.is_drawn || chosen.is_limited();
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
    let mut owner = Owner::QUESTION;
    let mut end = levels.first().copied().flatten();
    for next in levels.iter().flatten().skip(1).take(decision.level) {
        let target = reply.below_apex(apex, [prefix, &entry.key, &next.path]);
        owner = reply.response.cname(owner, chain_ttl, &target);
        end = Some(next);
        if matches!(reply.query.qtype, rrtype::CNAME | rrtype::ANY) {
            return;
        }
    }
    if is_down {
        if !at_end.fenced_off.is_empty() {
            reply
                .errors
                .push(ede::OTHER, "no eligible member within the fence");
        }
        let negative = match plan.when_all_down {
            WhenAllDown::NxDomain => Negative::NxDomain,
            WhenAllDown::NoData | WhenAllDown::LastKnown => Negative::NoData,
        };
        return reply.negative(apex, negative, Some(entry.federation));
    }
    let Some(end) = end else { return };
    let answering = match port {
        Some(port) => srv::write(reply, apex, &chosen, owner, port, end),
        None => write_addresses(reply, &chosen, owner),
    };
    finish(reply, apex, entry, answering);
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
struct Within<'s> {
    /// Where it is reached there.
    at: Own<'s>,
    /// Who is eligible for that client.
    eligible: Eligible,
}

/// A service as a client inside `member` sees it; `None` when it is not reached there.
#[inline(never)]
fn own<'s>(
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
        eligible: eligible(plan, &shards, caution.as_ref(), health, || {
            lots(reply, entry)
        }),
    })
}

/// The lots of a service for whoever asks.
fn lots<'s>(reply: &Reply<'s, '_>, entry: &'s ServiceEntry) -> Lots<'s> {
    let state = reply.snapshot.state();
    let weights = entry.caution().map(|caution| &*caution.weights);
    Lots::new(
        &entry.key,
        reply.prefix(),
        (reply.client.now, entry.ttl),
        &state.seeds,
        weights.unwrap_or_default(),
        &state.shares,
    )
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
        Some(port) => srv::write_pinned(reply, apex, &chosen, shard, port),
        None => write_addresses(reply, &chosen, Owner::QUESTION),
    };
    finish(reply, apex, entry, answering);
}

/// Answers for the pods of one host name, which only clients inside their member are given (names:
/// decision 12).
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
    let chosen = Chosen::new(reply.snapshot, entry, members).with_own(Some(own));
    let answering = if vantage.inside == Some(member) {
        trace.own(member);
        write_addresses(reply, &chosen, Owner::QUESTION)
    } else {
        None
    };
    finish(reply, apex, entry, answering);
}

/// The records of a name that has addresses. Returns the members in it, `None` for no record.
fn write_addresses(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    owner: Owner,
) -> Option<MemberSet> {
    let types: &[u16] = match reply.query.qtype {
        rrtype::A => &[rrtype::A],
        rrtype::AAAA => &[rrtype::AAAA],
        rrtype::ANY => &[rrtype::A, rrtype::AAAA],
        _ => &[],
    };
    let mut sets = types.iter().map(|qtype| chosen.write(reply, owner, *qtype));
    sets.find(|members| !members.is_empty())
}

/// Ends an answer: a positive one with a note if a held member's facts are in it, a negative one
/// with the SOA record, or HINFO for ANY (RFC 8482).
fn finish(
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
