//! Withdrawals that are no longer held back, and wait for their turn.

use std::collections::VecDeque;
use std::sync::Arc;

use super::key::ShardKey;
use crate::model::Peer;

/// Withdrawals that are no longer held back, and wait for their turn: there may be many.
#[derive(Debug, Default)]
pub(in crate::publish) struct Releases {
    /// Those that wait.
    pub(in crate::publish) waiting: VecDeque<(ShardKey, Arc<str>, Option<Peer>)>,
    /// How many have had their turn in this process.
    pub(in crate::publish) done: u64,
}

impl Releases {
    /// Whether none waits.
    pub(in crate::publish) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many have had their turn in this process.
    pub(in crate::publish) fn done(&self) -> u64 {
        self.done
    }

    /// How many will have had it with the last that waits now.
    pub(in crate::publish) fn all(&self) -> u64 {
        self.done + self.waiting.len() as u64
    }
}
