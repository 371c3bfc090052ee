//! The trace that records, for explanations.

use crate::decide::{Eligible, Lots, Spill, Trace};
use crate::model::{MemberIdx, MemberSet};
use crate::vantage::{ClientPrefix, Vantage};

/// Records a decision.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    /// Who was eligible.
    pub eligible: Option<Eligible>,
    /// Each level: who was eligible there, and who was chosen.
    pub levels: Vec<(MemberSet, MemberSet)>,
    /// Where the client stands, if that counts.
    pub vantage: Option<Vantage>,
    /// The time slot and the client prefix of lots, if some were drawn.
    pub lots: Option<(u64, ClientPrefix)>,
    /// What the nearest members cannot carry, if that is so.
    pub spill: Option<Spill>,
    /// The member that answers with its inside addresses.
    pub own: Option<MemberIdx>,
    /// The answer has not all records, as no message holds them.
    pub is_over_message: bool,
}

impl Trace for Recorder {
    fn eligible(&mut self, eligible: &Eligible) {
        self.eligible = Some(*eligible);
    }

    fn vantage(&mut self, vantage: &Vantage) {
        self.vantage = Some(*vantage);
    }

    fn lots<'l>(&mut self, lots: impl FnOnce() -> Lots<'l>) {
        let lots = lots();
        self.lots = Some((lots.slot, lots.prefix));
    }

    fn spill(&mut self, spill: &Spill) {
        self.spill = Some(*spill);
    }

    fn own(&mut self, member: MemberIdx) {
        self.own = Some(member);
    }

    fn over_message(&mut self) {
        self.is_over_message = true;
    }

    fn level(&mut self, _level: usize, eligible: MemberSet, chosen: MemberSet) {
        self.levels.push((eligible, chosen));
    }
}
