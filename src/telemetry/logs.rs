//! Logs: on standard error, as text or JSON, filtered by `RUST_LOG`.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

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
    /// `RUST_LOG` is wrong: correct or unset it.
    #[error("RUST_LOG: {0}")]
    Filter(#[from] tracing_subscriber::filter::FromEnvError),
    /// Logging was set up before: do it once.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Sets up logging for the whole process. Without `RUST_LOG`, `info` and what is worse is shown.
pub fn init(format: LogFormat) -> Result<(), LogError> {
    let filter = match std::env::var_os("RUST_LOG") {
        Some(filter) if !filter.is_empty() => EnvFilter::try_from_default_env()?,
        _ => EnvFilter::new("info"),
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
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
    Ok(())
}
