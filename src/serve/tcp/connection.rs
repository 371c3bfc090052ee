//! One connection: queries in, responses out, in the order they came.
//!
//! ```text
//!            ┌────────── readable ──────────┐
//!            ▼                              │
//! read ─▶ answer every whole query ─▶ write ┴─▶ unsent left? wait until writable
//! ```
//!
//! Reading stops while responses are unsent, so that a slow reader holds at most one scratch
//! buffer's worth of responses and one of requests.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use crate::answer::{Client, Transport};
use crate::snapshot::Snapshot;
use crate::telemetry::clock::{self, monotonic};

use super::super::Respond;
use super::super::exchange::exchange;
use super::Service;
use super::limits::Slot;

/// The largest message with its length (RFC 1035 section 4.2.2).
const FRAME: usize = 2 + 65_535;

/// Octets read at once. It bounds how long one connection keeps a thread from the others.
const READ: usize = 4096;

/// How long a client may take to accept responses.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// When the service ends: how long queries on their way are waited for.
const LAST_TIME: Duration = Duration::from_millis(200);

/// When the service ends: reads that are still answered.
const LAST_READS: usize = 64;

/// When the service ends: how long slow readers are waited for.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// Space that a thread lends to one connection at a time, never across an `await`.
struct Scratch {
    /// Requests: what a connection had kept, and what was read now.
    input: Box<[u8]>,
    /// Responses: written out whenever less than a whole [`FRAME`] is free.
    output: Box<[u8]>,
}

thread_local! {
    /// The scratch space of this thread.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; FRAME + READ].into(),
        output: vec![0; 2 * FRAME].into(),
    });
}

/// What reading found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Whole queries, which were answered, and perhaps more to read.
    Queries,
    /// Octets, but no whole query yet.
    Part,
    /// Nothing for now.
    Nothing,
    /// The end: the client sends no more.
    End,
}

/// One connection.
pub(super) struct Connection<R> {
    /// Its socket.
    stream: TcpStream,
    /// Who is at the other end.
    client: Client,
    /// What it shares with the other connections.
    service: Arc<Service<R>>,
    /// Octets received and not yet answered; no room is kept when there are none.
    unanswered: Vec<u8>,
    /// Octets of responses not yet sent; no room is kept when there are none.
    unsent: Vec<u8>,
    /// Its place among the open connections.
    slot: Slot,
}

impl<R: Respond> Connection<R> {
    /// A new connection, at rest.
    pub(super) fn new(
        stream: TcpStream,
        address: IpAddr,
        service: Arc<Service<R>>,
        slot: Slot,
    ) -> Self {
        let transport = Transport::Tcp {
            idle: service.idle_units,
        };
        Self {
            stream,
            client: Client {
                address,
                listener: service.listener,
                transport,
                now: clock::now(),
            },
            service,
            unanswered: Vec::new(),
            unsent: Vec::new(),
            slot,
        }
    }

    /// Answers until the client ends, is idle or too slow, or the service ends; then closes.
    pub(super) async fn run(mut self, cancel: &CancellationToken) {
        let answered = tokio::select! {
            answered = self.answer_all(cancel) => answered,
            () = time_after(cancel) => return,
        };
        // An error is the client's going away in some form: there is nobody to tell.
        if answered.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }

