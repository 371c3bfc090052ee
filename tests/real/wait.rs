//! Waiting on conditions, never on time alone.

use std::time::Duration;

use tokio::time::Instant;

/// How long a change may take until an answer shows it, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// How long a server program may take to start.
pub(crate) const START: Duration = Duration::from_secs(120);

/// Polls until `probe` gives a value; panics with its last refusal at the deadline.
pub(crate) fn until<T>(what: &str, within: Duration, probe: impl Fn() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(last) => assert!(
                start.elapsed() < within,
                "not within {within:?}: {what}; last seen: {last}"
            ),
        }
        pause(Duration::from_millis(10));
    }
}

/// Checks during a whole span of time that a condition holds.
pub(crate) fn throughout(what: &str, span: Duration, probe: impl Fn() -> Result<(), String>) {
    let start = Instant::now();
    while start.elapsed() < span {
        if let Err(seen) = probe() {
            panic!("{what}: broken after {:?}: {seen}", start.elapsed());
        }
        pause(Duration::from_millis(20));
    }
}

/// The interval between two looks at a condition.
fn pause(interval: Duration) {
    std::thread::sleep(interval);
}
