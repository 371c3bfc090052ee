//! A TCP relay before an API server: it cuts connections, which a server itself does only when it
//! restarts, and refuses new ones.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

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
    /// How late the server's side of every connection arrives.
    delay: Mutex<Duration>,
    /// Told when the delay has become another.
    hurried: Condvar,
    /// Whether the gate is gone.
    ended: AtomicBool,
    /// Both ends of every connection so far.
    streams: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// A gate before a server, on loopback.
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self::on(([127, 0, 0, 1], 0).into(), server)
    }

    /// A gate before a server, at an address.
    pub(crate) fn on(address: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("port of the gate");
        let address = listener.local_addr().expect("port of the gate");
        let shared = Arc::new(Shared {
            open: AtomicBool::new(true),
            silent: AtomicBool::new(false),
            delay: Mutex::default(),
            hurried: Condvar::new(),
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

    /// Delivers what the server says so much later, connections of before included. What waits
    /// when the delay becomes shorter is delivered as if it had always been so.
    pub(crate) fn set_delay(&self, delay: Duration) {
        *self.shared.delay.lock() = delay;
        self.shared.hurried.notify_all();
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
        self.set_delay(Duration::ZERO);
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
        let threads = Arc::clone(shared);
        std::thread::spawn(move || relay(inward, &threads.silent));
        let threads = Arc::clone(shared);
        std::thread::spawn(move || relay_late(outward, &threads));
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
fn relay((mut from, mut to): (TcpStream, TcpStream), silent: &AtomicBool) {
    copy(&mut from, silent, |octets| to.write_all(octets).is_ok());
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

/// Copies one direction as [`relay`] does, as late as the gate says.
fn relay_late((mut from, mut to): (TcpStream, TcpStream), shared: &Arc<Shared>) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    let threads = Arc::clone(shared);
    std::thread::spawn(move || {
        for (read, octets) in receiver {
            let mut delay = threads.delay.lock();
            while read.elapsed() < *delay {
                let left = delay.saturating_sub(read.elapsed());
                threads.hurried.wait_for(&mut delay, left);
            }
            drop(delay);
            if to.write_all(&octets).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
    });
    copy(&mut from, &shared.silent, |octets| {
        sender.send((Instant::now(), octets.to_vec())).is_ok()
    });
    drop(from.shutdown(Shutdown::Both));
}

/// Gives what a stream says until it ends or `deliver` refuses.
fn copy(from: &mut TcpStream, silent: &AtomicBool, mut deliver: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let octets = buffer.get(..length).unwrap_or_default();
        if !silent.load(Ordering::SeqCst) && !deliver(octets) {
            break;
        }
    }
}
