//! Where a running daemon is looked for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::bail;

use super::arguments::Daemon;
use crate::config;

/// Where a daemon is looked for that left its address nowhere: the admin address of the example and of
/// the documents. CoreDNS has its metrics there by default, so what answers may be something else.
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9153);

/// A place where a daemon may be found.
#[derive(Debug, Clone)]
pub(super) enum DaemonCandidate {
    /// An admin address.
    Address(SocketAddr),
    /// A state folder: the daemon leaves its admin address there, and has its control socket there.
    Folder(PathBuf),
}

/// The candidates to look at, in order: those that are given, else the platform's state folder and
/// [`DEFAULT_ADMIN`].
pub(super) fn candidates(daemon: &Daemon) -> Vec<DaemonCandidate> {
    let folder = daemon.state.state_dir.clone().map(DaemonCandidate::Folder);
    let given = daemon
        .admin
        .map(DaemonCandidate::Address)
        .into_iter()
        .chain(folder);
    let given: Vec<_> = given.collect();
    if !given.is_empty() {
        return given;
    }
    let folder = config::default_state_dir().map(DaemonCandidate::Folder);
    let candidates = folder
        .into_iter()
        .chain([DaemonCandidate::Address(DEFAULT_ADMIN)]);
    candidates.collect()
}

/// What `look` finds at the first place where it finds something; else an error of one line that says
/// what was tried.
pub(super) fn find<T>(
    candidates: &[DaemonCandidate],
    mut look: impl FnMut(&DaemonCandidate) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut tried = Vec::new();
    for candidate in candidates {
        match look(candidate) {
            Ok(found) => return Ok(found),
            Err(error) => tried.push(format!("{error:#}")),
        }
    }
    bail!(
        "no running daemon found: {} (give --admin or --state-dir)",
        tried.join("; ")
    )
}
