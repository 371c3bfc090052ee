//! Batches of datagrams by `recvmmsg` and `sendmmsg`: the one file with unsafe code.
//!
//! The safe wrappers of nix share one control message over a whole batch, so that they cannot give
//! every reply of a wildcard socket its own source address.
#![expect(
    unsafe_code,
    reason = "recvmmsg and sendmmsg with a control message for each reply"
)]
#![expect(
    clippy::cast_ptr_alignment,
    reason = "allocated by layout, or read and written unaligned"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "sizes of a few octets and a few datagrams"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ffi::c_int;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::{self, NonNull};

use super::super::source_address::Destination;

/// Datagrams in one batch: past 32 the system calls cost next to nothing per datagram, and the
/// first of a batch waits for the last.
pub(super) const BATCH: usize = 32;

/// Octets of the largest request, and of the largest reply: what we offer by EDNS.
pub(super) const DATAGRAM: usize = 1232;

/// Room for one packet information message of either family.
// SAFETY: CMSG_SPACE only calculates.
const CONTROL: usize =
    unsafe { libc::CMSG_SPACE(mem::size_of::<libc::in6_pktinfo>() as u32) } as usize;

/// Control messages, aligned as their header must be.
#[repr(C)]
union Control {
    /// Gives the alignment.
    _header: libc::cmsghdr,
    /// The octets.
    octets: [u8; CONTROL],
}

/// All that the kernel reads and writes, in one allocation that never moves. All zeros is a valid
/// value.
struct Slots {
    /// Requests as received.
    requests: [[u8; DATAGRAM]; BATCH],
    /// Replies, dense: the first `queued` are to be sent.
    replies: [[u8; DATAGRAM]; BATCH],
    /// Where the requests came from.
    sources: [libc::sockaddr_in6; BATCH],
    /// One part per request.
    request_parts: [libc::iovec; BATCH],
    /// One part per reply.
    reply_parts: [libc::iovec; BATCH],
    /// Packet information as received, made ready for the reply.
    controls: [Control; BATCH],
    /// Headers of the requests.
    received: [libc::mmsghdr; BATCH],
    /// Headers of the replies.
    sending: [libc::mmsghdr; BATCH],
}

/// Whether a socket tells where its datagrams were sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacketInfo {
    /// The socket is bound to one address, which its replies leave from anyway.
    None,
    /// A wildcard socket.
    Given,
}

/// Whether to wait for a first datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// As long as the receive time-out of the socket.
    Timeout,
    /// Take what is there.
    No,
}

/// One datagram received.
pub(super) struct Request<'a> {
    /// The octets, `None` when there were more than [`DATAGRAM`].
    pub(super) octets: Option<&'a [u8]>,
    /// Who sent it.
    pub(super) source: SocketAddr,
}

/// The requests of a batch.
#[derive(Clone, Copy)]
pub(super) struct Requests<'a> {
    /// Only the fields `requests`, `received` and `sources` are looked at, which nothing changes
    /// while the batch is split.
    slots: NonNull<Slots>,
    /// How many there are, at most [`BATCH`].
    received: usize,
    /// Borrows the batch.
    batch: PhantomData<&'a Batch>,
}

/// The replies of a batch.
pub(super) struct Replies<'a> {
    /// Only the fields `replies`, `reply_parts`, `sending` and `controls` are changed.
    slots: NonNull<Slots>,
    /// Whether control messages are exchanged.
    packet_info: PacketInfo,
    /// How many requests there are, at most [`BATCH`].
    received: usize,
    /// How many replies there are, at most [`BATCH`]. Borrows the batch, mutably.
    queued: &'a mut usize,
}

/// Room for a batch of requests and replies, used again for every batch.
pub(super) struct Batch {
    /// Owned; pointers into it are derived from this one alone.
    slots: NonNull<Slots>,
    /// Whether control messages are exchanged.
    packet_info: PacketInfo,
    /// Requests of the present batch, at most [`BATCH`].
    received: usize,
    /// Replies of the present batch, at most `received`.
    queued: usize,
}

impl Batch {
    /// Allocates the room, once.
    pub(super) fn new(packet_info: PacketInfo) -> Self {
        let layout = Layout::new::<Slots>();
        // SAFETY: the layout is not of size zero.
        let slots = unsafe { alloc_zeroed(layout) }.cast::<Slots>();
        let Some(slots) = NonNull::new(slots) else {
            handle_alloc_error(layout)
        };
        let batch = Self {
            slots,
            packet_info,
            received: 0,
            queued: 0,
        };
        for index in 0..BATCH {
            let slots = slots.as_ptr();
            // SAFETY: `slots` is allocated, zeroed and ours alone; `index` is below BATCH. Only raw
            // pointers are formed, all from `slots`, so that none invalidates another, and they
            // stay valid as long as the allocation.
            unsafe {
                let part = &raw mut (*slots).request_parts[index];
                (*part).iov_base = (&raw mut (*slots).requests[index]).cast();
                (*part).iov_len = DATAGRAM;
                let header = &raw mut (*slots).received[index].msg_hdr;
                (*header).msg_name = (&raw mut (*slots).sources[index]).cast();
                (*header).msg_iov = part;
                (*header).msg_iovlen = 1;

                let part = &raw mut (*slots).reply_parts[index];
                (*part).iov_base = (&raw mut (*slots).replies[index]).cast();
                let header = &raw mut (*slots).sending[index].msg_hdr;
                (*header).msg_iov = part;
                (*header).msg_iovlen = 1;
            }
            batch.prepare(index);
        }
        batch
    }

