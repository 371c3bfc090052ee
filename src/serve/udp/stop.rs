//! What tells UDP workers to end, also one that waits for a datagram for hours.

use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::OwnedFd;

/// Shared by all workers. Once told, it stays told.
#[derive(Debug)]
pub(in crate::serve) struct Stop {
    /// Whether the end was told: busy workers look at this alone.
    is_told: AtomicBool,
    /// Readable once the end was told; nobody reads it, so that it wakes everybody.
    event: OwnedFd,
}

impl Stop {
    /// Nothing told yet.
    pub(in crate::serve) fn new() -> io::Result<Self> {
        Ok(Self {
            is_told: AtomicBool::new(false),
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Tells every worker to end.
    pub(in crate::serve) fn tell(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        // It fails when it was told often enough already.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// Whether the end was told.
    #[inline]
    pub(super) fn is_told(&self) -> bool {
        self.is_told.load(Ordering::Relaxed)
    }

    /// Waits, however long, until there is something to receive or the end is told. A signal may
    /// end it early.
    pub(super) fn wait(&self, socket: &UdpSocket) {
        let mut waited = [
            PollFd::new(socket, PollFlags::IN),
            PollFd::new(&self.event, PollFlags::IN),
        ];
        // What an error would tell, receiving tells too.
        let _ = poll(&mut waited, None);
    }
}
