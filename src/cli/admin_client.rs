//! Asks the running daemon, at its admin address.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::arguments::Daemon;
use super::find_daemon::{DaemonCandidate, candidates, find};
use super::state_dir::address_file;
use crate::admin::{SERVER, Status, control_path};

/// How long the daemon may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The body of a GET.
pub(super) fn get(
    daemon: &Daemon,
    path: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<String> {
    get_from(&candidates(daemon), path, parameters)
}

/// The body of a GET, of the daemon at the first of these places where there is one.
pub(super) fn get_from(
    places: &[DaemonCandidate],
    path: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<String> {
    let answer = find(places, |candidate| {
        let admin = match candidate {
            DaemonCandidate::Address(address) => *address,
            DaemonCandidate::Folder(folder) => left_in(folder)?,
        };
        ask(admin, path, parameters)
    });
    success(answer?)
}

/// The state folder that the daemon at an admin address says it uses.
pub(super) fn told_state_dir(admin: SocketAddr) -> anyhow::Result<PathBuf> {
    let body = success(ask(admin, "/v1/status", &[])?)?;
    let status: Status = serde_json::from_str(&body).context("answer of the daemon")?;
    Ok(status.state_dir.into())
}

/// The admin address that the daemon of a state folder has left there.
fn left_in(state_dir: &Path) -> anyhow::Result<SocketAddr> {
    let file = address_file(state_dir);
    let shown = file.display();
    let text = fs::read_to_string(&file);
    if text.is_err() && control_path(state_dir).exists() {
        bail!("{shown}: not there: the daemon has no listen.admin");
    }
    let text = text.with_context(|| shown.to_string())?;
    let address = text.trim().parse();
    address.map_err(|_| anyhow!("{shown}: not an address"))
}

/// The status and the body of a daemon's answer. Another server's is an error.
fn ask(
    admin: SocketAddr,
    path: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<(u16, String)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();
    let request = agent
        .get(format!("http://{admin}{path}"))
        .query_pairs(parameters.iter().copied());
    let mut response = request.call().with_context(|| admin.to_string())?;
    let server = response.headers().get("server");
    if server.is_none_or(|server| server != SERVER) {
        bail!("{admin}: what answers there is not gazetteer");
    }
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_string();
    Ok((status, body.with_context(|| admin.to_string())?))
}

/// The body, if the request succeeded.
fn success((status, body): (u16, String)) -> anyhow::Result<String> {
    match status {
        200 => Ok(body),
        _ => bail!("the daemon says {status}: {}", body.trim()),
    }
}

#[cfg(test)]
mod tests;
