//! Addresses of this run alone.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many networks were tried in this process: tests that run side by side get one each.
static TRIED: AtomicU32 = AtomicU32::new(0);

/// From one network of a process to its next: far from those of processes with near numbers.
const STRIDE: u32 = 4099;

/// Loopback addresses on which nothing uses these ports. The whole of 127/8 is local, so each call
/// takes a network of its own and fixed ports in it: a program that is started again finds its
/// port free, and no program can be given it meanwhile.
pub(crate) fn addresses<const N: usize>(hosts: [u8; N], ports: &[u16]) -> [Ipv4Addr; N] {
    let id = std::process::id();
    for _ in 0..1000 {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = (id + tried * STRIDE).to_be_bytes();
        let addresses = hosts.map(|host| Ipv4Addr::new(127, 64 | (high & 63), low, host));
        let is_free = |address| {
            ports
                .iter()
                .all(|port| TcpListener::bind((address, *port)).is_ok())
        };
        if addresses.into_iter().all(is_free) {
            return addresses;
        }
    }
    panic!("no free loopback addresses");
}
