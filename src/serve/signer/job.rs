//! A query that needs a signature.

use std::net::SocketAddr;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::answer::Client;
use crate::serve::source_address::Destination;

/// A query that needs a signature.
#[derive(Debug)]
pub(in crate::serve) struct Job {
    /// Its octets.
    pub(in crate::serve) request: Vec<u8>,
    /// Who asks.
    pub(in crate::serve) client: Client,
    /// Since when it waits.
    pub(in crate::serve) since: Instant,
    /// Where the response goes.
    pub(in crate::serve) reply: ReplyTo,
}

/// Where a response goes.
#[derive(Debug)]
pub(in crate::serve) enum ReplyTo {
    /// Nowhere: it was answered with a signature that is near its end.
    Nowhere,
    /// To a client over UDP.
    Datagram {
        /// The number of the socket.
        socket: usize,
        /// The client.
        to: SocketAddr,
        /// The address that it asked, where the socket has several.
        from: Option<Destination>,
    },
    /// To a connection.
    Stream(oneshot::Sender<Vec<u8>>),
}
