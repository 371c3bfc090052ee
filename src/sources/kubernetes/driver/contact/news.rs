//! What watches say of themselves.

use super::super::super::failure::Failure;

/// What a watch says of itself.
#[derive(Debug)]
pub(in super::super) enum News {
    /// It waits for its turn to list.
    Queued,
    /// It has its turn.
    Turn,
    /// Its first page is there.
    Listing,
    /// Another page is there.
    Progress,
    /// It is watching.
    Up,
    /// It has ended, and is being started again.
    Ended(String),
    /// It cannot list, or not be started.
    Failed(Failure),
}
