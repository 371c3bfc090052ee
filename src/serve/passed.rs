//! Sockets that a service manager has bound and passes in (`sd_listen_fds(3)`).

use std::net::{SocketAddr, TcpListener, UdpSocket};

use super::ServeError;
use crate::config::Listen;

/// Sockets that a service manager has bound. They are matched to `listen.dns` by their addresses.
#[derive(Debug, Default)]
pub struct PassedSockets {
    /// For UDP.
    pub udp: Vec<UdpSocket>,
    /// For TCP, listening.
    pub tcp: Vec<TcpListener>,
}

impl PassedSockets {
    /// Refuses a socket whose address the configuration does not have, and one without the other.
    pub(super) fn check(&self, listen: &Listen) -> Result<(), ServeError> {
        let udp = self.udp.iter().map(|one| (one.local_addr(), "udp", "tcp"));
        let tcp = self.tcp.iter().map(|one| (one.local_addr(), "tcp", "udp"));
        for (address, protocol, missing) in udp.chain(tcp) {
            let address = address.map_err(ServeError::Passed)?;
            if !listen.dns.iter().any(|one| one.address == address) {
                return Err(ServeError::NotConfigured { address, protocol });
            }
            if self.of(address).is_none() {
                return Err(ServeError::HalfPassed {
                    address,
                    protocol,
                    missing,
                });
            }
        }
        Ok(())
    }

    /// Both sockets of an address, where they were passed in.
    pub(super) fn of(&self, address: SocketAddr) -> Option<(&UdpSocket, &TcpListener)> {
        let is_it = |bound: std::io::Result<SocketAddr>| bound.is_ok_and(|bound| bound == address);
        let udp = self.udp.iter().find(|socket| is_it(socket.local_addr()))?;
        let tcp = self.tcp.iter().find(|socket| is_it(socket.local_addr()))?;
        Some((udp, tcp))
    }
}
