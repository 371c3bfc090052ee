//! Whether a shard may be answered with, as far as its facts say.

use std::net::IpAddr;

use crate::model::{AddressPolicy, Export, Service, ServiceKind, WayIn};

/// What the facts about a shard say of it. Weight 0 is a wish, and no change of standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::publish) enum ShardReadiness {
    /// It is ready and has what it needs to be answered with.
    Ready,
    /// No endpoint is ready.
    NoEndpoint,
    /// What stands in front of it takes no traffic.
    Closed,
    /// It is for clients outside, and has neither an address that counts nor a host name.
    NoAddress,
    /// It is not there, or not exported any more.
    Gone,
}

impl ShardReadiness {
    /// The standing that facts give; `None` is no facts. Behind a gateway no service needs an address
    /// of its own.
    pub(in crate::publish) fn of(
        facts: Option<&Service>,
        has_gateway: bool,
        policy: AddressPolicy,
    ) -> Self {
        let Some(facts) = facts else {
            return Self::Gone;
        };
        let counts = |address: &IpAddr| policy.judge(*address).is_ok();
        let is_balanced = match facts.way_in {
            WayIn::Usual => facts.kind == ServiceKind::LoadBalancer && !has_gateway,
            WayIn::Named | WayIn::Front | WayIn::Closed => true,
        };
        if facts.export == Export::Refused || facts.kind == ServiceKind::ExternalName {
            Self::Gone
        } else if !facts.is_ready() {
            Self::NoEndpoint
        } else if facts.way_in == WayIn::Closed {
            Self::Closed
        } else if is_balanced && facts.hostnames.is_empty() && !facts.addresses.iter().any(counts) {
            Self::NoAddress
        } else {
            Self::Ready
        }
    }

    /// Why it is out, for people.
    pub(in crate::publish) fn why(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NoEndpoint => "no ready endpoint",
            Self::Closed => "what stands in front takes no traffic",
            Self::NoAddress => "no address",
            Self::Gone => "removed",
        }
    }

    /// Whether the change from one standing to another withdraws something: an answer, or the name
    /// itself.
    pub(in crate::publish) fn withdraws(self, to: Self) -> bool {
        match to {
            Self::Ready => false,
            Self::Gone => self != Self::Gone,
            Self::NoEndpoint | Self::Closed | Self::NoAddress => self == Self::Ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::publish::tests::fixture::service;
    use ShardReadiness::{Closed, Gone, NoAddress, NoEndpoint, Ready};

    #[test]
    fn the_standing_follows_endpoints_addresses_and_export() {
        let of = |facts: Option<&Service>, has_gateway| {
            ShardReadiness::of(facts, has_gateway, AddressPolicy::default())
        };
        let check = |edit: &dyn Fn(&mut Service), expected| {
            let mut facts = (*service("192.0.2.1", 1)).clone();
            edit(&mut facts);
            assert_eq!(of(Some(&facts), false), expected, "{facts:?}");
        };
        check(&|_| {}, Ready);
        check(&|facts| facts.endpoints.ready = 0, NoEndpoint);
        check(
            &|facts| {
                facts.endpoints.ready = 0;
                Arc::make_mut(&mut facts.spec).allow_without_endpoints = true;
            },
            Ready,
        );
        check(
            &|facts| facts.addresses = [].into_iter().collect(),
            NoAddress,
        );
        check(
            &|facts| facts.addresses = [[0, 0, 0, 0].into()].into_iter().collect(),
            NoAddress,
        );
        check(
            &|facts| {
                facts.addresses = [].into_iter().collect();
                Arc::make_mut(&mut facts.spec).kind = ServiceKind::ClusterIp;
            },
            Ready,
        );
        let refused = |facts: &mut Service| {
            Arc::make_mut(&mut facts.spec).export = Export::Refused;
        };
        check(&refused, Gone);
        let closed = |facts: &mut Service| {
            Arc::make_mut(&mut facts.spec).way_in = WayIn::Closed;
        };
        check(&closed, Closed);
        // One of its own needs an address, whatever its type and its member's gateway.
        let mut own = (*service("192.0.2.1", 1)).clone();
        let spec = Arc::make_mut(&mut own.spec);
        (spec.kind, spec.way_in) = (ServiceKind::ClusterIp, WayIn::Front);
        assert_eq!(of(Some(&own), true), Ready);
        own.addresses = [].into_iter().collect();
        assert_eq!(of(Some(&own), true), NoAddress);
        let drained = |facts: &mut Service| {
            Arc::make_mut(&mut facts.spec).steering.weight = Some(0);
        };
        check(&drained, Ready);
        assert_eq!(of(None, false), Gone);
        let mut behind = (*service("192.0.2.1", 1)).clone();
        behind.addresses = [].into_iter().collect();
        assert_eq!(of(Some(&behind), true), Ready);
    }

    #[test]
    fn only_what_takes_something_away_is_a_withdrawal() {
        let all = [Ready, NoEndpoint, Closed, NoAddress, Gone];
        let pairs = all.into_iter().flat_map(|from| all.map(|to| (from, to)));
        let those: Vec<_> = pairs.filter(|(from, to)| from.withdraws(*to)).collect();
        assert_eq!(
            those,
            [
                (Ready, NoEndpoint),
                (Ready, Closed),
                (Ready, NoAddress),
                (Ready, Gone),
                (NoEndpoint, Gone),
                (Closed, Gone),
                (NoAddress, Gone),
            ]
        );
    }
}
