//! One session: queries in, responses out, in the order they came, each with its length before it,
//! over any stream of octets (RFC 1035 section 4.2.2).
//!
//! ```text
//!        ┌─────────────────── readable ───────────────────┐
//!        ▼                                                │
//! read ─▶ answer whole queries ─▶ write ─▶ unsent left? ──┤ wait until writable
//!                 ▲                        budget spent? ─┤ let others come first
//!                 └───────── whole queries left ──────────┘
//! ```
//!
//! Reading stops while responses are unsent, so that a slow reader holds at most one scratch
//! buffer's worth of responses and one of requests.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::telemetry::clock::monotonic;

use super::super::Respond;
use super::limits::Slot;
use super::listener_context::ListenerContext;
use super::messages::{Messages, Received};

/// How long a client may take to accept responses.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may accept nothing before its connection counts as at rest: longer than most
/// round trips.
const STALLED: Duration = Duration::from_millis(250);

/// When the service ends: how long queries on their way are waited for.
const LAST_TIME: Duration = Duration::from_millis(200);

/// When the service ends: turns that are still taken.
const LAST_TURNS: usize = 64;

/// When the service ends: how long slow readers are waited for.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client or the service wanted no more, and everything is sent.
    Closed,
    /// The client did not take its responses. What the kernel still has for it is worth nothing.
    Unread,
    /// The stream failed.
    Broken,
}

/// Why a session goes no further.
enum Stop {
    /// As [`End::Closed`].
    Closed,
    /// As [`End::Unread`].
    Unread,
    /// As [`End::Broken`]: the client went away in some form, and there is nobody to tell.
    Broken,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// One session.
pub(super) struct StreamSession<S, R> {
    /// What is read and written.
    messages: Messages<S, R>,
    /// Its place among the open connections.
    slot: Slot,
    /// What it shares with the other sessions.
    shared: Arc<ListenerContext<R>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Respond> StreamSession<S, R> {
    /// A new session over `stream`, at rest.
    pub(super) fn new(
        stream: S,
        address: IpAddr,
        shared: Arc<ListenerContext<R>>,
        slot: Slot,
    ) -> Self {
        Self {
            messages: Messages::new(stream, address, Arc::clone(&shared)),
            slot,
            shared,
        }
    }

    /// Answers until the client ends, is idle or too slow, or the service ends. Returns the stream,
    /// to be dropped.
    pub(super) async fn run(mut self, cancel: &CancellationToken) -> (S, End) {
        let stopped = tokio::select! {
            stopped = self.answer_all(cancel) => stopped,
            () = time_after(cancel) => Err(Stop::Unread),
        };
        let end = match stopped {
            Ok(()) | Err(Stop::Closed) => {
                // A client that went away meanwhile needs no end.
                let _ = timeout(WRITE_TIMEOUT, self.messages.stream.shutdown()).await;
                End::Closed
            }
            Err(Stop::Unread) => {
                self.shared.counters.unread();
                End::Unread
            }
            Err(Stop::Broken) => End::Broken,
        };
        (self.messages.stream, end)
    }

    /// Answers as long as there is something to answer.
    async fn answer_all(&mut self, cancel: &CancellationToken) -> Result<(), Stop> {
        let mut deadline = monotonic() + self.shared.idle;
        let ending = loop {
            let Self { messages, slot, .. } = self;
            let found = tokio::select! {
                biased;
                () = cancel.cancelled() => break monotonic() + LAST_TIME,
                found = timeout_at(deadline, poll_fn(|context| messages.poll_turn(context))) => {
                    found.map_err(|_idle| Stop::Closed)??
                }
                () = slot.needed() => return Ok(()),
            };
            self.settle().await?;
            match found {
                Received::Queries => deadline = monotonic() + self.shared.idle,
                Received::Part => {}
                Received::End => return Ok(()),
            }
        };
        // The service ends: what the client has sent by now is answered.
        for _ in 0..LAST_TURNS {
            let turn = poll_fn(|context| self.messages.poll_turn(context));
            let found = timeout_at(ending, turn).await;
            let found = found.map_err(|_idle| Stop::Closed)??;
            self.settle().await?;
            if found == Received::End {
                break;
            }
        }
        Ok(())
    }

    /// Sends and answers until every whole query that was received is answered, and lets others
    /// come first whenever the budget is spent.
    async fn settle(&mut self) -> Result<(), Stop> {
        loop {
            if self.messages.has_unsent() {
                self.send().await?;
            }
            if self.messages.awaits_signature() {
                self.messages.take_signed().await;
                continue;
            }
            if self.messages.is_spent() {
                let spent = self.messages.give_back();
                let budget = self.shared.turns.next(spent).await;
                self.messages.renew(budget);
            }
            if !self.messages.has_unanswered() {
                return Ok(());
            }
            poll_fn(|context| self.messages.poll_answer(context)).await?;
        }
    }

    /// Sends what is unsent, within [`WRITE_TIMEOUT`]. A client that takes nothing for [`STALLED`]
    /// gives way to another one.
    async fn send(&mut self) -> Result<(), Stop> {
        let Self {
            messages,
            slot,
            shared,
        } = self;
        let deadline = monotonic() + WRITE_TIMEOUT;
        while messages.has_unsent() {
            let stalled = monotonic() + STALLED;
            tokio::select! {
                biased;
                sent = timeout_at(deadline, poll_fn(|context| messages.poll_send(context))) => {
                    sent.map_err(|_slow| {
                        shared.counters.send_error();
                        Stop::Unread
                    })??;
                }
                () = needed_after(stalled, slot) => return Err(Stop::Unread),
            }
        }
        Ok(())
    }
}

/// Returns when the place is needed by another, but not before `moment`.
async fn needed_after(moment: Instant, slot: &Slot) {
    tokio::time::sleep_until(moment).await;
    slot.needed().await;
}

/// Returns [`END_TIMEOUT`] after the end of the service was asked for.
async fn time_after(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(END_TIMEOUT).await;
}
