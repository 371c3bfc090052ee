//! What the service manager that started the daemon is told (`sd_notify(3)`), and the sockets that it
//! has bound (`sd_listen_fds(3)`). Without one, nothing happens.

use anyhow::Context;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tracing::debug;

use crate::publish::Handle;
use crate::serve::PassedSockets;

/// Tells the service manager.
#[derive(Debug, Default)]
pub(super) struct ServiceManager {
    /// It was told that the daemon is ready.
    is_ready: bool,
    /// It was told that the daemon takes another configuration.
    is_reloading: bool,
}

impl ServiceManager {
    /// The daemon is ready.
    pub(super) fn ready(&mut self, handle: &Handle) {
        self.is_ready = true;
        tell(&[NotifyState::Ready, NotifyState::Status(&status(handle))]);
    }

    /// The daemon takes another configuration.
    pub(super) fn reloading(&mut self) {
        // The clock of the system is there.
        if self.is_ready
            && let Ok(now) = NotifyState::monotonic_usec_now()
        {
            self.is_reloading = true;
            tell(&[NotifyState::Reloading, now]);
        }
    }

    /// The configuration was taken, or stays as it was.
    pub(super) fn reloaded(&mut self, handle: &Handle) {
        if std::mem::take(&mut self.is_reloading) {
            tell(&[NotifyState::Ready, NotifyState::Status(&status(handle))]);
        }
    }
}

/// The daemon ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("ending")]);
}

/// The daemon works, and how it is.
pub(super) fn feed(handle: &Handle) {
    let status = status(handle);
    if *handle.ready.borrow() {
        tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
    } else {
        tell(&[NotifyState::Watchdog]);
    }
}

/// One line about what is served.
fn status(handle: &Handle) -> String {
    let snapshot = handle.snapshots.load();
    let counts = snapshot.counts();
    let services = counts.services;
    let without: usize = counts.without_member.iter().sum();
    match without {
        0 => format!("serving {services} services"),
        _ => format!("serving {services} services, {without} of them without a member"),
    }
}

/// Tells it; that it cannot be told stops nothing.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "the service manager was not told");
    }
}

/// The sockets that were passed in. To be called once, at the start.
pub(super) fn passed_sockets() -> anyhow::Result<PassedSockets> {
    let mut given = ListenFd::from_env();
    let mut passed = PassedSockets::default();
    for index in 0..given.len() {
        // One that is not for UDP stays where it is.
        if let Ok(Some(socket)) = given.take_udp_socket(index) {
            passed.udp.push(socket);
            continue;
        }
        let listener = given.take_tcp_listener(index);
        let what = || format!("socket {index} that was passed in is for neither UDP nor TCP");
        passed.tcp.extend(listener.with_context(what)?);
    }
    Ok(passed)
}
