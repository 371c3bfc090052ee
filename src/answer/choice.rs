//! Which members of a service answer whoever asks, and what the answer depends on by that.
//!
//! `decide` chooses; here stands once what it is given, whether at levels, for the client's own member
//! or among all pods, and what follows: the limit of addresses, the scope, the trace.

use std::net::IpAddr;

use super::records::addresses::{Chosen, Own};
use super::reply::Reply;
use crate::decide::{
    self, Eligible, LevelView, PartialFamilies, Plan, ShardHealth, ShardOverlay, Trace, choose_all,
};
use crate::model::{MemberIdx, MemberSet};
use crate::snapshot::{Scope, ServiceEntry};
use crate::vantage::Vantage;

/// Levels of a chain at most: zone, region, global.
pub(super) const LEVELS: usize = 3;

/// The members that answer.
pub(super) struct Choice<'s> {
    /// Them, and which of their addresses.
    pub(super) chosen: Chosen<'s>,
    /// How many levels were passed over: 0 is the level asked.
    pub(super) level: usize,
    /// No member is eligible, though some outside the fence would be.
    pub(super) is_fenced: bool,
    /// Where SRV records may list members one by one, they do so for this client at that level.
    pub(super) is_listed: bool,
}

/// A service at the levels where it may answer.
pub(super) struct Levels<'s> {
    /// The service.
    pub(super) entry: &'s ServiceEntry,
    /// How to choose.
    pub(super) plan: &'s Plan,
    /// The levels, the one asked first; those that are there come first.
    pub(super) scopes: [Option<&'s Scope>; LEVELS],
    /// Where the client stands, if that is known already.
    pub(super) vantage: Option<Vantage>,
    /// Under `weighted` all members answer, each with its weight (docs/names.md, decision 19).
    pub(super) is_listed: bool,
}

impl<'s> Levels<'s> {
    /// Chooses the first level with an eligible member, and members there.
    #[inline]
    pub(super) fn choose<T: Trace>(&self, reply: &mut Reply<'s, '_>, trace: &mut T) -> Choice<'s> {
        let inside = match self.vantage {
            Some(vantage) => vantage.inside.map(|member| (member, vantage)),
            None => find_inside(reply),
        };
        match inside {
            None => self.choose_for(reply, None, trace),
            Some(inside) => self.choose_inside(reply, inside, trace),
        }
    }

    /// The same for a client inside a member.
    #[inline(never)]
    fn choose_inside<T: Trace>(
        &self,
        reply: &mut Reply<'s, '_>,
        inside: (MemberIdx, Vantage),
        trace: &mut T,
    ) -> Choice<'s> {
        self.choose_for(reply, Some(inside), trace)
    }

    /// The same for a client whose member is known, if it is inside one.
    #[expect(
        clippy::inline_always,
        reason = "nearly all clients are inside none, and pay for no question about that"
    )]
    #[inline(always)]
    fn choose_for<T: Trace>(
        &self,
        reply: &mut Reply<'s, '_>,
        inside: Option<(MemberIdx, Vantage)>,
        trace: &mut T,
    ) -> Choice<'s> {
        let Self { entry, plan, .. } = *self;
        let snapshot = reply.snapshot;
        let overlay = || entry.overlay().map(|overlay| &overlay.sets);
        let outside = eligible(reply, entry, plan, &entry.health(), overlay);
        let own = inside.and_then(|(member, _)| Within::new(reply, entry, plan, member));
        let at_end = own.as_ref().map_or(&outside, |own| &own.eligible);
        let mut vantage = self.vantage;
        let views = self.scopes.iter().flatten().map(|scope| {
            let mut view = LevelView {
                members: scope.members,
                nearest: None,
                eligible: &outside,
                own: None,
                is_listed: self.is_listed,
            };
            if scope.parent.is_none() {
                let known = inside.map(|(_, found)| found).or(self.vantage);
                let found = known.or_else(|| plan.is_nearest.then(|| reply.vantage()));
                vantage = found;
                let place = found
                    .filter(|_| plan.is_nearest)
                    .and_then(|found| found.place);
                view.nearest = place.and_then(|place| snapshot.nearest(place));
                view.eligible = at_end;
                view.own = own.as_ref().map(|own| own.at.member);
                view.is_listed = self.is_listed && inside.is_none();
            }
            view
        });
        let endpoints = |member| entry.endpoints(member);
        let decision = decide::choose(plan, views, || reply.draw(entry), endpoints, trace);
        let is_drawn = decision.is_drawn || outside.is_drawn || at_end.is_drawn;
        let is_fenced = decision.members.is_empty() && !at_end.fenced_off.is_empty();
        // A pinned name has no address for clients inside; they are so at the global level alone.
        let is_listed = self.is_listed
            && (inside.is_none() || {
                let scope = self.scopes.get(decision.level).copied().flatten();
                scope.is_some_and(|scope| scope.parent.is_some())
            });
        let at = own.filter(|_| decision.own.is_some()).map(|own| own.at);
        let chosen = Chosen::new(snapshot, entry, decision.members)
            .with_own(at)
            .limited(plan.max_addresses);
        depend(reply, &chosen, vantage, is_drawn, trace);
        Choice {
            chosen,
            level: decision.level,
            is_fenced,
            is_listed,
        }
    }
}

