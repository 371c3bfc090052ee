//! What can go wrong with the admin address.

use std::io;
use std::net::SocketAddr;

/// Why the admin address is not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the address. Stop it, or choose another.
    #[error("{address} (admin) is already served by another process")]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be bound. Correct the configuration or the rights of the process.
    #[error("cannot bind {address} (admin)")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}
