//! What an entry is compiled from.

use std::sync::Arc;

use smallvec::SmallVec;

use super::apexes::{FederationIdx, inline_labels};
use super::diagnostics::IgnoredReason;
use crate::model::{
    Export, ExportMode, Federation, Fleet, MemberIdx, MemberSet, NamespacedName, Pattern, Service,
    ServiceKind,
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
        let offered = self
            .fleet
            .members
            .get(member)
            .map(|member| &*member.namespaces);
        let namespace = &self.name.namespace;
        if !self.members.contains(member) {
            return Some(IgnoredReason::Member);
        }
        if !Pattern::any(&self.rules.namespaces, namespace)
            || !Pattern::any(offered.unwrap_or_default(), namespace)
        {
            return Some(IgnoredReason::Namespace);
        }
        if facts
            .federations
            .as_ref()
            .is_some_and(|names| !names.contains(&self.rules.name))
        {
            return Some(IgnoredReason::OtherFederations);
        }
        match (facts.export, self.rules.export, facts.kind) {
            (Export::Refused, ..) => Some(IgnoredReason::Refused),
            (_, _, ServiceKind::ExternalName) | (Export::Unsaid, ExportMode::Annotated, _) => {
                Some(IgnoredReason::NotExported)
            }
            (Export::Exported, ..) | (Export::Unsaid, _, ServiceKind::LoadBalancer) => None,
            (Export::Unsaid, ..) => Some(IgnoredReason::NotExported),
        }
    }
}
