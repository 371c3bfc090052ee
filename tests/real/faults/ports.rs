//! The data plane: TCP ports of load balancers, which a test opens and closes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::api::runtime;

/// The port of every load balancer.
pub(crate) const PORT: u16 = 80;

/// Ports that accept connections; all are closed when it is dropped.
#[derive(Default)]
pub(crate) struct Ports {
    /// The tasks that accept.
    open: Mutex<HashMap<IpAddr, JoinHandle<()>>>,
}

impl Ports {
    /// Opens the port of an address.
    pub(crate) fn open(&self, address: IpAddr) {
        let mut open = self.open.lock();
        if open.contains_key(&address) {
            return;
        }
        let socket = SocketAddr::new(address, PORT);
        let listener = std::net::TcpListener::bind(socket)
            .unwrap_or_else(|error| panic!("load balancer at {socket}: {error}"));
        listener.set_nonblocking(true).expect("nonblocking");
        let task = runtime().spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("listener");
            // A connection that opens is all that is asked for: each is closed at once.
            while listener.accept().await.is_ok() {}
        });
        open.insert(address, task);
    }

    /// Closes the port of an address: connections are refused when this returns.
    pub(crate) fn close(&self, address: IpAddr) {
        if let Some(task) = self.open.lock().remove(&address) {
            task.abort();
            // Ends in the cancellation, after the socket is closed.
            drop(runtime().block_on(task));
        }
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        let addresses: Vec<IpAddr> = self.open.lock().keys().copied().collect();
        for address in addresses {
            self.close(address);
        }
    }
}