    /// Answers as long as there is something to answer.
    async fn answer_all(&mut self, cancel: &CancellationToken) -> io::Result<()> {
        let mut deadline = monotonic() + self.service.idle;
        let ending = loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break monotonic() + LAST_TIME,
                ready = timeout_at(deadline, self.stream.readable()) => match ready {
                    Ok(ready) => ready?,
                    Err(_idle) => return Ok(()),
                },
                () = self.slot.needed() => return Ok(()),
            }
            match self.turn().await? {
                Found::Queries => deadline = monotonic() + self.service.idle,
                Found::Part | Found::Nothing => {}
                Found::End => return Ok(()),
            }
        };
        // The service ends: what the client has sent by now is answered.
        for _ in 0..LAST_READS {
            match timeout_at(ending, self.stream.readable()).await {
                Ok(ready) => ready?,
                Err(_idle) => break,
            }
            if self.turn().await? == Found::End {
                break;
            }
        }
        Ok(())
    }

    /// Reads once, and answers and sends until every whole query that was received is answered.
    async fn turn(&mut self) -> io::Result<Found> {
        let found = self.read()?;
        while !self.unsent.is_empty() {
            self.send().await?;
            self.answer_unanswered()?;
        }
        Ok(found)
    }

    /// Reads once, without waiting, and answers the whole queries there are.
    fn read(&mut self) -> io::Result<Found> {
        SCRATCH.with_borrow_mut(|scratch| {
            let kept = self.unanswered.len();
            let Some(free) = scratch.input.get_mut(kept..) else {
                return Ok(Found::End);
            };
            let space = free.len().min(READ);
            let read = match self
                .stream
                .try_read(free.get_mut(..space).unwrap_or_default())
            {
                Ok(0) => return Ok(Found::End),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Found::Nothing);
                }
                Err(error) => return Err(error),
            };
            self.answer(scratch, read)
        })
    }

    /// Answers whole queries that were received and held up by a slow reader.
    fn answer_unanswered(&mut self) -> io::Result<Found> {
        SCRATCH.with_borrow_mut(|scratch| self.answer(scratch, 0))
    }

    /// Answers the whole queries among those kept and the `read` octets that follow them in the
    /// scratch input, until the client accepts no more responses. Keeps the rest.
    fn answer(&mut self, scratch: &mut Scratch, read: usize) -> io::Result<Found> {
        let Scratch { input, output } = scratch;
        let kept = self.unanswered.len();
        if let Some(place) = input.get_mut(..kept) {
            place.copy_from_slice(&self.unanswered);
        }
        let mut rest = input.get(..kept + read).unwrap_or_default();
        let (mut filled, mut found) = (0, Found::Part);
        // One generation for all of them, and the guard ends with this function.
        let snapshot = self.service.snapshots.load();
        self.client.now = clock::now();
        while let Some((request, after)) = split_frame(rest) {
            rest = after;
            found = Found::Queries;
            filled += self.respond(&snapshot, request, output.get_mut(filled..));
            if output.len() - filled < FRAME {
                self.write(output.get(..filled).unwrap_or_default())?;
                filled = 0;
                if !self.unsent.is_empty() {
                    break;
                }
            }
        }
        self.unanswered = rest.to_vec();
        self.write(output.get(..filled).unwrap_or_default())?;
        Ok(found)
    }

    /// Writes one response with its length into `out`, and returns how much that is: nothing when
    /// the request gets no response.
    fn respond(&self, snapshot: &Snapshot, request: &[u8], out: Option<&mut [u8]>) -> usize {
        let Some((length, out)) = out.and_then(<[u8]>::split_first_chunk_mut::<2>) else {
            return 0;
        };
        let response = exchange(
            &self.service.respond,
            snapshot,
            request,
            &self.client,
            &self.service.counters,
            out,
        );
        let Some(octets) = response.and_then(|octets| u16::try_from(octets).ok()) else {
            return 0;
        };
        *length = octets.to_be_bytes();
        2 + usize::from(octets)
    }

    /// Writes without waiting; what does not go now is kept.
    fn write(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while self.unsent.is_empty() && !octets.is_empty() {
            match self.stream.try_write(octets) {
                Ok(written) => octets = octets.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.service.counters.send_error();
                    return Err(error);
                }
            }
        }
        if !octets.is_empty() {
            self.unsent.extend_from_slice(octets);
        }
        Ok(())
    }

    /// Sends what is unsent, within [`WRITE_TIMEOUT`].
    async fn send(&mut self) -> io::Result<()> {
        let unsent = std::mem::take(&mut self.unsent);
        let deadline = monotonic() + WRITE_TIMEOUT;
        let sent = timeout_at(deadline, self.stream.write_all(&unsent)).await;
        let sent = sent.unwrap_or_else(|_slow| Err(io::ErrorKind::TimedOut.into()));
        sent.inspect_err(|_| self.service.counters.send_error())
    }
}

/// Returns [`END_TIMEOUT`] after the end of the service was asked for.
async fn time_after(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(END_TIMEOUT).await;
}

/// Splits the first whole message off, without its length.
fn split_frame(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
