//! How long things take.

use std::time::Duration;

use crate::model::CONFIRM_DELAY;

/// How long things take. Tests shorten it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The longest a member waits before its first request, so that many do not start at once.
    pub jitter: Duration,
    /// Between heartbeats.
    pub heartbeat: Duration,
    /// Between looks at an API that does not answer, or is not ready.
    pub look: Duration,
    /// For the answer to a heartbeat, and to other small requests.
    pub answer: Duration,
    /// For one page of a list, and for the start of a watch.
    pub page: Duration,
    /// For the end bookmark of a streamed list.
    pub streamed_list: Duration,
    /// How long the server keeps a watch (`timeoutSeconds`).
    pub watch: Duration,
    /// How long a watch may be silent, bookmarks included: longer than `watch`.
    pub silence: Duration,
    /// How long a watch may be down before its member is lost.
    pub down: Duration,
    /// How long a watch that says nothing must stand to be contact, after one that ended at once. Long
    /// for what ends at once, and short for the 2 s in which a member that returns is followed again.
    pub proof: Duration,
    /// How long a member that lists, or returns, may be without progress before everything is listed
    /// from nothing; doubled each time that it was, 64 times this at most.
    pub stall: Duration,
    /// How long a watch is tried to be started from the same version while the API lives.
    pub restart: Duration,
    /// The first pause after a failure; doubled each time.
    pub first_pause: Duration,
    /// The longest pause after a failure, before jitter.
    pub longest_pause: Duration,
    /// The first pause after a member said more than is read.
    pub first_rare_pause: Duration,
    /// The longest such pause, before jitter.
    pub longest_rare_pause: Duration,
    /// Between attempts at kinds that need not be there and are denied or absent.
    pub optional_probe: Duration,
    /// How long a first sync, or a second list, waits for such a kind that answers with neither.
    pub optional_wait: Duration,
    /// Between looks at the files that credentials come from.
    pub files: Duration,
    /// Between a list that the writer does not believe and another one.
    pub confirm: Duration,
    /// Between questions which cluster it is, while in contact: its version changes.
    pub identity: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            jitter: Duration::from_millis(250),
            heartbeat: seconds(5),
            look: Duration::from_millis(500),
            answer: seconds(2),
            page: seconds(30),
            streamed_list: seconds(30),
            watch: seconds(290),
            silence: seconds(300),
            down: seconds(5),
            proof: Duration::from_millis(500),
            stall: seconds(60),
            restart: seconds(30),
            first_pause: Duration::from_millis(200),
            longest_pause: seconds(4),
            first_rare_pause: seconds(5),
            longest_rare_pause: seconds(300),
            optional_probe: seconds(10),
            optional_wait: seconds(10),
            files: Duration::from_millis(500),
            confirm: CONFIRM_DELAY,
            identity: seconds(600),
        }
    }
}
