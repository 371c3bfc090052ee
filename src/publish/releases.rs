//! Withdrawals that are no longer held back, and wait for their turn.

use std::collections::VecDeque;
use std::sync::Arc;

use super::key::ShardKey;
use crate::model::Peer;

/// Withdrawals that are no longer held back, and wait for their turn: there may be many.
#[derive(Debug, Default)]
pub(super) struct Releases {
    /// Those that wait.
    pub(super) waiting: VecDeque<(ShardKey, Arc<str>, Option<Peer>)>,
    /// How many have had their turn in this process.
    pub(super) done: u64,
}

impl Releases {
    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many have had their turn in this process.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// How many will have had it with the last that waits now.
    pub(super) fn all(&self) -> u64 {
        self.done + self.waiting.len() as u64
    }
}
