//! Operators who wait for removals that they have confirmed.

use tokio::sync::oneshot;

use crate::publish::command::{CommandOutcome, CommandRefused};

/// An operator who has confirmed removals that are not all made.
#[derive(Debug)]
pub(in crate::publish) struct Confirming {
    /// How many removals have been made with the last of these.
    pub(in crate::publish) last: u64,
    /// What is to be answered.
    pub(in crate::publish) done: CommandOutcome,
    /// Where.
    pub(in crate::publish) reply: oneshot::Sender<Result<CommandOutcome, CommandRefused>>,
}
