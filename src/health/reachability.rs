//! Whether it is our own network that fails: what is heard in each address family.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::history::{Confirmation, Failing};
use crate::telemetry;

/// The number of a target.
pub(super) type Id = u64;

/// What is heard of the targets of one address family.
#[derive(Debug, Default)]
pub(super) struct FamilyReachability {
    /// How many targets there are.
    targets: usize,
    /// Targets that answered when they were last asked.
    heard: BTreeSet<Id>,
    /// When one of them last answered.
    heard_at: Duration,
    /// Since when there has always been one of them.
    heard_since: Duration,
    /// Targets that are down as soon as another answers.
    waiting: BTreeSet<Id>,
    /// Whether a target would be down if anything were heard.
    is_held: bool,
}

impl FamilyReachability {
    /// A target is new.
    pub(super) fn gains(&mut self) {
        self.targets += 1;
    }

    /// A target is gone. Says whether it was the last, and held.
    pub(super) fn loses(&mut self, id: Id) -> bool {
        self.misses(id);
        self.targets -= 1;
        self.targets == 0 && std::mem::take(&mut self.is_held)
    }

    /// A target answered, whatever it said. Says whether it is the first after a hold.
    pub(super) fn hears(&mut self, id: Id, now: Duration) -> bool {
        if self.heard.is_empty() {
            self.heard_since = now;
        }
        self.heard.insert(id);
        self.heard_at = now;
        std::mem::take(&mut self.is_held)
    }

    /// A target did not answer.
    pub(super) fn misses(&mut self, id: Id) {
        self.heard.remove(&id);
        if self.heard.is_empty() {
            self.waiting.clear();
        }
    }

    /// Whether the network worked while a target failed.
    pub(super) fn confirms(&self, failing: Failing) -> Confirmation {
        if self.heard.is_empty() || failing.last < self.heard_since {
            Confirmation::No
        } else if self.heard_at < failing.first {
            Confirmation::Ask
        } else {
            Confirmation::Yes
        }
    }

    /// A target waits until another answers.
    pub(super) fn wait(&mut self, id: Id) {
        self.waiting.insert(id);
    }

    /// The target to be asked for the sake of those that wait, if any do.
    pub(super) fn witness(&self) -> Option<Id> {
        let is_needed = !self.waiting.is_empty();
        self.heard.first().copied().filter(|_| is_needed)
    }

    /// The targets that waited.
    pub(super) fn waited(&mut self) -> BTreeSet<Id> {
        std::mem::take(&mut self.waiting)
    }

    /// Nothing can be confirmed. Says whether that is because nothing is heard any more, and news.
    pub(super) fn hold(&mut self) -> bool {
        self.heard.is_empty() && !std::mem::replace(&mut self.is_held, true)
    }
}

/// The name in metrics of the family of an address.
pub(super) fn family(address: SocketAddr) -> telemetry::AddressFamily {
    match address {
        SocketAddr::V4(_) => telemetry::AddressFamily::Ipv4,
        SocketAddr::V6(_) => telemetry::AddressFamily::Ipv6,
    }
}

/// Both address families.
#[derive(Debug, Default)]
pub(super) struct Reachability {
    /// IPv4.
    ipv4: FamilyReachability,
    /// IPv6.
    ipv6: FamilyReachability,
}

impl Reachability {
    /// What is heard of the family of an address.
    pub(super) fn of(&mut self, address: SocketAddr) -> &mut FamilyReachability {
        match address {
            SocketAddr::V4(_) => &mut self.ipv4,
            SocketAddr::V6(_) => &mut self.ipv6,
        }
    }
}
