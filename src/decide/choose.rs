//! Who is eligible, at which level, and who of them is chosen.
//!
//! The rules in their order; each of 2 to 4 leaves out only what others can stand in for:
//!
//! 1. A shard is available if it is ready, has an address that no probe has found dead, and is not
//!    drained: neither by weight 0 nor by an operator. The fence cuts what is available.
//! 2. A member whose hold has passed is withdrawn where a live one is left, unless probes of the
//!    service's addresses there pass (names: decision 5).
//! 3. A damped shard, ready again after it went out too often, is kept back where others are left, and so is one that has
//!    lost all addresses of a family while others have those that it has left.
//! 4. A member that is being drained is left out for the part of all lots that it has lost, where
//!    others are left.
//! 5. If none is left, `last-known` lets all stand in that are published and not drained.
//! 6. For a client inside a member the shard there is available at the global level if it is ready,
//!    has an inside address and is not drained; probes from outside say nothing of that address.
//! 7. The first level with an eligible member answers; there the first tier of the plan that has
//!    one; and of that, under `weighted`, one member by lot (names: decision 6). Where that tier has
//!    too few ready endpoints and the plan says that it spills over, one member of it and of the next
//!    tiers is drawn instead.

use super::spill::Loads;
use super::{Lots, Plan, Spill};
use crate::model::{Endpoints, MemberIdx, MemberSet, WhenAllDown};
use crate::vantage::Vantage;

/// What holds for all services of a fleet at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetHealth {
    /// Members whose facts are not live: held, lost or returning.
    pub stale: MemberSet,
    /// Members whose hold has passed; a subset of `stale`.
    pub expired: MemberSet,
    /// Members that an operator has taken out.
    pub drained: MemberSet,
    /// Members that an operator is taking out: some of their share is left.
    pub draining: MemberSet,
}

/// What holds for one service, whatever the state of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardHealth {
    /// Members with a shard that is ready, publishable and not drained.
    pub available: MemberSet,
    /// Members with a shard that is publishable and not drained, ready or not.
    pub last_known: MemberSet,
}

/// What holds for few services beside [`ShardHealth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardCaution {
    /// Members whose shard is kept back since it went out too often.
    pub damped: MemberSet,
    /// Members of whose shard some address passes its probes.
    pub proven: MemberSet,
    /// Shards that have lost all addresses of one family to probes.
    pub halves: Halves,
}

/// Shards that have lost all addresses of one family to probes. The level that answers does not
/// depend on the type that is asked (names: decision 4), so such a shard would leave clients of the
/// lost family with nothing where others have something for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Halves {
    /// Members that have IPv4 addresses left.
    pub ipv4: MemberSet,
    /// Members that have IPv6 addresses left.
    pub ipv6: MemberSet,
    /// Members that have IPv4 addresses, and have lost no family.
    pub whole_ipv4: MemberSet,
    /// Members that have IPv6 addresses, and have lost no family.
    pub whole_ipv6: MemberSet,
}

impl ShardCaution {
    /// The same for a client inside a member, who does not need what probes have found dead there.
    #[must_use]
    pub fn inside(mut self, member: MemberIdx) -> Self {
        self.halves.ipv4.remove(member);
        self.halves.ipv6.remove(member);
        self
    }
}

impl Halves {
    /// Those of `members` that are kept back: others have addresses of the family that they have.
    fn kept_back(&self, members: MemberSet) -> MemberSet {
        let pairs = [(self.ipv4, self.whole_ipv4), (self.ipv6, self.whole_ipv6)];
        let covered = pairs
            .into_iter()
            .filter(|(_, whole)| !(members & *whole).is_empty());
        covered.fold(MemberSet::EMPTY, |all, (half, _)| all | (members & half))
    }
}

/// The eligible members of a service, at every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eligible {
    /// The members.
    pub members: MemberSet,
    /// Members that would be eligible but for the fence.
    pub fenced_off: MemberSet,
    /// Members that are left out because their hold has passed and others are live.
    pub withdrawn: MemberSet,
    /// Members that are left out because they went out too often and others are there.
    pub damped: MemberSet,
    /// Members that are left out because they have lost a family of addresses and others are there.
    pub halved: MemberSet,
    /// Members that are left out for now because they are being drained and others are there.
    pub parted: MemberSet,
    /// Lots were drawn: the answer depends on the client's prefix and on the time.
    pub is_drawn: bool,
    /// None was eligible, and those last known stand in (names: decision 2).
    pub is_last_known: bool,
}

/// A level, as one client sees it.
#[derive(Debug, Clone, Copy)]
pub struct LevelView<'t> {
    /// The members there.
    pub members: MemberSet,
    /// The tiers of the client's place if they count there: for `nearest` at the global level only,
    /// as zone and region names ignore where a client stands (names: decision 6).
    pub nearest: Option<&'t [MemberSet]>,
    /// Who is eligible there.
    pub eligible: &'t Eligible,
    /// The member that the client is inside, if its shard is reached there by its inside addresses: at
    /// the global level only (names: D.11, 2).
    pub own: Option<MemberIdx>,
}

/// The outcome of [`choose`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// How many levels were passed over: 0 is the level that was asked.
    pub level: usize,
    /// The members that answer; empty when no level has an eligible one.
    pub members: MemberSet,
    /// They were drawn by lot.
    pub is_drawn: bool,
    /// That of `members` which answers with its inside addresses.
    pub own: Option<MemberIdx>,
}

