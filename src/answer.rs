//! Query octets and a snapshot in, response octets out: the query path. No lock, no allocation.

use std::net::IpAddr;

use crate::snapshot::Snapshot;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The source address.
    pub address: IpAddr,
    /// How the query came.
    pub transport: Transport,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One datagram.
    Udp,
    /// A TCP connection that may be idle for this long, in units of 100 ms (RFC 7828).
    Tcp {
        /// What edns-tcp-keepalive says when it is asked for.
        idle: u16,
    },
}

/// Watches the steps of an answer; the query path runs with [`NoTrace`], which costs nothing.
pub trait Trace {}

/// Watches nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoTrace;

impl Trace for NoTrace {}

/// Answers one request. Returns the length of the response in `out`, `None` for no reply.
///
/// `out` holds at least 65,535 octets for TCP, 1,232 for UDP.
pub fn respond<T: Trace>(
    _snapshot: &Snapshot,
    _request: &[u8],
    _client: &Client,
    _trace: &mut T,
    _out: &mut [u8],
) -> Option<usize> {
    todo!()
}
