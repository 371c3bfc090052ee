//! The trace that records, for explanations.

use crate::decide::{Draw, Eligible, Spill, Trace};
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
    /// The time slot and the client prefix of the draw, if the answer depends on one.
    pub draw: Option<(u64, ClientPrefix)>,
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

    fn draw<'l>(&mut self, draw: impl FnOnce() -> Draw<'l>) {
        let draw = draw();
        self.draw = Some((draw.slot, draw.prefix));
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
