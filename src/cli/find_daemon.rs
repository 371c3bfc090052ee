//! Where a running daemon is looked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::bail;

use super::arguments::Daemon;
use crate::config::{self, Config};

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

/// The candidates for the daemon of a configuration: those that are given, else its state folder and its
/// admin address. The daemon may run as another user, whose state folder is elsewhere.
pub(super) fn candidates_of(daemon: &Daemon, config: &Config) -> Vec<DaemonCandidate> {
    if daemon.admin.is_some() || daemon.state.state_dir.is_some() {
        return candidates(daemon);
    }
    let folder = DaemonCandidate::Folder(config.state_dir.clone());
    let admin = config.listen.admin.filter(|admin| admin.port() != 0);
    let admin = admin.map(|mut admin| {
        if admin.ip().is_unspecified() {
            admin.set_ip(match admin.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        DaemonCandidate::Address(admin)
    });
    [folder].into_iter().chain(admin).collect()
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

#[cfg(test)]
mod tests {
    use super::super::daemon_arguments::State;
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing of a test survives a crash"
    )]
    fn the_daemon_of_a_configuration_is_looked_for_where_that_says() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("g.toml");
        let of = |admin: &str, said: Option<&str>| {
            let text = format!(
                "version = \"v1\"\nstate-dir = \"/nowhere\"\n\
                 [listen]\ndns = [\"127.0.0.1:0\"]\nadmin = \"{admin}\"\n\
                 [[federation]]\nname = \"f\"\napex = \"example.com\"\n\
                 nameservers = [{{ name = \"ns.example.net\" }}]\n"
            );
            std::fs::write(&file, &text).unwrap();
            let daemon = Daemon {
                admin: said.map(|said| said.parse().unwrap()),
                state: State { state_dir: None },
            };
            let candidates = candidates_of(&daemon, &config::load(&file).unwrap());
            let shown = candidates.iter().map(|candidate| match candidate {
                DaemonCandidate::Address(address) => address.to_string(),
                DaemonCandidate::Folder(folder) => folder.display().to_string(),
            });
            shown.collect::<Vec<_>>()
        };
        // The folder first: it may be another user's, and then the address is asked.
        assert_eq!(of("192.0.2.1:1", None), ["/nowhere", "192.0.2.1:1"]);
        assert_eq!(of("0.0.0.0:2", None), ["/nowhere", "127.0.0.1:2"]);
        assert_eq!(of("[::]:3", None), ["/nowhere", "[::1]:3"]);
        assert_eq!(of("127.0.0.1:0", None), ["/nowhere"]);
        assert_eq!(of("127.0.0.1:1", Some("192.0.2.9:9")), ["192.0.2.9:9"]);
    }
}
