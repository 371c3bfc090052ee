//! Since when a connection is at rest: nothing comes from its client, and nothing goes to it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::telemetry::clock;

/// What is known of a connection's rest, shared by the connection and by whoever needs its place.
#[derive(Debug)]
pub(super) struct Rest {
    /// When the connection came.
    came: Instant,
    /// When octets were last read or written, in microseconds after `came`.
    moved: AtomicU64,
    /// Its answer is being made: it waits for us, not we for it.
    is_being_answered: AtomicBool,
    /// It has one of the kept places.
    is_protected: AtomicBool,
    /// The place of its request, given back with the connection.
    place: OnceLock<OwnedSemaphorePermit>,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            came: clock::monotonic(),
            moved: AtomicU64::new(0),
            is_being_answered: AtomicBool::new(false),
            is_protected: AtomicBool::new(false),
            place: OnceLock::new(),
        }
    }
}

impl Rest {
    /// Orders connections by how readily they give way: the smallest first. Those that are at rest
    /// come before those whose answer is being made or whose place is kept, the longest at rest
    /// first.
    pub(super) fn order(&self) -> (bool, Instant) {
        let is_held = self.is_being_answered.load(Relaxed) || self.is_protected.load(Relaxed);
        let moved = std::time::Duration::from_micros(self.moved.load(Relaxed));
        (is_held, self.came + moved)
    }

    /// Its request has come, and has a place.
    pub(super) fn begin(&self, place: OwnedSemaphorePermit, is_protected: bool) {
        // A connection has one request.
        let _ = self.place.set(place);
        self.is_protected.store(is_protected, Relaxed);
        self.is_being_answered.store(true, Relaxed);
    }

    /// Its answer is made.
    pub(super) fn answered(&self) {
        self.is_being_answered.store(false, Relaxed);
    }

    /// Octets were read or written.
    fn moved(&self) {
        let micros = (clock::monotonic() - self.came).as_micros();
        self.moved
            .store(u64::try_from(micros).unwrap_or(u64::MAX), Relaxed);
    }
}

/// A stream that says when octets move.
pub(super) struct TrackedStream<S> {
    /// The stream.
    stream: S,
    /// Told of each move.
    rest: Arc<Rest>,
}

impl<S> TrackedStream<S> {
    /// Watches a stream.
    pub(super) fn new(stream: S, rest: Arc<Rest>) -> Self {
        Self { stream, rest }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.rest.moved();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, octets);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.rest.moved();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
