//! Operators who wait for removals that they have confirmed.

use tokio::sync::oneshot;

use super::command::{Done, Refused};

/// An operator who has confirmed removals that are not all made.
#[derive(Debug)]
pub(super) struct Confirming {
    /// How many removals have been made with the last of these.
    pub(super) last: u64,
    /// What is to be answered.
    pub(super) done: Done,
    /// Where.
    pub(super) reply: oneshot::Sender<Result<Done, Refused>>,
}
