//! TCP: a task per listener accepts, a task per connection answers (RFC 7766).
//!
//! ```text
//! Listener ── accepts, sets options ──▶ Open ── a place, or refused ──▶ StreamSession
//! ```
//!
//! A front of another kind, as TLS, accepts its own way, and gives its streams to the same sessions
//! under the same limits.

mod budget;
mod limits;
mod listener_context;
mod messages;
mod session;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::Respond;
pub(super) use budget::{EVENT_INTERVAL, Turns};
pub(super) use limits::{Limits, Open};
pub(super) use listener_context::ListenerContext;
use messages::KERNEL_UNSENT;
use session::{End, StreamSession};

/// How long accepting rests when the system gives no connection, as when files run out.
const REST: Duration = Duration::from_millis(50);

/// How long the kernel tries to send what is left of a closed connection.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Octets of requests that the kernel may hold for a connection.
const RECEIVE_BUFFER: usize = 64 << 10;

/// Sets what the connections of a listening socket inherit: bounds on what the kernel holds for
/// them, and for how long. It doubles each bound for what it adds to each segment.
pub(super) fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_send_buffer_size(KERNEL_UNSENT / 2)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

/// Accepts the connections of one address.
pub(super) struct Listener<R> {
    /// Bound and listening.
    pub(super) socket: TcpListener,
    /// The address that it is bound to.
    pub(super) address: SocketAddr,
    /// What its connections share.
    pub(super) shared: Arc<ListenerContext<R>>,
    /// The connections open on all listeners.
    pub(super) open: Arc<Open>,
    /// Owns the connections' tasks.
    pub(super) tasks: TaskTracker,
    /// Ends accepting, and every connection.
    pub(super) cancel: CancellationToken,
}

impl<R: Respond> Listener<R> {
    /// Accepts until cancelled.
    pub(super) async fn run(self) {
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    if failing {
                        failing = false;
                        info!(address = %self.address, "accepting connections again");
                    }
                    self.serve(stream, client);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if !failing {
                        failing = true;
                        warn!(address = %self.address, %error, "cannot accept");
                    }
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Starts the task of one connection, or closes it at once when a limit is reached.
    fn serve(&self, stream: TcpStream, client: SocketAddr) {
        let Some(slot) = self.open.enter(client.ip()) else {
            self.shared.counters.refused();
            return;
        };
        // Without it a response could wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let session = StreamSession::new(stream, client.ip(), Arc::clone(&self.shared), slot);
        let cancel = self.cancel.clone();
        self.tasks.spawn(async move {
            let (stream, end) = session.run(&cancel).await;
            if end == End::Unread {
                // What the kernel still has is dropped with the stream, instead of being sent to
                // somebody who does not take it.
                let _ = stream.set_zero_linger();
            }
        });
    }
}

/// The connection was gone before it was accepted; the next one is unharmed.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
