//! The one place that reads clocks; rooms wire to answer take the time as an argument.

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::Instant;

use crate::model::UnixSeconds;

/// The wall clock; 0 when it stands before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the one function that reads the wall clock"
)]
pub fn now() -> UnixSeconds {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    UnixSeconds(since.map_or(0, |since| since.as_secs()))
}

/// The monotonic clock. Tests stop it with `tokio::time::pause`.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The monotonic clock since it was first asked for.
pub fn elapsed() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(monotonic);
    monotonic().saturating_duration_since(*START)
}
