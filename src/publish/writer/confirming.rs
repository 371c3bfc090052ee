//! Operators who wait for removals that they have confirmed.

use tokio::sync::oneshot;

use crate::config::Membership;
use crate::names::Label;
use crate::publish::command::{CommandOutcome, CommandRefused};

/// An operator who has confirmed removals that are not all made.
#[derive(Debug)]
pub(in crate::publish) struct Confirming {
    /// What is waited for.
    pub(in crate::publish) what: Awaited,
    /// What is to be answered.
    pub(in crate::publish) done: CommandOutcome,
    /// Where.
    pub(in crate::publish) reply: oneshot::Sender<Result<CommandOutcome, CommandRefused>>,
}

/// What an operator has confirmed.
#[derive(Debug)]
pub(in crate::publish) enum Awaited {
    /// Removals of shards: how many have been made with the last of these.
    Shards(u64),
    /// Removals of members.
    Members(Vec<Label>),
}

impl Awaited {
    /// Whether it has come about, now that so many removals of shards are made.
    pub(in crate::publish) fn is_done(&self, made: u64, membership: &Membership) -> bool {
        match self {
            Self::Shards(last) => *last <= made,
            Self::Members(names) => {
                let mut withheld = membership.withheld.iter();
                !withheld.any(|name| names.contains(name))
            }
        }
    }
}
