//! A service on free ports, and clients that wait for 10 s at most.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gazetteer::answer::Client;
use gazetteer::config::{DnsListener, Listen};
use gazetteer::serve::{
    Guard, MadeSignatures, Respond, ServeError, Serving, SigningLimits, Sockets, bind,
};
use gazetteer::snapshot::Snapshot;
use gazetteer::telemetry::{Counters, Totals};
use gazetteer::wire::CookieSecrets;
use tokio::runtime::Runtime;

use crate::world::world;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A configuration that listens on `addresses`, with generous limits.
pub(crate) fn listen(addresses: &[&str]) -> Listen {
    Listen {
        dns: addresses
            .iter()
            .map(|address| DnsListener {
                address: address.parse().unwrap(),
                member: None,
                allow: None,
                is_optional: false,
            })
            .collect(),
        admin: None,
        admin_hosts: Vec::new(),
        trusted: Vec::new(),
        nsid: None,
        has_client_name: false,
        workers: 2,
        tcp_connections: 100,
        tcp_connections_per_client: 100,
        tcp_idle: Duration::from_secs(60),
        udp_receive_buffer: None,
    }
}

/// A service that runs until dropped.
pub(crate) struct Service {
    /// Waits for the end.
    pub(crate) runtime: Runtime,
    /// Its threads and tasks.
    pub(crate) serving: Serving,
    /// What it counted.
    pub(crate) counters: Counters,
}

impl Service {
    /// Serves the world as the daemon does.
    pub(crate) fn real(listen: &Listen) -> Self {
        Self::start(listen, |sockets, snapshots, counters| {
            let signatures = MadeSignatures::new(SigningLimits::of_cores(1), [0; 16]);
            let guard = Guard::new(CookieSecrets::default());
            sockets.run(
                snapshots,
                counters,
                (&Arc::new(signatures), &Arc::new(guard)),
            )
        })
    }

    /// Serves a snapshot, with these secrets of DNS cookies.
    pub(crate) fn guarded(listen: &Listen, snapshot: Snapshot, secrets: CookieSecrets) -> Self {
        Self::start(listen, |sockets, snapshots, counters| {
            snapshots.store(Arc::new(snapshot));
            let signatures = MadeSignatures::new(SigningLimits::of_cores(1), [0; 16]);
            let guard = Guard::new(secrets);
            sockets.run(
                snapshots,
                counters,
                (&Arc::new(signatures), &Arc::new(guard)),
            )
        })
    }

    /// Serves the stand-in.
    pub(crate) fn stand_in(listen: &Listen) -> Self {
        Self::with(listen, stand_in)
    }

    /// Serves with `respond`.
    pub(crate) fn with(listen: &Listen, respond: impl Respond) -> Self {
        Self::start(listen, |sockets, snapshots, counters| {
            sockets.run_with(snapshots, counters, respond)
        })
    }

    /// Serves as `run` says.
    fn start(
        listen: &Listen,
        run: impl FnOnce(Sockets, &Arc<ArcSwap<Snapshot>>, &Counters) -> Result<Serving, ServeError>,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let counters = Counters::default();
        let snapshots = Arc::new(ArcSwap::from_pointee(world()));
        let serving = run(bind(listen).unwrap(), &snapshots, &counters).unwrap();
        Self {
            runtime,
            serving,
            counters,
        }
    }

    /// The first address served.
    pub(crate) fn address(&self) -> SocketAddr {
        self.serving.addresses()[0]
    }

    /// Waits until the totals are as wanted.
    pub(crate) fn wait_for(&self, wanted: impl Fn(&Totals) -> bool) -> Totals {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let totals = self.counters.totals();
            if wanted(&totals) {
                return totals;
            }
            assert!(tokio::time::Instant::now() < deadline, "{totals:?}");
            std::thread::yield_now();
        }
    }
}

/// Answers as the words after the header say: `panic` panics, `silence` gives no reply, `size N`
/// gives N octets, anything else comes back. The id is kept.
pub(crate) fn stand_in(
    _snapshot: &Snapshot,
    request: &[u8],
    _client: &Client,
    out: &mut [u8],
) -> Option<usize> {
    let (header, words) = request.split_at_checked(12)?;
    let words = std::str::from_utf8(words).ok()?;
    assert_ne!(words, "panic", "as asked");
    if words == "silence" {
        return None;
    }
    let length = match words.strip_prefix("size ") {
        Some(size) => size.parse().unwrap(),
        None => request.len(),
    };
    out[..length].fill(b'.');
    out[..12].copy_from_slice(header);
    out[2] = 0x84;
    if length == request.len() {
        out[12..length].copy_from_slice(words.as_bytes());
    }
    Some(length)
}

/// A request of the stand-in.
pub(crate) fn say(id: u16, words: &str) -> Vec<u8> {
    let mut request = id.to_be_bytes().to_vec();
    request.extend([0; 10]);
    request.extend(words.as_bytes());
    request
}

/// What the stand-in says to [`say`] with words of no meaning.
pub(crate) fn said(id: u16, words: &str) -> Vec<u8> {
    let mut response = say(id, words);
    response[2] = 0x84;
    response
}

/// A UDP client on `address`.
pub(crate) fn udp(address: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends one datagram and gives the reply, which must come from where it was sent.
pub(crate) fn ask_udp(client: &UdpSocket, server: SocketAddr, request: &[u8]) -> Vec<u8> {
    client.send_to(request, server).unwrap();
    let mut reply = vec![0; 65_535];
    let (length, from) = client.recv_from(&mut reply).unwrap();
    assert_eq!(from, server);
    reply.truncate(length);
    reply
}

/// A TCP client of `server`.
pub(crate) fn tcp(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&server, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A message with its length.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(message);
    frame
}

/// Reads one message.
pub(crate) fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Sends one message and gives the response.
pub(crate) fn ask_tcp(stream: &mut TcpStream, request: &[u8]) -> Vec<u8> {
    stream.write_all(&framed(request)).unwrap();
    read_message(stream).unwrap()
}

/// Asserts that the server closed the connection.
pub(crate) fn assert_closed(stream: &mut TcpStream) {
    match stream.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}
