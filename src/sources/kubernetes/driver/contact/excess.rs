//! More than is kept, and how long a member must keep within it to be believed again. Pure.

use std::time::Duration;

/// A member that exceeded a limit need not keep within it for longer than so many times the time
/// that a watch may be down: a minute by default.
const LONGEST: u32 = 12;

/// A limit that was exceeded.
#[derive(Debug, Clone)]
pub(super) struct Excess {
    /// Which, and how much that is.
    pub(super) why: String,
    /// How long everything must have been listed and watched for this to be over.
    proof: Duration,
}

impl Excess {
    /// A limit that was exceeded after everything had been listed and watched for `standing`.
    ///
    /// A member that floods takes about as long the next time: it must stand for twice that. It is
    /// at least `patience`, how long a watch may be down, as for a watch that said too much.
    pub(super) fn new(why: String, standing: Duration, patience: Duration) -> Self {
        let longest = patience * LONGEST;
        Self {
            why,
            proof: (standing * 2).clamp(patience, longest),
        }
    }

    /// Whether this is over, when everything has been listed and watched for `standing`, if it has.
    pub(super) fn is_over(&self, standing: Option<Duration>) -> bool {
        standing.is_some_and(|standing| standing >= self.proof)
    }
}
