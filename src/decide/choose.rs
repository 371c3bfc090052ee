//! Who is eligible, at which level, and who of them is chosen.
//!
//! The rules in their order; 2 to 4 leave out only what something sure can stand in for:
//!
//! 1. A shard is available if it is ready, has an address that no probe has found dead, and is not
//!    drained: neither by weight 0 nor by an operator. The fence cuts what is available. For a
//!    client inside its member, at the global level, its inside address counts instead, of which
//!    probes from outside say nothing (docs/names.md, decision 12).
//! 2. A shard is sure if its member is in contact, or an address of it has passed its probes of
//!    late; else it is doubtful. Where a sure one is left, doubtful ones whose member's hold has
//!    passed are withdrawn (docs/names.md, decision 5).
//! 3. Set aside, each only where a sure one is left (or where none was): members that are back after
//!    they were withdrawn too often; shards that are ready again after they went out too often; shards
//!    that have lost all addresses of a family while others have those that they have left.
//! 4. A member that is being drained is set aside likewise, for the part of all draws that it has lost.
//! 5. If none is left, `last-known` lets all stand in that are published and not drained.
//! 6. The first level with an eligible member answers; there the first tier of the plan that has
//!    one; and of that, under `weighted`, one member by a draw (docs/names.md, decision 6), unless all
//!    are listed for the client to draw. Where that tier has too few ready endpoints and the plan
//!    says that it spills over, one member of it and of the next tiers is drawn instead.

use super::spill::Loads;
use super::{Draw, Eligible, Plan, Spill};
use crate::model::{Endpoints, MemberIdx, MemberSet};
use crate::vantage::Vantage;

/// A level, as one client sees it.
#[derive(Debug, Clone, Copy)]
pub struct LevelView<'t> {
    /// The members there.
    pub members: MemberSet,
    /// The tiers of the client's place if they count there: for `nearest` at the global level only,
    /// as zone and region names ignore where a client stands (docs/names.md, decision 6).
    pub nearest: Option<&'t [MemberSet]>,
    /// Who is eligible there.
    pub eligible: &'t Eligible,
    /// The member that the client is inside, if its shard is reached there by its inside addresses:
    /// at the global level only (docs/names.md, D.11.2).
    pub own: Option<MemberIdx>,
    /// Under `weighted` all members there answer, with their weights: the client draws
    /// (docs/names.md, decision 19).
    pub is_listed: bool,
}

/// The outcome of [`choose`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// How many levels were passed over: 0 is the level that was asked.
    pub level: usize,
    /// The members that answer; empty when no level has an eligible one.
    pub members: MemberSet,
    /// They were drawn.
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
    /// The answer depends on this draw.
    fn draw<'l>(&mut self, _draw: impl FnOnce() -> Draw<'l>) {}
    /// The nearest members cannot carry all: one is drawn of these and others.
    fn spill(&mut self, _spill: &Spill) {}
    /// One level was looked at: who is eligible there, and who of them is chosen.
    fn level(&mut self, _level: usize, _eligible: MemberSet, _chosen: MemberSet) {}
    /// The answer has not all records, as no message holds them: a draw says which.
    fn over_message(&mut self) {}
    /// So many signatures were there, so many near their end, and so many were not there, for a name that
    /// is absent or not. The one nearest to its end has so many seconds left.
    fn signatures(&mut self, _found: [u32; 3], _least_left: u32, _is_absent: bool) {}
    /// A member that is chosen answers with its inside addresses.
    fn own(&mut self, _member: MemberIdx) {}
}

/// Watches nothing, at no cost: what the query path runs with.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTrace;

impl Trace for NoTrace {}

/// Chooses members: the first of `levels` with an eligible member answers, with the first tier of
/// the plan that has one of them, and under `weighted` with one member of it.
///
/// `levels` are the level asked first and the global one last. A client inside a member is in its
/// first tier alone, so that under `nearest` its own shard answers alone where it can. `draw` is as
/// for [`eligible`], and `endpoints` are those of a member, asked only where a plan spills over.
#[expect(
    clippy::inline_always,
    reason = "most of what it says is asked for by explanations alone"
)]
#[inline(always)]
pub fn choose<'t, 'l, T: Trace>(
    plan: &Plan,
    levels: impl IntoIterator<Item = LevelView<'t>>,
    draw: impl FnOnce() -> Draw<'l>,
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
            let mut is_drawn = plan.is_weighted && !view.is_listed;
            if is_drawn {
                members = draw().pick(members);
            } else if let Some(percent) = plan.spill_over {
                let loads = Loads {
                    tiers,
                    known: view.members & plan.fence,
                    candidates,
                    endpoints,
                };
                if let Some(spill) = loads.spill(percent) {
                    trace.spill(&spill);
                    members = draw()
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

/// Chooses every eligible member, whatever the plan prefers: a headless service of a clusterset has all
/// ready pods (Kubernetes Multi-Cluster DNS specification, 2.4.1).
pub fn choose_all<T: Trace>(eligible: &Eligible, trace: &mut T) -> MemberSet {
    trace.eligible(eligible);
    trace.level(0, eligible.members, eligible.members);
    eligible.members
}

#[cfg(test)]
#[path = "tests/choose.rs"]
mod tests;