    /// Undoes what receiving changed in one header.
    fn prepare(&self, index: usize) {
        debug_assert!(index < BATCH);
        let slots = self.slots.as_ptr();
        // SAFETY: `index` is below BATCH, nothing else refers to the slots, and the pointers put
        // into the header point into the same allocation.
        unsafe {
            let header = &raw mut (*slots).received[index].msg_hdr;
            (*header).msg_namelen = address_length::<libc::sockaddr_in6>();
            (*header).msg_flags = 0;
            if self.packet_info == PacketInfo::Given {
                (*header).msg_control = (&raw mut (*slots).controls[index]).cast();
                (*header).msg_controllen = CONTROL as _;
            }
        }
    }

    /// Receives up to [`BATCH`] datagrams: waits for the first, takes what else is there. Returns
    /// 0 after the receive time-out of the socket, or a signal.
    pub(super) fn receive(&mut self, socket: &impl AsFd, wait: Wait) -> io::Result<usize> {
        for index in 0..self.received {
            self.prepare(index);
        }
        self.received = 0;
        self.queued = 0;
        let flags = match wait {
            Wait::Timeout => libc::MSG_WAITFORONE,
            Wait::No => libc::MSG_DONTWAIT,
        };
        // SAFETY: `received` holds BATCH headers, and every pointer in them points to room of the
        // length given, in an allocation that lives as long as `self`, which is borrowed mutably.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                (&raw mut (*self.slots.as_ptr()).received).cast(),
                BATCH as _,
                flags as _,
                ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => {
                self.received = count.min(BATCH);
                Ok(self.received)
            }
            Err(_) => match io::Error::last_os_error() {
                error
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) =>
                {
                    Ok(0)
                }
                error => Err(error),
            },
        }
    }

    /// The requests of the present batch, and room for its replies.
    pub(super) fn split(&mut self) -> (Requests<'_>, Replies<'_>) {
        let requests = Requests {
            slots: self.slots,
            received: self.received,
            batch: PhantomData,
        };
        let replies = Replies {
            slots: self.slots,
            packet_info: self.packet_info,
            received: self.received,
            queued: &mut self.queued,
        };
        (requests, replies)
    }

    /// Sends the queued replies without waiting. One that fails is skipped. Returns how many
    /// failed.
    pub(super) fn send(&mut self, socket: &impl AsFd) -> usize {
        let (mut done, mut failed) = (0, 0);
        while done < self.queued {
            let left = self.queued - done;
            // SAFETY: `done` is below `queued`, so that `left` headers from there on are in the
            // array, and every pointer in them points to what `queue` put there.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_fd().as_raw_fd(),
                    (&raw mut (*self.slots.as_ptr()).sending)
                        .cast::<libc::mmsghdr>()
                        .add(done),
                    left as _,
                    libc::MSG_DONTWAIT as _,
                )
            };
            match usize::try_from(sent) {
                Ok(sent @ 1..) => done += sent,
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                // An error is always that of the first message left; and so is it that nothing was
                // sent without one, which the kernel never says.
                Ok(0) | Err(_) => {
                    done += 1;
                    failed += 1;
                }
            }
        }
        self.queued = 0;
        failed
    }
}

impl<'a> Requests<'a> {
    /// One datagram; `None` past the end, or when its source is no IP address.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<Request<'a>> {
        if index >= self.received {
            return None;
        }
        let slots = self.slots.as_ptr();
        // SAFETY: the index is below BATCH. The kernel is done with the slots, and the batch stays
        // borrowed as long as the request is; until then nothing writes to these fields.
        unsafe {
            let header = &raw const (*slots).received[index];
            let length = ((*header).msg_len as usize).min(DATAGRAM);
            let whole = (*header).msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            let octets: &[u8; DATAGRAM] = &(*slots).requests[index];
            Some(Request {
                octets: octets.get(..length).filter(|_| whole),
                source: source(&raw const (*slots).sources[index])?,
            })
        }
    }
}

impl Requests<'_> {
    /// Where a datagram was sent to, on a wildcard socket, for a reply that is not of this batch. `None`
    /// on others.
    pub(super) fn destination(&self, index: usize) -> Option<Destination> {
        if index >= self.received {
            return None;
        }
        // SAFETY: the index is below BATCH, and the kernel is done with the slots. Control messages are
        // changed here and by `queue` alone, the same way, and no reference to them is ever kept.
        unsafe { turn_around(&raw mut (*self.slots.as_ptr()).received[index].msg_hdr) }
    }
}

