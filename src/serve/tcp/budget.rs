//! How long a connection may keep its thread while others wait, and for what it waits then.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::telemetry::clock::monotonic;

/// Reads and answers in one stay: about as many as come in one read.
const STEPS: u32 = 64;

/// Time in one stay.
const TIME: Duration = Duration::from_micros(100);

/// Steps between two looks at the clock.
const LOOK: u32 = 8;

/// Stays on a thread between two looks at what the system says is ready.
pub(in crate::serve) const EVENT_INTERVAL: u32 = 8;

/// Turns for each thread: one being taken, and one that is ready when it ends.
const TURNS: usize = 2;

/// The turns of connections that have spent their budget. However many those are, few of them are
/// ready to run at once, and the others wait here, first come first served: so a new connection, or
/// one that was at rest, waits for few stays, and not for one of each connection that is busy.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Turns(Arc<Semaphore>);

impl Turns {
    /// The turns of `threads` threads.
    pub(in crate::serve) fn new(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(threads * TURNS)))
    }

    /// Lets everybody else come first who is ready or waits for a turn, and returns a new budget.
    pub(super) async fn next(&self, spent: Option<Budget>) -> Budget {
        // With the turn kept: else whoever is ready next would find it free, and nobody would wait.
        yield_now().await;
        drop(spent);
        // Nobody closes the semaphore.
        let turn = Arc::clone(&self.0).acquire_owned().await.ok();
        Budget {
            _turn: turn,
            ..Budget::new()
        }
    }
}

/// What a connection may still do before it lets the other ones of its thread come first, however
/// much it has received: tokio alone would let it go on for thousands of queries.
#[derive(Debug)]
pub(super) struct Budget {
    /// Steps left.
    steps: u32,
    /// When the time is up.
    end: Instant,
    /// The turn in which it is spent; given back with it.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A whole budget, from now on.
    pub(super) fn new() -> Self {
        Self {
            steps: STEPS,
            end: monotonic() + TIME,
            _turn: None,
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
    use std::pin::pin;

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

    #[tokio::test]
    async fn turns_are_few_and_come_back_with_their_budgets() {
        let turns = Turns::new(1);
        let first = turns.next(None).await;
        let _second = turns.next(None).await;
        let mut third = pin!(turns.next(None));
        // It yields once, and then waits.
        assert!(futures::poll!(third.as_mut()).is_pending());
        yield_now().await;
        assert!(futures::poll!(third.as_mut()).is_pending());
        drop(first);
        assert!(futures::poll!(third.as_mut()).is_ready());
    }
}
