//! What an operator says of what is to be checked.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::id::CheckId;
use crate::config::{MemberSource, Source};
use crate::names::Label;

/// What is to be checked, and how.
#[derive(Debug, Clone)]
pub struct CheckSettings {
    /// Checks that are wanted; none is all.
    pub only: BTreeSet<CheckId>,
    /// Members that are wanted; none is all.
    pub members: BTreeSet<Label>,
    /// DNS servers of members, at which their pods ask.
    pub through: Vec<(Label, SocketAddr)>,
    /// Servers of the zones above the apexes.
    pub parents: Vec<SocketAddr>,
    /// Resolvers of clients.
    pub resolvers: Vec<SocketAddr>,
    /// How long one check may take.
    pub timeout: Duration,
    /// For how long what has failed is repeated; nothing is once.
    pub wait: Duration,
}

impl CheckSettings {
    /// Whether a check is wanted.
    pub(super) fn wants(&self, id: CheckId) -> bool {
        self.only.is_empty() || self.only.contains(&id)
    }

    /// Whether the DNS server of a member is asked: one that is given, else that of the pod that this is.
    pub(super) fn asks_through(&self, source: &MemberSource) -> bool {
        let mut through = self.through.iter();
        let is_own = self.through.is_empty() && source.source == Source::InCluster;
        self.wants(CheckId::Stub) && (is_own || through.any(|(name, _)| *name == source.member))
    }

    /// Whether a member is wanted.
    pub(super) fn wants_member(&self, name: &Label) -> bool {
        self.members.is_empty() || self.members.contains(name)
    }
}
