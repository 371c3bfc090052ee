//! What is known of shards beyond their facts: probes, damping, drains.

use std::collections::HashMap;

use crate::model::{Evidence, FULL_SHARE, MemberIdx, NamespacedName, Target, UnixSeconds};

/// Everything that is to be probed: a persistent set, so that handing it on costs nothing.
pub type Targets = imbl::HashSet<Target>;

/// Why a shard is out, or kept back, beyond what its facts say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Since when.
    pub since: UnixSeconds,
    /// It is ready again, and kept back until then at least since it went out too often: it counts
    /// only where no other shard of its service does.
    pub damped_until: Option<UnixSeconds>,
    /// For people: `no ready endpoint`, `withdrawn 4 times in 10 minutes`.
    pub why: Box<str>,
}

/// Shares that operators leave, of [`FULL_SHARE`]; 0 is out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    /// Members that do not have their full share.
    pub members: Vec<(MemberIdx, u16)>,
    /// Services that do not have their full share, in every member.
    pub services: HashMap<NamespacedName, u16>,
}

impl Shares {
    /// The share of a member.
    pub fn of(&self, member: MemberIdx) -> u16 {
        let found = self.members.iter().find(|(drained, _)| *drained == member);
        found.map_or(FULL_SHARE, |(_, share)| *share)
    }
}

/// What is known of shards beyond their facts.
#[derive(Debug, Default)]
pub(super) struct Cautions {
    /// What probes say of targets.
    pub(super) evidence: HashMap<Target, Evidence, foldhash::fast::RandomState>,
    /// Conditions of shards.
    pub(super) conditions: HashMap<(MemberIdx, NamespacedName), Condition>,
    /// What operators leave.
    pub(super) shares: Shares,
    /// What is to be probed.
    pub(super) targets: Targets,
}
