//! Single datagrams that leave from the address that was asked, on a socket of several.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg, setsockopt, sockopt};

/// The address that a datagram was sent to, as a reply to it gives it back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Destination {
    /// An IPv4 address.
    V4(libc::in_pktinfo),
    /// An IPv6 address.
    V6(libc::in6_pktinfo),
}

/// Sends one datagram from an address, without waiting.
pub(super) fn send_from(
    socket: &UdpSocket,
    from: Destination,
    to: SocketAddr,
    octets: &[u8],
) -> io::Result<()> {
    let control = match &from {
        Destination::V4(info) => [ControlMessage::Ipv4PacketInfo(info)],
        Destination::V6(info) => [ControlMessage::Ipv6PacketInfo(info)],
    };
    let parts = [IoSlice::new(octets)];
    let to = SockaddrStorage::from(to);
    sendmsg(
        socket.as_raw_fd(),
        &parts,
        &control,
        MsgFlags::MSG_DONTWAIT,
        Some(&to),
    )?;
    Ok(())
}

/// A wildcard socket tells where each datagram was sent to.
pub(super) fn give_packet_info(socket: &impl AsFd, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}
