//! Clients that take more than their part; each goes on until it is dropped.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::dns;

/// Threads that do harm until they are dropped.
pub(crate) struct Harm {
    /// Ends the threads.
    ended: Arc<AtomicBool>,
    /// The threads.
    threads: Vec<JoinHandle<()>>,
}

impl Harm {
    /// Runs `step` over and over in so many threads, each on what `begin` made.
    fn spread<T: Send + 'static>(
        threads: usize,
        begin: impl Fn() -> T,
        step: impl Fn(&mut T) + Send + Copy + 'static,
    ) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let threads = (0..threads).map(|_| {
            let (ended, mut state) = (Arc::clone(&ended), begin());
            std::thread::spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    step(&mut state);
                }
            })
        });
        let threads = threads.collect();
        Self { ended, threads }
    }
}

impl Drop for Harm {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // What it panicked with matters less than what the test found.
            drop(thread.join());
        }
    }
}

/// One connection that is kept full of queries.
struct Pipeline {
    /// The connection; `None` after the server closed it.
    stream: Option<TcpStream>,
    /// Many queries, each with its length.
    queries: Vec<u8>,
    /// How many octets of `queries` are sent.
    sent: usize,
}

/// Keeps so many TCP connections full of pipelined queries for a name, and reads every answer.
pub(crate) fn pipelines(server: SocketAddr, name: &str, connections: usize) -> Harm {
    let begin = || {
        let stream = connect(server);
        stream.set_nonblocking(true).expect("nonblocking");
        Pipeline {
            stream: Some(stream),
            queries: framed(name).repeat(1000),
            sent: 0,
        }
    };
    Harm::spread(connections, begin, |pipeline| {
        let Some(stream) = &mut pipeline.stream else {
            return std::thread::sleep(Duration::from_millis(10));
        };
        let mut is_open = true;
        match stream.write(&pipeline.queries[pipeline.sent..]) {
            Ok(sent) => pipeline.sent = (pipeline.sent + sent) % pipeline.queries.len(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(_) => is_open = false,
        }
        match stream.read(&mut [0; 16_000]) {
            Ok(read) => is_open &= read > 0,
            Err(error) => is_open &= error.kind() == ErrorKind::WouldBlock,
        }
        if !is_open {
            pipeline.stream = None;
        }
    })
}

/// Sends some 20,000 queries a second for a name over UDP from each of so many threads, and reads no
/// answer. More would be lost by the kernel, honest queries among them.
pub(crate) fn flood(server: SocketAddr, name: &str, threads: usize) -> Harm {
    let query = dns::query(1, name, RecordType::A);
    let begin = || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(server).expect("a socket");
        (socket, query.clone())
    };
    Harm::spread(threads, begin, |(socket, query)| {
        for _ in 0..20 {
            // It may be refused while the server restarts.
            drop(socket.send(query));
        }
        std::thread::sleep(Duration::from_millis(1));
    })
}

/// Sends queries for a name and garbage over UDP from each of so many threads, as fast as the kernel
/// takes them, and reads no answer.
pub(crate) fn full_flood(server: SocketAddr, name: &str, threads: usize) -> Harm {
    let query = dns::query(1, name, RecordType::A);
    let garbage = [vec![0xff; 1200], query[..20].to_vec(), query[12..].to_vec()];
    let begin = || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(server).expect("a socket");
        (socket, [std::slice::from_ref(&query), &garbage].concat())
    };
    Harm::spread(threads, begin, |(socket, messages)| {
        for message in messages {
            // It is refused once the server has ended.
            drop(socket.send(message));
        }
    })
}

/// Connections that send queries for a name as long as the server takes them, and read nothing.
pub(crate) fn deaf(server: SocketAddr, name: &str, connections: usize) -> Vec<TcpStream> {
    let queries = framed(name).repeat(5000);
    let connections = (0..connections).map(|_| {
        let mut stream = connect(server);
        let socket = socket2::SockRef::from(&stream);
        socket.set_recv_buffer_size(4096).expect("SO_RCVBUF");
        let pause = Some(Duration::from_millis(20));
        stream.set_write_timeout(pause).expect("a time-out");
        // Until the server takes no more.
        drop(stream.write_all(&queries));
        stream
    });
    connections.collect()
}

/// Connections that say nothing.
pub(crate) fn idle(server: SocketAddr, connections: usize) -> Vec<TcpStream> {
    (0..connections).map(|_| connect(server)).collect()
}

/// A connection.
fn connect(server: SocketAddr) -> TcpStream {
    TcpStream::connect_timeout(&server, Duration::from_secs(5)).expect("a connection")
}

/// A query with its length before it.
fn framed(name: &str) -> Vec<u8> {
    let query = dns::query(1, name, RecordType::A);
    let length = u16::try_from(query.len()).expect("a short query");
    [&length.to_be_bytes()[..], &query].concat()
}
