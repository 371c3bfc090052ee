//! What operators have said of members that go.

use std::collections::BTreeMap;

use crate::names::Label;

/// What operators have said of members that go, for whoever follows where these come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberDepartures {
    /// How often those were let go whose removal was withheld.
    pub confirmed: u64,
    /// Members whose absence is meant, with how often that was said.
    pub meant: BTreeMap<Label, u64>,
}
