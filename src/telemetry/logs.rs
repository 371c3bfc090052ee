//! Logs: on standard error, as text or JSON, filtered by level and part of the program.
//!
//! Who reads standard error is a stranger: a pipe that nobody empties takes 64 KiB and then lets its
//! writer wait for ever. So a thread of its own writes, and lines that it cannot write in time are
//! dropped and counted.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use prometheus::IntCounter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::EitherWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::declare::Declare;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people; colored on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is wrong: correct it.
    #[error("log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Logging was set up before: do it once.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Lines that wait to be written at most: some seconds of a busy log, and a few MiB.
const LINES: usize = 16_384;

/// Where lines go: to standard error, or to the thread that writes there once there is one.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<OnceLock<NonBlocking>>);

impl MakeWriter<'_> for Sink {
    type Writer = EitherWriter<NonBlocking, io::Stderr>;

    fn make_writer(&self) -> Self::Writer {
        match self.0.get() {
            Some(queue) => EitherWriter::A(queue.clone()),
            None => EitherWriter::B(io::stderr()),
        }
    }
}

/// The logs of this process, written by whoever logs.
#[derive(Debug)]
pub struct Logs(Sink);

/// The thread that writes logs. Dropped, it writes what waits, for a second at most.
#[derive(Debug)]
#[must_use = "dropping it ends the thread"]
pub struct LogThread {
    /// Ends the thread.
    _guard: WorkerGuard,
    /// What it drops.
    dropped: ErrorCounter,
}

impl Logs {
    /// From here on a thread writes, and who logs waits for nobody. No thread may be started before
    /// rights are dropped, as each has rights of its own.
    pub fn detach(self) -> LogThread {
        let builder = NonBlockingBuilder::default().thread_name("logs");
        let builder = builder.lossy(true).buffered_lines_limit(LINES);
        let (queue, guard) = builder.finish(io::stderr());
        let dropped = queue.error_counter();
        // These are detached once: it consumes them.
        let _ = self.0.0.set(queue);
        LogThread {
            _guard: guard,
            dropped,
        }
    }
}

/// The metric of lines that were dropped.
#[derive(Debug)]
pub(super) struct DroppedLines {
    /// What is shown.
    shown: IntCounter,
    /// How many of them are in `shown`.
    added: AtomicU64,
    /// Counts them, if a thread writes logs.
    counter: Option<ErrorCounter>,
}

impl DroppedLines {
    /// None yet.
    pub(super) fn new(declare: &Declare<'_>) -> Self {
        let shown = declare.counter(
            "gazetteer_telemetry_dropped_log_lines_total",
            "Log lines of this process that were dropped, as nobody read standard error in time.",
        );
        Self {
            shown,
            added: AtomicU64::new(0),
            counter: None,
        }
    }

    /// Counts those of a thread.
    pub(super) fn count(&mut self, logs: &LogThread) {
        self.counter = Some(logs.dropped.clone());
    }

    /// Shows how many there are.
    pub(super) fn show(&self) {
        let dropped = self.counter.as_ref().map(ErrorCounter::dropped_lines);
        let dropped = dropped.map_or(0, |lines| u64::try_from(lines).unwrap_or(u64::MAX));
        let added = self.added.fetch_max(dropped, Ordering::Relaxed);
        self.shown.inc_by(dropped.saturating_sub(added));
    }
}

/// Sets up logging for the whole process. `filter` is a level, or levels of parts as in
/// `gazetteer=debug,kube=warn`.
pub fn init(filter: &str, format: LogFormat) -> Result<Logs, LogError> {
    let filter = EnvFilter::try_new(filter)?;
    let sink = Sink::default();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(sink.clone());
    match format {
        LogFormat::Text => {
            logs.with_ansi(io::stderr().is_terminal())
                .finish()
                .try_init()?;
        }
        LogFormat::Json => {
            logs.json().finish().try_init()?;
        }
    }
    Ok(Logs(sink))
}
