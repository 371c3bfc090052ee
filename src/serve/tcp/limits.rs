//! How many connections may be open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::config::Listen;

/// Limits of TCP connections.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Limits {
    /// Open at once, all clients together.
    total: usize,
    /// Open at once from one client.
    per_client: usize,
    /// How long a connection may take for its next query.
    pub(in crate::serve) idle: Duration,
}

impl Limits {
    /// The configured limits.
    pub(in crate::serve) fn of(listen: &Listen) -> Self {
        Self {
            total: listen.tcp_connections,
            per_client: listen.tcp_connections_per_client,
            idle: listen.tcp_idle,
        }
    }
}

/// The connections open now. Locked when one opens or closes, never for a query.
///
/// When the last place is taken, the connection that has waited longest for its next query is
/// closed, so that connections at rest, however many, keep nobody out (RFC 7766 section 6.2.3).
/// Only when all are busy is a new one refused.
#[derive(Debug)]
pub(in crate::serve) struct Open {
    /// What is allowed.
    limits: Limits,
    /// What is there.
    counts: Mutex<Counts>,
    /// Where connections at rest wait to be closed, in the order in which they came to rest.
    at_rest: Notify,
    /// How many wait there: told when there are none, `at_rest` would close the next one.
    resting: AtomicUsize,
}

/// How many connections there are.
#[derive(Debug, Default)]
struct Counts {
    /// All together.
    total: usize,
    /// Whether the last one to come was refused for the total.
    is_full: bool,
    /// By client; a client without connections has no entry.
    clients: HashMap<IpAddr, usize>,
}

impl Open {
    /// None is open.
    pub(in crate::serve) fn new(limits: Limits) -> Self {
        Self {
            limits,
            counts: Mutex::default(),
            at_rest: Notify::new(),
            resting: AtomicUsize::new(0),
        }
    }

    /// Closes the connection that has been at rest longest, if any is.
    fn make_room(&self) {
        if self.resting.load(Ordering::Relaxed) > 0 {
            self.at_rest.notify_one();
        }
    }

    /// A place for one more connection, `None` when a limit is reached.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let client = client(address);
        let mut counts = self.counts.lock();
        if counts.total >= self.limits.total {
            if !counts.is_full {
                counts.is_full = true;
                warn!(limit = self.limits.total, "refusing TCP connections");
            }
            self.make_room();
            return None;
        }
        let of_client = counts.clients.entry(client).or_default();
        if *of_client >= self.limits.per_client {
            if *of_client == 0 {
                counts.clients.remove(&client);
            }
            return None;
        }
        *of_client += 1;
        counts.total += 1;
        if counts.total == self.limits.total {
            self.make_room();
        }
        if counts.is_full {
            counts.is_full = false;
            info!(open = counts.total, "taking TCP connections again");
        }
        Some(Slot {
            open: Arc::clone(self),
            client,
        })
    }
}

/// The place of one connection, free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    /// Where it is counted.
    open: Arc<Open>,
    /// By whom it is counted.
    client: IpAddr,
}

impl Slot {
    /// Returns when this place, of a connection at rest, is needed by another.
    pub(super) async fn needed(&self) {
        let _resting = Resting::new(&self.open.resting);
        self.open.at_rest.notified().await;
    }
}

/// Counts one connection at rest while it lives.
struct Resting<'a>(&'a AtomicUsize);

impl<'a> Resting<'a> {
    /// Counts one more.
    fn new(resting: &'a AtomicUsize) -> Self {
        resting.fetch_add(1, Ordering::Relaxed);
        Self(resting)
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.open.counts.lock();
        counts.total -= 1;
        if let Some(of_client) = counts.clients.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                counts.clients.remove(&self.client);
            }
        }
    }
}

/// Whom an address counts for: an IPv4 address, or an IPv6 /64, which any one host can have whole.
fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    /// Limits of 3 connections, 2 for each client.
    fn open() -> Arc<Open> {
        Arc::new(Open::new(Limits {
            total: 3,
            per_client: 2,
            idle: Duration::from_secs(1),
        }))
    }

    #[test]
    fn a_client_has_its_own_limit_and_gets_its_places_back() {
        let open = open();
        let address = IpAddr::from([192, 0, 2, 1]);
        let first = open.enter(address);
        let _second = open.enter(address).unwrap();
        assert!(open.enter(address).is_none());
        drop(first);
        assert!(open.enter(address).is_some());
    }

    #[test]
    fn all_clients_share_the_total() {
        let open = open();
        let slots: Vec<_> = (1..=3)
            .map(|host| open.enter(IpAddr::from([192, 0, 2, host])).unwrap())
            .collect();
        assert!(open.enter(IpAddr::from([192, 0, 2, 4])).is_none());
        drop(slots);
        assert!(open.enter(IpAddr::from([192, 0, 2, 4])).is_some());
        assert!(open.counts.lock().clients.is_empty());
    }

    #[test]
    fn the_last_place_costs_the_connection_that_rests_longest() {
        let open = open();
        let enter = |host| open.enter(IpAddr::from([192, 0, 2, host])).unwrap();
        let (first, second) = (enter(1), enter(2));
        let mut context = Context::from_waker(Waker::noop());
        let mut first = pin!(first.needed());
        let mut second = pin!(second.needed());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        let third = enter(3);
        assert!(first.as_mut().poll(&mut context).is_ready());
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert!(pin!(third.needed()).poll(&mut context).is_pending());
    }

    #[test]
    fn a_place_is_not_needed_for_those_that_came_before_it_rested() {
        let open = open();
        let slots: Vec<_> = (1..=3)
            .map(|host| open.enter(IpAddr::from([192, 0, 2, host])).unwrap())
            .collect();
        assert!(open.enter(IpAddr::from([192, 0, 2, 4])).is_none());
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(slots[0].needed()).poll(&mut context).is_pending());
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_client() {
        let open = open();
        let _one = open.enter("2001:db8:0:1::1".parse().unwrap()).unwrap();
        let _two = open.enter("2001:db8:0:1:ffff::2".parse().unwrap()).unwrap();
        assert!(open.enter("2001:db8:0:1::3".parse().unwrap()).is_none());
        assert!(open.enter("2001:db8:0:2::1".parse().unwrap()).is_some());
    }
}
