//! UDP sockets and batches of datagrams, and TCP connections.
//!
//! Unsafe code throughout: the system calls take arrays of pointers. Every array and buffer here is
//! allocated once and lives as long as the value that points into it.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr;

/// Octets of the largest datagram.
const DATAGRAM: usize = 2048;

/// Octets that the kernel may queue on a socket, if it lets us: a full queue drops, and a closed
/// loop then stalls.
const QUEUE: i32 = 4 << 20;

/// A socket with long queues. With `bind` it serves there, otherwise it is connected to `peer`.
pub fn socket(bind: Option<SocketAddr>, peer: Option<SocketAddr>) -> io::Result<UdpSocket> {
    // SAFETY: the descriptor is new, and owned by what is made of it.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        UdpSocket::from_raw_fd(fd)
    };
    for option in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
        set(&socket, option, QUEUE)?;
    }
    if let Some(address) = bind {
        set(&socket, libc::SO_REUSEPORT, 1)?;
        let address = ipv4(address)?;
        // SAFETY: the address is whole and of the length given.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as u32,
            )
        };
        if bound < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    if let Some(peer) = peer {
        let address = ipv4(peer)?;
        // SAFETY: as above.
        let connected = unsafe {
            libc::connect(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as u32,
            )
        };
        if connected < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(socket)
}

/// A TCP connection from an address to another.
pub fn connect(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    let (from, to) = (ipv4(SocketAddr::from((from, 0)))?, ipv4(to.into())?);
    let length = mem::size_of_val(&from) as u32;
    // SAFETY: the descriptor is new, and owned by what is made of it; the addresses are whole and of
    // the length given.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let stream = TcpStream::from_raw_fd(fd);
        // The port is chosen by the connection: a port is used again for another source.
        let late: i32 = 1;
        libc::setsockopt(
            fd,
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const late).cast(),
            mem::size_of_val(&late) as u32,
        );
        if libc::bind(fd, (&raw const from).cast(), length) < 0
            || libc::connect(fd, (&raw const to).cast(), length) < 0
        {
            return Err(io::Error::last_os_error());
        }
        Ok(stream)
    }
}

/// Sets a socket option.
fn set(socket: &UdpSocket, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value is live and of the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            mem::size_of_val(&value) as u32,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// An address as the kernel wants it.
fn ipv4(address: SocketAddr) -> io::Result<libc::sockaddr_in> {
    let SocketAddr::V4(address) = address else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    Ok(libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    })
}

