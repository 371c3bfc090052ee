//! Takes every address, alone, before anything is served.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tracing::warn;

use crate::config::Listen;
use crate::model::ListenerIdx;

use super::ServeError;
use super::passed::PassedSockets;
use super::tcp::{self, Limits};
use super::{open_files, udp};

/// Ports tried for one that is free for both UDP and TCP.
const PORT_TRIES: usize = 64;

/// Connections that the kernel may hold before they are accepted; it caps this by its own limit.
const BACKLOG: i32 = 4096;

/// Buffers of a UDP socket in octets, unless the configuration says; the kernel caps them by its
/// own limit. The kernel's default holds about 220 queries, which a burst fills while a worker waits
/// for its core.
const UDP_BUFFER: usize = 4 << 20;

/// All DNS sockets, bound and not yet served. What arrives meanwhile waits in the kernel.
#[derive(Debug)]
pub struct Sockets {
    /// In the order of the configuration.
    pub(super) listeners: Vec<AddressSockets>,
    /// Limits of TCP connections, over all addresses.
    pub(super) limits: Limits,
    /// UDP threads of each address, and threads of the TCP side.
    pub(super) workers: usize,
}

/// The sockets of one address.
#[derive(Debug)]
pub(super) struct AddressSockets {
    /// The address bound, with its real port.
    pub(super) address: SocketAddr,
    /// Its place in the configuration.
    pub(super) listener: Option<ListenerIdx>,
    /// One for each worker.
    pub(super) udp: Vec<UdpSocket>,
    /// Listens already.
    pub(super) tcp: TcpListener,
}

impl Sockets {
    /// The addresses bound, in the order of the configuration, with their real ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|bound| bound.address).collect()
    }
}

/// Binds UDP and TCP on each address of `listen`, and `listen.workers` UDP sockets on each. Port 0
/// takes one free port for both. `[::]` takes IPv6 only.
///
/// An address that anybody else serves is refused, though the workers' sockets share it by
/// `SO_REUSEPORT`. The first UDP socket of an address is bound without that option, and the kernel
/// then refuses it if any socket has the port on an overlapping address, wildcards included, and
/// whatever options it has. Only when bound does it get the option, and the other workers' sockets
/// join it. Since the address is never given back in between there is no gap to slip into, and of
/// two daemons that start together one is refused. The TCP listener never shares, so that a
/// program that joins the UDP group later still meets a taken address there.
///
/// For the same reason two entries that overlap, as `0.0.0.0:53` and `10.0.0.53:53`, are refused.
///
/// An address that nobody asked for, a default, is left out with a warning where the kernel does not
/// know its family, as without IPv6.
///
/// Raises the limit of open files where `listen.tcp_connections` need it.
pub fn bind(listen: &Listen) -> Result<Sockets, ServeError> {
    bind_with(listen, &PassedSockets::default())
}

