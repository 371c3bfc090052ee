//! A service in a cluster domain: the shard of the client's own member, else an alias of the name
//! where its member stands (docs/names.md, D.8).

use super::choice::choose_own;
use super::level::{LevelAnswer, Start};
use super::records::ending::Ending;
use super::records::{addresses, srv};
use super::reply::Reply;
use crate::decide::Trace;
use crate::snapshot::{Apex, NamedPort, Scopes, ServiceEntry};

/// Answers for a service name in the zone of its federation in a cluster domain, or for the SRV
/// owner of one of its ports there. A client that is inside no member gets the global name.
pub(super) fn answer<'s, T: Trace>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    entry: &'s ServiceEntry,
    port: Option<&'s NamedPort>,
    trace: &mut T,
) -> Ending<'s> {
    let snapshot = reply.snapshot;
    let vantage = reply.vantage();
    if let (Some(member), Some(plan)) = (vantage.inside, snapshot.plan(entry.plan))
        && let Some(chosen) = choose_own(reply, entry, plan, (member, vantage), trace)
    {
        let answering = match port {
            Some(port) => srv::write_own(reply, &chosen, port),
            None => addresses::write(reply, &chosen, reply.at),
        };
        return Ending::of(apex, entry, answering);
    }
    let apexes = snapshot.apexes();
    let home = apexes.federation(entry.federation);
    let Some(home) = home.and_then(|federation| apexes.get(federation.apex)) else {
        return Ending::NotReady;
    };
    let scope = |member| snapshot.scopes().narrowest(member);
    let scope = vantage.inside.map_or(Scopes::GLOBAL, scope);
    let level = LevelAnswer {
        apex: home,
        entry,
        start: Start::alias(scope, Some(vantage)),
        port,
    };
    level.answer(reply, trace)
}
