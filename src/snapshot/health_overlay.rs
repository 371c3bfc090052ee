//! The health overlay of a service: what probes, damping and drains say on top of its facts.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::decide::ShardOverlay;
use crate::model::{
    Evidence, FULL_SHARE, MemberIdx, MemberSet, NamespacedName, ProbeTarget, UnixSeconds,
};

/// TTL at most while things are in motion, in seconds: a member of the federation is in its first
/// sync, or a shard in the answer is suspect, held or being drained (docs/names.md, decision 8).
pub const UNSETTLED_TTL: u32 = 5;

/// Why a shard is out, or suppressed, beyond what its facts say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Since when.
    pub since: UnixSeconds,
    /// It is ready again, and suppressed until then at least since it went out too often: it counts
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

    /// The share of a service.
    pub fn of_service(&self, name: &NamespacedName) -> u16 {
        self.services.get(name).copied().unwrap_or(FULL_SHARE)
    }

    /// Services whose share differs from that in `other`.
    pub(super) fn changed(&self, other: &Self) -> HashSet<NamespacedName> {
        let names = self.services.keys().chain(other.services.keys());
        names
            .filter(|name| self.of_service(name) != other.of_service(name))
            .cloned()
            .collect()
    }
}

/// What probes, damping and drains say of one service on top of its facts. Most services have none.
#[derive(Debug, PartialEq, Eq)]
pub struct HealthOverlay {
    /// What choosing members needs.
    pub sets: ShardOverlay,
    /// Members all of whose addresses are withheld: not available, but last known.
    pub dead: MemberSet,
    /// What operators leave of the service, of [`FULL_SHARE`].
    pub share: u16,
    /// Weights of members that do not have weight 1.
    pub weights: Box<[(MemberIdx, u32)]>,
    /// Shards some of whose addresses are withheld, with all of their addresses: pinned names have
    /// all.
    pub whole: Box<[AllAddresses]>,
    /// Targets that are not up, with the members that they are of.
    pub probed: Box<[(MemberIdx, ProbeTarget, Evidence)]>,
    /// Why shards are out, or suppressed.
    pub conditions: Box<[(MemberIdx, Condition)]>,
}

/// Every address of a shard.
#[derive(Debug, PartialEq, Eq)]
pub struct AllAddresses {
    /// The member.
    pub member: MemberIdx,
    /// IPv4 addresses.
    pub ipv4: Box<[Ipv4Addr]>,
    /// IPv6 addresses.
    pub ipv6: Box<[Ipv6Addr]>,
}

impl HealthOverlay {
    /// Nothing in particular.
    pub(super) fn none() -> Self {
        Self {
            sets: ShardOverlay::default(),
            dead: MemberSet::EMPTY,
            share: FULL_SHARE,
            weights: Box::default(),
            whole: Box::default(),
            probed: Box::default(),
            conditions: Box::default(),
        }
    }

    /// The condition of a member's shard.
    pub fn condition(&self, member: MemberIdx) -> Option<&Condition> {
        let mut conditions = self.conditions.iter();
        conditions
            .find(|(of, _)| *of == member)
            .map(|(_, condition)| condition)
    }
}
