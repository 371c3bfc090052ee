//! The status that the task of a watch reports.

use super::super::super::failure::Failure;

/// The status of a watch.
#[derive(Debug)]
pub(in super::super) enum WatchStatus {
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
