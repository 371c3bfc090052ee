//! Feeds the watchdog of the service manager, with proof that the daemon works: the writer took a turn
//! of late, and each address received queries or answers one of the daemon's own.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::warn;

use super::service_manager;
use crate::publish::Handle;
use crate::serve::{ReceivedQueries, Serving};
use crate::telemetry::clock;

/// How old the last turn of the writer may be; it takes one each second.
const TURN: Duration = Duration::from_secs(5);

/// How many times the watchdog is fed within its timeout.
const FEEDS: u32 = 6;

/// Misses within a timeout of the watchdog after which it is fed no more.
const MISSES: usize = 3;

/// How long an address may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// A query for the name servers of the root, which is answered whatever is served (RFC 1035 section 4.1).
const QUERY: [u8; 17] = [0x67, 0x7a, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];

/// An address, and what it had received when it was last looked at.
struct Watched {
    /// The address and its counters.
    received: ReceivedQueries,
    /// By UDP and by TCP.
    before: [u64; 2],
}

/// Proofs that are missing.
#[derive(Debug, Default)]
struct Misses(VecDeque<Instant>);

impl Misses {
    /// Takes a miss, if it is one, and says whether to feed.
    fn feed(&mut self, is_missed: bool, now: Instant, within: Duration) -> bool {
        if is_missed {
            self.0.push_back(now);
        }
        while self.0.front().is_some_and(|first| now - *first > within) {
            self.0.pop_front();
        }
        self.0.len() < MISSES
    }
}

/// Feeds the watchdog, if there is one, until what it returns is dropped.
pub(super) fn start(handle: &Handle, serving: &Serving) -> JoinSet<()> {
    let mut feeding = JoinSet::new();
    if let Some(within) = sd_notify::watchdog_enabled() {
        let addresses = serving.received().to_vec();
        feeding.spawn(feed(handle.clone(), addresses, within));
    }
    feeding
}

/// Feeds the watchdog, whose timeout is `within`.
async fn feed(handle: Handle, addresses: Vec<ReceivedQueries>, within: Duration) {
    let start = |received: ReceivedQueries| Watched {
        before: [received.udp(), received.tcp()],
        received,
    };
    let mut addresses: Vec<_> = addresses.into_iter().map(start).collect();
    let mut misses = Misses::default();
    let mut turns = interval(within / FEEDS);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let missing = missing(&handle, &mut addresses).await;
        if let Some(missing) = &missing {
            warn!(missing, "no proof for the watchdog");
        }
        if misses.feed(missing.is_some(), clock::monotonic(), within) {
            service_manager::feed(&handle);
        }
    }
}

/// What does not work, if anything.
async fn missing(handle: &Handle, addresses: &mut [Watched]) -> Option<String> {
    let turned = *handle.turned.borrow();
    if turned.elapsed() > TURN {
        return Some("the writer of snapshots takes no turn".to_owned());
    }
    for watched in addresses {
        let address = watched.received.address;
        let now = [watched.received.udp(), watched.received.tcp()];
        let [by_udp, by_tcp] = watched.before;
        let [udp, tcp] = now;
        watched.before = now;
        let asked = to_oneself(address);
        if udp == by_udp && !is_answered(ask_udp(asked)).await {
            return Some(format!("{address} answers nothing by UDP"));
        }
        if tcp == by_tcp && !is_answered(ask_tcp(asked)).await {
            return Some(format!("{address} answers nothing by TCP"));
        }
    }
    None
}

/// Whether an answer comes in time.
async fn is_answered(asked: impl Future<Output = io::Result<()>>) -> bool {
    timeout(ANSWER, asked)
        .await
        .is_ok_and(|asked| asked.is_ok())
}

/// Where this host asks what listens at an address.
fn to_oneself(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Asks by UDP.
async fn ask_udp(address: SocketAddr) -> io::Result<()> {
    let from: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(address).await?;
    socket.send(&QUERY).await?;
    socket.recv(&mut [0; 512]).await.map(drop)
}

/// Asks by TCP (RFC 1035 section 4.2.2).
async fn ask_tcp(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut message = vec![0, 17];
    message.extend(QUERY);
    stream.write_all(&message).await?;
    stream.read_u16().await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_misses_within_the_timeout_end_feeding() {
        let (mut misses, within) = (Misses::default(), Duration::from_secs(30));
        let start = clock::monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(misses.feed(false, at(0), within));
        assert!(misses.feed(true, at(5), within));
        assert!(misses.feed(true, at(10), within));
        assert!(misses.feed(false, at(15), within));
        assert!(!misses.feed(true, at(20), within));
        assert!(!misses.feed(false, at(25), within));
        // The first has passed.
        assert!(misses.feed(false, at(36), within));
    }

    #[test]
    fn a_wildcard_is_asked_on_loopback() {
        for (address, asked) in [
            ("0.0.0.0:53", "127.0.0.1:53"),
            ("[::]:53", "[::1]:53"),
            ("192.0.2.1:53", "192.0.2.1:53"),
        ] {
            assert_eq!(to_oneself(address.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
