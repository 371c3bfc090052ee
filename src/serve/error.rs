//! What can go wrong before the first query is answered.

use std::io;
use std::net::SocketAddr;

/// Why nothing is served. After the start nothing in this room fails as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process, or an earlier entry of the configuration, serves this address. Stop the
    /// other one, or choose another address or port.
    #[error("{address} ({protocol}) is already served by another process or an earlier entry")]
    InUse {
        /// The address asked for.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
    },
    /// The address cannot be bound: it is not an address of this machine, or its port needs a
    /// right that the process lacks. Correct the configuration or the rights.
    #[error("cannot bind {address} ({protocol}){}", needed(source))]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A service manager passed a socket in that the configuration does not have. Make the two agree.
    #[error("socket {address} {protocol} was passed in, and listen.dns has no such address")]
    NotConfigured {
        /// The address that the socket is bound to.
        address: SocketAddr,
        /// `udp` or `tcp`.
        protocol: &'static str,
    },
    /// A socket that was passed in has no address.
    #[error("a socket that was passed in")]
    Passed(#[source] io::Error),
    /// A service manager passed one socket of an address in, and not the other. Pass both.
    #[error("socket {address} {protocol} was passed in, and none of that address for {missing}")]
    HalfPassed {
        /// The address that the socket is bound to.
        address: SocketAddr,
        /// `udp` or `tcp`.
        protocol: &'static str,
        /// The other.
        missing: &'static str,
    },
    /// No port was free for both UDP and TCP after many tries. Name a port.
    #[error("no port of {address} is free for both UDP and TCP")]
    NoFreePort {
        /// The address asked for, with port 0.
        address: SocketAddr,
    },
    /// The system refuses a thread, or a socket to the asynchronous runtime. Raise the limits of
    /// the process.
    #[error("cannot start serving {address}")]
    Start {
        /// The address bound.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The system refuses the threads of the TCP side, or what wakes those of UDP. Raise the limits
    /// of the process.
    #[error("cannot start threads that serve")]
    Threads(#[source] io::Error),
}

/// What is needed to bind an address, where the system refuses it.
fn needed(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            ", which takes root or CAP_NET_BIND_SERVICE (or choose a port from 1024 on)"
        }
        _ => "",
    }
}

impl ServeError {
    /// Whether the kernel does not know addresses of this family.
    pub(super) fn is_unknown_family(&self) -> bool {
        let Self::Bind { source, .. } = self else {
            return false;
        };
        source.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_needs_a_right_names_it() {
        let bind = |kind: io::ErrorKind| ServeError::Bind {
            address: ([0, 0, 0, 0], 53).into(),
            protocol: "UDP",
            source: kind.into(),
        };
        let said = bind(io::ErrorKind::PermissionDenied).to_string();
        assert!(said.contains("CAP_NET_BIND_SERVICE"), "{said}");
        let said = bind(io::ErrorKind::AddrNotAvailable).to_string();
        assert_eq!(said, "cannot bind 0.0.0.0:53 (UDP)");
    }
}
