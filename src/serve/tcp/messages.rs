//! The messages of a session: what was received and is not answered, and what is not sent.
//!
//! Nothing here waits: each step is polled, so that scratch space of the thread is lent to one
//! session at a time and a session at rest has none.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::answer::{Client, Substitute, Transport};
use crate::dnssec::Lane;
use crate::model::limits;
use crate::snapshot::Snapshot;
use crate::telemetry::clock::monotonic;
use crate::telemetry::{Tally, clock};
use crate::wire::Qname;

use super::super::Respond;
use super::super::exchange::{count_response, exchange};
use super::super::signer::{Job, ReplyTo};
use super::budget::Budget;
use super::listener_context::ListenerContext;

/// The largest message with its length (RFC 1035 section 4.2.2).
const FRAME: usize = 2 + 65_535;

/// How long a connection waits for a signature.
const SIGNATURE_TIMEOUT: Duration = Duration::from_secs(2);

/// Octets of a response without records at most.
const BUSY: usize = 1232;

/// Octets read at once.
const READ: usize = 4096;

/// Octets of responses made before they are written: the most that a session has unsent.
const UNSENT: usize = 2 * FRAME;

/// Octets that the kernel may have unsent for a connection, beside those of the session. It counts
/// what it keeps with each segment, too.
pub(super) const KERNEL_UNSENT: usize = limits::TCP_UNSENT.length() - UNSENT;

/// Space that a thread lends to one session at a time, never across an `await`.
struct Scratch {
    /// Requests: what a session had kept, and what was read now.
    input: Box<[u8]>,
    /// Responses: written out whenever less than a whole [`FRAME`] is free.
    output: Box<[u8]>,
}

thread_local! {
    /// The scratch space of this thread.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; FRAME + READ].into(),
        output: vec![0; UNSENT].into(),
    });
}

/// A signed response that is waited for.
struct AwaitedResponse {
    /// The query.
    request: Vec<u8>,
    /// The lane in which it waits.
    lane: Lane,
    /// Where the response comes from.
    from: oneshot::Receiver<Vec<u8>>,
}

/// What a turn found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// Whole queries, and perhaps more to read.
    Queries,
    /// Octets, but no whole query yet.
    Part,
    /// The end: the client sends no more.
    End,
}

/// The messages of one session.
pub(super) struct Messages<S, R> {
    /// Where they come from and go to.
    pub(super) stream: S,
    /// Who is at the other end.
    client: Client,
    /// What the session shares with others.
    shared: Arc<ListenerContext<R>>,
    /// Octets received and not yet answered; no room is kept when there are none.
    unanswered: Vec<u8>,
    /// Octets of responses not yet sent; no room is kept when there are none.
    unsent: Vec<u8>,
    /// How many of them are sent by now.
    sent: usize,
    /// Whether the stream has taken octets that it may not have passed on.
    is_unflushed: bool,
    /// The signed response that is waited for.
    signed: Option<AwaitedResponse>,
    /// What may still be done before others come first; `None` after a wait.
    budget: Option<Budget>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Respond> Messages<S, R> {
    /// None yet.
    pub(super) fn new(stream: S, address: IpAddr, shared: Arc<ListenerContext<R>>) -> Self {
        let client = Client {
            address,
            listener: shared.listener,
            transport: Transport::Tcp {
                idle: shared.idle_units,
            },
            cookie: None,
            now: clock::now(),
            elapsed: clock::elapsed(),
        };
        Self {
            stream,
            client,
            shared,
            unanswered: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            is_unflushed: false,
            signed: None,
            budget: None,
        }
    }

    /// Whether there is something to send before more is read.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty() || self.is_unflushed
    }

    /// Whether a whole query waits for its answer.
    pub(super) fn has_unanswered(&self) -> bool {
        split_frame(&self.unanswered).is_some()
    }

    /// Whether others are to come first.
    pub(super) fn is_spent(&mut self) -> bool {
        self.budget.as_mut().is_some_and(|budget| {
            budget.look();
            budget.is_spent()
        })
    }

    /// Whether a signed response is waited for.
    pub(super) fn awaits_signature(&self) -> bool {
        self.signed.is_some()
    }

    /// Waits for the signed response, and makes it what is unsent. Nothing else is unsent then.
    pub(super) async fn take_signed(&mut self) {
        let Some(AwaitedResponse {
            request,
            lane,
            from,
        }) = self.signed.take()
        else {
            return;
        };
        let response = match timeout(SIGNATURE_TIMEOUT, from).await {
            Ok(Ok(response)) => response,
            // The signer is too busy, or drops what has waited too long.
            _ => self.busy(&request, lane),
        };
        if let Ok(length) = u16::try_from(response.len())
            && length > 0
        {
            self.unsent = [&length.to_be_bytes()[..], &response].concat();
            self.sent = 0;
        }
    }

    /// The response to a query that nobody signs in time.
    fn busy(&self, request: &[u8], lane: Lane) -> Vec<u8> {
        let shared = &self.shared;
        let snapshot = shared.snapshots.load();
        let mut out = vec![0; BUSY];
        let mut qname = Qname::new();
        let mut place = None;
        let respond = &shared.respond;
        respond.prepare(&snapshot, request, &mut qname, &mut place);
        let length = place.and_then(|prepared| {
            respond.refuse(&prepared, &self.client, Substitute::Busy, &mut out)
        });
        out.truncate(length.unwrap_or_default());
        let mut tally = Tally::default();
        tally.refused_signature(lane);
        count_response(&out, &self.client, &mut tally);
        shared.counters.add(&mut tally);
        out
    }

