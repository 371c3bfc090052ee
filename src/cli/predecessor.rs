//! The daemon that was here before: killed a moment ago, it may still be dying.

use std::thread;
use std::time::Duration;

use crate::telemetry::clock;

/// How long a process that was killed may take until the kernel has taken its sockets and locks from
/// it: a large one gives its memory back first.
const DYING: Duration = Duration::from_secs(1);

/// How long to wait before another try.
const AGAIN: Duration = Duration::from_millis(10);

/// What `take` takes, or its error. While that is one of which `is_taken` says that somebody else has
/// it, it is tried again for as long as a dying process may have it. Blocks: for the start alone.
pub(super) fn unless_taken<T, E>(
    mut take: impl FnMut() -> Result<T, E>,
    is_taken: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let until = clock::monotonic() + DYING;
    loop {
        match take() {
            Err(error) if is_taken(&error) && clock::monotonic() < until => thread::sleep(AGAIN),
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_free_is_taken_and_other_errors_are_told_at_once() {
        let mut tries = 0;
        let take = || {
            tries += 1;
            if tries < 3 { Err("taken") } else { Ok(tries) }
        };
        assert_eq!(unless_taken(take, |error| *error == "taken"), Ok(3));
        let mut tries = 0;
        let take = || {
            tries += 1;
            Err::<(), _>("other")
        };
        assert_eq!(unless_taken(take, |error| *error == "taken"), Err("other"));
        assert_eq!(tries, 1);
    }
}
