//! Arguments that many commands have: where the daemon is, and the form of output.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Where the daemon is.
#[derive(Debug, Clone, Args)]
pub(super) struct Daemon {
    /// Admin address of the daemon; without it, the one that the daemon left in its state folder, or
    /// 127.0.0.1:9153
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "GAZETTEER_ADMIN",
        hide_env_values = true
    )]
    pub(super) admin: Option<SocketAddr>,
    /// Its state folder.
    #[command(flatten)]
    pub(super) state: State,
}

/// The state folder of the daemon.
#[derive(Debug, Clone, Args)]
pub(super) struct State {
    /// State folder of the daemon (`state-dir`); without it, the platform's
    #[arg(
        long,
        value_name = "FOLDER",
        env = "GAZETTEER_STATE_DIR",
        hide_env_values = true
    )]
    pub(super) state_dir: Option<PathBuf>,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}
