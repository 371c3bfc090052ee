//! A wall clock that is put on by steps.

use std::cell::Cell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::faketime;
use crate::files;
use crate::process::with_environment;

/// One wall clock of several programs. All of them see a step at once, and in between it goes as the true
/// one does.
pub(crate) struct SteppedClock {
    /// The file that says how far it is ahead.
    file: PathBuf,
    /// How far that is.
    ahead: Cell<Duration>,
}

impl SteppedClock {
    /// A clock that is right.
    pub(crate) fn new(folder: &Path) -> Self {
        let clock = Self {
            file: folder.join("clock"),
            ahead: Cell::default(),
        };
        clock.advance(Duration::ZERO);
        clock
    }

    /// A command that runs a program with this clock: its own name and arguments follow.
    pub(crate) fn launcher(&self) -> Vec<OsString> {
        // The file is looked at whenever the time is asked for.
        let settings = faketime::settings(&self.file);
        with_environment(settings.map(|setting| match setting {
            ("FAKETIME_CACHE_DURATION", _) => ("FAKETIME_NO_CACHE", "1".into()),
            other => other,
        }))
    }

    /// Puts it on.
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead.set(self.ahead.get() + by);
        files::write(&self.file, format!("+{}s\n", self.ahead.get().as_secs()));
    }

    /// By how much it was put on in all.
    pub(crate) fn ahead(&self) -> Duration {
        self.ahead.get()
    }
}