/// As [`bind`], but for addresses whose sockets a service manager has bound.
pub fn bind_with(listen: &Listen, passed: &PassedSockets) -> Result<Sockets, ServeError> {
    passed.check(listen)?;
    open_files::raise(listen.tcp_connections);
    let workers = listen.workers.max(1);
    let (mut listeners, mut left_out) = (Vec::new(), None);
    for (listener, index) in listen.dns.iter().zip((0..).map(ListenerIdx)) {
        let buffer = listen.udp_receive_buffer;
        let bound = match passed.of(listener.address) {
            Some((udp, tcp)) => take(listener.address, (udp, tcp), workers, buffer),
            None => bind_address(listener.address, workers, buffer),
        };
        match bound {
            Ok(bound) => listeners.push(AddressSockets {
                listener: Some(index),
                ..bound
            }),
            Err(error) if listener.is_optional && error.is_unknown_family() => {
                warn!(address = %listener.address, "not bound: the kernel does not support this address family");
                left_out = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(error) = left_out.filter(|_| listeners.is_empty()) {
        return Err(error);
    }
    if let Some(wanted) = listen.udp_receive_buffer {
        tell_less(wanted, &listeners);
    }
    Ok(Sockets {
        listeners,
        limits: Limits::of(listen),
        workers,
    })
}

/// Warns when the kernel gives smaller receive buffers than the configuration asks for.
fn tell_less(wanted: usize, listeners: &[AddressSockets]) {
    let sockets = listeners.iter().flat_map(|bound| &bound.udp);
    let given = sockets.filter_map(|socket| SockRef::from(socket).recv_buffer_size().ok());
    // The kernel doubles what it gives, for what it keeps beside the octets.
    let least = given.min().map(|given| given / 2);
    if let Some(given) = least.filter(|given| *given < wanted) {
        warn!(
            wanted,
            given, "the kernel gives less than udp-receive-buffer: raise net.core.rmem_max"
        );
    }
}

/// Binds one address.
fn bind_address(
    asked: SocketAddr,
    workers: usize,
    buffer: Option<usize>,
) -> Result<AddressSockets, ServeError> {
    let tries = if asked.port() == 0 { PORT_TRIES } else { 1 };
    for _ in 0..tries {
        let first =
            bind_udp(asked, buffer, None).map_err(|source| refusal(asked, "UDP", source))?;
        let failed = |source| refusal(asked, "UDP", source);
        let address = first.local_addr().map_err(failed)?;
        let tcp = match bind_tcp(address) {
            Ok(tcp) => tcp,
            Err(error) if asked.port() == 0 && error.kind() == io::ErrorKind::AddrInUse => continue,
            Err(error) => return Err(refusal(address, "TCP", error)),
        };
        let mut udp = vec![first];
        while udp.len() < workers {
            udp.push(bind_udp(address, buffer, udp.first()).map_err(failed)?);
        }
        return Ok(AddressSockets {
            address,
            listener: None,
            udp,
            tcp,
        });
    }
    Err(ServeError::NoFreePort { address: asked })
}

/// Takes the sockets of an address that somebody else has bound; the workers share the one for UDP.
fn take(
    address: SocketAddr,
    (udp, tcp): (&UdpSocket, &TcpListener),
    workers: usize,
    buffer: Option<usize>,
) -> Result<AddressSockets, ServeError> {
    let failed = |source| refusal(address, "UDP", source);
    // What it has is the service manager's to say, unless the configuration does.
    if let Some(buffer) = buffer {
        let _ = SockRef::from(udp).set_recv_buffer_size(buffer);
    }
    udp.set_nonblocking(false).map_err(failed)?;
    udp::set_options(udp, address).map_err(failed)?;
    let shared = (0..workers).map(|_| udp.try_clone());
    let shared = shared.collect::<io::Result<_>>().map_err(failed)?;
    let failed = |source| refusal(address, "TCP", source);
    let tcp = tcp.try_clone().map_err(failed)?;
    tcp.set_nonblocking(true).map_err(failed)?;
    tcp::set_options(&SockRef::from(&tcp)).map_err(failed)?;
    Ok(AddressSockets {
        address,
        listener: None,
        udp: shared,
        tcp,
    })
}

/// Binds a UDP socket: alone, or beside the `first` one of its address.
fn bind_udp(
    address: SocketAddr,
    buffer: Option<usize>,
    first: Option<&UdpSocket>,
) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if first.is_some() {
        socket.set_reuse_port(true)?;
    }
    // Smaller buffers work too. Beyond the limit of all programs only those with the right to
    // administer the network get one, which is worth a try for what was asked for.
    let _ = socket.set_recv_buffer_size(buffer.unwrap_or(UDP_BUFFER));
    if let Some(wanted) = buffer
        && socket.recv_buffer_size()? / 2 < wanted
    {
        let _ = set_socket_recv_buffer_size_force(&socket, wanted);
    }
    let _ = socket.set_send_buffer_size(UDP_BUFFER);
    udp::set_options(&socket, address)?;
    socket.bind(&address.into())?;
    socket.set_reuse_port(true)?;
    Ok(socket.into())
}

/// Binds a TCP socket and listens.
fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier run that linger do not hinder a restart; a listener does.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    tcp::set_options(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Says why an address was not bound.
fn refusal(address: SocketAddr, protocol: &'static str, source: io::Error) -> ServeError {
    if source.kind() == io::ErrorKind::AddrInUse {
        ServeError::InUse { address, protocol }
    } else {
        ServeError::Bind {
            address,
            protocol,
            source,
        }
    }
}