/// Chooses the member that the client is inside, if its shard is eligible as it is reached there.
pub(super) fn choose_own<'s, T: Trace>(
    reply: &mut Reply<'s, '_>,
    entry: &'s ServiceEntry,
    plan: &Plan,
    (member, vantage): (MemberIdx, Vantage),
    trace: &mut T,
) -> Option<Chosen<'s>> {
    let Some(within) = Within::new(reply, entry, plan, member) else {
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
    let endpoints = |member| entry.endpoints(member);
    let decision = decide::choose(plan, [view], || reply.draw(entry), endpoints, trace);
    let is_drawn = decision.is_drawn || within.eligible.is_drawn;
    let chosen = Chosen::new(reply.snapshot, entry, decision.members)
        .with_own(decision.own.map(|_| within.at))
        .limited(plan.max_addresses);
    // Also when a draw has left it out: others are answered for that reason.
    depend(reply, &chosen, Some(vantage), is_drawn, trace);
    decision.own.map(|_| chosen)
}

/// Chooses every eligible member of a headless service whose pods everybody reaches, whatever the plan
/// prefers.
pub(super) fn choose_pods<'s, T: Trace>(
    reply: &mut Reply<'s, '_>,
    entry: &'s ServiceEntry,
    plan: &Plan,
    trace: &mut T,
) -> Choice<'s> {
    // Probes are of addresses outside.
    let overlay = entry.overlay().map(|overlay| ShardOverlay {
        partial: PartialFamilies::default(),
        ..overlay.sets
    });
    let shards = entry.health_of_pods();
    let eligible = eligible(reply, entry, plan, &shards, || overlay.as_ref());
    let members = choose_all(&eligible, trace);
    let chosen = Chosen::new(reply.snapshot, entry, members);
    depend(reply, &chosen, None, eligible.is_drawn, trace);
    Choice {
        chosen,
        level: 0,
        is_fenced: members.is_empty() && !eligible.fenced_off.is_empty(),
        is_listed: false,
    }
}

/// Who is eligible of shards. `overlay` is what is known of them beyond their facts.
#[expect(
    clippy::inline_always,
    reason = "most of what it says is asked for by explanations alone"
)]
#[inline(always)]
fn eligible<'c>(
    reply: &Reply<'_, '_>,
    entry: &ServiceEntry,
    plan: &Plan,
    shards: &ShardHealth,
    overlay: impl Fn() -> Option<&'c ShardOverlay>,
) -> Eligible {
    let health = reply.snapshot.state().health_in(entry.federation);
    decide::eligible(plan, shards, overlay, health, || reply.draw(entry))
}

/// Tells the reply and the trace what the answer depends on: where the client stands, if that counts,
/// and a draw, if members were drawn or addresses are.
#[inline]
fn depend<T: Trace>(
    reply: &mut Reply<'_, '_>,
    chosen: &Chosen<'_>,
    vantage: Option<Vantage>,
    is_drawn: bool,
    trace: &mut T,
) {
    if let Some(vantage) = vantage {
        trace.vantage(&vantage);
        reply.scope = reply.scope.max(vantage.scope);
    }
    if is_drawn || chosen.is_limited() {
        trace.draw(|| reply.draw(chosen.entry));
        reply.depend_on_draw();
    }
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

impl<'s> Within<'s> {
    /// A service as a client inside `member` sees it; `None` when it is not reached there.
    #[inline(never)]
    fn new(
        reply: &Reply<'_, '_>,
        entry: &'s ServiceEntry,
        plan: &Plan,
        member: MemberIdx,
    ) -> Option<Self> {
        let inside = entry.inside(member)?;
        let has = |is_family: fn(&IpAddr) -> bool| inside.addresses().any(|ip| is_family(&ip));
        let families = (has(IpAddr::is_ipv4), has(IpAddr::is_ipv6));
        let overlay = entry.overlay().map(|overlay| &overlay.sets);
        let overlay = overlay.map(|sets| sets.inside(member, families.0, families.1));
        let shards = entry.health_inside(member);
        Some(Self {
            at: Own::new(member, inside),
            eligible: eligible(reply, entry, plan, &shards, || overlay.as_ref()),
        })
    }
}