/// Waits until `socket` has something or the time is over, whichever is first.
pub fn wait_readable(poll: &Poll, nanos: u64) {
    let time = libc::timespec {
        tv_sec: (nanos / 1_000_000_000).cast_signed(),
        tv_nsec: (nanos % 1_000_000_000).cast_signed(),
    };
    let mut entry = libc::pollfd {
        fd: poll.0,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, and a live time.
    unsafe { libc::ppoll(&raw mut entry, 1, &raw const time, ptr::null()) };
}

/// Several sockets to wait for.
pub struct Poll(i32);

impl Poll {
    /// Waits for `sockets`, which must outlive it.
    pub fn new<'a>(sockets: impl Iterator<Item = &'a UdpSocket>) -> io::Result<Self> {
        // SAFETY: plain calls; the event is live.
        unsafe {
            let poll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if poll < 0 {
                return Err(io::Error::last_os_error());
            }
            for socket in sockets {
                let mut event = libc::epoll_event {
                    events: libc::EPOLLIN as u32,
                    u64: 0,
                };
                let fd = socket.as_raw_fd();
                if libc::epoll_ctl(poll, libc::EPOLL_CTL_ADD, fd, &raw mut event) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(Self(poll))
        }
    }
}

/// Room for a batch of datagrams to receive, and where they came from.
pub struct Batch {
    /// The datagrams.
    buffers: Box<[[u8; DATAGRAM]]>,
    /// Where they came from. Written by the kernel through `headers`.
    _sources: Box<[libc::sockaddr_in]>,
    /// One part for each.
    parts: Box<[libc::iovec]>,
    /// One header for each.
    headers: Box<[libc::mmsghdr]>,
}

impl Batch {
    /// Room for `size` datagrams.
    pub fn new(size: usize) -> Self {
        let mut buffers = vec![[0; DATAGRAM]; size].into_boxed_slice();
        // SAFETY: all zeros is a valid address and a valid header.
        let (mut sources, mut headers): (Box<[libc::sockaddr_in]>, Box<[libc::mmsghdr]>) = unsafe {
            (
                (0..size).map(|_| mem::zeroed()).collect(),
                (0..size).map(|_| mem::zeroed()).collect(),
            )
        };
        let mut parts: Box<[libc::iovec]> = buffers
            .iter_mut()
            .map(|buffer| libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: DATAGRAM,
            })
            .collect();
        for ((header, part), source) in headers.iter_mut().zip(&mut parts).zip(&mut sources) {
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(source).cast();
        }
        Self {
            buffers,
            _sources: sources,
            parts,
            headers,
        }
    }

    /// Receives up to `most` datagrams and returns how many; none where there are none and `flags`
    /// do not wait.
    pub fn receive(&mut self, socket: &UdpSocket, most: usize, flags: i32) -> usize {
        let most = most.min(self.headers.len());
        for (header, part) in self.headers.iter_mut().zip(&mut self.parts) {
            header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as u32;
            part.iov_len = DATAGRAM;
        }
        // SAFETY: at most as many headers as there are, whose pointers are to our own buffers.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                most as u32,
                flags,
                ptr::null_mut(),
            )
        };
        usize::try_from(count).unwrap_or(0)
    }

    /// A datagram of the last batch.
    #[inline]
    pub fn datagram(&self, index: usize) -> &[u8] {
        let length = (self.headers[index].msg_len as usize).min(DATAGRAM);
        &self.buffers[index][..length]
    }

    /// The buffer of a datagram of the last batch, and its length.
    #[inline]
    pub fn buffer(&mut self, index: usize) -> (&mut [u8; DATAGRAM], usize) {
        let length = (self.headers[index].msg_len as usize).min(DATAGRAM);
        (&mut self.buffers[index], length)
    }

    /// Sets how many octets of a buffer [`reply`](Self::reply) sends.
    #[inline]
    pub fn set_reply(&mut self, index: usize, length: usize) {
        self.parts[index].iov_len = length.min(DATAGRAM);
    }

    /// Sends the first `count` buffers back to where they came from.
    pub fn reply(&mut self, socket: &UdpSocket, count: usize) {
        send_all(socket, &mut self.headers[..count]);
    }
}

/// Sends a batch of datagrams that are elsewhere.
pub struct Outgoing {
    /// One part for each.
    parts: Box<[libc::iovec]>,
    /// One header for each.
    headers: Box<[libc::mmsghdr]>,
    /// How many are queued.
    queued: usize,
}

impl Outgoing {
    /// Room for `size` datagrams.
    pub fn new(size: usize) -> Self {
        let mut parts: Box<[libc::iovec]> = (0..size)
            .map(|_| libc::iovec {
                iov_base: ptr::null_mut(),
                iov_len: 0,
            })
            .collect();
        // SAFETY: all zeros is a valid header.
        let mut headers: Box<[libc::mmsghdr]> =
            (0..size).map(|_| unsafe { mem::zeroed() }).collect();
        for (header, part) in headers.iter_mut().zip(&mut parts) {
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
        }
        Self {
            parts,
            headers,
            queued: 0,
        }
    }

    /// Sends what `fill` gives for each of `count` datagrams over a connected socket. Returns how
    /// many system calls that took.
    pub fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        datagrams: impl Iterator<Item = &'a [u8]>,
    ) -> u64 {
        self.queued = 0;
        for (part, datagram) in self.parts.iter_mut().zip(datagrams) {
            part.iov_base = datagram.as_ptr().cast_mut().cast();
            part.iov_len = datagram.len();
            self.queued += 1;
        }
        send_all(socket, &mut self.headers[..self.queued])
    }
}

/// Sends every header, trying again where the queue is full. Returns how many system calls it took.
fn send_all(socket: &UdpSocket, headers: &mut [libc::mmsghdr]) -> u64 {
    let (mut done, mut calls, mut failed) = (0, 0, 0);
    while done < headers.len() && failed < 1000 {
        let left = &mut headers[done..];
        // SAFETY: as many headers as the slice has, whose pointers are live.
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), left.as_mut_ptr(), left.len() as u32, 0) };
        calls += 1;
        match usize::try_from(sent) {
            Ok(sent) => done += sent,
            Err(_) => failed += 1,
        }
    }
    calls
}
