//! How long a connection may keep its thread while others wait.

use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::clock::monotonic;

/// Reads and answers in one stay: about as many as come in one read.
const STEPS: u32 = 64;

/// Time in one stay. With 512 connections that all have more to ask than is ever answered, each has
/// its next stay within some tens of milliseconds.
const TIME: Duration = Duration::from_micros(100);

/// Steps between two looks at the clock.
const LOOK: u32 = 8;

/// What a connection may still do before it lets the other ones of its thread come first, however
/// much it has received: tokio alone would let it go on for thousands of queries.
#[derive(Debug)]
pub(super) struct Budget {
    /// Steps left.
    steps: u32,
    /// When the time is up.
    end: Instant,
}

impl Budget {
    /// A whole budget, from now on.
    pub(super) fn new() -> Self {
        Self {
            steps: STEPS,
            end: monotonic() + TIME,
        }
    }

    /// Takes a step, of which none may be left; a look at the clock may take all that are.
    pub(super) fn spend(&mut self) {
        self.steps = self.steps.saturating_sub(1);
        if self.steps.is_multiple_of(LOOK) {
            self.look();
        }
    }

    /// Takes what is left if the time is up.
    pub(super) fn look(&mut self) {
        if monotonic() >= self.end {
            self.steps = 0;
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.steps == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_budget_is_spent_by_steps_and_by_time() {
        let mut budget = Budget::new();
        for _ in 0..STEPS {
            assert!(!budget.is_spent());
            budget.spend();
        }
        assert!(budget.is_spent());
        let mut budget = Budget::new();
        tokio::time::advance(TIME).await;
        for _ in 0..LOOK {
            assert!(!budget.is_spent());
            budget.spend();
        }
        assert!(budget.is_spent());
    }
}
