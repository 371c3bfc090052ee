//! Who is eligible: the rules 1 to 5 of [`super::choose`], which leave out only what others can stand
//! in for.

use super::{Draw, Plan};
use crate::model::{MemberIdx, MemberSet, WhenAllDown};

/// What holds for all services of a federation at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetHealth {
    /// Members whose facts are not live: held, lost or returning.
    pub stale: MemberSet,
    /// Those of them that are not in contact, as far as anybody knows: their shards are doubtful
    /// unless probes prove them.
    pub doubtful: MemberSet,
    /// Doubtful members whose hold has passed.
    pub expired: MemberSet,
    /// Doubtful members that have been lost for so long that a bare TCP connection proves nothing:
    /// their addresses may be somebody else's by now.
    pub abandoned: MemberSet,
    /// Members that are back in contact, and suppressed since they were withdrawn too often.
    pub suppressed: MemberSet,
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
    /// Some shard may be suppressed: see [`ShardOverlay::may_suppress`].
    pub may_suppress: bool,
}

/// What holds for few services beside [`ShardHealth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardOverlay {
    /// Members whose shard is suppressed since it went out too often.
    pub damped: MemberSet,
    /// Those of them whose shard is suppressed since probes found all that is left of a family of
    /// its addresses damped: a client inside the member does not care.
    pub damped_by_probes: MemberSet,
    /// Members of whose shard some address has passed its probes of late.
    pub proven: MemberSet,
    /// Those of them whose proofs are all bare TCP connections, which whoever has the address by now
    /// may answer.
    pub by_tcp: MemberSet,
    /// Shards that have lost all addresses of one family to probes.
    pub partial: PartialFamilies,
}

/// Shards that have lost all addresses of one family to probes. The level that answers does not
/// depend on the type that is asked (docs/names.md, decision 4), so such a shard would leave
/// clients of the lost family with nothing where others have something for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartialFamilies {
    /// Members that have IPv4 addresses left.
    pub ipv4: MemberSet,
    /// Members that have IPv6 addresses left.
    pub ipv6: MemberSet,
    /// Members that have IPv4 addresses, and have lost no family.
    pub whole_ipv4: MemberSet,
    /// Members that have IPv6 addresses, and have lost no family.
    pub whole_ipv6: MemberSet,
}

impl ShardOverlay {
    /// Whether a shard may be suppressed, since it is damped or has lost a family of addresses.
    pub fn may_suppress(&self) -> bool {
        !self.damped.is_empty() || self.partial != PartialFamilies::default()
    }

    /// The same for a client inside a member, who has what is of these families there whatever
    /// probes find.
    #[must_use]
    pub fn inside(mut self, member: MemberIdx, has_ipv4: bool, has_ipv6: bool) -> Self {
        if self.damped_by_probes.contains(member) {
            self.damped_by_probes.remove(member);
            self.damped.remove(member);
        }
        let partial = &mut self.partial;
        for (half, whole, has_family) in [
            (&mut partial.ipv4, &mut partial.whole_ipv4, has_ipv4),
            (&mut partial.ipv6, &mut partial.whole_ipv6, has_ipv6),
        ] {
            half.remove(member);
            whole.remove(member);
            if has_family {
                whole.insert(member);
            }
        }
        self
    }
}

impl PartialFamilies {
    /// Those of `members` that are suppressed: others have addresses of the family that they have.
    pub(super) fn suppressed(&self, members: MemberSet) -> MemberSet {
        let pairs = [(self.ipv4, self.whole_ipv4), (self.ipv6, self.whole_ipv6)];
        let covered = pairs
            .into_iter()
            .filter(|(_, whole)| !(members & *whole).is_empty());
        covered.fold(MemberSet::EMPTY, |all, (half, _)| all | (members & half))
    }
}

/// The eligible members of a service, at every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Eligible {
    /// The members.
    pub members: MemberSet,
    /// Members that would be eligible but for the fence.
    pub fenced_off: MemberSet,
    /// Members that are left out because they are doubtful, their hold has passed, and something sure
    /// is left.
    pub withdrawn: MemberSet,
    /// Members that are left out for a while because they were withdrawn too often, and something sure
    /// is left.
    pub suppressed: MemberSet,
    /// Members that are left out because they went out too often and something sure is left.
    pub damped: MemberSet,
    /// Members that are left out because they have lost a family of addresses and others have it.
    pub lost_family: MemberSet,
    /// Members that are left out for now because they are being drained and something sure is left.
    pub parted: MemberSet,
    /// A draw was made: the answer depends on the client's prefix and on the time.
    pub is_drawn: bool,
    /// None was eligible, and those last known stand in (docs/names.md, decision 2).
    pub is_last_known: bool,
}

