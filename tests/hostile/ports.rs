//! The data plane: load balancers whose ports tests open and close.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A load balancer: a port that accepts connections until it is dropped.
pub(crate) struct Port {
    /// Ends its thread.
    ended: Arc<AtomicBool>,
    /// Its thread.
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Port {
    /// Opens a port of an address.
    pub(crate) fn open(address: Ipv4Addr, port: u16) -> Self {
        let listener = TcpListener::bind((address, port)).expect("a port of our own");
        listener.set_nonblocking(true).expect("nonblocking");
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            while !flag.load(Ordering::SeqCst) {
                if listener.accept().is_err() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self {
            ended,
            thread: Some(thread),
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
