//! A TCP relay before an API server: it cuts connections, which a server itself does only when it
//! restarts, and refuses new ones.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// A relay; it ends when dropped.
pub(crate) struct Gate {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What its threads share.
    shared: Arc<Shared>,
}

/// What the threads of a gate share.
struct Shared {
    /// Whether new connections are let through.
    open: AtomicBool,
    /// Whether everything that comes in is swallowed, while connections stay open.
    silent: AtomicBool,
    /// Whether the gate is gone.
    ended: AtomicBool,
    /// Both ends of every connection so far.
    streams: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// A gate before a server.
    pub(crate) fn new(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port of the gate");
        let address = listener.local_addr().expect("port of the gate");
        let shared = Arc::new(Shared {
            open: AtomicBool::new(true),
            silent: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let threads = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, server, &threads));
        Self { address, shared }
    }

    /// The URL of the API behind it.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Cuts every connection; new ones pass.
    pub(crate) fn cut(&self) {
        for stream in self.shared.streams.lock().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Swallows everything, and accepts connections that lead nowhere, as a dropped network does;
    /// connections of that time are cut when it ends.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
        if !silent {
            self.cut();
        }
    }

    /// Lets new connections through, or closes each at once.
    pub(crate) fn set_open(&self, open: bool) {
        self.shared.open.store(open, Ordering::SeqCst);
        if !open {
            self.cut();
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.set_open(false);
        // Wakes the accepting thread, which then ends.
        drop(TcpStream::connect_timeout(
            &self.address,
            Duration::from_secs(1),
        ));
    }
}

/// Relays until the gate ends.
fn accept(listener: &TcpListener, server: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming().map_while(Result::ok) {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        if !shared.open.load(Ordering::SeqCst) {
            continue;
        }
        let Ok(upstream) = TcpStream::connect_timeout(&server, Duration::from_secs(2)) else {
            continue;
        };
        let Ok([inward, outward]) = halves(client, upstream, shared) else {
            continue;
        };
        for (from, to) in [inward, outward] {
            let shared = Arc::clone(shared);
            std::thread::spawn(move || relay(from, to, &shared.silent));
        }
        if !shared.open.load(Ordering::SeqCst) {
            for stream in shared.streams.lock().drain(..) {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
    }
}

/// Two streams as the two directions of a relay; the gate keeps a handle of each to cut it.
fn halves(
    client: TcpStream,
    upstream: TcpStream,
    shared: &Shared,
) -> std::io::Result<[(TcpStream, TcpStream); 2]> {
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let kept = [client.try_clone()?, upstream.try_clone()?];
    let inward = (client.try_clone()?, upstream.try_clone()?);
    shared.streams.lock().extend(kept);
    Ok([inward, (upstream, client)])
}

/// Copies one direction until either end closes, then closes both.
fn relay(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if silent.load(Ordering::SeqCst) {
            continue;
        }
        if to
            .write_all(buffer.get(..length).unwrap_or_default())
            .is_err()
        {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