/// Who is eligible (docs/names.md, D.1, decisions 2 and 5). Does not depend on the level or query
/// type.
///
/// A shard is *sure* if its member is in contact, or one of its addresses has passed its probes of
/// late; else it is *doubtful*. Where any is sure, some of those that are sure answer: whatever
/// leaves shards out leaves a sure one in.
///
/// `overlay` is looked up only where it counts, as it lies far off: where shards are suppressed, or
/// members are doubtful.
///
/// `draw` makes the draw of the service for the client and the time; it is called only if a member
/// is being drained.
#[expect(
    clippy::inline_always,
    reason = "most of what it says is asked for by explanations alone"
)]
#[inline(always)]
pub fn eligible<'c, 'l>(
    plan: &Plan,
    shards: &ShardHealth,
    overlay: impl Fn() -> Option<&'c ShardOverlay>,
    fleet: &FleetHealth,
    draw: impl FnOnce() -> Draw<'l>,
) -> Eligible {
    let available = shards.available & !fleet.drained;
    let fenced_off = available & !plan.fence;
    let members = available & plan.fence;
    if members.is_empty() {
        return last_known(plan, shards, fleet, fenced_off);
    }
    let in_question = members & (fleet.doubtful | fleet.suppressed | fleet.draining);
    if shards.may_suppress || !in_question.is_empty() {
        return leave_out((members, fenced_off), shards, overlay, fleet, draw);
    }
    Eligible {
        members,
        fenced_off,
        ..Eligible::default()
    }
}

/// Who stands in where none is available.
#[inline(never)]
fn last_known(
    plan: &Plan,
    shards: &ShardHealth,
    fleet: &FleetHealth,
    fenced_off: MemberSet,
) -> Eligible {
    let is_last_known = plan.when_all_down == WhenAllDown::LastKnown;
    let members = shards.last_known & plan.fence & !fleet.drained;
    Eligible {
        members: if is_last_known {
            members
        } else {
            MemberSet::EMPTY
        },
        fenced_off,
        is_last_known,
        ..Eligible::default()
    }
}

/// Leaves out those of a service that others can stand in for, which leaves one in. Most services have
/// none of them, and pay for one question.
#[inline(never)]
fn leave_out<'c, 'l>(
    (within, fenced_off): (MemberSet, MemberSet),
    shards: &ShardHealth,
    overlay: impl Fn() -> Option<&'c ShardOverlay>,
    fleet: &FleetHealth,
    draw: impl FnOnce() -> Draw<'l>,
) -> Eligible {
    let mut eligible = Eligible {
        fenced_off,
        ..Eligible::default()
    };
    let mut doubtful = within & fleet.doubtful;
    if !doubtful.is_empty()
        && let Some(overlay) = overlay()
    {
        doubtful = doubtful & !(overlay.proven & !(overlay.by_tcp & fleet.abandoned));
    }
    let sure = within & !doubtful;
    if !sure.is_empty() {
        eligible.withdrawn = doubtful & fleet.expired;
    }
    let mut left = Left {
        members: within & !eligible.withdrawn,
        sure,
    };
    eligible.suppressed = left.set_aside(fleet.suppressed);
    if shards.may_suppress
        && let Some(overlay) = overlay()
    {
        eligible.damped = left.set_aside(overlay.damped);
        eligible.lost_family = left.set_aside(overlay.partial.suppressed(left.members));
    }
    let draining = left.members & fleet.draining;
    eligible.is_drawn = !draining.is_empty();
    if eligible.is_drawn {
        eligible.parted = left.set_aside(draw().drained(draining));
    }
    eligible.members = left.members;
    eligible
}

/// Those that are left while some are set aside.
struct Left {
    /// All of them.
    members: MemberSet,
    /// Those that are sure, set aside or not.
    sure: MemberSet,
}

impl Left {
    /// Takes some away if a sure one is left, or any where none was sure. Returns who is gone.
    #[inline]
    fn set_aside(&mut self, some: MemberSet) -> MemberSet {
        let gone = self.members & some;
        if gone.is_empty() {
            return gone;
        }
        let left = self.members & !some;
        let is_sure = !(left & self.sure).is_empty() || (self.members & self.sure).is_empty();
        if left.is_empty() || !is_sure {
            return MemberSet::EMPTY;
        }
        self.members = left;
        gone
    }
}

#[cfg(test)]
#[path = "tests/inputs.rs"]
mod tests;
