//! What few services have: what of their facts does not count, and what is said of that.

use crate::model::{IgnoredReason, Inside, MemberIdx};

/// What few services have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Diagnostics {
    /// Members whose facts have the service without counting as an export, with why.
    pub(super) ignored: Box<[Ignored]>,
    /// What its members disagree about.
    pub(super) disagreements: Box<[Disagreement]>,
    /// How many of its addresses are not probed as there are too many in all.
    pub(super) unprobed: usize,
    /// How many of its shards exceed a limit.
    pub(super) exceeded: Exceeded,
    /// What members say of it that does not count as they say it, in words.
    pub(super) warnings: Box<[(MemberIdx, Box<str>)]>,
    /// Where shards are reached inside their members, where not all that they say counts.
    pub(super) inside: Box<[(MemberIdx, Inside)]>,
}

/// How many shards of a service exceed a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Exceeded {
    /// That of outside addresses.
    pub(super) overfull: usize,
    /// That of how often they may be probed.
    pub(super) hurried: usize,
}

/// A member's service that does not count as an export (docs/names.md, decision 13).
#[derive(Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The member.
    pub member: MemberIdx,
    /// Why.
    pub reason: IgnoredReason,
}

/// A matter that members of one service disagree about (docs/names.md, decision 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disagreement {
    /// The smallest TTL counts.
    Ttl,
    /// The first policy counts.
    Policy,
    /// The first order counts.
    Order,
    /// The intersection counts.
    Fence,
    /// The first counts.
    WhenAllDown,
    /// The first counts.
    DnsPrefix,
    /// The first counts.
    ExternalName,
    /// The smallest number counts.
    MaxAddresses,
    /// The first counts.
    SpillOver,
    /// The first counts.
    Srv,
}
