//! What a command says while it goes on.

use std::fmt;

use serde::Serialize;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepMark {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warning,
    /// Wrong.
    Failure,
    /// Not looked at.
    Skipped,
}

impl StepMark {
    /// As it is shown to people.
    pub fn sign(self) -> char {
        match self {
            Self::Ok => '√',
            Self::Warning => '‼',
            Self::Failure => '×',
            Self::Skipped => '-',
        }
    }

    /// The same where there is ASCII alone.
    pub fn ascii(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "!!",
            Self::Failure => "xx",
            Self::Skipped => "--",
        }
    }
}

/// A thing that was found or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// Something was found.
    Found {
        /// How it is.
        state: StepMark,
        /// In words.
        says: String,
    },
    /// An object or a file was made, changed or taken away, or found as it should be.
    Did {
        /// Which: its kind and name, or its path.
        object: String,
        /// What was done.
        result: String,
    },
}

/// The column in which results stand.
const RESULTS: usize = 57;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { state, says } => write!(f, "{} {says}", state.sign()),
            Self::Did { object, result } => {
                let width = RESULTS - 1;
                write!(f, "  {object:width$} {result}")
            }
        }
    }
}

/// What a command has said so far, handed on as it is said.
pub struct Progress<'t> {
    /// Where each step is handed on to.
    tell: &'t mut (dyn FnMut(&Step) + Send),
    /// All of them.
    pub steps: Vec<Step>,
}

impl<'t> Progress<'t> {
    /// Nothing yet; each step goes to `tell`.
    pub fn new(tell: &'t mut (dyn FnMut(&Step) + Send)) -> Self {
        Self {
            tell,
            steps: Vec::new(),
        }
    }

    /// Says a step.
    pub fn say(&mut self, step: Step) {
        (self.tell)(&step);
        self.steps.push(step);
    }

    /// Says how something is.
    pub fn found(&mut self, state: StepMark, says: impl Into<String>) {
        let says = says.into();
        self.say(Step::Found { state, says });
    }

    /// Says what was done with something.
    pub(super) fn did(&mut self, object: impl Into<String>, result: impl Into<String>) {
        let (object, result) = (object.into(), result.into());
        self.say(Step::Did { object, result });
    }
}
