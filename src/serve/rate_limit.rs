//! Response rate limiting: how many responses over UDP the clients of a network get, so that nobody can have
//! us flood a network whose addresses are forged.
//!
//! Each network, class and name has an entry in a table of fixed size, made by nobody and freed by nobody: a
//! worker finds it by a hash, takes no lock and allocates nothing.

mod buckets;

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::RandomState;

use self::buckets::{Buckets, Rate, Taken};
use crate::answer::{Client, Rated, Transport};
use crate::model::{RateClass, RateLimits};
use crate::snapshot::Snapshot;
use crate::telemetry::LimitAction;
use crate::vantage::ClientPrefix;

/// Counts the responses of all workers.
#[derive(Debug)]
pub(super) struct RateLimiter {
    buckets: Buckets,
    /// Nobody from outside can tell which entry is whose.
    hasher: RandomState,
}

impl RateLimiter {
    /// Nobody has got anything yet.
    pub(super) fn new() -> Self {
        Self {
            buckets: Buckets::new(),
            hasher: RandomState::default(),
        }
    }

    /// The limits of a response; `None` if it is not limited.
    #[inline]
    pub(super) fn limits<'s>(
        snapshot: &'s Snapshot,
        client: &Client,
        class: RateClass,
    ) -> Option<&'s RateLimits> {
        let limits = &snapshot.settings().rate_limits;
        let is_free = limits.of(class) == 0
            || client.transport != Transport::Udp
            || client.cookie.is_some_and(|cookie| cookie.is_proof())
            || snapshot.client_networks().are_unlimited(client.address);
        (!is_free).then_some(limits)
    }

    /// Counts a response; what is to become of it, if it is beyond a limit. What is sent all the same as
    /// limits are only tried is [`LimitAction::Sent`].
    pub(super) fn count(
        &self,
        limits: &RateLimits,
        client: &Client,
        rated: &Rated<'_>,
    ) -> Option<LimitAction> {
        let rate = Rate::new(limits.of(rated.class), limits.burst, limits.slip);
        match self
            .buckets
            .take(self.key(client, rated), rate, client.elapsed)
        {
            Taken::Within => None,
            taken => Some(action(taken, limits, client)),
        }
    }

    /// What an entry is found by.
    fn key(&self, client: &Client, rated: &Rated<'_>) -> u64 {
        let network = ClientPrefix::of(None, client.address);
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(network.bits);
        let [kind0, kind1] = rated.qtype.to_be_bytes();
        let class = rated.class as u8;
        hasher.write_u32(u32::from_be_bytes([network.family, class, kind0, kind1]));
        hasher.write(rated.name);
        hasher.finish()
    }
}

/// What becomes of a response beyond a limit.
#[cold]
fn action(taken: Taken, limits: &RateLimits, client: &Client) -> LimitAction {
    match taken {
        _ if limits.is_dry_run => LimitAction::Sent,
        Taken::Within | Taken::Beyond => LimitAction::Dropped,
        // A forged address has no cookie of ours; whoever is real gets one, and asks again with it.
        Taken::Slipped if client.cookie.is_some() => LimitAction::BadCookie,
        Taken::Slipped => LimitAction::Truncated,
    }
}
