//! A service in a cluster domain: the shard of the client's own member, else an alias of the name
//! where its member stands (names: D.8).

use super::addresses::Chosen;
use super::level::{self, Start, Within};
use super::limit::lots;
use super::respond::Reply;
use super::srv;
use crate::decide::{LevelView, Plan, Trace, choose};
use crate::model::{MemberIdx, MemberSet};
use crate::snapshot::{Apex, NamedPort, Scopes, ServiceEntry};
use crate::wire::Owner;

/// Answers for a service name in the zone of its federation in a cluster domain, or for the SRV
/// owner of one of its ports there. A client that is inside no member gets the global name.
pub(super) fn answer<T: Trace>(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    entry: &ServiceEntry,
    port: Option<&NamedPort>,
    trace: &mut T,
) {
    let snapshot = reply.snapshot;
    let vantage = reply.vantage();
    let plan = snapshot.plan(entry.plan);
    if let (Some(member), Some(plan)) = (vantage.inside, plan)
        && let Some(within) = own(reply, entry, plan, member, trace)
    {
        trace.vantage(&vantage);
        reply.scope = vantage.scope;
        let members = MemberSet::from_iter([member]);
        let chosen = Chosen::new(snapshot, entry, members).with_own(Some(&within.at));
        let lots = || lots(reply, entry);
        let most = plan.max_addresses;
        let limit = most.and_then(|most| chosen.limit(most, lots));
        let chosen = chosen.limited(limit.as_ref());
        if limit.is_some() {
            trace.lots(lots);
            reply.scope = reply.scope.max(reply.prefix().scope);
        }
        let answering = match port {
            Some(port) => srv::write_own(reply, &chosen, port),
            None => level::write_addresses(reply, &chosen, Owner::QUESTION),
        };
        return level::finish(reply, apex, entry, answering);
    }
    let apexes = snapshot.apexes();
    let home = apexes.federation(entry.federation);
    let Some(home) = home.and_then(|federation| apexes.get(federation.apex)) else {
        return reply.not_ready();
    };
    let scope = |member| snapshot.scopes().narrowest(member);
    let scope = vantage.inside.map_or(Scopes::GLOBAL, scope);
    level::answer(
        reply,
        home,
        entry,
        Start::alias(scope, Some(vantage)),
        port,
        trace,
    );
}

/// The shard of the client's own member as it is reached inside, if it is eligible.
fn own<'s, T: Trace>(
    reply: &Reply<'_, '_>,
    entry: &'s ServiceEntry,
    plan: &Plan,
    member: MemberIdx,
    trace: &mut T,
) -> Option<Within<'s>> {
    let Some(within) = level::own(reply, entry, plan, member) else {
        trace.level(0, MemberSet::EMPTY, MemberSet::EMPTY);
        return None;
    };
    let view = LevelView {
        members: MemberSet::from_iter([member]),
        nearest: None,
        eligible: &within.eligible,
        own: Some(member),
        is_listed: false,
    };
    let lots = || lots(reply, entry);
    let endpoints = |member| entry.endpoints(member);
    let decision = choose(plan, [view], lots, endpoints, trace);
    decision.own?;
    Some(within)
}
