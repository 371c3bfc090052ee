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
fn accept(listener: &TcpListener, server: SocketAddr, shared: &Shared) {
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
        let mut ends = Vec::new();
        for stream in [&client, &client, &upstream, &upstream, &client, &upstream] {
            ends.extend(stream.set_nodelay(true).and_then(|()| stream.try_clone()));
        }
        let Ok([a, b, c, d, e, f]) = <[TcpStream; 6]>::try_from(ends) else {
            continue;
        };
        shared.streams.lock().extend([e, f]);
        std::thread::spawn(move || relay(a, c));
        std::thread::spawn(move || relay(d, b));
        if !shared.open.load(Ordering::SeqCst) {
            for stream in shared.streams.lock().drain(..) {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
    }
}

/// Copies one direction until either end closes, then closes both.
fn relay(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
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
