//! Asks the running daemon.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};

use super::arguments::Daemon;
use super::state_dir;

/// How long the daemon may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the daemon is: as said, else as it says itself in its state folder.
pub(super) fn locate(daemon: &Daemon) -> anyhow::Result<SocketAddr> {
    if let Some(admin) = daemon.admin {
        return Ok(admin);
    }
    state_dir::address(&state_dir::folder(daemon.state.state_dir.as_deref())?)
}

/// The body of a GET.
pub(super) fn get(
    admin: SocketAddr,
    path: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .build()
        .into();
    let request = agent
        .get(format!("http://{admin}{path}"))
        .query_pairs(parameters.iter().copied());
    let unreachable = || format!("the daemon does not answer at {admin}");
    let mut response = request.call().with_context(unreachable)?;
    let body = response
        .body_mut()
        .read_to_string()
        .with_context(unreachable)?;
    if !response.status().is_success() {
        bail!(
            "the daemon at {admin} says {}: {}",
            response.status(),
            body.trim()
        );
    }
    Ok(body)
}