impl Replies<'_> {
    /// Room for the next reply; [`Self::queue`] takes its length. `None` when all are queued.
    #[inline]
    pub(super) fn next(&mut self) -> Option<&mut [u8]> {
        if *self.queued >= self.received {
            return None;
        }
        let slots = self.slots.as_ptr();
        // SAFETY: `queued` is below BATCH. The kernel is done with the slots; no other reference to
        // the replies is left, as `self` is borrowed as long as this one.
        let reply: &mut [u8; DATAGRAM] = unsafe { &mut (*slots).replies[*self.queued] };
        Some(reply)
    }

    /// The reply written for the message `index` is to be sent, with its first `length` octets.
    #[inline]
    pub(super) fn queue(&mut self, index: usize, length: usize) {
        if index >= self.received || *self.queued >= BATCH {
            return;
        }
        let slots = self.slots.as_ptr();
        // SAFETY: both indexes are below BATCH, the kernel is done with the slots, and no reference
        // to what is written here is left. The pointers copied point into the same allocation.
        unsafe {
            (*slots).reply_parts[*self.queued].iov_len = length.min(DATAGRAM);
            let request = &raw mut (*slots).received[index].msg_hdr;
            let header = &raw mut (*slots).sending[*self.queued].msg_hdr;
            (*header).msg_name = (*request).msg_name;
            (*header).msg_namelen = (*request).msg_namelen;
            if self.packet_info == PacketInfo::Given {
                turn_around(request);
                (*header).msg_control = (*request).msg_control;
                (*header).msg_controllen = (*request).msg_controllen;
            }
        }
        *self.queued += 1;
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with the same layout; nothing in it needs dropping.
        unsafe { dealloc(self.slots.as_ptr().cast(), Layout::new::<Slots>()) }
    }
}

/// The size of an address structure, as the kernel counts it.
const fn address_length<T>() -> libc::socklen_t {
    mem::size_of::<T>() as libc::socklen_t
}

/// Reads a source address.
///
/// # Safety
/// `address` points to a `sockaddr_in6` that may hold a `sockaddr_in`.
unsafe fn source(address: *const libc::sockaddr_in6) -> Option<SocketAddr> {
    // SAFETY: both structures begin with the family, `sockaddr_in` is the smaller one, needs no
    // stricter alignment, and has no invalid values.
    unsafe {
        match c_int::from((*address).sin6_family) {
            libc::AF_INET => {
                let address = address.cast::<libc::sockaddr_in>();
                let octets = (*address).sin_addr.s_addr.to_ne_bytes();
                let port = u16::from_be((*address).sin_port);
                Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(octets)), port))
            }
            libc::AF_INET6 => {
                let octets = (*address).sin6_addr.s6_addr;
                let port = u16::from_be((*address).sin6_port);
                Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(octets)), port))
            }
            _ => None,
        }
    }
}

/// Makes received packet information fit for the reply: the address asked becomes the source. The
/// interface is left to routing, as the way back may be another one, but for link-local addresses,
/// which mean nothing without it.
///
/// # Safety
/// `header` is a header that `recvmmsg` filled, with its control messages still in place.
unsafe fn turn_around(header: *mut libc::msghdr) -> Option<Destination> {
    let mut found = None;
    // SAFETY: the macros walk the control messages inside `msg_controllen`; the kernel wrote whole
    // ones. The structures are read and written unaligned.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            match ((*control).cmsg_level, (*control).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let place = libc::CMSG_DATA(control).cast::<libc::in_pktinfo>();
                    let mut info = place.read_unaligned();
                    info.ipi_ifindex = 0;
                    place.write_unaligned(info);
                    found = Some(Destination::V4(info));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let place = libc::CMSG_DATA(control).cast::<libc::in6_pktinfo>();
                    let mut info = place.read_unaligned();
                    let asked = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    if !asked.is_unicast_link_local() {
                        info.ipi6_ifindex = 0;
                        place.write_unaligned(info);
                    }
                    found = Some(Destination::V6(info));
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    found
}

/// Where among the numbers of `SO_MEMINFO` the dropped datagrams stand (`SK_MEMINFO_DROPS` in
/// `linux/sock_diag.h`).
const DROPS: usize = 8;

/// How many datagrams the kernel has dropped for this socket, modulo 2³²: as a rule because its
/// receive buffer was full. The number is that which `SO_RXQ_OVFL` gives with each datagram; asked
/// for apart it costs nothing while datagrams come, and counts those after the last one, too.
pub(super) fn drops(socket: &impl AsFd) -> io::Result<u32> {
    let mut numbers = [0_u32; DROPS + 1];
    let mut length = address_length::<[u32; DROPS + 1]>();
    // SAFETY: both pointers are to live values, and the size of the first is given in the second.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            numbers.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        // An older kernel that knows fewer numbers leaves the last ones at 0.
        Ok(numbers[DROPS])
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Batch {
        /// Makes the reply to one message impossible: the kernel sends nothing to port 0.
        pub(in crate::serve::udp) fn spoil(&mut self, index: usize) {
            assert!(index < self.received);
            // SAFETY: the index is in range, and nothing refers to the slots. The port of either
            // family is at the same place.
            unsafe { (*self.slots.as_ptr()).sources[index].sin6_port = 0 };
        }
    }
}
