//! What a check finds.

use super::super::progress::StepMark;

/// Something that a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFinding {
    /// How it is.
    pub state: StepMark,
    /// In words.
    pub says: String,
    /// A command that mends it, or what is to be done.
    pub hint: Option<String>,
}

impl CheckFinding {
    /// Something that was found.
    fn new(state: StepMark, says: impl Into<String>) -> Self {
        Self {
            state,
            says: says.into(),
            hint: None,
        }
    }

    /// All is as it should be.
    pub fn ok(says: impl Into<String>) -> Self {
        Self::new(StepMark::Ok, says)
    }

    /// Something is worth a look.
    pub fn warning(says: impl Into<String>) -> Self {
        Self::new(StepMark::Warning, says)
    }

    /// Something is wrong.
    pub fn failure(says: impl Into<String>) -> Self {
        Self::new(StepMark::Failure, says)
    }

    /// It was not looked at, and why.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::new(StepMark::Skipped, why)
    }

    /// The same, with what mends it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}
