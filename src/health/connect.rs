//! TCP connections of probes, and what their failures mean.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use super::history::ProbeOutcome;

/// Opens a connection. It ends by RST when it is dropped, so that no port waits in TIME-WAIT.
/// Errors are what came of the probe.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, ProbeOutcome> {
    let stream = begin(address).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => answered(&error),
        // Nothing was sent: no route, no port, no file, a rule of our own.
        _ => ProbeOutcome::Local(seen(&error)),
    })?;
    let connected = async {
        stream.writable().await?;
        match stream.take_error()? {
            None => Ok(()),
            Some(error) => Err(error),
        }
    };
    match connected.await {
        Ok(()) => Ok(stream),
        Err(error) => Err(match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => answered(&error),
            // Also unreachable networks: a router on the way says so of a cluster that is gone.
            _ => ProbeOutcome::Silent(seen(&error)),
        }),
    }
}

/// Begins to connect. An error is our own host's.
fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new_raw(Domain::for_address(address), kind, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => TcpStream::from_std(socket.into()),
    }
}

/// A failure of a connection that was open, or that the other side refused.
pub(super) fn answered(error: &io::Error) -> ProbeOutcome {
    ProbeOutcome::Answered(seen(error))
}

/// An error, for people.
fn seen(error: &io::Error) -> Cow<'static, str> {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused".into(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "reset".into(),
        ErrorKind::UnexpectedEof => "closed".into(),
        ErrorKind::HostUnreachable => "host unreachable".into(),
        ErrorKind::NetworkUnreachable => "network unreachable".into(),
        ErrorKind::TimedOut => "timed out".into(),
        _ => error.to_string().into(),
    }
}
