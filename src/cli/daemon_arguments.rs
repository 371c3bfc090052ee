//! Arguments that many commands have: where the daemon is, the form of output, and addresses.

use std::net::{IpAddr, SocketAddr};
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

/// Reads an address with or without a port.
pub(super) fn endpoint(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let alone = text.parse().map(|address: IpAddr| (address, None));
    let socket = |_| {
        text.parse()
            .map(|socket: SocketAddr| (socket.ip(), Some(socket.port())))
    };
    match alone.or_else(socket) {
        Ok((address, port)) if address.is_unspecified() || port == Some(0) => {
            Err("not a reachable address".to_owned())
        }
        Ok(endpoint) => Ok(endpoint),
        Err(_) => Err(
            "expected an address, with or without a port, as in 10.0.0.53:53 or [fd00::53]:53"
                .to_owned(),
        ),
    }
}
