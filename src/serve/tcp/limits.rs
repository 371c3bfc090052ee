//! How many connections may be open.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::config::Listen;

/// Limits of TCP connections.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Limits {
    /// Open at once, all clients together.
    pub(super) total: usize,
    /// Open at once from one client.
    pub(super) per_client: usize,
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

/// The connections open now. Locked when one opens, closes, comes to rest or goes on.
///
/// When all places are taken, the connection that has been at rest longest is closed for the new
/// one, so that connections at rest, however many, keep nobody out (RFC 7766 section 6.2.3). At
/// rest is one that waits for its next query, and one that does not take its responses. Only when
/// all are busy is a new one refused.
#[derive(Debug)]
pub(in crate::serve) struct Open {
    /// What is allowed.
    limits: Limits,
    /// What is there.
    state: Mutex<State>,
}

/// Which connections there are.
#[derive(Debug, Default)]
struct State {
    /// All together, without those that were told to go.
    total: usize,
    /// Whether the last one to come was refused for the total.
    is_full: bool,
    /// By client; a client without connections has no entry.
    clients: HashMap<IpAddr, usize>,
    /// Those at rest, by when they came to rest.
    resting: BTreeMap<u64, Arc<Seat>>,
    /// How often one came to rest.
    rests: u64,
}

/// What is known of one connection.
#[derive(Debug)]
struct Seat {
    /// By whom it is counted.
    client: IpAddr,
    /// Told once, when it has to go.
    go: Notify,
    /// Whether it has been told, and is not counted any more.
    is_gone: AtomicBool,
}

impl State {
    /// Counts one connection less.
    fn leave(&mut self, client: IpAddr) {
        self.total -= 1;
        if let Some(of_client) = self.clients.get_mut(&client) {
            *of_client -= 1;
            if *of_client == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// Tells the connection that has been at rest longest to go. Returns whether there is one.
    fn make_room(&mut self) -> bool {
        let Some((_, seat)) = self.resting.pop_first() else {
            return false;
        };
        seat.is_gone.store(true, Ordering::Relaxed);
        seat.go.notify_one();
        self.leave(seat.client);
        true
    }
}

impl Open {
    /// None is open.
    pub(in crate::serve) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    /// A place for one more connection, `None` when a limit is reached.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let client = client(address);
        let mut state = self.state.lock();
        let of_client = state.clients.get(&client).copied().unwrap_or_default();
        if of_client >= self.limits.per_client {
            return None;
        }
        if state.total >= self.limits.total && !state.make_room() {
            if !state.is_full {
                state.is_full = true;
                warn!(limit = self.limits.total, "refusing TCP connections");
            }
            return None;
        }
        state.total += 1;
        *state.clients.entry(client).or_default() += 1;
        if state.is_full {
            state.is_full = false;
            info!(open = state.total, "no longer refusing TCP connections");
        }
        Some(Slot {
            open: Arc::clone(self),
            seat: Arc::new(Seat {
                client,
                go: Notify::new(),
                is_gone: AtomicBool::new(false),
            }),
        })
    }
}

/// The place of one connection, free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    /// Where it is counted.
    open: Arc<Open>,
    /// What is known of it.
    seat: Arc<Seat>,
}

impl Slot {
    /// Returns when this place, of a connection at rest from now on, is needed by another.
    pub(super) async fn needed(&self) {
        let _resting = Resting::new(self);
        self.seat.go.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.open.state.lock();
        if !self.seat.is_gone.load(Ordering::Relaxed) {
            state.leave(self.seat.client);
        }
    }
}

/// A connection at rest, while it lives.
struct Resting<'a> {
    /// Its place.
    slot: &'a Slot,
    /// Its number among those at rest.
    number: u64,
}

impl<'a> Resting<'a> {
    /// The connection comes to rest, unless it has been told to go.
    fn new(slot: &'a Slot) -> Self {
        let mut state = slot.open.state.lock();
        state.rests += 1;
        let number = state.rests;
        if !slot.seat.is_gone.load(Ordering::Relaxed) {
            state.resting.insert(number, Arc::clone(&slot.seat));
        }
        Self { slot, number }
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.slot.open.state.lock().resting.remove(&self.number);
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
        assert!(open.state.lock().clients.is_empty());
    }

    #[test]
    fn a_new_connection_takes_the_place_of_the_one_that_rests_longest() {
        let open = open();
        let enter = |host| open.enter(IpAddr::from([192, 0, 2, host])).unwrap();
        let (first, second, third) = (enter(1), enter(2), enter(3));
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut first = pin!(first.needed());
            let mut second = pin!(second.needed());
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert!(second.as_mut().poll(&mut context).is_pending());
            let _fourth = enter(4);
            assert!(first.as_mut().poll(&mut context).is_ready());
            assert!(second.as_mut().poll(&mut context).is_pending());
            let _fifth = enter(5);
            assert!(second.as_mut().poll(&mut context).is_ready());
            // One that goes has no place any more, and one that is busy keeps it.
            assert!(open.enter(IpAddr::from([192, 0, 2, 6])).is_none());
        }
        drop((first, second, third));
        assert_eq!(open.state.lock().total, 0);
        assert!(open.state.lock().clients.is_empty());
        assert!(open.state.lock().resting.is_empty());
    }

    #[test]
    fn a_connection_that_goes_on_is_not_at_rest() {
        let open = open();
        let slots: Vec<_> = (1..=3)
            .map(|host| open.enter(IpAddr::from([192, 0, 2, host])).unwrap())
            .collect();
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(slots[0].needed()).poll(&mut context).is_pending());
        assert!(open.enter(IpAddr::from([192, 0, 2, 4])).is_none());
        // Nor was it told to go meanwhile.
        assert!(pin!(slots[0].needed()).poll(&mut context).is_pending());
    }

    #[test]
    fn a_client_at_its_own_limit_takes_no_place_of_others() {
        let open = open();
        let enter = |host| open.enter(IpAddr::from([192, 0, 2, host]));
        let (resting, _one, _two) = (enter(1).unwrap(), enter(2).unwrap(), enter(2).unwrap());
        let mut resting = pin!(resting.needed());
        let mut context = Context::from_waker(Waker::noop());
        assert!(resting.as_mut().poll(&mut context).is_pending());
        assert!(enter(2).is_none());
        assert!(resting.as_mut().poll(&mut context).is_pending());
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
