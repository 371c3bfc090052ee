//! The limit of open files, raised to what connections need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Files beside TCP connections: sockets of workers, connections to 256 members, facts files, logs.
const OTHERS: u64 = 1024;

/// Raises the soft limit of open files to the hard one where `connections` need it, and warns where
/// that is not enough: when files run out, accepting rests, and facts may not be read or kept. Many
/// systems set the soft limit to 1024 for programs that call `select`, which this one does not.
pub(super) fn raise(connections: usize) {
    let needed = OTHERS.saturating_add(connections as u64);
    let limit = getrlimit(Resource::Nofile);
    // `None` is no limit.
    let (soft, hard) = (limit.current, limit.maximum);
    if soft.is_none_or(|soft| soft >= needed) {
        return;
    }
    let raised = Rlimit {
        current: hard,
        maximum: hard,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        warn!(
            limit,
            needed, "the limit of open files is too low for tcp-connections: raise it"
        );
    }
}