/// Watches a decision; every method does nothing by default.
pub trait Trace {
    /// Who is eligible, at this level and those after it until it is called again.
    fn eligible(&mut self, _eligible: &Eligible) {}
    /// Where the client stands counts.
    fn vantage(&mut self, _vantage: &Vantage) {}
    /// The answer depends on lots: these.
    fn lots<'l>(&mut self, _lots: impl FnOnce() -> Lots<'l>) {}
    /// The nearest members cannot carry all: one is drawn of these and others.
    fn spill(&mut self, _spill: &Spill) {}
    /// One level was looked at: who is eligible there, and who of them is chosen.
    fn level(&mut self, _level: usize, _eligible: MemberSet, _chosen: MemberSet) {}
    /// A member that is chosen answers with its inside addresses.
    fn own(&mut self, _member: MemberIdx) {}
}

/// Watches nothing, at no cost: what the query path runs with.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTrace;

impl Trace for NoTrace {}

/// Who is eligible (names: D.1, decisions 2 and 5). Does not depend on the level or query type.
///
/// `lots` makes the lots of the service for the client and the time; it is called only if a member
/// is being drained.
#[inline]
pub fn eligible<'l>(
    plan: &Plan,
    shards: &ShardHealth,
    caution: Option<&ShardCaution>,
    fleet: &FleetHealth,
    lots: impl FnOnce() -> Lots<'l>,
) -> Eligible {
    let within = shards.available & plan.fence & !fleet.drained;
    let proven = caution.map_or(MemberSet::EMPTY, |caution| caution.proven);
    let expired = within & fleet.expired & !proven;
    let withdrawn = if expired.is_empty() || (within & !fleet.stale).is_empty() {
        MemberSet::EMPTY
    } else {
        expired
    };
    let mut members = within & !withdrawn;
    let damped = caution.map_or(MemberSet::EMPTY, |caution| {
        set_aside(&mut members, caution.damped)
    });
    let halved = caution.map_or(MemberSet::EMPTY, |caution| {
        caution.halves.kept_back(members)
    });
    members = members & !halved;
    let draining = members & fleet.draining;
    let is_drawn = !draining.is_empty();
    let parted = if is_drawn {
        set_aside(&mut members, lots().drained(draining))
    } else {
        MemberSet::EMPTY
    };
    let is_last_known = members.is_empty() && plan.when_all_down == WhenAllDown::LastKnown;
    Eligible {
        members: if is_last_known {
            shards.last_known & plan.fence & !fleet.drained
        } else {
            members
        },
        fenced_off: shards.available & !plan.fence & !fleet.drained,
        withdrawn,
        damped,
        halved,
        parted,
        is_drawn,
        is_last_known,
    }
}

/// Takes some of `members` away if others are left. Returns who is gone.
#[inline]
fn set_aside(members: &mut MemberSet, some: MemberSet) -> MemberSet {
    let left = *members & !some;
    if left.is_empty() {
        return MemberSet::EMPTY;
    }
    std::mem::replace(members, left) & some
}

/// Chooses members: the first of `levels` with an eligible member answers, with the first tier of
/// the plan that has one of them, and under `weighted` with one member of it.
///
/// `levels` are the level asked first and the global one last. A client inside a member is in its
/// first tier alone, so that under `nearest` its own shard answers alone where it can. `lots` are as
/// for [`eligible`], and `endpoints` are those of a member, asked only where a plan spills over.
#[inline]
pub fn choose<'t, 'l, T: Trace>(
    plan: &Plan,
    levels: impl IntoIterator<Item = LevelView<'t>>,
    lots: impl FnOnce() -> Lots<'l>,
    endpoints: impl Fn(MemberIdx) -> Endpoints,
    trace: &mut T,
) -> Decision {
    let mut last = 0;
    for (level, view) in levels.into_iter().enumerate() {
        trace.eligible(view.eligible);
        let candidates = view.eligible.members & view.members;
        let tiers = view.nearest.unwrap_or(&plan.tiers);
        let chosen = tiers
            .iter()
            .map(|tier| *tier & candidates)
            .find(|tier| !tier.is_empty());
        if let Some(mut members) = chosen {
            let mut is_drawn = plan.is_weighted;
            if plan.is_weighted {
                members = lots().pick(members);
            } else if let Some(percent) = plan.spill_over {
                let loads = Loads {
                    tiers,
                    known: view.members & plan.fence,
                    candidates,
                    endpoints,
                };
                if let Some(spill) = loads.spill(percent) {
                    trace.spill(&spill);
                    members = lots()
                        .pick_of(loads.shares(spill.needed))
                        .unwrap_or(members);
                    is_drawn = true;
                }
            }
            trace.level(level, candidates, members);
            let own = view.own.filter(|own| members.contains(*own));
            if let Some(own) = own {
                trace.own(own);
            }
            return Decision {
                level,
                members,
                is_drawn,
                own,
            };
        }
        trace.level(level, candidates, MemberSet::EMPTY);
        last = level;
    }
    Decision {
        level: last,
        members: MemberSet::EMPTY,
        is_drawn: plan.is_weighted,
        own: None,
    }
}

#[cfg(test)]
#[path = "tests/choose.rs"]
mod tests;
