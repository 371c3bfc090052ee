//! Which services of which members a federation has.

use super::{Export, ExportMode, Federation, Member, Pattern, ServiceKind, Spec};
use crate::names::Label;

/// Why a service does not count as an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredReason {
    /// It does not say that it is exported, and the federation asks for that.
    NotExported,
    /// Its annotation says that it is not.
    Refused,
    /// It names other federations.
    OtherFederations,
    /// The federation does not take the member.
    Member,
    /// The federation does not take the namespace, or the member does not offer it.
    Namespace,
}

impl Federation {
    /// Whether it takes a member.
    pub fn takes(&self, member: &Label) -> bool {
        Pattern::any(&self.members, member)
    }

    /// Why a service of a member that it [takes](Federation::takes) does not count as an export
    /// (docs/names.md, decision 13); `None` is a member that it does not take.
    pub fn ignores(
        &self,
        member: Option<&Member>,
        namespace: &Label,
        spec: &Spec,
    ) -> Option<IgnoredReason> {
        let Some(member) = member else {
            return Some(IgnoredReason::Member);
        };
        if !Pattern::any(&self.namespaces, namespace)
            || !Pattern::any(&member.namespaces, namespace)
        {
            return Some(IgnoredReason::Namespace);
        }
        let federations = spec.federations.as_ref();
        if federations.is_some_and(|names| !names.contains(&self.name)) {
            return Some(IgnoredReason::OtherFederations);
        }
        match (spec.export, self.export, spec.kind) {
            (Export::Refused, ..) => Some(IgnoredReason::Refused),
            (_, _, ServiceKind::ExternalName) | (Export::Unsaid, ExportMode::Annotated, _) => {
                Some(IgnoredReason::NotExported)
            }
            (Export::Exported, ..) | (Export::Unsaid, _, ServiceKind::LoadBalancer) => None,
            (Export::Unsaid, ..) => Some(IgnoredReason::NotExported),
        }
    }
}