    /// Gives the budget back, with its turn.
    pub(super) fn give_back(&mut self) -> Option<Budget> {
        self.budget.take()
    }

    /// Others came first.
    pub(super) fn renew(&mut self, budget: Budget) {
        self.budget = Some(budget);
    }

    /// Reads once, and answers whole queries until the budget is spent or responses do not go.
    /// Everything whole that was received before is to be answered and sent.
    pub(super) fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Received>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let kept = self.unanswered.len();
            let free = scratch.input.get_mut(kept..).unwrap_or_default();
            let space = free.len().min(READ);
            let mut free = ReadBuf::new(free.get_mut(..space).unwrap_or_default());
            match Pin::new(&mut self.stream).poll_read(context, &mut free) {
                Poll::Ready(read) => read?,
                Poll::Pending => {
                    self.budget = None;
                    return Poll::Pending;
                }
            }
            let read = free.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(Received::End));
            }
            self.budget.get_or_insert_with(Budget::new).spend();
            Poll::Ready(self.answer(context, scratch, read))
        })
    }

    /// Answers whole queries that were received and are not answered yet, as [`Self::poll_turn`].
    pub(super) fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Received>> {
        SCRATCH.with_borrow_mut(|scratch| Poll::Ready(self.answer(context, scratch, 0)))
    }

    /// Answers the whole queries among those kept and the `read` octets that follow them in the
    /// scratch input, until the budget is spent or the client accepts no more responses. Keeps the
    /// rest.
    fn answer(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Scratch,
        read: usize,
    ) -> io::Result<Received> {
        let Scratch { input, output } = scratch;
        let kept = self.unanswered.len();
        if let Some(place) = input.get_mut(..kept) {
            place.copy_from_slice(&self.unanswered);
        }
        let mut rest = input.get(..kept + read).unwrap_or_default();
        let (mut filled, mut found) = (0, Received::Part);
        // One generation for all of them, and the guard ends with this function.
        let snapshot = self.shared.snapshots.load();
        self.client.now = clock::now();
        let mut budget = self.budget.take().unwrap_or_else(Budget::new);
        while let Some((request, after)) = split_frame(rest) {
            found = Received::Queries;
            if budget.is_spent() {
                break;
            }
            rest = after;
            filled += self.respond(&snapshot, request, output.get_mut(filled..));
            budget.spend();
            if self.signed.is_some() {
                // The answers behind it come behind it.
                break;
            }
            if output.len() - filled < FRAME {
                self.write(context, output.get(..filled).unwrap_or_default())?;
                filled = 0;
                if self.has_unsent() {
                    break;
                }
            }
        }
        self.unanswered = rest.to_vec();
        self.write(context, output.get(..filled).unwrap_or_default())?;
        // Who has to wait until more goes keeps no turn meanwhile.
        self.budget = Some(budget).filter(|_| !self.has_unsent());
        Ok(found)
    }

    /// Writes one response with its length into `out`, and returns how much that is: nothing when
    /// the request gets no response.
    fn respond(&mut self, snapshot: &Snapshot, request: &[u8], out: Option<&mut [u8]>) -> usize {
        let Some((length, out)) = out.and_then(<[u8]>::split_first_chunk_mut::<2>) else {
            return 0;
        };
        let (shared, client) = (&self.shared, &self.client);
        let signed = &mut self.signed;
        let waits = |lane| {
            let (reply, from) = oneshot::channel();
            let job = Job {
                request: request.to_vec(),
                client: *client,
                since: monotonic(),
                reply: ReplyTo::Stream(reply),
            };
            let has_place = shared.waiting.put(lane, Box::new(job)).is_ok();
            *signed = has_place.then(|| AwaitedResponse {
                request: request.to_vec(),
                lane,
                from,
            });
            has_place
        };
        let response = exchange(
            (&shared.respond, snapshot),
            request,
            client,
            &shared.counters,
            waits,
            out,
        );
        let Some(octets) = response.and_then(|octets| u16::try_from(octets).ok()) else {
            return 0;
        };
        *length = octets.to_be_bytes();
        2 + usize::from(octets)
    }

    /// Writes what goes without waiting; the rest is kept.
    fn write(&mut self, context: &mut Context<'_>, mut octets: &[u8]) -> io::Result<()> {
        while self.unsent.is_empty() && !octets.is_empty() {
            match self.poll_write(context, octets) {
                Poll::Ready(written) => octets = octets.get(written?..).unwrap_or_default(),
                Poll::Pending => break,
            }
        }
        if !octets.is_empty() {
            self.unsent.extend_from_slice(octets);
            return Ok(());
        }
        match self.poll_send(context) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    /// Writes once; a stream that takes nothing any more is an error.
    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, octets));
        Poll::Ready(match written {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                self.is_unflushed = true;
                Ok(written)
            }
            Err(error) => {
                self.shared.counters.send_error();
                Err(error)
            }
        })
    }

    /// Sends a part of what is unsent; the last part is passed on, too.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            let rest = unsent.get(self.sent..).unwrap_or_default();
            let written = self.poll_write(context, rest);
            self.unsent = unsent;
            self.sent += ready!(written)?;
            if self.sent < self.unsent.len() {
                return Poll::Ready(Ok(()));
            }
            self.unsent = Vec::new();
            self.sent = 0;
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// Splits the first whole message off, without its length.
fn split_frame(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
