//! What an entry says of facts that do not count, or not as members say them.

use super::diagnostics::{Disagreement, Exceeded, Ignored};
use super::service::ServiceEntry;
use super::target_users::MOST_TARGETS;
use crate::model::{Inside, MemberIdx};

impl ServiceEntry {
    /// How many of its addresses are not probed as there are too many in all.
    pub(super) fn unprobed(&self) -> usize {
        let diagnostics = self.diagnostics();
        diagnostics.map_or(0, |diagnostics| diagnostics.unprobed)
    }

    /// How many of its shards exceed a limit.
    pub(super) fn exceeded(&self) -> Exceeded {
        let diagnostics = self.diagnostics();
        diagnostics.map_or_else(Exceeded::default, |diagnostics| diagnostics.exceeded)
    }

    /// Sets that addresses of these members are not probed, one for each, and says so.
    pub(super) fn set_unprobed(&mut self, members: &[MemberIdx]) {
        if members.is_empty() {
            return;
        }
        let diagnostics = self.diagnostics_mut();
        diagnostics.unprobed = members.len();
        let mut warnings = std::mem::take(&mut diagnostics.warnings).into_vec();
        // Those of one member stand together here, too.
        for of_member in members.chunk_by(|one, other| one == other) {
            let count = of_member.len();
            let text = format!(
                "{count} of its addresses not probed: {MOST_TARGETS} are in all, and the member has its share of them"
            );
            warnings.extend(of_member.first().map(|member| (*member, text.into())));
        }
        warnings.sort_by_key(|(member, _)| *member);
        diagnostics.warnings = warnings.into();
    }

    /// Members whose facts have the service without counting as an export, with why.
    pub fn ignored(&self) -> &[Ignored] {
        let diagnostics = self.diagnostics();
        diagnostics.map_or(&[], |diagnostics| &diagnostics.ignored)
    }

    /// What its members say that does not count as they say it, in words.
    pub fn warnings(&self) -> &[(MemberIdx, Box<str>)] {
        let diagnostics = self.diagnostics();
        diagnostics.map_or(&[], |diagnostics| &diagnostics.warnings)
    }

    /// Everything that a member says about where its shard is reached inside it, ready or not, as far
    /// as it counts.
    pub(super) fn said_inside(&self, member: MemberIdx) -> Option<&Inside> {
        let diagnostics = self.diagnostics();
        let mut known = diagnostics
            .map_or(&[][..], |diagnostics| &diagnostics.inside)
            .iter();
        match known.find(|(of, _)| *of == member) {
            Some((_, inside)) => Some(inside),
            None => self.facts(member)?.inside.as_deref(),
        }
    }

    /// What its members disagree about.
    pub fn disagreements(&self) -> &[Disagreement] {
        let diagnostics = self.diagnostics();
        diagnostics.map_or(&[], |diagnostics| &diagnostics.disagreements)
    }
}
