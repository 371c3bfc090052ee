//! A relay that passes datagrams and no connection, as a firewall or a Service with one port does.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a datagram is waited for before the relay looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// A relay; it ends when dropped.
pub(crate) struct DatagramRelay {
    /// Whether it is gone.
    ended: Arc<AtomicBool>,
}

impl DatagramRelay {
    /// A relay at an address before a server.
    pub(crate) fn on(address: SocketAddr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).expect("port of the relay");
        socket.set_read_timeout(Some(LOOK)).expect("time-out");
        let ended = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::clone(&ended);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !has_ended.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let question = buffer.get(..length).unwrap_or_default().to_vec();
                if let Ok(answer) = pass(&question, server) {
                    drop(socket.send_to(&answer, client));
                }
            }
        });
        Self { ended }
    }
}

impl Drop for DatagramRelay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Asks the server.
fn pass(question: &[u8], server: SocketAddr) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.connect(server)?;
    socket.send(question)?;
    let mut buffer = vec![0; 4096];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}
