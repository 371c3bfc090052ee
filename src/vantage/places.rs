//! The places that anything names, each once.

use std::collections::HashMap;

use crate::model::{Fleet, MemberIdx, Place, VantageIdx};
use crate::names::Label;

/// Places by their [`VantageIdx`].
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    all: Vec<Place>,
    /// The member of each place.
    members: Vec<Option<MemberIdx>>,
    known: HashMap<Place, VantageIdx>,
    /// The members of the fleet.
    numbers: HashMap<Label, MemberIdx>,
}

impl Places {
    /// No place yet, of the members of a fleet.
    pub(super) fn new(fleet: &Fleet) -> Self {
        let members = fleet.members.iter();
        Self {
            numbers: members
                .map(|(index, member)| (member.name.clone(), index))
                .collect(),
            ..Self::default()
        }
    }

    /// The index of a place, added at its first use.
    pub(super) fn intern(&mut self, place: &Place) -> VantageIdx {
        if let Some(index) = self.known.get(place) {
            return *index;
        }
        let index = VantageIdx(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let member = place.member.as_ref();
        let number = member.and_then(|member| self.numbers.get(member).copied());
        self.all.push(place.clone());
        self.members.push(number);
        self.known.insert(place.clone(), index);
        index
    }

    /// The index of the place that a member is.
    pub(super) fn intern_member(&mut self, member: &Label) -> VantageIdx {
        self.intern(&Place {
            member: Some(member.clone()),
            ..Place::default()
        })
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Place] {
        &self.all
    }

    /// The member that a place is.
    #[inline]
    pub(super) fn member(&self, place: VantageIdx) -> Option<MemberIdx> {
        let index = usize::try_from(place.0).ok()?;
        self.members.get(index).copied().flatten()
    }
}
