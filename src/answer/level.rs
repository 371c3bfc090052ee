//! A service at a level: the level that answers, the chain of CNAMEs to it, and its records.

use super::addresses::Chosen;
use super::respond::{Negative, Reply};
use super::srv;
use crate::decide::{Lots, Trace, choose, eligible};
use crate::model::{MemberSet, WhenAllDown};
use crate::snapshot::{Apex, NamedPort, Scope, ScopeIdx, ServiceEntry, Shard};
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
    let caution = entry.caution().map(|caution| &caution.sets);
    let lots = || lots(reply, entry);
    let candidates = eligible(plan, &entry.health(), caution, health, lots);
    let mut vantage = start.vantage;
    let members = levels.iter().flatten().map(|scope| {
        let is_nearest = plan.is_nearest && scope.parent.is_none();
        let found = is_nearest.then(|| start.vantage.unwrap_or_else(|| reply.vantage()));
        vantage = found.or(vantage);
        let place = found.and_then(|vantage| vantage.place);
        (
            scope.members,
            place.and_then(|place| snapshot.nearest(place)),
        )
    });
    let decision = choose(plan, &candidates, members, lots, trace);
    let is_drawn = plan.is_weighted || candidates.is_drawn;
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
    let chosen = Chosen::new(snapshot, entry, decision.members);
    let chain_ttl = if is_down {
        apex.negative_ttl
    } else {
        chosen.ttl
    };
    let mut owner = Owner::QUESTION;
    let mut end = levels.first().copied().flatten();
    let names = levels.iter().flatten().take(decision.level + 1);
    let mut apex_at = reply.asked_apex(apex);
    for next in names.skip(usize::from(!start.is_alias)) {
        let labels = [prefix, &*entry.key, &*next.path];
        let target = Reply::below_apex(apex, labels, apex_at);
        owner = reply.response.cname(owner, chain_ttl, &target);
        let octets = labels.iter().map(|run| run.len()).sum();
        apex_at = apex_at.or_else(|| Some(owner.skip(octets)));
        end = Some(next);
        if matches!(reply.query.qtype, rrtype::CNAME | rrtype::ANY) {
            return;
        }
    }
    if is_down {
        if !candidates.fenced_off.is_empty() {
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

/// The lots of a service for whoever asks.
pub(super) fn lots<'s>(reply: &Reply<'s, '_>, entry: &'s ServiceEntry) -> Lots<'s> {
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

/// The records of a name that has addresses. Returns the members in it, `None` for no record.
pub(super) fn write_addresses(
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
