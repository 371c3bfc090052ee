//! All that happened, in a file, for whoever looks into a violation.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A file of lines, each with the seconds since the start.
pub(crate) struct History {
    /// When everything began.
    pub(crate) start: Instant,
    /// Where the file is.
    pub(crate) path: PathBuf,
    /// The file.
    file: Mutex<File>,
    /// What was done to the daemon, and when.
    events: Mutex<Vec<(Instant, String)>>,
}

impl History {
    /// Begins the file of a seed, in the folder that Cargo has for files of tests.
    pub(crate) fn begin(seed: u64) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("soak-{seed}.log"));
        let file = File::create(&path).expect("a file of Cargo's own folder");
        Self {
            start: Instant::now(),
            path,
            file: Mutex::new(file),
            events: Mutex::default(),
        }
    }

    /// Notes what the daemon says.
    pub(crate) fn note(&self, said: &str) {
        let at = self.at(Instant::now());
        // A report that cannot be kept fails no soak.
        drop(writeln!(self.file.lock(), "{at} {said}"));
    }

    /// Notes what was done to the daemon.
    pub(crate) fn happened(&self, what: &str) {
        self.note(&format!("* {what}"));
        self.events.lock().push((Instant::now(), what.to_owned()));
    }

    /// The last things that had been done by a moment.
    pub(crate) fn before(&self, moment: Instant, count: usize) -> Vec<String> {
        let events = self.events.lock();
        let before = events.partition_point(|(at, _)| *at <= moment);
        let last = &events[before.saturating_sub(count)..before];
        last.iter()
            .map(|(at, what)| format!("{} {what}", self.at(*at)))
            .collect()
    }

    /// A moment, in seconds since the start.
    pub(crate) fn at(&self, moment: Instant) -> String {
        let since: Duration = moment.saturating_duration_since(self.start);
        format!("{:>8.3}", since.as_secs_f64())
    }
}
