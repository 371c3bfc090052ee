//! What an entry is compiled from.

use std::sync::Arc;

use smallvec::SmallVec;

use super::apex::FederationIdx;
use super::wire_labels::inline_labels;
use crate::model::{
    Federation, Fleet, IgnoredReason, MemberIdx, MemberSet, NamespacedName, Service,
};
use crate::names::Label;

/// What an entry is compiled from.
pub(super) struct Input<'a> {
    /// The configured world.
    pub(super) fleet: &'a Fleet,
    /// Which federation.
    pub(super) federation: FederationIdx,
    /// Its configuration.
    pub(super) rules: &'a Federation,
    /// The members that it takes.
    pub(super) members: MemberSet,
    /// Which service.
    pub(super) name: &'a NamespacedName,
    /// What it is called in names.
    pub(super) label: &'a Label,
    /// What each member says, in configuration order.
    pub(super) facts: &'a [(MemberIdx, Arc<Service>)],
}

impl Input<'_> {
    /// The wire labels `service.ns.fed`.
    pub(super) fn key(&self) -> SmallVec<[u8; 64]> {
        inline_labels([
            self.label.as_str(),
            self.name.namespace.as_str(),
            self.rules.name.as_str(),
        ])
    }

    /// Why a member's service does not count as an export (docs/names.md, decision 13).
    pub(super) fn ignores(&self, member: MemberIdx, facts: &Service) -> Option<IgnoredReason> {
        let member = self
            .members
            .contains(member)
            .then(|| self.fleet.members.get(member));
        let member = member.flatten();
        self.rules.ignores(member, &self.name.namespace, facts)
    }
}
