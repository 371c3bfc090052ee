//! Signals, as the daemon takes them.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalAction {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM: end, after serving on for `shutdown-delay`.
    End,
    /// SIGINT: end; whoever sits at the terminal does not wait.
    EndNow,
}

/// The signals that are taken from here on.
#[derive(Debug)]
pub(super) struct Signals {
    /// SIGHUP
    hangup: Signal,
    /// SIGTERM
    terminate: Signal,
    /// SIGINT
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one. Safe to cancel.
    pub(super) async fn next(&mut self) -> SignalAction {
        tokio::select! {
            Some(()) = self.terminate.recv() => SignalAction::End,
            Some(()) = self.interrupt.recv() => SignalAction::EndNow,
            Some(()) = self.hangup.recv() => SignalAction::Reload,
            else => std::future::pending().await,
        }
    }

    /// Waits for one that asks to end. Safe to cancel.
    pub(super) async fn next_end(&mut self) {
        while self.next().await == SignalAction::Reload {}
    }
}
