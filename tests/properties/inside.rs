//! What clients get whose place is known, or who are inside a member (docs/names.md, decisions 6
//! and 12).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use proptest::sample::select;

use crate::oracle::Oracle;
use crate::world::{Fed, Said, Shard};

/// A pod: host name, address, readiness.
pub(crate) type Pod = (Option<&'static str>, IpAddr, bool);

/// Where a shard is reached inside its member.
#[derive(Debug, Clone)]
pub(crate) enum Inside {
    ClusterIps(Vec<IpAddr>),
    /// It is headless, and has no other addresses.
    Pods(Vec<Pod>),
}

/// An address inside a member, and nowhere else.
fn inside_address(member: usize) -> impl Strategy<Value = IpAddr> {
    let texts = [1, 2, 3].map(|last| {
        [
            format!("10.{member}.0.{last}"),
            format!("fd00:{member}::{last}"),
        ]
    });
    let all: Vec<IpAddr> = texts
        .iter()
        .flatten()
        .filter_map(|text| text.parse().ok())
        .collect();
    select(all)
}

pub(crate) fn inside(member: usize) -> impl Strategy<Value = Inside> {
    let hostname = select(vec![None, None, Some("web-0"), Some("web-1")]);
    let pod = (hostname, inside_address(member), any::<bool>());
    prop_oneof![
        4 => prop::collection::vec(inside_address(member), 0..3).prop_map(Inside::ClusterIps),
        1 => prop::collection::vec(pod, 0..4).prop_map(Inside::Pods),
    ]
}

/// The host names of a shard's pods, ready or not.
pub(crate) fn pod_names(shard: &Shard) -> BTreeSet<String> {
    let Inside::Pods(pods) = &shard.inside else {
        return BTreeSet::new();
    };
    let name = |(hostname, address, _): &Pod| match hostname {
        Some(hostname) => (*hostname).to_owned(),
        None => address.to_string().replace(['.', ':'], "-"),
    };
    pods.iter().map(name).collect()
}

impl Shard {
    /// The addresses that take traffic inside its member.
    pub(crate) fn reached(&self) -> BTreeSet<IpAddr> {
        match &self.inside {
            Inside::ClusterIps(addresses) => addresses.iter().copied().collect(),
            Inside::Pods(pods) => {
                let ready = pods.iter().filter(|(_, _, is_ready)| *is_ready);
                ready.map(|(_, address, _)| *address).collect()
            }
        }
    }
}

/// The member whose inside address this is.
pub(crate) fn member_of(address: IpAddr) -> Option<usize> {
    match address {
        IpAddr::V4(address) => match address.octets() {
            [10, member, ..] => Some(member.into()),
            _ => None,
        },
        IpAddr::V6(address) => match address.segments() {
            [0xfd00, member, ..] => Some(member.into()),
            _ => None,
        },
    }
}

impl Oracle<'_> {
    /// Whether the policy is `nearest`.
    fn is_nearest(&self, fed: &Fed, key: (&str, &str)) -> bool {
        let nothing_said = |(_, shard): &(usize, &Shard)| matches!(shard.steering, Said::Nothing);
        fed.is_nearest
            && fed.failover.is_none()
            && !fed.is_weighted
            && self.shards(fed, key).iter().all(nothing_said)
    }

    /// The addresses at a global name for a client inside a member; `None` where other rules decide.
    pub(crate) fn inside(
        &self,
        fed: &Fed,
        key: (&str, &str),
        member: usize,
    ) -> Option<BTreeSet<IpAddr>> {
        let shards = self.shards(fed, key);
        let reached =
            |(index, shard): &&(usize, &Shard)| *index == member && !shard.reached().is_empty();
        let own = shards.iter().find(reached).map(|_| member);
        let mut chosen = self.eligible(fed, key, own);
        let is_own = |index: usize| own == Some(index);
        if self.is_weighted(fed, key) {
            return None;
        } else if let Some(order) = self.order(fed, key) {
            let rank = |index: usize| {
                let place = order.iter().position(|one| *one == index);
                (place.unwrap_or(order.len()), index)
            };
            chosen.sort_by_key(|(index, _)| rank(*index));
            chosen.truncate(1);
        } else if self.is_nearest(fed, key) {
            if !chosen.iter().any(|(index, _)| *index == member) {
                return None;
            }
            chosen.retain(|(index, _)| *index == member);
        }
        let addresses = chosen.iter().flat_map(|(index, shard)| {
            if is_own(*index) {
                shard.reached()
            } else {
                self.world.served(fed, shard)
            }
        });
        Some(addresses.collect())
    }

    /// The members at a global name of `nearest`, for a client of a known place; `None` where other
    /// rules decide.
    pub(crate) fn nearest(
        &self,
        fed: &Fed,
        key: (&str, &str),
        client: Ipv4Addr,
    ) -> Option<BTreeSet<IpAddr>> {
        if !self.is_nearest(fed, key) {
            return None;
        }
        let holding = self
            .world
            .networks
            .iter()
            .filter(|net| net.cidr.contains(&client));
        let longest = holding.clone().map(|net| net.cidr.prefix_len()).max()?;
        let mut best = holding.filter(|net| net.cidr.prefix_len() == longest);
        let (net, None) = (best.next()?, best.next()) else {
            return None;
        };
        let region = net.region?;
        let at = |name: &str| self.world.longitudes.get(name);
        // 0 the zone, 1 the region, then by distance; no location of the client's merges the rest.
        let rank = |member: usize| -> u16 {
            let Some(place) = self.world.members.get(member) else {
                return u16::MAX;
            };
            match (place.region, at(region), place.region.and_then(at)) {
                (Some(own), ..) if own == region => {
                    u16::from(!net.zone.is_some_and(|zone| place.zones.contains(&zone)))
                }
                (_, Some(here), Some(there)) => 2 + u16::from(here.abs_diff(*there)),
                _ => u16::MAX,
            }
        };
        let eligible = self.eligible(fed, key, None);
        let best = eligible.iter().map(|(member, _)| rank(*member)).min()?;
        let near = eligible.iter().filter(|(member, _)| rank(*member) == best);
        Some(
            near.flat_map(|(_, shard)| self.world.served(fed, shard))
                .collect(),
        )
    }
}
