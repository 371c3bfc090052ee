//! A service in a cluster domain: the shard of the client's own member, else an alias of the name
//! where its member stands (names: D.8).

use super::addresses::Chosen;
use super::level::{self, Start};
use super::respond::Reply;
use super::srv;
use crate::decide::{ShardHealth, Trace, choose, eligible};
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
    if let Some(member) = vantage.inside
        && let Some(chosen) = own(reply, entry, member, trace)
    {
        trace.vantage(&vantage);
        reply.scope = vantage.scope;
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

/// The shard of the client's own member with its addresses inside, if it is eligible: ready by its
/// endpoints, whatever is known of its addresses for clients outside.
fn own<'s, T: Trace>(
    reply: &Reply<'s, '_>,
    entry: &'s ServiceEntry,
    member: MemberIdx,
    trace: &mut T,
) -> Option<Chosen<'s>> {
    let snapshot = reply.snapshot;
    let plan = snapshot.plan(entry.plan)?;
    let facts = entry.facts(member).filter(|facts| {
        let share = entry.caution().map(|caution| caution.share);
        let is_drained = facts.steering.weight == Some(0) || share == Some(0);
        !is_drained && (facts.endpoints.ready > 0 || facts.allow_without_endpoints)
    });
    let inside = facts.and_then(|facts| facts.inside.as_deref());
    let inside = inside.filter(|inside| inside.addresses().next().is_some());
    let own = MemberSet::from_iter([member]);
    let health = entry.health();
    let others = health.available & !own;
    let candidates = ShardHealth {
        available: inside.map_or(others, |_| others | own),
        ..ShardHealth::default()
    };
    let fleet = snapshot.state().health_in(entry.federation);
    let lots = || level::lots(reply, entry);
    let candidates = eligible(plan, &candidates, None, fleet, lots);
    let decision = choose(plan, &candidates, [(own, None)], lots, trace);
    let inside = inside.filter(|_| !decision.members.is_empty())?;
    Some(Chosen::inside(snapshot, entry, member, inside))
}
